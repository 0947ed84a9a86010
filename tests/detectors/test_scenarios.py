"""Goal: what a care team should be told of a person, and what not; method: one made-up life each,
day by day through models and policy.
"""

import msgspec
import pytest

from detectors import wording
from detectors.config import DetectionConfig, LimitRule
from detectors.policy import RowContext
from streams.detection import Detection
from streams.events import Alert, AlertKind, AlertStatus, FeatureRow, Severity, WindowKind
from streams.unsettled import UnsettledRow
from tests.detectors.people import COHORT, HABITS, Person, features_of, rows_of
from tests.detectors.rows import CONFIG, DAY_S, run

TIMES = {"sleep_onset_min", "sleep_offset_min"}
SEEDS = range(1, 6)
KNOWN_DAYS = 60
"""Days after which a person's usual is known."""

MUTED = RowContext(detected_at=0.0, muted=True)


def _known(seed: int = 1, **usual: float) -> Person:
    person = Person(seed, config=CONFIG, **usual)
    assert person.live(KNOWN_DAYS) == []
    return person


def _constant(days: int, **changes: float) -> list[Alert]:
    """Of somebody of whom every figure was the same for months, and then so many days another."""
    person = Person()
    usual = {name: habit.usual for name, habit in HABITS.items()}
    for index in range(90):
        assert person.hear(list(rows_of(index, usual))) == []
    changed = {name: value + changes.get(name, 0.0) for name, value in usual.items()}
    return [alert for i in range(days) for alert in person.hear(list(rows_of(90 + i, changed)))]


def test_of_a_constant_person_a_step_below_the_floor_is_nothing_and_a_real_one_is_told() -> None:
    assert _constant(10, sleep_duration_min=-10.0, heart_rate_resting_bpm=1.0) == []
    told = _constant(10, sleep_duration_min=-90.0)
    assert features_of(told) == {"sleep_duration_min"}


@pytest.mark.parametrize("seed", SEEDS)
def test_weeks_without_any_data_are_no_change_and_nothing_is_learned_from_them(seed: int) -> None:
    person = _known(seed)
    before = person.models.to_state()
    for _ in range(21):
        person.rows()
        assert person.hear(list(rows_of(person.index - 1, {}))) == []
    assert person.models.to_state() == before
    assert person.live(7) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_sleep_by_day_is_usual_for_who_works_by_night_and_their_change_is_told(seed: int) -> None:
    person = _known(seed, sleep_onset_min=500.0, sleep_offset_min=940.0)
    assert person.live(14) == []
    told = person.live(5, sleep_duration_min=-150.0)
    assert "sleep_duration_min" in features_of(told)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flight_is_told_as_times_once_and_never_urgent(seed: int) -> None:
    person = _known(seed)
    told = person.live(7, sleep_onset_min=480.0, sleep_offset_min=480.0)
    told += person.live(7)
    assert len({alert.alert_id for alert in told}) <= 1
    assert {alert.severity for alert in told} <= {Severity.WATCH}
    assert features_of(told) <= TIMES


def test_a_journey_that_staff_know_of_is_not_told() -> None:
    person = _known()
    assert person.live(7, MUTED, sleep_onset_min=480.0, sleep_offset_min=480.0) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_of_slow_deterioration_is_told_before_it_ends(seed: int) -> None:
    person, told = _known(seed), list[Alert]()
    for day in range(35):
        heart = 0.2 * day
        told += person.live(
            1,
            heart_rate_resting_bpm=heart,
            heart_rate_sleeping_bpm=heart,
            sleep_duration_min=-3.0 * day,
        )
    of_concern = {"heart_rate_resting_bpm", "heart_rate_sleeping_bpm", "sleep_duration_min"}
    assert of_concern & features_of(told)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_change_tells_its_movement_its_share_and_the_days_that_carry_it(seed: int) -> None:
    person, told = _known(seed), list[Alert]()
    for day in range(50):
        heart = 0.12 * day
        told += person.live(1, heart_rate_resting_bpm=heart, heart_rate_sleeping_bpm=heart)
    slow = next(alert for alert in told if alert.rule == "slow_change")
    assert " up from the usual " in slow.summary
    assert sum(reason.share or 0.0 for reason in slow.reasons) == pytest.approx(1.0)
    for reason in slow.reasons:
        carriers = [day.value for day in reason.evidence if day.carries]
        assert reason.value == pytest.approx(sum(carriers) / len(carriers))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_change_for_the_more_is_told_with_short_nights_and_many_steps(seed: int) -> None:
    told = _known(seed).live(5, sleep_duration_min=-120.0, step_count=7_000.0)
    assert features_of(told) >= {"sleep_duration_min", "step_count"}
    reasons = {reason.feature: reason.direction.value for reason in told[-1].reasons}
    assert reasons["sleep_duration_min"] == "down"
    assert reasons.get("step_count", "up") == "up"


def test_in_a_first_week_nothing_is_unusual_yet_and_a_limit_rings_all_the_same() -> None:
    limit = LimitRule(
        name="short_sleep", window=WindowKind.NIGHT, feature="sleep_duration_min", below=120.0
    )
    person = Person(config=DetectionConfig(limits=(limit,)))
    rows = [row for _ in range(6) for row in person.rows(step_count=9_000.0)]
    rows += person.rows(sleep_duration_min=-380.0, heart_rate_resting_bpm=30.0)
    (alert,) = run(rows, person.models, person.policy, state=person.state)
    assert (alert.kind, alert.rule) == (AlertKind.LIMIT, "short_sleep")


def _seen(detection: Detection, rows: list[FeatureRow], *, is_revised: bool) -> list[Alert]:
    clock = rows[-1].end
    unsettled = [msgspec.structs.replace(one, settled=False) for one in rows]
    looked = [UnsettledRow(one, clock - DAY_S) for one in unsettled]
    outputs = detection.view(looked, clock, is_revised=is_revised)
    return [output for output in outputs if isinstance(output, Alert)]


def test_a_night_that_looks_short_until_the_rest_arrives_is_withdrawn_in_plain_words() -> None:
    person, detection = Person(), Detection(CONFIG, COHORT)
    for row in [row for _ in range(KNOWN_DAYS) for row in person.rows()]:
        detection.settle(row, row.end + 3.0 * DAY_S, row.end + 3.0 * DAY_S)
    whole = person.rows() + person.rows()
    halves = [
        msgspec.structs.replace(
            row, values={**row.values, "sleep_duration_min": row.values["sleep_duration_min"] / 2}
        )
        if row.window is WindowKind.NIGHT
        else row
        for row in whole
    ]
    (shown,) = _seen(detection, halves, is_revised=False)
    assert shown.status is AlertStatus.OPEN
    assert "sleep_duration_min" in features_of([shown])
    (gone,) = _seen(detection, whole, is_revised=True)
    assert (gone.alert_id, gone.status) == (shown.alert_id, AlertStatus.WITHDRAWN)
    assert gone.summary.startswith(wording.WITHDRAWN_DATA)
