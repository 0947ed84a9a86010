"""The Quix Streams application of the Quix contenders, and how it is run."""

from typing import Any

from quixstreams import Application

from bench.contenders.task import Report, Task, report_of
from bench.job import Meter, MinuteResult


def build_app(task: Task) -> Application:
    """Build an application with Quix's defaults, reading from the beginning.

    The session's timeout is shorter than the default only because the embedded broker lets a group
    wait for half of it; joining is not in the figure.
    """
    return Application(
        broker_address=task.broker,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        consumer_extra_config={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000},
        state_dir=task.directory,
        loglevel="ERROR",
    )


def build_meter(app: Application, task: Task) -> Meter:
    """Build the meter that stops the application after the last message."""
    return Meter(task.messages, task.warm_up, on_done=app.stop)


def as_wire(result: MinuteResult) -> dict[str, Any]:
    """Give a result as the JSON serializer takes it."""
    return {
        "userId": result.user_id,
        "start": result.start,
        "heartRateMeanBpm": result.heart_rate_mean_bpm,
        "heartRateUsualBpm": result.heart_rate_usual_bpm,
    }


def run_app(app: Application, task: Task, meter: Meter) -> Report:
    """Run until the last message has been processed and its checkpoint is committed."""
    app.run()
    return report_of(task, meter)
