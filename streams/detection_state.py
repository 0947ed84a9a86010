"""What is kept of the detection of one subject, between checkpoints."""

from msgspec import Struct

from detectors.base import State
from streams.devices import Devices
from streams.events import Alert, AlertAction, Anomaly, AnomalyState, CareContext, WindowKind

AnomalyKey = tuple[str, str | None, float, WindowKind]
"""Detector, feature, start and kind of the window of an anomaly."""


def anomaly_key(anomaly: Anomaly) -> AnomalyKey:
    """What an anomaly is told from others of a subject by."""
    return anomaly.detector, anomaly.feature, anomaly.start, anomaly.window


class DetectionState(Struct, array_like=True):
    """Everything that later results of a `Detection` depend on.

    ``states``: what was last said of unsettled anomalies that are unusual. ``devices``: by window
    kind the last known model of the device of a settled row. ``ahead``: the policy after all that
    is unsettled, None before any was looked at. ``stale``: what has to be looked at anew of what
    was said of unsettled rows (`Reach`), all of it where ``is_stale``. ``before``: what the policy
    knew of nights and days before the last of them, None if that one told of something. States of
    before these were kept have none. ``project``: whose own settings hold, None where the site's
    do. ``is_revised``: what settled since was said otherwise.
    """

    models: State
    policy: State
    contexts: list[tuple[float, CareContext]]
    actions: list[tuple[float, AlertAction]]
    relearned: list[str]
    sequence: int
    shown: list[Alert]
    settled: list[Alert]
    states: list[tuple[AnomalyKey, AnomalyState]]
    has_news: bool
    devices: Devices = {}
    ahead: State | None = None
    is_stale: bool = True
    ripe_s: float | None = None
    stale: int = 0
    before: bytes | None = None
    project: str | None = None
    is_revised: bool = False
