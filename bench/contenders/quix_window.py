"""Quix Streams as its documentation writes it: a tumbling window's mean, with its durable state.

River's means are kept in memory by subject, since they are objects of a library.
"""

from datetime import timedelta
from typing import Any

from quixstreams.dataframe.windows import Last, Mean
from river.stats import EWMean

from bench.contenders.quix_app import as_wire, build_app, build_meter, run_app
from bench.contenders.task import Report, Task
from bench.job import FADING_FACTOR, MINUTE_S, MinuteResult


def run(task: Task) -> Report:
    """Do the task."""
    app = build_app(task)
    meter = build_meter(app, task)
    usual: dict[str, EWMean] = {}

    def learn(envelope: dict[str, Any]) -> dict[str, Any]:
        user_id = envelope["userId"]
        rate = envelope["records"][0]["heartRate"]
        if user_id not in usual:
            usual[user_id] = EWMean(FADING_FACTOR)
        usual[user_id].update(rate)
        meter.tick()
        return {"user_id": user_id, "rate": rate}

    def finish(window: dict[str, Any]) -> dict[str, Any]:
        user_id = window["user_id"]
        return as_wire(
            MinuteResult(user_id, window["start"] / 1_000, window["mean"], usual[user_id].get())
        )

    source = app.topic(task.source, value_deserializer="json", timestamp_extractor=event_time_ms)
    frame = app.dataframe(source).apply(learn)
    windows = frame.tumbling_window(timedelta(seconds=MINUTE_S))
    frame = windows.agg(mean=Mean("rate"), user_id=Last("user_id")).final().apply(finish)
    frame.to_topic(app.topic(task.output, value_serializer="json"))
    return run_app(app, task, meter)


def event_time_ms(envelope: dict[str, Any], *_: object) -> int:
    """Give the time of an envelope's first record (ms)."""
    return int(envelope["records"][0]["time"] * 1_000)
