"""Goal: rules are swept by their score; method: drawn values against the plain quotient."""

from hypothesis import given
from hypothesis import strategies as st

from detectors.base import DAY, HOUR
from detectors.rules import half_at, watched


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0.1, 100.0))
def test_scores_rise_with_the_value_and_are_a_half_at_the_threshold(
    one: float, other: float, threshold: float
) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= half_at(low, threshold) <= half_at(high, threshold) < 1.0
    assert (half_at(one, threshold) >= 0.5) is (one >= threshold)


def test_context_is_no_feature() -> None:
    x = {HOUR: 3.0, "a": 1.0, DAY: 9.0, "b": 2.0}
    assert list(watched(x, None)) == [("a", 1.0), ("b", 2.0)]
    assert list(watched(x, "b")) == [("b", 2.0)]
    assert list(watched(x, DAY)) == []
