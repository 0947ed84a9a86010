"""Goal: scores become few, explained episodes; method: made-up people through models and policy.

Every rule that holds an alert back is tested with what it must never hold back.
"""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.cohort import load_cohort
from detectors.config import DetectionConfig
from detectors.models import SubjectModels
from detectors.policy import Policy, PolicyState, RowContext
from detectors.shifts import SPAN_DAYS
from detectors.withdrawal import withdrawn
from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    Direction,
    FeatureRow,
    Severity,
    WindowKind,
)
from tests.detectors.rows import CONFIG, DAY_S, night, ordinary_nights, row, run

COHORT = load_cohort()
POLICY = Policy(CONFIG, COHORT)
TAUGHT = 40


class _Person:
    """A subject with a baseline of forty nights."""

    def __init__(self, config: DetectionConfig = CONFIG) -> None:
        self.models = SubjectModels(config, COHORT)
        self.policy = Policy(config, COHORT)
        self.state = PolicyState()
        self.index = TAUGHT
        assert self.live(*ordinary_nights(TAUGHT)) == []

    def live(self, *rows: FeatureRow, context: RowContext | None = None) -> list[Alert]:
        return run(rows, self.models, self.policy, state=self.state, context=context)

    def nights(
        self, *durations_min: float, context: RowContext | None = None, **values: float
    ) -> list[Alert]:
        rows = [
            night(self.index + i, sleep_duration_min=minutes, **values)
            for i, minutes in enumerate(durations_min)
        ]
        self.index += len(rows)
        return self.live(*rows, context=context)


def _context(**fields: object) -> RowContext:
    return RowContext(detected_at=0.0, **fields)  # type: ignore[arg-type]  # any field


def test_one_odd_night_stays_silent_and_a_second_one_rings_with_reasons() -> None:
    person = _Person()
    assert person.nights(330.0) == []
    (alert,) = person.nights(335.0)
    assert (alert.kind, alert.rule) == (AlertKind.CLINICAL, "change_from_usual")
    assert (alert.severity, alert.status) == (Severity.WATCH, AlertStatus.OPEN)
    assert alert.summary.startswith(
        "Since Tue 10 Feb: slept 5 h 33 min on average on both nights, usually "
    )
    assert alert.missing == [
        "heart rate asleep: not enough data",
        "time of falling asleep: not enough data",
    ]
    assert alert.model_versions.keys() == {"baseline", "level_shift", "cohort", "policy"}
    assert alert.threshold <= alert.score <= 1.0
    last = night(TAUGHT + 1)
    assert (alert.opened_at, alert.detected_at) == (last.end, last.end + 3 * DAY_S)


def test_a_reason_carries_its_share_what_was_expected_and_the_days_that_tell_of_it() -> None:
    (alert,) = _Person().nights(330.0, 335.0)
    (reason,) = alert.reasons
    assert (reason.feature, reason.window) == ("sleep_duration_min", WindowKind.NIGHT)
    assert (reason.direction, reason.value, reason.unit) == (Direction.DOWN, 332.5, "min")
    assert reason.share == pytest.approx(1.0)
    assert reason.expected == pytest.approx(440.0, abs=15.0)
    dates = [night(TAUGHT + i).local_date for i in range(2)]
    told = [(evidence.local_date, evidence.value) for evidence in reason.evidence]
    assert told == list(zip(dates, [330.0, 335.0], strict=True))


def test_a_shift_told_on_a_day_that_has_gone_back_tells_the_days_that_carry_it() -> None:
    person = _Person()
    assert person.nights(200.0, 190.0, 210.0, context=_context(muted=True)) == []
    (alert,) = person.nights(445.0)
    (reason,) = alert.reasons
    assert (reason.direction, reason.value) == (Direction.DOWN, 200.0)
    assert [evidence.carries for evidence in reason.evidence] == [True, True, True, False]
    assert alert.summary.startswith(
        "Since Tue 10 Feb: slept 3 h 20 min on average on 3 of 4 nights"
    )
    assert alert.summary.endswith(", but back at 7 h 25 min on Fri 13 Feb.")


