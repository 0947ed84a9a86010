"""Outputs as InfluxDB points in line protocol: pure, and fast, for minutes come by the million.

A point is its measurement, tags, fields and time. Tags are what people choose by; all else is a
field. `connectors.influx.catalogue` says what each measurement holds, and a test holds it to this
module. Values are written as floats always, so that no field ever changes its type; what is not
finite is not written.
"""

import datetime as dt
import hashlib
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from streams.events import (
    Alert,
    AlertStatus,
    Anomaly,
    AnomalyState,
    FeatureRow,
    MinuteRows,
    MinuteValues,
    Operation,
    Severity,
    WindowKind,
)

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
_DAY_NS = 24 * HOUR_NS
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()

UNKNOWN = "unknown"
"""Value of a tag of which nothing is known; InfluxDB has no empty tags."""

PIPELINE_BUCKET = "wakeline-pipeline"
OPEN = frozenset({AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED})
"""Statuses of an alert that stands."""

# Looked up once, for these decide for each row.
_NIGHT, _DAY, _ANOMALOUS = WindowKind.NIGHT, WindowKind.DAY, AnomalyState.ANOMALOUS

_VERSION_FIELDS = ("settled", "revision", "epoch")
_ROW_FIELDS = ("status", "start", "end", "local_date", "utc_offset", *_VERSION_FIELDS)


class Described(NamedTuple):
    """Tags that describe a subject and are no part of what a point is about."""

    site: str
    team: str
    device_type: str | None
    """None for measurements that have no such tag."""


@lru_cache(maxsize=65_536)
def label(text: str | None) -> str:
    """Give a text as it can stand in a tag: one line, and no backslash at its end.

    Line protocol has no way to write these two. Nothing else is changed.
    """
    if not text:
        return UNKNOWN
    return " ".join(text.splitlines()).rstrip("\\") or UNKNOWN


@lru_cache(maxsize=1_024)
def minutes_bucket(site: str | None) -> str:
    """Bucket of the minutes of a site."""
    return f"wakeline-{label(site)}-minutes"


@lru_cache(maxsize=1_024)
def features_bucket(site: str | None) -> str:
    """Bucket of the rows, anomalies and data quality of a site."""
    return f"wakeline-{label(site)}-features"


@lru_cache(maxsize=1_024)
def alerts_bucket(site: str | None) -> str:
    """Bucket of the alerts of a site."""
    return f"wakeline-{label(site)}-alerts"


