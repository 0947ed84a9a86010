"""Goal: rules mark whom they should on the real database; method: Grafana's own expressions.

`tests/grafana/expressions.py` evaluates the written rules over the answers of InfluxDB.
"""

import msgspec
import pytest

from connectors.influx import lines
from streams.events import AlertKind, AlertStatus, Severity
from tests.grafana import database as ward
from tests.grafana.database import ALPHA, DAY_S, NOW, PEOPLE, Database
from tests.grafana.expressions import Evaluation, evaluate_rule
from tests.grafana.queries import rules
from tests.servers import InfluxServer

pytestmark = pytest.mark.influx

RULES = rules()
WORKERS = [{"name": "lag", "partition": partition} for partition in ("0", "1")]
QUARANTINED = [{"name": "clock", "partition": partition} for partition in ("0", "1")]
PIPELINE = [uid for uid, rule in RULES.items() if rule["labels"]["severity"] == "pipeline"]


@pytest.fixture
def database(empty_influx: InfluxServer) -> Database:
    database = Database(empty_influx)
    database.create()
    ward.fill(database)
    return database


def marked(database: Database, uid: str, now: float = NOW) -> Evaluation:
    return evaluate_rule(RULES[uid], database.ask, now)


def people(database: Database, uid: str, now: float = NOW) -> set[str]:
    return marked(database, uid, now).subjects()


def test_nothing_rings_on_a_quiet_ward(database: Database) -> None:
    assert [uid for uid in RULES if marked(database, uid).marked] == []


def test_open_alerts_ring_by_severity_for_their_person_alone(database: Database) -> None:
    urgent = {"severity": Severity.URGENT}
    ward.write_alerts(
        database,
        ward.an_alert("a01", **urgent),
        ward.an_alert("a01", "step_count"),
        ward.an_alert("a02", "phq_9 item 9", kind=AlertKind.LIMIT, window=None, **urgent),
        ward.an_alert("a03"),
        ward.an_alert("a04", status=AlertStatus.WITHDRAWN),
        ward.an_alert("a05", status=AlertStatus.RESOLVED, **urgent),
        ward.silence("b01"),
        ward.an_alert("b02", "not_worn", kind=AlertKind.DATA),
    )
    assert people(database, "wakeline-urgent") == {"a01", "a02"}
    assert people(database, "wakeline-watch") == {"a01", "a03"}
    assert people(database, "wakeline-data-stopped") == {"b01"}
    assert people(database, "wakeline-data-other") == {"b02"}
    assert marked(database, "wakeline-device-outage").marked == []


def test_two_alerts_of_one_person_ring_each_and_one_closed_does_not_hide_the_other(
    database: Database,
) -> None:
    ward.write_alerts(
        database,
        ward.an_alert("a01", detected_at=NOW - DAY_S),
        ward.an_alert("a01", "step_count", detected_at=NOW - DAY_S),
        ward.an_alert("a01", start=NOW - 2 * DAY_S, status=AlertStatus.RESOLVED),
    )
    found = marked(database, "wakeline-watch").marked
    assert sorted(labels["rule"] for labels in found) == ["sleep_duration_min", "step_count"]


@pytest.mark.parametrize("status", [AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED])
def test_an_answered_alert_rings_no_more(database: Database, status: AlertStatus) -> None:
    ward.write_alerts(database, ward.an_alert("a01", severity=Severity.URGENT))
    assert people(database, "wakeline-urgent") == {"a01"}
    ward.write_alerts(database, ward.answered("a01", status))
    assert people(database, "wakeline-urgent") == set()


def test_a_late_upload_rings_when_it_is_detected(database: Database) -> None:
    late = ward.an_alert("a01", start=NOW - 4 * DAY_S, opened_at=NOW - 3 * DAY_S)
    ward.write_alerts(database, late)
    assert people(database, "wakeline-watch", NOW - 3_600.0) == set()
    assert people(database, "wakeline-watch") == {"a01"}


def test_an_alert_rings_for_as_long_as_nobody_answers(database: Database) -> None:
    ward.write_alerts(database, ward.an_alert("a01"), ward.silence("u01"))
    assert people(database, "wakeline-watch", NOW + 150 * DAY_S) == {"a01"}


def _outage(database: Database, silent: list[str], over_s: float) -> None:
    """Fall silent one after the other, over so long."""
    step_s = over_s / (len(silent) - 1)
    start = NOW - 1_234.0 - over_s
    alerts = [ward.silence(who, detected_at=start + n * step_s) for n, who in enumerate(silent)]
    ward.write_alerts(database, *alerts)


ALPHA_PEOPLE = [subject for subject, device in PEOPLE.items() if device == ALPHA]


@pytest.mark.parametrize("over_min", [1, 30, 59])
def test_an_outage_takes_the_place_of_its_peoples_alerts(
    database: Database, over_min: float
) -> None:
    ward.write_alerts(database, ward.silence("b01"), ward.silence("u01"))
    _outage(database, ALPHA_PEOPLE[:5], over_min * 60.0)
    assert marked(database, "wakeline-device-outage").marked == [{"device_type": ALPHA}]
    assert people(database, "wakeline-data-stopped") == {"b01", "u01"}