def test_one_night_never_rings_however_far_it_is_in_one_feature() -> None:
    assert _Person().nights(60.0, 440.0, 445.0, 440.0) == []


def test_only_valid_nights_count_and_old_ones_do_not() -> None:
    person = _Person()
    assert person.nights(330.0) == []
    person.index += SPAN_DAYS - 2
    assert len(person.nights(330.0)) == 1
    person = _Person()
    person.nights(330.0)
    person.index += SPAN_DAYS - 1
    assert person.nights(330.0) == []


def test_odd_nights_to_both_sides_are_no_change_to_one() -> None:
    assert _Person().nights(330.0, 550.0) == []


def test_while_learning_nothing_clinical_rings() -> None:
    models, state = SubjectModels(CONFIG, COHORT), PolicyState()
    rows = ordinary_nights(10)
    rows += [night(10 + i, sleep_duration_min=60.0, sleep_onset_min=400.0) for i in range(3)]
    assert run(rows, models, POLICY, state=state) == []


def test_an_episode_rings_once_while_it_lasts_and_not_within_its_refractory_period() -> None:
    person = _Person()
    assert len(person.nights(330.0, 330.0, 335.0, 330.0)) == 1
    assert person.nights(440.0, 440.0, 440.0) == []
    assert not person.state.episodes["change|day"].is_open
    assert person.nights(330.0, 330.0) == []
    assert person.nights(*[440.0] * 6) == []
    (again,) = person.nights(330.0, 330.0)
    assert again.local_date == night(person.index - 1).local_date


def test_a_change_that_is_still_there_after_the_refractory_period_rings_then() -> None:
    config = DetectionConfig(refractory_h=96.0)
    person = _Person(config)
    assert len(person.nights(330.0, 330.0)) == 1
    assert person.nights(440.0, 440.0, 330.0, 330.0) == []
    assert len(person.nights(330.0)) == 1


def test_a_change_that_is_far_and_lasts_becomes_urgent_under_the_same_id() -> None:
    first, second = _Person().nights(230.0, 230.0, 230.0, 230.0, 230.0)
    assert (first.severity, second.severity) == (Severity.WATCH, Severity.URGENT)
    assert first.alert_id == second.alert_id
    assert (first.start, first.opened_at) == (second.start, second.opened_at)
    assert second.summary.startswith(f"{first.summary} It became urgent on ")


def test_a_further_lasting_change_is_told_under_the_same_id() -> None:
    person = _Person()
    (first,) = person.nights(330.0, 330.0)
    (second,) = person.nights(335.0, 330.0, heart_rate_sleeping_bpm=67.0)
    assert first.alert_id == second.alert_id
    assert {reason.feature for reason in second.reasons} == {
        "sleep_duration_min",
        "heart_rate_sleeping_bpm",
    }


def test_what_opened_an_alert_and_made_it_urgent_stays_told_before_the_newest() -> None:
    person = _Person()
    first, urgent = person.nights(*[230.0] * 5)
    person.state = PolicyState.from_state(json.loads(json.dumps(person.state.to_state())))
    (newest,) = person.nights(230.0, 230.0, heart_rate_sleeping_bpm=67.0)
    assert (newest.alert_id, newest.severity) == (first.alert_id, Severity.URGENT)
    assert newest.summary.startswith(f"{urgent.summary} New on ")
    assert newest.summary.removeprefix(urgent.summary).count("slept") == 0
    assert newest.reasons[:1] == urgent.reasons
    assert [reason.feature for reason in newest.reasons[1:]] == ["heart_rate_sleeping_bpm"]


def test_two_features_far_off_are_urgent_at_once_whatever_is_muted_snoozed_or_refractory() -> None:
    person = _Person()
    held = _context(muted=True, snoozed_rules=frozenset({"change_from_usual"}))
    (alert,) = person.nights(120.0, context=held, heart_rate_sleeping_bpm=85.0)
    assert alert.severity is Severity.URGENT
    assert len(alert.reasons) == 2


