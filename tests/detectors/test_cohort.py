"""Goal: a budget gives its threshold, never one that rings more often; method: by hand."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.cohort import FALLBACK_BUDGETS, HALVING_Z, load_cohort

COHORT = load_cohort()
RULE = "level_shift"
budgets = st.floats(0.02, 30.0)


def test_at_a_fitted_budget_it_is_the_fitted_threshold() -> None:
    for per_month, threshold_z in COHORT.budgets[RULE]:
        assert COHORT.threshold_z(RULE, per_month) == pytest.approx(threshold_z)


def test_between_two_it_is_the_one_that_keeps_to_the_budget() -> None:
    cohort = msgspec.structs.replace(COHORT, budgets={RULE: [(4.0, 1.0), (1.0, 3.0)]})
    assert cohort.threshold_z(RULE, 2.0) == 3.0
    assert cohort.threshold_z(RULE, 0.5) == 3.0 + HALVING_Z
    assert cohort.threshold_z(RULE, 8.0) == 1.0


@given(budgets, budgets)
def test_a_larger_budget_never_has_a_higher_threshold(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert COHORT.threshold_z(RULE, high) <= COHORT.threshold_z(RULE, low) + 1e-9
    assert math.isfinite(COHORT.threshold_z(RULE, low))


def test_a_rule_without_budgets_has_cautious_ones() -> None:
    for per_month, threshold_z in FALLBACK_BUDGETS:
        assert COHORT.threshold_z("another", per_month) == pytest.approx(threshold_z)
