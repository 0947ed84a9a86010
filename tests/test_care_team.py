"""Goal: what a care team sees in Grafana is what a replay says. Method: the sample goes through
Apache Kafka and a worker into InfluxDB, which is stopped and started again in the middle; what
`export` prints is looked for there, and Grafana's queries and rules run on it.
"""

import asyncio
import datetime as dt
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.export import Exported, export
from connectors.influx.client import Access
from connectors.influx.sink import InfluxResults
from connectors.outputs import output_of
from connectors.recorder import Span, record
from connectors.recordings import RecordingMessage, inspect_recordings
from streams.cli import main
from streams.cli.demo import work_through
from streams.events import OUTPUT_TOPICS, Alert, DeadLetter, Output
from streams.settings import Settings
from tests.broker_fixtures import run
from tests.connectors.influx.pictures import access_to, influx_picture, make_buckets
from tests.grafana.database import Database
from tests.grafana.expressions import evaluate_rule
from tests.grafana.queries import all_queries, rules
from tests.servers import InfluxServer, KafkaServer

SAMPLE = Path(__file__).parents[1] / "samples" / "demo.jsonl.zst"
SITES = ("lifesnaps", "mmash")

BUSY_LINES = 5_000
OUTAGE_S = float(os.environ.get("WAKELINE_TEST_OUTAGE_S", "3"))
"""How long InfluxDB is away in the middle."""

OPERATIONAL = {"settled", "confirmed", "revision", "epoch", "status", "open", "detected_at"}
"""Fields that a canonical export leaves out, by their name in InfluxDB."""

pytestmark = [pytest.mark.kafka, pytest.mark.influx, pytest.mark.timeout(300)]

Key = tuple[str, str, float, tuple[str, ...]]


class Breaking(InfluxResults):
    """A sink that tells when it has stored so much that its database may break."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.is_busy = asyncio.Event()

    async def write(self, outputs: Sequence[Output]) -> None:
        if self.counts.lines > BUSY_LINES:
            self.is_busy.set()
        await super().write(outputs)


class Ward:
    """The sample's results, as a worker stored them and as a replay says them."""

    def __init__(self, kafka: KafkaServer, influx: InfluxServer, folder: Path) -> None:
        self.kafka = kafka
        self.influx = influx
        self.replayed = folder / "replayed.sqlite"
        self.recording = inspect_recordings([SAMPLE])

    def work(self) -> None:
        """Let a worker process the sample and store what follows, through an outage."""
        settings = Settings.load(
            broker=self.kafka.address, partitions=self.recording.partitions, ticks="recorded"
        )
        sink = Breaking(access_to(self.influx))

        async def work() -> None:
            outage = asyncio.ensure_future(self._outage(sink))
            await work_through(self.recording, settings, sink, asyncio.Event())
            await outage

        run(work(), timeout_s=240.0)
        self.retries = sink.counts.retries
        with pytest.raises(SystemExit) as ended:
            main(["replay", str(SAMPLE), "-o", str(self.replayed)])
        assert ended.value.code == 0

    async def _outage(self, sink: "Breaking") -> None:
        await sink.is_busy.wait()
        await asyncio.to_thread(self.influx.stop)
        await asyncio.sleep(OUTAGE_S)
        await asyncio.to_thread(self.influx.start)

    def exported(self, what: Exported) -> Iterator[dict[str, Any]]:
        for line in b"".join(export(self.replayed, what)).splitlines():
            yield msgspec.json.decode(line)

    def store_again(self) -> None:
        """Write everything on the output topics once more, with a sink that knows nothing."""

        async def store() -> None:
            found: list[RecordingMessage] = []
            span = Span(asyncio.Event(), at_end=True)
            topics = sorted({*OUTPUT_TOPICS.values()} - {OUTPUT_TOPICS[DeadLetter]})
            await record(self.kafka.address, topics, found.append, span=span)
            sink = InfluxResults(access_to(self.influx))
            outputs = [_output(message) for message in found]
            for start in range(0, len(outputs), 2_000):
                await sink.write(outputs[start : start + 2_000])
            await sink.close()

        run(store())


def _output(message: RecordingMessage) -> Output:
    return output_of(message.topic, message.key, message.value, ())


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with KafkaServer() as kafka, InfluxServer() as influx:
        make_buckets(influx, *SITES)
        ward = Ward(kafka, influx, tmp_path_factory.mktemp("ward"))
        ward.work()
        yield ward


def _stamp(row: dict[str, Any]) -> float:
    if row["window"] in {"night", "day"}:
        date = dt.date.fromisoformat(row["localDate"])
        return dt.datetime.combine(date, dt.time(), dt.UTC).timestamp()
    return float(row["start"])


