"""Stock Faust as an experienced user writes it: raw bytes, decoded by msgspec in the agent.

Tuned: a stream buffer that holds more than the fetcher's one-second pauses let through, no tables,
no leader or declared topics, web server off.
"""

import asyncio

import faust
import msgspec

from bench.contenders.faust_app import build_app, run_app
from bench.contenders.task import Report, Task, report_of
from bench.job import HeartRateJob, Meter


def run(task: Task) -> Report:
    """Do the task."""
    meter = Meter(task.messages, task.warm_up)
    done = asyncio.Event()
    job = HeartRateJob(meter)
    app = build_app(task)
    source = app.topic(task.source, value_type=bytes, value_serializer="raw")
    output = app.topic(task.output, value_type=bytes, value_serializer="raw")

    @app.agent(source)
    async def process(stream: faust.StreamT[bytes]) -> None:
        async for key, value in stream.items():
            result = job.update_bytes(value)
            if result is not None:
                await output.send(key=key, value=msgspec.json.encode(result))
            if meter.is_done:
                done.set()

    run_app(app, done)
    return report_of(task, meter)
