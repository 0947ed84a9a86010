"""Goal: a timeline is a set of steps. Method: random calls on it and on a plain set alike."""

from hypothesis import given
from hypothesis import strategies as st

from streams.timeline import (
    Timeline,
    bit_array,
    bits_of,
    held_after,
    places_of,
    run_starts,
    stretched,
)

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


@given(
    st.lists(st.tuples(STEPS, st.integers(1, 40)), min_size=90, max_size=130), st.integers(0, 20)
)
def test_spans_set_together_are_those_set_one_by_one(
    told: list[tuple[int, int]], before: int
) -> None:
    spans = [(start, start + length) for start, length in told]
    together, single = Timeline(), Timeline()
    for start, stop in spans[:before]:
        together.add(start, stop)
    together.add_all(spans[before:])
    for start, stop in spans:
        single.add(start, stop)
    assert together.to_state() == single.to_state()


FAR = STEPS | st.integers(500_000, 500_200)


@given(st.lists(st.tuples(FAR, st.integers(1, 40), FAR, st.integers(0, 99)), max_size=9))
def test_a_long_timeline_is_read_far_from_its_base_like_a_set(
    calls: list[tuple[int, int, int, int]],
) -> None:
    timeline, steps = Timeline(), set[int]()
    for first, count, start, length in calls:
        timeline.add(first, first + count)
        steps |= set(range(first, first + count))
        bits = bit_array(timeline.between(start, start + length), length)
        assert [start + place for place in range(length) if bits[place]] == sorted(
            steps & set(range(start, start + length))
        )


@given(st.integers(0, 2**90 - 1), st.integers(1, 20))
def test_runs_begin_where_enough_bits_follow(bits: int, length: int) -> None:
    expected = {at for at in range(90) if all(bits >> at + more & 1 for more in range(length))}
    assert set(steps_of(run_starts(bits, length))) == expected


@given(st.integers(0, 2**90 - 1), st.integers(0, 2**90 - 1))
def test_what_has_started_is_held_until_it_stops(starts: int, stops: int) -> None:
    expected, is_held = [], False
    for at in range(90):
        is_held = not stops >> at & 1 and (bool(starts >> at & 1) or is_held)
        expected += [at] if is_held else []
    assert steps_of(held_after(starts, stops, 90)) == expected


@given(st.integers(0, 2**70 - 1))
def test_bits_come_back_from_an_array(bits: int) -> None:
    assert bits_of(bit_array(bits, 70)) == bits


@given(st.integers(0, 2**70 - 1), st.integers(1, 30))
def test_a_stretched_bit_covers_those_that_follow(bits: int, length: int) -> None:
    expected = {at + more for at in steps_of(bits) for more in range(length)}
    assert set(places_of(stretched(bits, length))) == expected


def steps_of(bits: int) -> list[int]:
    return [at for at in range(bits.bit_length()) if bits >> at & 1]