@lru_cache(maxsize=65_536)
def escaped(name: str) -> str:
    """Escape a `label` for a tag or the name of a field."""
    return name.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def text_field(text: str) -> str:
    """Quote a text for a field."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def time_ns(time_s: float) -> int:
    """Time of a point (ns UTC), exact to the microsecond, which is all that a float holds."""
    whole_s = int(time_s)
    return whole_s * SECOND_NS if whole_s == time_s else round(time_s * 1e6) * 1_000


def row_time_ns(row: FeatureRow | Anomaly | Alert) -> int:
    """Time of what is about a window: local midnight as UTC for nights and days, else the start."""
    if row.window is _NIGHT or row.window is _DAY:
        return (row.local_date.toordinal() - _EPOCH_DAY) * _DAY_NS
    return time_ns(row.start)


def feed_time_ns(detected_at: float, alert_id: str) -> int:
    """Time of an alert in the feed; the nanoseconds keep alerts of one second apart."""
    digest = hashlib.blake2b(alert_id.encode(), digest_size=8).digest()
    return int(detected_at) * SECOND_NS + int.from_bytes(digest) % SECOND_NS


def described(output: FeatureRow | MinuteRows | Anomaly | Alert) -> Described:
    """Tags that describe the subject of an output."""
    if isinstance(output, Anomaly):
        return _described(output.project_id, output.care_team)
    return _described(output.project_id, output.care_team, output.device_type or UNKNOWN)


def row_fields(row: FeatureRow) -> frozenset[str]:
    """Names of the fields that `row_line` writes."""
    return _names_of_row(tuple(_finite(row.values)), tuple(_finite(row.coverage)))


def minute_fields(values: Mapping[str, float]) -> frozenset[str]:
    """Names of the fields that `minute_lines` writes for a minute."""
    return _names_of_minute(tuple(_finite(values)))


def row_line(row: FeatureRow) -> str:
    """Point of an hour, a night or a day."""
    return (
        f"{row.window._value_},{_subject_tags(row.user_id, described(row))} "
        f'{_numbers(row.values)}{_numbers(row.coverage, "coverage_")}status="{row.status._value_}",'
        f'start={row.start},end={row.end},local_date="{row.local_date.isoformat()}",'
        f"utc_offset={row.utc_offset}i,{_version(row)} {row_time_ns(row)}"
    )


def minute_lines(rows: MinuteRows, minutes: Iterable[MinuteValues]) -> list[str]:
    """Points of some minutes of a subject-hour."""
    head = f"minute,{_subject_tags(rows.user_id, described(rows))} "
    tail = _version(rows)
    return [f"{head}{_numbers(m.values)}{tail} {time_ns(m.start)}" for m in minutes]


def anomaly_line(anomaly: Anomaly) -> str:
    """Point of the score of one detector for one row, or one feature of it."""
    return (
        f"anomaly,{_subject_tags(anomaly.user_id, described(anomaly))}"
        f"{_detector_tags(anomaly.window._value_, anomaly.detector, anomaly.feature)} "
        f"score={anomaly.score},threshold={anomaly.threshold},{_numbers(_usual(anomaly))}"
        f'state="{anomaly.state._value_}",anomalous={int(anomaly.state is _ANOMALOUS)}i,'
        f'start={anomaly.start},end={anomaly.end},local_date="{anomaly.local_date.isoformat()}",'
        f"version={text_field(anomaly.version)},{_version(anomaly)} {row_time_ns(anomaly)}"
    )


def anomaly_fields(anomaly: Anomaly) -> frozenset[str]:
    """Names of the fields that `anomaly_line` writes."""
    return _names_of_anomaly(tuple(_finite(_usual(anomaly))))


def _usual(anomaly: Anomaly) -> dict[str, float]:
    found = {}
    if anomaly.value is not None:
        found["value"] = anomaly.value
    if anomaly.usual_low is not None:
        found["usual_low"] = anomaly.usual_low
    if anomaly.usual_median is not None:
        found["usual_median"] = anomaly.usual_median
    if anomaly.usual_high is not None:
        found["usual_high"] = anomaly.usual_high
    return found


class AlertTags(NamedTuple):
    """Tags of an alert in the order in which they are written."""

    subject: str
    described: Described
    kind: str
    rule: str
    window: str
    """Empty where an alert is about no window; the tag is left out then."""

    def written(self) -> str:
        """Give the tags in line protocol, comma first."""
        window = f",window={self.window}" if self.window else ""
        return (
            f",{_subject_tags(self.subject, self.described)}"
            f",kind={escaped(self.kind)},rule={escaped(self.rule)}{window}"
        )


def alert_tags(alert: Alert) -> AlertTags:
    """Tags of an alert, in both its measurements."""
    window = "" if alert.window is None else alert.window.value
    subject, rule = label(alert.user_id), label(alert.rule)
    return AlertTags(subject, described(alert), alert.kind.value, rule, window)


def alert_field_texts(alert: Alert, *, settled: bool, confirmed: bool) -> dict[str, str]:
    """Fields of an alert in line protocol, by name, absent ones left out.

    ``settled`` and ``confirmed`` hold for all that was ever said of the alert.
    """
    texts = {
        "summary": alert.summary,
        "reasons": msgspec.json.encode(alert.reasons).decode(),
        "missing": "; ".join(alert.missing),
        "model_versions": msgspec.json.encode(alert.model_versions, order="sorted").decode(),
        "local_date": alert.local_date.isoformat(),
        "status_by": alert.status_by,
        "continues": alert.continues,
    }
    numbers = {
        "score": alert.score,
        "threshold": alert.threshold,
        "start": alert.start,
        "end": alert.end,
        "detected_at": alert.detected_at,
        "status_at": alert.status_at,
        "due_at": alert.due_at,
    }
    return {
        **feed_field_texts(alert),
        **{name: text_field(text) for name, text in texts.items() if text is not None},
        **{name: str(n) for name, n in numbers.items() if n is not None and math.isfinite(n)},
        "escalation_level": f"{alert.escalation_level}i",
        "settled": str(settled).lower(),
        "confirmed": str(confirmed).lower(),
        "revision": f"{alert.revision}i",
        "epoch": f"{alert.epoch}i",
    }


def feed_field_texts(alert: Alert) -> dict[str, str]:
    """Fields of an alert in the feed in line protocol, by name, absent ones left out."""
    fields = {
        "alert_id": text_field(alert.alert_id),
        "severity": text_field(alert.severity.value),
        "urgent": f"{int(alert.severity is Severity.URGENT)}i",
        "summary": text_field(alert.summary),
        "opened_at": str(alert.opened_at),
        **standing(alert.status),
    }
    return fields if alert.owner is None else fields | {"owner": text_field(alert.owner)}


def standing(status: AlertStatus) -> dict[str, str]:
    """Fields that say how an alert stands, in both its measurements."""
    return {"status": text_field(status.value), "open": f"{int(status in OPEN)}i"}


def alert_line(measurement: str, tags: AlertTags, fields: Mapping[str, str], at_ns: int) -> str:
    """Point of an alert with fields that are in line protocol already."""
    joined = ",".join([f"{name}={text}" for name, text in fields.items()])
    return f"{measurement}{tags.written()} {joined} {at_ns}"


def operation_line(operation: Operation) -> str:
    """Point of a figure about the pipeline, or about the data of a subject."""
    if is_about_subject(operation):
        site = escaped(label(operation.project_id))
        head = f"data_quality,subject={escaped(label(operation.user_id))},site={site}"
    else:
        head = f"pipeline,name={escaped(label(operation.name))},partition={operation.partition}"
    values = _numbers(operation.values)
    return f"{head} {values}epoch={operation.epoch}i {time_ns(operation.time)}"


def is_about_subject(operation: Operation) -> bool:
    """Whether a figure is about the data of one subject of a known site."""
    return operation.user_id is not None and operation.project_id is not None


@lru_cache(maxsize=16_384)
def _described(site: str, team: str, device_type: str | None = None) -> Described:
    return Described(label(site), label(team), None if device_type is None else label(device_type))


@lru_cache(maxsize=65_536)
def _subject_tags(user_id: str, tags: Described) -> str:
    device = "" if tags.device_type is None else f",device_type={escaped(tags.device_type)}"
    subject = f"subject={escaped(label(user_id))}"
    return f"{subject},site={escaped(tags.site)},team={escaped(tags.team)}{device}"


@lru_cache(maxsize=16_384)
def _detector_tags(window: str, detector: str, feature: str | None) -> str:
    of_feature = "" if feature is None else f",feature={escaped(label(feature))}"
    return f",window={window},detector={escaped(label(detector))}{of_feature}"


def _version(output: FeatureRow | MinuteRows | Anomaly) -> str:
    settled = "true" if output.settled else "false"
    return f"settled={settled},revision={output.revision}i,epoch={output.epoch}i"


def _finite(values: Mapping[str, float]) -> Mapping[str, float]:
    # One number that is not finite makes the sum so too; a sum that overflows costs a look at each.
    if math.isfinite(sum(values.values())):
        return values
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _numbers(values: Mapping[str, float], prefix: str = "") -> str:
    """Give fields in line protocol, each with a comma behind it; a plain number is a float."""
    finite = _finite(values)
    return _template(tuple(finite), prefix) % tuple(finite.values())


@lru_cache(maxsize=16_384)
def _template(names: tuple[str, ...], prefix: str) -> str:
    keys = [escaped(label(prefix + name)).replace("%", "%%") for name in names]
    return "".join(f"{key}=%s," for key in keys)


@lru_cache(maxsize=16_384)
def _names_of_row(values: tuple[str, ...], coverage: tuple[str, ...]) -> frozenset[str]:
    return frozenset((*values, *(f"coverage_{name}" for name in coverage), *_ROW_FIELDS))


@lru_cache(maxsize=16_384)
def _names_of_minute(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset((*values, *_VERSION_FIELDS))


@lru_cache(maxsize=64)
def _names_of_anomaly(optional: tuple[str, ...]) -> frozenset[str]:
    fixed = ("score", "threshold", "state", "anomalous", "start", "end", "local_date", "version")
    return frozenset((*optional, *fixed, *_VERSION_FIELDS))