def test_an_outage_holds_while_they_stay_silent_and_for_those_who_follow(
    database: Database,
) -> None:
    _outage(database, ALPHA_PEOPLE[:6], 600.0)
    ward.write_alerts(database, ward.silence("a10", detected_at=NOW + 2 * DAY_S))
    later = NOW + 3 * DAY_S
    assert marked(database, "wakeline-device-outage", later).marked == [{"device_type": ALPHA}]
    assert people(database, "wakeline-data-stopped", later) == set()


def test_those_still_silent_after_an_outage_ring_on_their_own(database: Database) -> None:
    _outage(database, ALPHA_PEOPLE[:5], 600.0)
    back = ward.silence("a05", detected_at=NOW - 1_234.0, status=AlertStatus.RESOLVED)
    ward.write_alerts(database, back)
    assert marked(database, "wakeline-device-outage").marked == []
    assert people(database, "wakeline-data-stopped") == set(ALPHA_PEOPLE[:4])


@pytest.mark.parametrize(
    ("silent", "over_s"),
    [
        (ALPHA_PEOPLE[:4], 600.0),
        (ALPHA_PEOPLE[:5], 2 * 3_600.0),
        ([*ALPHA_PEOPLE[:3], "b01", "b02", "b03"], 600.0),
    ],
    ids=["four", "five in two hours", "of two types"],
)
def test_few_or_slow_or_mixed_silence_is_no_outage(
    database: Database, silent: list[str], over_s: float
) -> None:
    _outage(database, silent, over_s)
    assert marked(database, "wakeline-device-outage").marked == []
    assert people(database, "wakeline-data-stopped") == set(silent)


def test_five_of_many_are_no_outage(database: Database) -> None:
    (row, *_) = ward._rows("a01")
    more = [msgspec.structs.replace(row, user_id=f"c{number}") for number in range(16)]
    database.write("wakeline-features", map(lines.row_line, more))
    _outage(database, ALPHA_PEOPLE[:5], 600.0)
    assert marked(database, "wakeline-device-outage").marked == []
    assert people(database, "wakeline-data-stopped") == set(ALPHA_PEOPLE[:5])


def test_people_whose_device_is_not_known_always_ring_on_their_own(database: Database) -> None:
    (row, *_) = ward._rows("u01")
    unknown = [f"u{number:02}" for number in range(1, 8)]
    rows = [msgspec.structs.replace(row, user_id=name) for name in unknown]
    database.write("wakeline-features", map(lines.row_line, rows))
    alerts = [msgspec.structs.replace(ward.silence("u01"), user_id=name) for name in unknown]
    ward.write_alerts(database, *alerts)
    assert marked(database, "wakeline-device-outage").marked == []
    assert people(database, "wakeline-data-stopped") == set(unknown)


def test_silence_of_an_answered_alert_counts_for_an_outage(database: Database) -> None:
    _outage(database, ALPHA_PEOPLE[:5], 600.0)
    snoozed = ward.silence("a05", detected_at=NOW - 1_234.0, status=AlertStatus.SNOOZED)
    ward.write_alerts(database, snoozed)
    assert marked(database, "wakeline-device-outage").marked == [{"device_type": ALPHA}]
    assert people(database, "wakeline-data-stopped") == set()


@pytest.mark.parametrize(
    ("uid", "figures", "expected"),
    [
        ("wakeline-lag", {"lag_messages": 20_000.0}, WORKERS),
        ("wakeline-clock-behind", {"clock_age_s": 4e3}, WORKERS),
        ("wakeline-dead-letters", {"dead_letter_count": 1.0}, [{}]),
        ("wakeline-quarantined", {"quarantined_subjects": 1.0}, QUARANTINED),
        ("wakeline-checkpoint-old", {"checkpoint_age_s": 2e3}, WORKERS),
        ("wakeline-results-wait", {"retry_count": 1.0}, [{}]),
    ],
)
def test_trouble_of_the_pipeline_rings_its_own_rule(
    database: Database, uid: str, figures: dict[str, float], expected: list[dict[str, str]]
) -> None:
    later = NOW + 3_600.0
    told = ward.operations(until=later, **figures)
    database.write("wakeline-pipeline", map(lines.operation_line, told))
    ringing = {rule: found for rule in PIPELINE if (found := marked(database, rule, later).marked)}
    assert ringing == {uid: expected}


def test_a_pipeline_that_tells_nothing_rings(database: Database) -> None:
    later = marked(database, "wakeline-no-results", NOW + 1_000.0)
    assert (later.marked, later.has_data) == ([{}], False)


def test_a_worker_that_restarts_counts_no_dead_letters_twice(database: Database) -> None:
    later = NOW + 3_600.0
    before = ward.operations(until=later - 600.0, dead_letter_count=0.1)
    after = ward.operations(until=later, dead_letter_count=0.0)
    told = [each for each in before if each.time < later - 700.0]
    told += [each for each in after if each.time >= later - 700.0]
    database.write("wakeline-pipeline", map(lines.operation_line, told))
    assert marked(database, "wakeline-dead-letters", later).marked == []
