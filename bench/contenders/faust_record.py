"""Stock Faust as its documentation writes it: ``faust.Record`` models and the JSON serializer."""

import asyncio

import faust

from bench.contenders.faust_app import build_app, run_app
from bench.contenders.task import Report, Task, report_of
from bench.job import HeartRateJob, Meter


class Sample(faust.Record, serializer="json"):
    """A heart rate sample."""

    time: float
    heartRate: float  # noqa: N815  # the name on the wire


class HeartRateEnvelope(faust.Record, serializer="json"):
    """An envelope of heart rate samples."""

    userId: str  # noqa: N815  # the name on the wire
    records: list[Sample]


class Minute(faust.Record, serializer="json"):
    """A result."""

    userId: str  # noqa: N815  # the name on the wire
    start: float
    heartRateMeanBpm: float  # noqa: N815  # the name on the wire
    heartRateUsualBpm: float  # noqa: N815  # the name on the wire


def run(task: Task) -> Report:
    """Do the task."""
    meter = Meter(task.messages, task.warm_up)
    done = asyncio.Event()
    job = HeartRateJob(meter)
    app = build_app(task)
    source = app.topic(task.source, key_type=bytes, value_type=HeartRateEnvelope)
    output = app.topic(task.output, key_type=bytes, value_type=Minute)

    @app.agent(source)
    async def process(stream: faust.StreamT[HeartRateEnvelope]) -> None:
        async for envelope in stream:
            sample = envelope.records[0]
            result = job.update(envelope.userId, sample.time, sample.heartRate)
            if result is not None:
                minute = Minute(
                    userId=result.user_id,
                    start=result.start,
                    heartRateMeanBpm=result.heart_rate_mean_bpm,
                    heartRateUsualBpm=result.heart_rate_usual_bpm,
                )
                await output.send(key=result.user_id.encode(), value=minute)
            if meter.is_done:
                done.set()

    run_app(app, done)
    return report_of(task, meter)
