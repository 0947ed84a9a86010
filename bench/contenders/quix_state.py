"""Quix Streams with the minute's sum and count in its durable state.

River's means are kept in memory by subject, since they are objects of a library.
"""

from typing import Any

from quixstreams import State
from river.stats import EWMean

from bench.contenders.quix_app import as_wire, build_app, build_meter, run_app
from bench.contenders.task import Report, Task
from bench.job import FADING_FACTOR, MINUTE_S, MinuteResult


def run(task: Task) -> Report:
    """Do the task."""
    app = build_app(task)
    meter = build_meter(app, task)
    usual: dict[str, EWMean] = {}

    def step(
        envelope: dict[str, Any], state: State[str, tuple[int, float, int]]
    ) -> list[dict[str, Any]]:
        user_id = envelope["userId"]
        record = envelope["records"][0]
        rate = record["heartRate"]
        minute = int(record["time"] // MINUTE_S)
        if user_id not in usual:
            usual[user_id] = EWMean(FADING_FACTOR)
        usual[user_id].update(rate)
        started, total, count = state.get("minute", (minute, 0.0, 0))
        results = []
        if started != minute:
            start = float(started * MINUTE_S)
            result = MinuteResult(user_id, start, total / count, usual[user_id].get())
            results.append(as_wire(result))
            started, total, count = minute, 0.0, 0
        state.set("minute", (started, total + rate, count + 1))
        meter.tick()
        return results

    frame = app.dataframe(app.topic(task.source, value_deserializer="json"))
    frame = frame.apply(step, stateful=True, expand=True)
    frame.to_topic(app.topic(task.output, value_serializer="json"))
    return run_app(app, task, meter)
