"""Goal: a site's limits ring at once and whatever else holds; method: rows and answers by hand."""

import datetime as dt

import msgspec
import pytest

from detectors.cohort import load_cohort
from detectors.config import CheckInLimit, DetectionConfig, LimitRule
from detectors.policy import Policy, PolicyState, RowContext
from detectors.scores import Scores
from streams.events import (
    Alert,
    AlertKind,
    FeatureRow,
    MoodCheckIn,
    Severity,
    Subject,
    WindowKind,
)
from tests.detectors.rows import row

COHORT = load_cohort()
SUBJECT = Subject(
    user_id="subject-1", project_id="project", care_team="team", time_zone="Europe/Athens"
)


def _hour(index: int, bpm: float) -> FeatureRow:
    return row(WindowKind.HOUR, index, {"heart_rate_resting_bpm": bpm})


def _judge(
    rows: list[FeatureRow], *rules: LimitRule, context: RowContext | None = None
) -> list[Alert]:
    config = DetectionConfig(limits=rules) if rules else DetectionConfig()
    policy, state = Policy(config, COHORT), PolicyState()
    about = context or RowContext(detected_at=0.0)
    return [alert for one in rows for alert in policy.step(state, one, Scores(one), about)]


def _check_in(
    items: dict[str, int],
    *rules: CheckInLimit,
    instrument: str = "PHQ-9",
    score: float | None = None,
) -> list[Alert]:
    config = DetectionConfig(check_in_limits=rules) if rules else DetectionConfig()
    record = MoodCheckIn(time=1_770_000_000.0, instrument=instrument, items=items, score=score)
    return Policy(config, COHORT).check_in(record, SUBJECT, 1_770_000_100.0)


def test_the_first_row_past_a_limit_rings_urgently_even_while_everything_is_learning() -> None:
    (alert,) = _judge([_hour(0, 90.0), _hour(1, 134.0)])
    assert (alert.kind, alert.rule) == (AlertKind.LIMIT, "heart_rate_resting_high")
    assert alert.severity is Severity.URGENT
    assert alert.summary == "Resting heart rate 134 bpm, above this site's limit of 130 bpm."
    assert (alert.score, alert.threshold, alert.opened_at) == (134.0, 130.0, _hour(1, 0.0).end)


def test_the_limit_itself_is_no_breach() -> None:
    assert _judge([_hour(0, 130.0), _hour(1, 35.0)]) == []
    assert [alert.rule for alert in _judge([_hour(0, 34.9)])] == ["heart_rate_resting_low"]


def test_hours_on_end_past_a_limit_ring_once_and_a_later_breach_again() -> None:
    rows = [_hour(i, 135.0) for i in range(5)]
    rows += [_hour(i, 80.0) for i in range(5, 20)]
    rows += [_hour(20, 140.0)]
    alerts = _judge(rows)
    assert [alert.start for alert in alerts] == [rows[0].start, rows[-1].start]
    assert len({alert.alert_id for alert in alerts}) == 2


def test_neither_mute_nor_another_rules_snooze_holds_a_limit_back_but_its_own_does() -> None:
    other = RowContext(detected_at=0.0, muted=True, snoozed_rules=frozenset({"other"}))
    own = RowContext(detected_at=0.0, snoozed_rules=frozenset({"heart_rate_resting_high"}))
    assert len(_judge([_hour(0, 150.0)], context=other)) == 1
    assert _judge([_hour(0, 150.0)], context=own) == []


def test_minutes_are_judged_and_any_feature_may_have_a_limit() -> None:
    minute = LimitRule(
        name="racing", window=WindowKind.MINUTE, feature="heart_rate_max_bpm", above=180.0
    )
    odd = LimitRule(name="odd", window=WindowKind.DAY, feature="invented_index", below=1.0)
    rows = [
        row(WindowKind.MINUTE, 7, {"heart_rate_max_bpm": 190.0}),
        row(WindowKind.DAY, 0, {"invented_index": 0.25}),
    ]
    summaries = [alert.summary for alert in _judge(rows, minute, odd)]
    assert summaries == [
        "Heart rate max bpm 190, above this site's limit of 180.",
        "Invented index 0.25, below this site's limit of 1.",
    ]


@pytest.mark.parametrize(
    ("instrument", "items"),
    [
        ("PHQ-9", {"9": 1}),
        ("phq9", {"phq9_9": 3}),
        ("PHQ_9", {"1": 0, "item09": 2}),
        ("PHQ-9", {"q9": 1, "q8": 0}),
    ],
)
def test_item_9_rings_whatever_its_spelling(instrument: str, items: dict[str, int]) -> None:
    (alert,) = _check_in(items, instrument=instrument)
    assert (alert.rule, alert.severity) == ("phq9_item9", Severity.URGENT)
    assert alert.summary.startswith("PHQ-9: item 9 is ")
    assert alert.settled
    assert alert.window is None
    assert alert.local_date == dt.date(2026, 2, 2)


@pytest.mark.parametrize(
    ("instrument", "items"),
    [("PHQ-9", {"9": 0}), ("PHQ-9", {"8": 3, "19": 2}), ("GAD-7", {"9": 3}), ("PHQ-9", {})],
)
def test_other_answers_do_not(instrument: str, items: dict[str, int]) -> None:
    assert _check_in(items, instrument=instrument) == []


def test_a_limit_on_a_score_reads_the_score_that_was_sent() -> None:
    rule = CheckInLimit(name="severe", instrument="PHQ-9", at_least=20.0)
    (alert,) = _check_in({"1": 0}, rule, score=21.0)
    assert alert.summary == "PHQ-9: score is 21; this site's limit is 20."
    assert _check_in({"1": 3}, rule) == []


def test_the_same_answer_has_the_same_alert_however_late_it_comes() -> None:
    config = DetectionConfig()
    record = MoodCheckIn(time=1_770_000_000.0, instrument="PHQ-9", items={"9": 2})
    early, late = (
        Policy(config, COHORT).check_in(record, SUBJECT, clock)[0] for clock in (1e9, 2e9)
    )
    assert early == msgspec.structs.replace(late, detected_at=1e9)


def test_an_unknown_time_zone_falls_back_to_utc() -> None:
    subject = msgspec.structs.replace(SUBJECT, time_zone="Nowhere/Land")
    record = MoodCheckIn(time=0.0, instrument="PHQ-9", items={"9": 2})
    (alert,) = Policy(DetectionConfig(), COHORT).check_in(record, subject, 0.0)
    assert alert.local_date == dt.date(1970, 1, 1)
