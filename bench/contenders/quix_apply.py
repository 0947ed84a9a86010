"""Quix Streams with the shared arithmetic in ``apply`` and its state in memory.

The leanest data frame that does the job; like Wakeline's agent here, it keeps no durable state.
"""

from typing import Any

from bench.contenders.quix_app import as_wire, build_app, build_meter, run_app
from bench.contenders.task import Report, Task
from bench.job import HeartRateJob


def run(task: Task) -> Report:
    """Do the task."""
    app = build_app(task)
    meter = build_meter(app, task)
    job = HeartRateJob(meter)

    def step(envelope: dict[str, Any]) -> list[dict[str, Any]]:
        record = envelope["records"][0]
        result = job.update(envelope["userId"], record["time"], record["heartRate"])
        return [] if result is None else [as_wire(result)]

    frame = app.dataframe(app.topic(task.source, value_deserializer="json"))
    frame = frame.apply(step, expand=True)
    frame.to_topic(app.topic(task.output, value_serializer="json"))
    return run_app(app, task, meter)
