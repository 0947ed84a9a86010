"""Goal: of several features the direction is found that tells most; method: days made by hand."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import shifts
from detectors.config import Concern
from detectors.patterns import Domain
from detectors.shifts import SPAN_DAYS, Day, Role, Shift, keep, most_telling

TODAY = 9
ROUNDED = 1.0 / shifts.STEPS
HEART = Role(Concern.UP, Domain.HEART_RATE)
SLEEP = Role(Concern.BOTH, Domain.SLEEP)
STEPS = Role(Concern.BOTH, Domain.ACTIVITY)


def _days(*innovations: float, last: int = TODAY) -> bytes:
    """Days up to the last one, of a feature that carries nothing on."""
    first, kept = last - len(innovations) + 1, b""
    for i, new in enumerate(innovations):
        kept = keep(kept, Day(first + i, 0.0, 0.0, new, 1.0, 1.0))
    return kept


def _look(recent: dict[str, bytes], roles: dict[str, Role], days_min: int = 2) -> Shift:
    shift = most_telling(recent, roles, TODAY, days_min)
    assert shift is not None
    return shift


def _largest_of(z: float, count: int) -> float:
    return NormalDist().inv_cdf(NormalDist().cdf(z) ** count)


def test_one_feature_alone_tells_from_the_day_on_which_it_moved() -> None:
    shift = _look({"sleep": _days(0.0, 0.0, -1.5, -1.5, -1.5)}, {"sleep": SLEEP})
    assert (shift.pattern, shift.since) == (None, TODAY - 2)
    (part,) = shift.parts
    assert (part.feature, part.side, part.share) == ("sleep", -1, 1.0)
    assert [day.day for day in part.days] == [TODAY - 2, TODAY - 1, TODAY]
    # Looked at to both sides.
    assert shift.z == pytest.approx(_largest_of(1.5 * math.sqrt(3.0), 2))


def test_small_changes_that_go_together_tell_more_than_each_alone() -> None:
    recent = {name: _days(1.2, 1.2) for name in ("heart", "steps")}
    recent["sleep"] = _days(-1.2, -1.2)
    roles = {"heart": HEART, "sleep": SLEEP, "steps": STEPS}
    shift = _look({**recent, "steps": _days(-1.2, -1.2)}, roles)
    assert shift.pattern == "strain"
    assert [(part.feature, part.side) for part in shift.parts] == [
        ("heart", 1),
        ("sleep", -1),
        ("steps", -1),
    ]
    assert [part.share for part in shift.parts] == pytest.approx([1 / 3] * 3, abs=ROUNDED)
    # Five sides of single features, strain and activation.
    assert shift.z == pytest.approx(_largest_of(1.2 * math.sqrt(6.0), 7), abs=3.0 * ROUNDED)
    assert _look(recent, roles).pattern == "activation"


def test_features_of_one_domain_share_its_weight() -> None:
    twice = {"day": _days(2.0, 2.0), "night": _days(2.0, 2.0), "sleep": _days(-2.0, -2.0)}
    roles = {"day": HEART, "night": HEART, "sleep": SLEEP}
    shift = _look(twice, roles)
    assert shift.pattern == "strain"
    shares = {part.feature: part.share for part in shift.parts}
    assert shares == pytest.approx({"sleep": 0.5, "day": 0.25, "night": 0.25})
    assert shift.z == pytest.approx(_largest_of(2.0 * math.sqrt(4.0), 5))


def test_a_pattern_needs_two_domains_that_told_something() -> None:
    recent = {"sleep": _days(-2.0, -2.0), "steps": _days(0.0, last=TODAY - SPAN_DAYS)}
    shift = _look(recent, {"sleep": SLEEP, "steps": STEPS})
    assert (shift.pattern, [part.feature for part in shift.parts]) == (None, ["sleep"])


@pytest.mark.parametrize(
    ("concern", "found"), [(Concern.UP, False), (Concern.DOWN, True), (Concern.BOTH, True)]
)
def test_only_a_side_of_concern_tells(concern: Concern, found: bool) -> None:
    shift = _look({"sleep": _days(-2.0, -2.0, -2.0)}, {"sleep": Role(concern, Domain.SLEEP)})
    assert (shift.z > 2.0) is found


def test_where_nothing_is_of_concern_there_is_nothing_to_look_at() -> None:
    role = Role(Concern.NONE, Domain.OTHER)
    assert most_telling({"f": _days(3.0, 3.0)}, {"f": role}, TODAY, 2) is None


@pytest.mark.parametrize(("days_min", "found"), [(1, True), (2, True), (3, False)])
def test_as_many_days_have_to_tell_as_are_asked_for(days_min: int, found: bool) -> None:
    shift = _look({"sleep": _days(-3.0, -3.0)}, {"sleep": SLEEP}, days_min)
    assert (shift.z > 2.0) is found
    # One that is not lasting may join one that is, and never stands for it.
    alone = {"sleep": _days(-3.0), "steps": _days(-0.1, -0.1)}
    joined = _look(alone, {"sleep": SLEEP, "steps": STEPS}, 2)
    assert joined.pattern in {"strain", None}
    assert not (joined.pattern is None and joined.parts[0].feature == "sleep")


_innovations = st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=8)


@given(_innovations, _innovations, _innovations)
def test_parts_speak_for_their_pattern_and_a_score_is_a_probability(
    heart: list[float], sleep: list[float], steps: list[float]
) -> None:
    recent = {"heart": _days(*heart), "sleep": _days(*sleep), "steps": _days(*steps)}
    shift = _look(recent, {"heart": HEART, "sleep": SLEEP, "steps": STEPS})
    assert 0.0 <= shift.score <= 1.0
    assert TODAY - SPAN_DAYS < shift.since < TODAY
    shares = [part.share for part in shift.parts]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.0 + 1e-9
    for part in shift.parts:
        assert part.days
        assert min(day.day for day in part.days) >= shift.since
        told = sum(day.innovation for day in part.days)
        assert told * part.side > 0.0
        if part.feature == "heart":
            assert part.side > 0
