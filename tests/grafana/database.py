"""A site's buckets in a real InfluxDB, asked as Grafana asks, and a small ward to fill them."""

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from msgspec import Struct

from connectors.influx import lines
from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    Anomaly,
    AnomalyState,
    FeatureRow,
    MinuteRows,
    MinuteValues,
    Operation,
    Severity,
    SubjectStatus,
    WindowKind,
)
from tests.grafana.queries import Query, as_sent, dashboards
from tests.servers import InfluxServer

SITE = "ward"
TEAM = "east"
NOW = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC).timestamp()
HOUR_S = 3_600.0
DAY_S = 86_400.0

ALPHA = "Alpha Watch 2"
BETA = "Beta Band"
PEOPLE = (
    {f"a{number:02}": ALPHA for number in range(1, 11)}
    | {f"b{number:02}": BETA for number in range(1, 5)}
    | {"u01": None, "u02": None}
)
"""Subject -> model of the wearable."""

CHANNELS = ("heart_rate", "inter_beat_interval", "steps", "sleep", "phone", "worn")
VALUES = {
    WindowKind.HOUR: {"silence_h": 0.0},
    WindowKind.NIGHT: {},
    WindowKind.DAY: {"silence_h": 1.0, "sync_gap_usual_h": 6.0, "phq_9_score": 7.0},
}
"""Values of every row beside those that have a plot, which are read from the dashboard."""


class Database(Struct, frozen=True):
    """Buckets of one site, by the uids of Grafana's data sources."""

    server: InfluxServer
    site: str = SITE

    @property
    def buckets(self) -> dict[str, str]:
        """Uid of a data source -> its bucket."""
        return {
            "wakeline-minutes": lines.minutes_bucket(self.site),
            "wakeline-features": lines.features_bucket(self.site),
            "wakeline-alerts": lines.alerts_bucket(self.site),
            "wakeline-pipeline": lines.PIPELINE_BUCKET,
        }

    def create(self) -> None:
        """Make the buckets, which keep everything."""
        (org,) = self.server.request("GET", "/api/v2/orgs")["orgs"]
        for bucket in self.buckets.values():
            wanted = {"name": bucket, "orgID": org["id"], "retentionRules": []}
            self.server.request("POST", "/api/v2/buckets", json=wanted)

    def write(self, source: str, points: Iterable[str]) -> None:
        """Add points to the bucket of a data source."""
        path = f"/api/v2/write?bucket={self.buckets[source]}&org={self.server.org}"
        self.server.request("POST", path, body="\n".join(points).encode())

    def ask(self, source: str, query: str) -> Mapping[str, Any]:
        """Send an InfluxQL query as Grafana does, and return the decoded answer."""
        fields = {"db": self.buckets[source], "q": query, "epoch": "ms"}
        answer: Mapping[str, Any] = self.server.request("GET", "/query", fields=fields)
        return answer

    def values_of(self, query: Query, *, now: float, subject: str) -> list[Any]:
        """Values other than times and tags that a query of Grafana gives.

        Raises
        ------
        AssertionError
            When the database refuses the query.
        """
        start = now - query.range_s
        # Grafana aims at about as many points as the panel has pixels.
        interval = f"{max(60, int(query.range_s / 1_000))}s"
        sent = as_sent(query.text, start, now, interval=interval, subject=subject)
        (result,) = self.ask(query.source, sent)["results"]
        assert "error" not in result, f"{query.place}: {result['error']}"
        return [
            value
            for series in result.get("series", [])
            for row in series["values"]
            for column, value in zip(series["columns"], row, strict=True)
            if column != "time" and value is not None
        ]


def fill(database: Database) -> None:
    """A ward over ten days up to `NOW`, without any alert."""
    rows = list(chain.from_iterable(map(_rows, PEOPLE)))
    database.write("wakeline-features", map(lines.row_line, rows))
    database.write("wakeline-features", map(lines.anomaly_line, _anomalies(rows)))
    minutes = MinuteRows(
        user_id="a01",
        project_id=SITE,
        care_team=TEAM,
        status=SubjectStatus.ENROLLED,
        start=NOW - HOUR_S,
        end=NOW,
        local_date=_date(NOW),
        minutes=[
            MinuteValues(
                start=NOW - HOUR_S + 60.0 * minute,
                values={f"heart_rate_{name}_bpm": 60.0 for name in ("mean", "min", "max")},
            )
            for minute in range(60)
        ],
    )
    database.write("wakeline-minutes", lines.minute_lines(minutes, minutes.minutes))
    quality = {"late_count": 3.0, "overlap_count": 2.0}
    late = Operation(
        name="data_quality",
        partition=0,
        time=NOW - DAY_S,
        values=quality,
        user_id="a01",
        project_id=SITE,
    )
    database.write("wakeline-features", [lines.operation_line(late)])
    database.write("wakeline-pipeline", map(lines.operation_line, operations()))


def _date(at: float) -> dt.date:
    return dt.datetime.fromtimestamp(at, dt.UTC).date()


def plotted(window: WindowKind) -> set[str]:
    """Features that a plot of the person's dashboard reads from rows of a kind."""
    marker = f'AS "value" FROM "{window.value}"'
    texts = [
        target["query"]
        for panel in dashboards()["person"]["panels"]
        for target in panel.get("targets", [])
    ]
    return {text.split('"')[1] for text in texts if marker in text}


