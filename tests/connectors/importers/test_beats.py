"""Goal: beats known to the second get sensible times. Method: properties of generated beats."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from connectors.importers.beats import placed_beats


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(200, 3_000)), max_size=60).map(
        lambda beats: sorted(((1.5e9 + s, ms / 1_000) for s, ms in beats), key=lambda b: b[0])
    )
)
def test_beats_keep_their_order_and_their_second(beats: list[tuple[float, float]]) -> None:
    times = placed_beats(beats, 0.0)
    assert len(times) == len(beats)
    for time, (second, _) in zip(times, beats, strict=True):
        assert second <= time < second + 1
    assert all(early < late for early, late in pairwise(times))


def test_regular_beats_are_as_far_apart_as_they_say() -> None:
    true = [1.5e9 + 0.8 * number for number in range(200)]
    times = placed_beats([(float(int(time)), 0.8) for time in true], true[0] - 0.8)
    gaps = [late - early for early, late in pairwise(times)]
    assert max(abs(gap - 0.8) for gap in gaps) < 0.002