def _features(ward: Ward) -> dict[Key, dict[str, Any]]:
    """What `export features` prints: hours, nights and days with their values."""
    return {
        (row["window"], row["userId"], _stamp(row), ()): {
            **row["values"],
            **{f"coverage_{channel}": share for channel, share in row["coverage"].items()},
        }
        for row in ward.exported(Exported.FEATURES)
        if row["window"] != "minute"
    }


def _alerts(ward: Ward) -> dict[Key, dict[str, Any]]:
    told = ("alertId", "severity", "summary", "score", "threshold", "openedAt")
    return {
        ("alert", row["userId"], _stamp(row), (row["kind"], row["rule"])): {
            name: row[name] for name in told
        }
        for row in ward.exported(Exported.ALERTS)
    }


def _stored(ward: Ward, measurements: set[str], flag: str) -> dict[Key, dict[str, Any]]:
    """Points of InfluxDB that have settled (alerts: that rang, settled)."""
    found: dict[Key, dict[str, Any]] = {}
    for point in influx_picture(ward.influx, *SITES):
        fields, tags = dict(point.fields), dict(point.tags)
        if point.measurement in measurements and fields.get(flag):
            about = tuple(tags[name] for name in ("kind", "rule") if name in tags)
            key = point.measurement, tags["subject"], point.time, about
            assert key not in found, "two points of one thing"
            found[key] = fields
    return found


def test_every_exported_row_is_in_influxdb_and_nothing_else_has_settled(ward: Ward) -> None:
    expected = _features(ward)
    stored = _stored(ward, {"hour", "night", "day"}, "settled")
    assert len(expected) > 2_000
    assert stored.keys() == expected.keys()
    beside = {"start", "end", "local_date", "utc_offset"} | OPERATIONAL
    for key, values in expected.items():
        assert {n: v for n, v in stored[key].items() if n not in beside} == values


def test_every_exported_alert_is_in_influxdb_and_no_other_rang(ward: Ward) -> None:
    expected = _alerts(ward)
    stored = _stored(ward, {"alert"}, "confirmed")
    assert len(expected) > 15
    assert stored.keys() == expected.keys()
    for key, told in expected.items():
        fields = stored[key]
        names = {"alertId": "alert_id", "openedAt": "opened_at"}
        assert {name: fields[names.get(name, name)] for name in told} == told


def test_minutes_of_influxdb_are_those_of_the_export(ward: Ward) -> None:
    minutes = [row for row in ward.exported(Exported.FEATURES) if row["window"] == "minute"]
    stored = _stored(ward, {"minute"}, "settled")
    assert len(minutes) > 1_000
    assert stored.keys() == {("minute", row["userId"], row["start"], ()) for row in minutes}


def test_the_worker_met_the_outage_and_waited(ward: Ward) -> None:
    assert ward.retries > 0


def test_storing_everything_again_leaves_the_same_points(ward: Ward) -> None:
    before = influx_picture(ward.influx, *SITES)
    ward.store_again()
    assert influx_picture(ward.influx, *SITES) == before


def test_every_query_of_grafana_runs_and_rules_mark_who_has_open_alerts(ward: Ward) -> None:
    now = ward.recording.last_time
    connection = sqlite3.connect(ward.replayed)
    bodies = [body for (body,) in connection.execute("SELECT body FROM alerts")]
    connection.close()
    alerts = [msgspec.json.decode(body, type=Alert) for body in bodies]
    wanted: Counter[str] = Counter()
    for site in SITES:
        database = Database(ward.influx, site)
        for query in all_queries():
            database.values_of(query, now=now, subject="ls-01")
        for uid, kinds in RINGING.items():
            marked = evaluate_rule(rules()[uid], database.ask, now).subjects()
            expected = {
                alert.user_id
                for alert in alerts
                if alert.project_id == site
                and alert.status == "OPEN"
                and (alert.kind, alert.severity) in kinds
                and (alert.rule == "data_stopped") == (uid == "wakeline-data-stopped")
            }
            assert marked == expected, uid
            wanted[uid] += len(expected)
    assert wanted["wakeline-watch"] > 0


RINGING = {
    "wakeline-urgent": {(kind, "URGENT") for kind in ("CLINICAL", "LIMIT", "DATA")},
    "wakeline-watch": {(kind, "WATCH") for kind in ("CLINICAL", "LIMIT")},
    "wakeline-data-stopped": {("DATA", "WATCH")},
    "wakeline-data-other": {("DATA", "WATCH")},
}
"""Rule -> kinds and severities of the open alerts that it rings for."""
