"""What Wakeline says: feature rows, anomalies, alerts and operational figures.

The structs are the public contract of the output topics and of the sinks. Fields that a canonical
export leaves out (``docs/ARCHITECTURE.md``) are named in ``OPERATIONAL_FIELDS``.
"""

import datetime as dt
from enum import StrEnum

from msgspec import Struct

from streams.events.registry import SubjectStatus


class WindowKind(StrEnum):
    """Kinds of window, in the order in which equal ends settle."""

    MINUTE = "minute"
    HOUR = "hour"
    NIGHT = "night"
    DAY = "day"


class FeatureRow(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="schema", tag="feature_row/1"
):
    """Features of one subject over one window.

    ``start`` and ``end`` are s UTC, ``local_date`` is the subject's, ``utc_offset`` the offset in
    force at the end (s east of UTC). A value that cannot be told
    is absent from ``values``, never 0. ``coverage`` maps a channel to the share (0..1) of its
    valid minutes. ``device_type`` is the model of the subject's first source in force in
    the middle of the window that names one.
    """

    user_id: str
    project_id: str
    care_team: str
    device_type: str | None = None
    status: SubjectStatus
    window: WindowKind
    start: float
    end: float
    local_date: dt.date
    utc_offset: int = 0
    values: dict[str, float]
    coverage: dict[str, float]
    revision: int = 0
    settled: bool = False
    epoch: int = 0


class MinuteValues(Struct, frozen=True, kw_only=True, rename="camel"):
    """Features of one minute; ``start`` s UTC."""

    start: float
    values: dict[str, float]


class MinuteRows(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="schema", tag="minute_rows/1"
):
    """Minutes of one subject-hour: the changed ones while provisional, all of them once settled."""

    user_id: str
    project_id: str
    care_team: str
    device_type: str | None = None
    status: SubjectStatus
    start: float
    end: float
    local_date: dt.date
    utc_offset: int = 0
    minutes: list[MinuteValues]
    revision: int = 0
    settled: bool = False
    epoch: int = 0


class AnomalyState(StrEnum):
    """What a detector says of a row: still learning, or whether the score passed the threshold."""

    LEARNING = "LEARNING"
    NORMAL = "NORMAL"
    ANOMALOUS = "ANOMALOUS"


class Anomaly(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="schema", tag="anomaly/1"
):
    """The score (0..1) of one detector for one row, or for one feature of it.

    ``value`` is the feature's, beside the band that is usual for this person (``usual_low`` to
    ``usual_high``, eight of ten values lie in it; in the feature's unit), where a detector has one.
    """

    user_id: str
    project_id: str
    care_team: str
    window: WindowKind
    start: float
    end: float
    local_date: dt.date
    detector: str
    feature: str | None = None
    score: float
    threshold: float
    state: AnomalyState
    value: float | None = None
    usual_low: float | None = None
    usual_median: float | None = None
    usual_high: float | None = None
    settled: bool = False
    revision: int = 0
    epoch: int = 0
    version: str


class AlertKind(StrEnum):
    """CLINICAL: a person changed; LIMIT: a site's limit was passed; DATA: data are missing."""

    CLINICAL = "CLINICAL"
    LIMIT = "LIMIT"
    DATA = "DATA"
    OPERATIONAL = "OPERATIONAL"


class Severity(StrEnum):
    """How soon somebody should look."""

    WATCH = "WATCH"
    URGENT = "URGENT"


class AlertStatus(StrEnum):
    """Where an alert stands."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    SNOOZED = "SNOOZED"
    RESOLVED = "RESOLVED"
    WITHDRAWN = "WITHDRAWN"


class Direction(StrEnum):
    """To which side a value left the usual range."""

    UP = "up"
    DOWN = "down"


class Evidence(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one day, or the night before its morning, told of a feature, in its unit.

    ``carries``: whether the reason's value speaks of it; null where the value is the latest one.
    """

    local_date: dt.date
    value: float
    carries: bool | None = None


class Reason(Struct, frozen=True, kw_only=True, rename="camel"):
    """One piece of evidence: a value beside what is usual for this person.

    ``value`` is the mean of the days that carry the change, as ``evidence`` marks them, else the
    latest value. ``window`` is the kind of window that told it, ``share`` its share (0..1) of the
    alert's score. ``expected`` is what the days before the change let expect, ``evidence`` its
    days, in order (both in the feature's unit).
    """

    feature: str
    window: WindowKind | None = None
    direction: Direction
    value: float
    unit: str
    usual_low: float | None = None
    usual_median: float | None = None
    usual_high: float | None = None
    z: float | None = None
    days_of_baseline: int = 0
    coverage: float | None = None
    share: float | None = None
    expected: float | None = None
    evidence: list[Evidence] = []


class Alert(Struct, frozen=True, kw_only=True, rename="camel", tag_field="schema", tag="alert/1"):
    """Something a care team should look at, with its reasons and one plain sentence.

    ``opened_at`` is event time, ``detected_at`` the in-band clock (both s UTC). ``missing`` names
    what was not available. Nobody is ever contacted by it without a person deciding so.
    """

    alert_id: str
    user_id: str
    project_id: str
    care_team: str
    device_type: str | None = None
    kind: AlertKind
    rule: str
    severity: Severity
    status: AlertStatus = AlertStatus.OPEN
    status_at: float | None = None
    status_by: str | None = None
    owner: str | None = None
    due_at: float | None = None
    escalation_level: int = 0
    continues: str | None = None
    opened_at: float
    detected_at: float
    settled: bool = False
    window: WindowKind | None = None
    start: float
    end: float
    local_date: dt.date
    score: float
    threshold: float
    reasons: list[Reason] = []
    summary: str
    missing: list[str] = []
    model_versions: dict[str, str] = {}
    revision: int = 0
    epoch: int = 0


class Operation(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="schema", tag="operation/1"
):
    """A figure about the data or the pipeline; ``user_id`` only on data quality.

    ``time`` is the in-band clock (s UTC) at which ``values`` held.
    """

    name: str
    partition: int
    time: float
    values: dict[str, float]
    user_id: str | None = None
    project_id: str | None = None
    epoch: int = 0


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A refused message, or one record of it (``index``); the bytes stay unchanged.

    Of several about one message only the first has its ``key`` and ``value``.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    key: bytes | None
    value: bytes | None
    index: int | None = None


Output = FeatureRow | MinuteRows | Anomaly | Alert | Operation | DeadLetter
"""Everything the pipeline emits."""

OUTPUT_TOPICS: dict[type[Output], str] = {
    FeatureRow: "features",
    MinuteRows: "features",
    Anomaly: "anomalies",
    Alert: "alerts",
    Operation: "operations",
    DeadLetter: "dead-letter",
}
"""Type of an output -> topic that carries it."""

OPERATIONAL_FIELDS = frozenset(
    {
        "detectedAt",
        "revision",
        "epoch",
        "continues",
        "status",
        "statusAt",
        "statusBy",
        "owner",
        "dueAt",
        "escalationLevel",
        "settled",
    }
)
"""Wire names that the canonical export leaves out, for they depend on the run or on staff."""
