"""Goal: a person's threshold follows them slowly, within bounds, and never follows a change that is
still going on; method: days of which it is given whether a shift is told.
"""

import datetime as dt
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.cohort import load_cohort
from detectors.config import DetectionConfig
from detectors.level_shift import LevelShift
from detectors.models import FLOOR_Z, threshold_of
from detectors.policy import (
    DAYS_A_MONTH,
    OFFSET_MAX,
    OFFSET_MIN,
    OFFSET_RISE,
    Policy,
    PolicyState,
    RowContext,
)
from detectors.scores import Scores
from detectors.shifts import Part, Shift
from streams.events import Anomaly, AnomalyState, Direction, FeatureRow, Reason, WindowKind
from tests.detectors.rows import row

COHORT = load_cohort()
NAME = "step_count"


def _day(index: int) -> FeatureRow:
    return row(WindowKind.DAY, index, {NAME: 8_000.0})


def _reason(one: FeatureRow, _: Part) -> Reason:
    return Reason(
        feature=NAME,
        window=one.window,
        direction=Direction.UP,
        value=8_000.0,
        unit="count",
    )


def _scores(one: FeatureRow, is_shifted: bool | None) -> Scores:
    """What models said of a day; None: nothing has warmed up yet."""
    scores = Scores(one, partial(_reason, one))
    scores.append(
        Anomaly(
            user_id=one.user_id,
            project_id=one.project_id,
            care_team=one.care_team,
            window=one.window,
            start=one.start,
            end=one.end,
            local_date=one.local_date,
            detector=LevelShift.name,
            score=0.99,
            threshold=0.95,
            state=AnomalyState.ANOMALOUS if is_shifted else AnomalyState.NORMAL,
            settled=True,
            revision=0,
            version="1",
        )
    )
    if is_shifted is not None:
        since = one.local_date - dt.timedelta(days=1)
        scores.shift = Shift(3.0, None, since.toordinal(), (Part(f"day.{NAME}", 1, 1.0, ()),))
        scores.is_shifted = is_shifted
    return scores


def _live(
    days: list[bool | None], config: DetectionConfig, *, muted: bool = False
) -> list[tuple[float, bool]]:
    """After each day: the person's offset, and whether an episode is open."""
    policy, state, lived = Policy(config, COHORT), PolicyState(), []
    for index, is_shifted in enumerate(days):
        one = _day(index)
        context = RowContext(detected_at=one.end, muted=muted)
        policy.step(state, one, _scores(one, is_shifted), context)
        episode = state.episodes.get("change|day")
        lived.append((state.offset, episode is not None and episode.is_open))
    return lived


_days = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=120)


@settings(max_examples=60, deadline=None)
@given(_days, st.floats(0.1, 10.0), st.booleans())
def test_it_never_rises_while_an_episode_is_open_and_stays_within_bounds(
    days: list[bool | None], budget_per_month: float, muted: bool
) -> None:
    config = DetectionConfig(budget_per_month=budget_per_month)
    before = 0.0, False
    for offset, is_open in _live(days, config, muted=muted):
        assert OFFSET_MIN <= offset <= OFFSET_MAX
        if is_open or muted:
            assert offset <= before[0]
        if offset > before[0]:
            assert before[1]
            assert offset - before[0] <= OFFSET_RISE + 1e-9
        before = offset, is_open


def test_a_change_that_goes_on_for_months_never_raises_it() -> None:
    assert {offset for offset, _ in _live([True] * 90, DetectionConfig())} == {0.0}


@pytest.mark.parametrize("budget_per_month", [0.5, 1.0, 2.0])
def test_who_rings_as_often_as_the_budget_says_keeps_their_threshold(
    budget_per_month: float,
) -> None:
    config = DetectionConfig(budget_per_month=budget_per_month)
    quiet = int(DAYS_A_MONTH / budget_per_month)
    # An episode raises it when it ends, and as many days without one lower it again.
    offset, _ = _live([True, *[False] * (quiet + 1)], config)[-1]
    assert offset == pytest.approx(0.0, abs=1e-9)
    assert _live([True, *[False] * quiet * 2], config)[-1][0] < 0.0


def test_before_anything_has_warmed_up_it_does_not_move() -> None:
    assert _live([None] * 30, DetectionConfig())[-1] == (0.0, False)


@given(st.floats(-10.0, 10.0), st.floats(-10.0, 10.0))
def test_no_offset_takes_a_threshold_below_the_floor(threshold_z: float, offset: float) -> None:
    assert threshold_of(threshold_z, offset) == max(FLOOR_Z, threshold_z + offset)
