"""Goal: DATA alerts follow coverage and never speak of the person; method: rows by hand."""

from detectors.cohort import load_cohort
from detectors.config import DetectionConfig
from detectors.policy import Policy, PolicyState, RowContext
from detectors.scores import Scores
from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    FeatureRow,
    Severity,
    SubjectStatus,
    WindowKind,
)
from tests.detectors.rows import row

COHORT = load_cohort()
CONTEXT = RowContext(detected_at=0.0)
WORN = {"heart_rate": 0.8, "steps": 0.9}
LYING = {"heart_rate": 0.0, "steps": 0.9, "phone": 1.0}


def _judge(
    rows: list[FeatureRow],
    state: PolicyState | None = None,
    context: RowContext = CONTEXT,
    config: DetectionConfig | None = None,
) -> list[Alert]:
    policy = Policy(config or DetectionConfig(), COHORT)
    kept = state if state is not None else PolicyState()
    return [alert for one in rows for alert in policy.step(kept, one, Scores(one), context)]


def _hours(*silence_h: float, first: int = 0) -> list[FeatureRow]:
    return [row(WindowKind.HOUR, first + i, {"silence_h": h}) for i, h in enumerate(silence_h)]


def _days(*coverage: dict[str, float], first: int = 0) -> list[FeatureRow]:
    return [row(WindowKind.DAY, first + i, coverage=told) for i, told in enumerate(coverage)]


def test_silence_rings_once_past_the_sites_minimum_and_again_only_after_data() -> None:
    silent = [float(h) for h in range(1, 40)]
    (alert,) = _judge(_hours(*silent))
    assert (alert.kind, alert.rule, alert.severity) == (
        AlertKind.DATA,
        "data_stopped",
        Severity.WATCH,
    )
    assert alert.score == 25.0
    assert alert.summary == "No data of any kind for 1 day 1 hour."
    rung, resolved, again = _judge(_hours(*silent, 0.5, *silent))
    assert rung.alert_id == resolved.alert_id != again.alert_id
    assert (resolved.status, resolved.status_by) == (AlertStatus.RESOLVED, "wakeline")
    assert resolved.status_at == _hours(0.5, first=39)[0].end
    assert resolved.summary.startswith("Data come in again")


def test_the_limit_is_twice_the_persons_usual_sync_gap_where_that_is_longer() -> None:
    state = PolicyState()
    day = row(WindowKind.DAY, 0, {"silence_h": 1.0, "sync_gap_usual_h": 26.0})
    assert _judge([day, *_hours(*(float(h) for h in range(1, 53)), first=24)], state) == []
    (alert,) = _judge(_hours(53.0, first=76), state)
    assert alert.summary == (
        "No data of any kind for 2 days 5 hours; "
        "usually something arrives at least every 1 day 2 hours."
    )


def test_a_days_row_that_settles_after_later_hours_says_nothing_anew() -> None:
    state = PolicyState()
    assert len(_judge(_hours(25.0, 0.2, first=30), state)) == 2
    assert _judge([row(WindowKind.DAY, 0, {"silence_h": 30.0})], state) == []


def test_a_paused_subject_and_a_snoozed_rule_stay_silent_but_ring_later_if_still_so() -> None:
    paused = row(WindowKind.DAY, 3, {"silence_h": 60.0}, status=SubjectStatus.PAUSED)
    state = PolicyState()
    assert _judge([paused], state) == []
    snoozed = RowContext(detected_at=0.0, snoozed_rules=frozenset({"data_stopped"}))
    day = row(WindowKind.DAY, 4, {"silence_h": 84.0})
    assert _judge([day], state, snoozed) == []
    assert len(_judge([row(WindowKind.DAY, 5, {"silence_h": 108.0})], state)) == 1


def test_a_wearable_left_on_the_table_rings_once_until_it_is_worn_again() -> None:
    state = PolicyState()
    (alert,) = _judge(_days(*[WORN] * 5, *[LYING] * 20), state)
    assert alert.rule == "not_worn"
    assert alert.local_date.day == 6
    assert alert.summary == (
        "The wearable seems not to have been worn for 1 day; phone and steps data still arrive."
    )
    resolved, again = _judge(_days(WORN, LYING, first=25), state)
    assert (resolved.alert_id, resolved.status) == (alert.alert_id, AlertStatus.RESOLVED)
    assert again.alert_id != alert.alert_id


def test_who_never_wore_one_and_who_sends_nothing_at_all_is_not_called_unworn() -> None:
    assert _judge(_days(*[LYING] * 30)) == []
    assert _judge(_days(*[WORN] * 5, *[{}] * 30)) == []


def test_what_the_device_says_of_wear_goes_before_heart_rate() -> None:
    taken_off = {"worn": 0.0, "heart_rate": 0.5, "phone": 1.0}
    worn = {"worn": 0.9, "heart_rate": 0.0, "phone": 1.0}
    assert len(_judge(_days(*[WORN] * 5, taken_off))) == 1
    assert _judge(_days(*[WORN] * 5, worn)) == []


def test_a_longer_time_may_be_asked_for() -> None:
    config = DetectionConfig(not_worn_min_h=72.0)
    (alert,) = _judge(_days(*[WORN] * 5, *[LYING] * 9), config=config)
    assert "for 3 days" in alert.summary