def _rows(subject: str) -> Iterator[FeatureRow]:
    lengths = {
        WindowKind.DAY: (10, DAY_S),
        WindowKind.NIGHT: (10, DAY_S),
        WindowKind.HOUR: (24, HOUR_S),
    }
    for window, (count, length) in lengths.items():
        values = dict.fromkeys(plotted(window), 50.0) | VALUES[window]
        for back in range(count):
            end = NOW - back * length
            yield FeatureRow(
                user_id=subject,
                project_id=SITE,
                care_team=TEAM,
                device_type=PEOPLE[subject],
                status=SubjectStatus.ENROLLED,
                window=window,
                start=end - length,
                end=end,
                local_date=_date(end),
                utc_offset=3_600,
                values=values,
                coverage=dict.fromkeys(CHANNELS, 0.8),
            )


def _anomalies(rows: Iterable[FeatureRow]) -> Iterator[Anomaly]:
    for row in rows:
        for feature, value in row.values.items():
            yield Anomaly(
                user_id=row.user_id,
                project_id=row.project_id,
                care_team=row.care_team,
                window=row.window,
                start=row.start,
                end=row.end,
                local_date=row.local_date,
                detector="baseline",
                feature=feature,
                score=0.2,
                threshold=0.9,
                state=AnomalyState.NORMAL,
                version="1",
                value=value,
                usual_low=value - 5.0,
                usual_median=value,
                usual_high=value + 5.0,
            )


def operations(*, until: float = NOW, **changed: float) -> list[Operation]:
    """What two healthy workers tell over three hours, but for the figures that are changed."""
    healthy = {
        "lag_messages": 10.0,
        "clock_age_s": 20.0,
        "checkpoint_age_s": 30.0,
        "dead_letter_count": 0.0,
        "quarantined_subjects": 0.0,
        "retry_count": 0.0,
    }
    found = []
    for partition in range(2):
        for quarter in range(720):
            told = {name: changed.get(name, value) for name, value in healthy.items()}
            counted = {name: n * quarter for name, n in told.items() if name.endswith("_count")}
            gauges = {name: n for name, n in told.items() if name.endswith(("_messages", "_s"))}
            counts = {
                "record_count": 100.0 * quarter,
                "late_count": 1.0 * quarter,
                "no_consent_count": 1.0 * quarter,
                "not_enrolled_count": 1.0 * quarter,
                "absent_count": 1.0 * quarter,
                "dead_letter_count": counted["dead_letter_count"],
                "quarantined_subjects": told["quarantined_subjects"],
            }
            results = {"lag_messages": 5.0, "retry_count": counted["retry_count"]}
            at = until - 3.0 * HOUR_S + 15.0 * quarter
            found += [
                Operation(name=name, partition=partition, time=at, values=values)
                for name, values in (("lag", gauges), ("clock", counts), ("sink", results))
            ]
    return found


def an_alert(subject: str, rule: str = "sleep_duration_min", **changed: Any) -> Alert:
    """A watch alert about last night, detected a minute ago, but for what is changed."""
    start = float(changed.pop("start", NOW - DAY_S))
    plain: dict[str, Any] = {
        "alert_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{subject} {rule} {start}")),
        "user_id": subject,
        "project_id": SITE,
        "care_team": TEAM,
        "device_type": PEOPLE[subject],
        "kind": AlertKind.CLINICAL,
        "rule": rule,
        "severity": Severity.WATCH,
        "opened_at": start + DAY_S,
        "detected_at": NOW - 60.0,
        "window": WindowKind.NIGHT,
        "start": start,
        "end": start + DAY_S,
        "local_date": _date(start + DAY_S),
        "score": 0.99,
        "threshold": 0.95,
        "summary": 'Slept 4 h, usually 7 h to 8 h; "restless", she said.',
        "missing": ["resting heart rate: learning, 3 of 14 days"],
        "owner": "Nurse A",
    }
    return Alert(**(plain | changed))


def silence(subject: str, *, detected_at: float = NOW - 60.0, **changed: Any) -> Alert:
    """The alert that data of a subject stopped."""
    return an_alert(
        subject,
        "data_stopped",
        kind=AlertKind.DATA,
        window=WindowKind.HOUR,
        start=detected_at - HOUR_S,
        detected_at=detected_at,
        summary="No data of any kind for 2 days.",
        **changed,
    )


def write_alerts(database: Database, *alerts: Alert) -> None:
    """Alerts by event time and, in the feed, by the time of their detection."""
    points = []
    for alert in alerts:
        tags = lines.alert_tags(alert)
        fields = lines.alert_field_texts(alert, settled=alert.settled, confirmed=True)
        points.append(lines.alert_line("alert", tags, fields, lines.row_time_ns(alert)))
        told = lines.feed_field_texts(alert)
        at_ns = lines.feed_time_ns(alert.detected_at, alert.alert_id)
        points.append(lines.alert_line("alert_feed", tags, told, at_ns))
    database.write("wakeline-alerts", points)


def answered(subject: str, status: AlertStatus) -> Alert:
    """An urgent alert that somebody took up, or that is over."""
    return an_alert(subject, severity=Severity.URGENT, status=status, status_by="Nurse A")
