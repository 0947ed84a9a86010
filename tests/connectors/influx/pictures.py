"""What results look like in SQLite and in InfluxDB, in one form, so that the two can be compared.

A point is its measurement, what it is about, its tags and its fields; values are read back from
each store by means of its own, and what SQLite holds is spelled out by the rules of the schema.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from connectors.influx.client import Access
from streams.events import Alert, Anomaly, FeatureRow, MinuteRows
from tests.servers.influx import InfluxServer

MEASUREMENTS = {
    "minutes": ("minute",),
    "features": ("hour", "night", "day", "anomaly"),
    "alerts": ("alert", "alert_feed"),
}
STANDS = {"OPEN", "ACKNOWLEDGED", "SNOOZED"}


class Point(NamedTuple):
    """A stored point; times in s."""

    measurement: str
    time: float
    tags: frozenset[tuple[str, str]]
    fields: frozenset[tuple[str, Any]]


def access_to(influx: InfluxServer, token: str | None = None) -> Access:
    return Access(url=influx.url, token=token or influx.token, org=influx.org)


def make_buckets(influx: InfluxServer, *sites: str, keep_s: int = 0) -> None:
    """Make the buckets of sites and of the pipeline; all is kept for ever unless asked."""
    (org,) = influx.request("GET", "/api/v2/orgs")["orgs"]
    rules = [{"type": "expire", "everySeconds": keep_s}] if keep_s else []
    names = {f"wakeline-{site}-{part}" for site in sites for part in MEASUREMENTS}
    there = influx.request("GET", "/api/v2/buckets", fields={"limit": "100"})["buckets"]
    for name in {*names, "wakeline-pipeline"} - {bucket["name"] for bucket in there}:
        wishes = {"name": name, "orgID": org["id"], "retentionRules": rules}
        influx.request("POST", "/api/v2/buckets", json=wishes)


def influx_picture(influx: InfluxServer, *sites: str, users: str = ".*") -> set[Point]:
    """All points of sites about some users; those of the feed by the second."""
    return {
        point
        for site in sites
        for part, names in MEASUREMENTS.items()
        for name in names
        for point in _points(influx, f"wakeline-{site}-{part}", name, users)
    }


def _points(influx: InfluxServer, bucket: str, name: str, users: str) -> Iterator[Point]:
    query = f'SELECT * FROM "{name}" WHERE subject =~ /^({users})$/ GROUP BY *'  # noqa: S608
    fields = {"db": bucket, "q": query, "epoch": "s"}
    (result,) = influx.request("GET", "/query", fields=fields)["results"]
    assert "error" not in result, result
    for series in result.get("series", ()):
        tags = frozenset((key, value) for key, value in series["tags"].items() if value)
        for row in series["values"]:
            found = dict(zip(series["columns"], row, strict=True))
            time = float(found.pop("time"))
            items = frozenset((key, value) for key, value in found.items() if value is not None)
            yield Point(name, time, tags, items)


def sqlite_picture(path: Path) -> set[Point]:
    """The points that would tell what a SQLite file of results holds."""
    connection = sqlite3.connect(path)
    try:
        return {*_rows(connection), *_minutes(connection), *_alerts(connection)}
    finally:
        connection.close()


def _rows(connection: sqlite3.Connection) -> Iterator[Point]:
    for (body,) in connection.execute("SELECT body FROM features"):
        row = msgspec.json.decode(body, type=FeatureRow)
        fields = {
            **row.values,
            **{f"coverage_{name}": share for name, share in row.coverage.items()},
            "status": row.status.value,
            "utc_offset": row.utc_offset,
            **_spanning(row),
        }
        yield _point(row.window.value, _at(row), _tags(row), fields)
    for (body,) in connection.execute("SELECT body FROM anomalies"):
        anomaly = msgspec.json.decode(body, type=Anomaly)
        tags = _tags(anomaly) | {
            "window": anomaly.window.value,
            "detector": anomaly.detector,
            "feature": anomaly.feature,
        }
        fields = {
            "score": anomaly.score,
            "threshold": anomaly.threshold,
            "state": anomaly.state.value,
            "anomalous": int(anomaly.state == "ANOMALOUS"),
            "value": anomaly.value,
            "usual_low": anomaly.usual_low,
            "usual_median": anomaly.usual_median,
            "usual_high": anomaly.usual_high,
            "version": anomaly.version,
            **_spanning(anomaly),
        }
        yield _point("anomaly", _at(anomaly), tags, fields)


def _minutes(connection: sqlite3.Connection) -> Iterator[Point]:
    """Give each minute as the last message that has it says."""
    last: dict[tuple[str, float], Point] = {}
    bodies = connection.execute("SELECT body FROM minutes ORDER BY epoch, revision")
    for (body,) in bodies:
        rows = msgspec.json.decode(body, type=MinuteRows)
        for minute in rows.minutes:
            fields = minute.values | _version(rows)
            point = _point("minute", minute.start, _tags(rows), fields)
            last[rows.user_id, minute.start] = point
    yield from last.values()


def _alerts(connection: sqlite3.Connection) -> Iterator[Point]:
    found = connection.execute("SELECT body, settled, canonical FROM alerts")
    for body, settled, canonical in found:
        alert = msgspec.json.decode(body, type=Alert)
        plain = msgspec.to_builtins(alert)
        tags = _tags(alert) | {
            "kind": alert.kind.value,
            "rule": alert.rule,
            "window": None if alert.window is None else alert.window.value,
        }
        feed = {
            "alert_id": alert.alert_id,
            "severity": alert.severity.value,
            "urgent": int(alert.severity == "URGENT"),
            "status": alert.status.value,
            "open": int(alert.status in STANDS),
            "summary": alert.summary,
            "owner": alert.owner,
            "opened_at": alert.opened_at,
        }
        fields = feed | {
            "reasons": msgspec.json.encode(alert.reasons).decode(),
            "missing": "; ".join(alert.missing),
            "model_versions": msgspec.json.encode(alert.model_versions, order="sorted").decode(),
            "local_date": alert.local_date.isoformat(),
            "escalation_level": alert.escalation_level,
            "settled": bool(settled),
            "confirmed": bool(canonical),
            **{name: plain[_wire(name)] for name in _PLAIN if _wire(name) in plain},
        }
        yield _point("alert", _at(alert), tags, fields)
        yield _point("alert_feed", float(int(alert.detected_at)), tags, feed)


_PLAIN = (
    *("status_by", "continues", "score", "threshold", "detected_at", "start", "end"),
    *("status_at", "due_at", "revision", "epoch"),
)


def _wire(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _at(output: FeatureRow | Anomaly | Alert) -> float:
    if output.window in {"night", "day"}:
        return dt.datetime.combine(output.local_date, dt.time(), tzinfo=dt.UTC).timestamp()
    return output.start


def _tags(output: FeatureRow | MinuteRows | Anomaly | Alert) -> dict[str, str | None]:
    tags: dict[str, str | None] = {
        "subject": output.user_id,
        "site": output.project_id,
        "team": output.care_team,
    }
    if not isinstance(output, Anomaly):
        tags["device_type"] = output.device_type or "unknown"
    return tags


def _spanning(output: FeatureRow | Anomaly) -> dict[str, Any]:
    span = {"start": output.start, "end": output.end, "local_date": output.local_date.isoformat()}
    return span | _version(output)


def _version(output: FeatureRow | Anomaly | MinuteRows) -> dict[str, Any]:
    return {"settled": output.settled, "revision": output.revision, "epoch": output.epoch}


def _point(
    measurement: str, time: float, tags: dict[str, str | None], fields: dict[str, Any]
) -> Point:
    some_tags = frozenset((key, value) for key, value in tags.items() if value is not None)
    some = frozenset((key, value) for key, value in fields.items() if value is not None)
    return Point(measurement, time, some_tags, some)
