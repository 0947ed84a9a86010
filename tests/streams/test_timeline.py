"""Goal: a timeline is a set of steps. Method: random calls on it and on a plain set alike."""

from hypothesis import given
from hypothesis import strategies as st

from streams.timeline import Timeline, bit_array

STEPS = st.integers(900, 1_100)
CALLS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), STEPS, st.integers(0, 40)))


@given(calls=CALLS, start=STEPS, length=st.integers(0, 100))
def test_a_timeline_answers_like_a_set(
    calls: list[tuple[str, int, int]], start: int, length: int
) -> None:
    timeline, steps = Timeline(), set[int]()
    for name, first, count in calls:
        stretch = set(range(first, first + count))
        if name == "add":
            assert timeline.add(first, first + count) is bool(stretch - steps)
            steps |= stretch
        else:
            timeline.remove(first, first + count)
            steps -= stretch
    stop = start + length
    bits = bit_array(timeline.between(start, stop), length)
    assert [bool(bit) for bit in bits] == [step in steps for step in range(start, stop)]
    assert timeline.last_before(start) == max((s for s in steps if s < start), default=None)
    assert timeline.first_from(start) == min((s for s in steps if s >= start), default=None)
    assert bool(timeline) is bool(steps)
    timeline.forget_before(start)
    assert timeline.first() == min((s for s in steps if s >= start), default=None)
