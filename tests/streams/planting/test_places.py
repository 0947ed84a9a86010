"""Goal: stretches lie inside the data, late enough and apart; method: hold it for any data."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.planting.places import Places, draw, possible_starts

VALID = st.sets(st.integers(0, 200), max_size=200)
PLACES = st.builds(
    Places,
    days=st.integers(1, 7),
    per_person=st.integers(1, 4),
    gap_days=st.integers(0, 30),
    first_day=st.integers(0, 40),
    seed=st.integers(0, 5),
)


@given(VALID, PLACES)
def test_stretches_lie_in_valid_dates_after_enough_of_them_and_apart(
    valid: set[int], places: Places
) -> None:
    stretches = draw(valid, places, "alder")
    assert len(stretches) <= places.per_person
    assert bool(stretches) == bool(possible_starts(valid, places))
    for stretch in stretches:
        assert set(range(stretch.first, stretch.last + 1)) <= valid
        assert stretch.last - stretch.first == places.days - 1
        assert sum(date < stretch.first for date in valid) >= places.first_day
    for one, other in pairwise(stretches):
        assert other.first - one.last > places.gap_days


def test_another_seed_and_another_person_have_other_places() -> None:
    valid = set(range(300))
    drawn = {
        draw(valid, Places(days=3, seed=seed), user) for seed in range(5) for user in ("a", "b")
    }
    assert len(drawn) > 5
    assert draw(valid, Places(days=3), "a") == draw(valid, Places(days=3), "a")