def test_a_time_of_day_and_another_feature_far_off_are_urgent_at_once() -> None:
    far = _Person().nights(440.0, sleep_onset_min=600.0, heart_rate_sleeping_bpm=85.0)
    assert [alert.severity for alert in far] == [Severity.URGENT]


@pytest.mark.parametrize(
    "held", [_context(muted=True), _context(snoozed_rules=frozenset({"change_from_usual"}))]
)
def test_mute_and_snooze_hold_a_watch_back_until_they_end(held: RowContext) -> None:
    person = _Person()
    assert person.nights(330.0, 330.0, 330.0, context=held) == []
    assert len(person.nights(330.0)) == 1


def test_hours_need_five_of_six() -> None:
    models, state = SubjectModels(CONFIG, COHORT), PolicyState()
    calm = [
        row(WindowKind.HOUR, i, {"heart_rate_resting_bpm": 64.0 + i % 5}) for i in range(24 * 30)
    ]
    raced = [row(WindowKind.HOUR, 24 * 30 + i, {"heart_rate_resting_bpm": 96.0}) for i in range(5)]
    assert run(calm + raced[:4], models, POLICY, state=state) == []
    (alert,) = run(raced[4:], models, POLICY, state=state)
    assert alert.summary.endswith("(5 of the last 6 hours).")


def test_a_young_relearned_baseline_is_said() -> None:
    person = _Person()
    person.models.relearn()
    person.nights(*[440.0 + i % 7 for i in range(16)])
    (alert,) = person.nights(300.0, 300.0, context=_context(relearned=True))
    assert any("learned again" in text for text in alert.missing)


def test_withdrawal_says_why_and_what_it_had_said() -> None:
    (alert,) = _Person().nights(330.0, 330.0)
    gone = withdrawn(alert, "data", 5.0)
    assert (gone.status, gone.status_at) == (AlertStatus.WITHDRAWN, 5.0)
    assert gone.summary.startswith(
        "New data no longer support this. It had said: Since Tue 10 Feb: "
    )
    learned = withdrawn(alert, "learned", 5.0)
    assert learned.summary.startswith("No longer unusual against what has been learned since.")


def test_an_alert_and_its_id_are_the_same_in_every_run() -> None:
    first, second = (_Person().nights(330.0, 330.0)[0] for _ in range(2))
    assert first == second
    assert first.alert_id == "1c6e5d9e-a9df-539e-a898-265065b67d78"


_nights = st.lists(
    st.tuples(st.sampled_from([60.0, 330.0, 440.0, 600.0]), st.sampled_from([60.0, 66.0, 90.0])),
    min_size=1,
    max_size=25,
)


@settings(max_examples=20, deadline=None)
@given(_nights, st.integers(0, 25))
def test_a_copy_looks_ahead_without_a_trace_and_a_state_goes_on_where_it_was(
    drawn: list[tuple[float, float]], cut: int
) -> None:
    rows = [
        night(TAUGHT + i, sleep_duration_min=minutes, heart_rate_sleeping_bpm=bpm)
        for i, (minutes, bpm) in enumerate(drawn)
    ]
    person = _Person()
    before = person.live(*rows[:cut])
    kept = json.dumps(person.state.to_state())
    twin = PolicyState.from_state(json.loads(kept))
    ahead = person.state.copy()
    for one in rows[cut:]:
        POLICY.step(ahead, one, person.models.score(one, ahead.offset), _context())
    assert json.dumps(person.state.to_state()) == kept
    models = SubjectModels.from_state(person.models.to_state(), CONFIG, COHORT)
    after = person.live(*rows[cut:])
    assert run(rows[cut:], models, POLICY, state=twin) == after
    assert _Person().live(*rows) == before + after


@settings(max_examples=20, deadline=None)
@given(_nights)
def test_at_most_one_clinical_alert_a_row_and_every_alert_is_explained(
    drawn: list[tuple[float, float]],
) -> None:
    person = _Person()
    for minutes, bpm in drawn:
        alerts = person.nights(minutes, heart_rate_sleeping_bpm=bpm)
        assert len(alerts) <= 1
        for alert in alerts:
            assert alert.reasons
            assert alert.summary
            json.loads(msgspec.json.encode(alert))
