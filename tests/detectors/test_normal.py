"""Goal: tails of the normal distribution hold far out; method: SciPy's, and Sidak's formula."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm  # type: ignore[import-untyped]  # has no types

from detectors.normal import corrected, deviate_of, tail_of

Z = st.floats(-6.0, 15.0)


@given(Z)
def test_a_tail_is_what_lies_above(z: float) -> None:
    assert tail_of(z) == pytest.approx(float(norm.sf(z)), rel=1e-9)


@given(st.floats(-5.0, 15.0))
def test_a_deviate_undoes_its_tail(z: float) -> None:
    assert deviate_of(tail_of(z)) == pytest.approx(z, abs=1e-6)


@given(st.floats(0.0, 6.0), st.integers(1, 30))
def test_the_correction_is_sidaks(z: float, count: int) -> None:
    """The largest of so many lies below what each of them does."""
    expected = norm.ppf(math.exp(count * float(norm.logcdf(z))))
    assert corrected(z, count) == pytest.approx(expected, abs=1e-4)


@given(st.floats(0.0, 30.0), st.floats(0.0, 30.0), st.integers(1, 60))
def test_the_correction_keeps_the_order_and_never_strengthens(
    first: float, second: float, count: int
) -> None:
    low, high = sorted((first, second))
    assert corrected(low, count) <= corrected(high, count) + 1e-9
    assert corrected(high, count + 1) <= corrected(high, count) + 1e-9
    assert corrected(high, 1) == pytest.approx(high, abs=1e-6)


@pytest.mark.parametrize("z", [-math.inf, -60.0, 60.0, math.inf])
def test_beyond_all_tails_it_stays_finite(z: float) -> None:
    assert math.isfinite(corrected(z, 40))
    assert corrected(z, 40) * z > 0.0
