"""Goal: what project and cohort say of features is worked out rightly; method: site by site."""

import msgspec
import pytest

from detectors.base import DAY
from detectors.cohort import load_cohort
from detectors.config import Concern, DetectionConfig
from detectors.features import SPECS, FeatureSpec
from detectors.patterns import Domain
from detectors.terms import FALLBACK_THRESHOLD, Terms, key_of, of_channels, spec_of_key, terms_of
from streams.events import WindowKind
from tests.detectors.rows import FIRST, night, row

COHORT = load_cohort()


def _terms(**site: object) -> Terms:
    return terms_of(DetectionConfig(**site), COHORT)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.window}-{spec.feature}")
def test_every_scored_feature_has_its_terms(spec: FeatureSpec) -> None:
    window, feature = spec.window, spec.feature
    form = _terms().forms[window](feature)
    term = _terms().term_of(key_of(window, feature))
    assert form is not None
    assert term is not None
    assert spec_of_key(key_of(window, feature)) == spec
    assert (form.shape, form.floor, form.prior) == (term.shape, term.floor, term.prior)
    assert form.prior == COHORT.prior(window, feature)
    assert form.concern is term.role.concern


def test_a_site_says_what_is_of_concern_to_it() -> None:
    terms = _terms(concerns={"step_count": Concern.DOWN, "sleep_onset_min": Concern.NONE})
    steps = terms.term_of("day.step_count")
    assert steps is not None
    assert (steps.role.concern, steps.role.domain) == (Concern.DOWN, Domain.ACTIVITY)
    assert terms.term_of("night.sleep_onset_min") is None
    assert terms.forms[WindowKind.NIGHT]("sleep_onset_min") is None


def test_what_is_not_scored_has_no_terms() -> None:
    assert _terms().term_of("night.invented") is None
    assert _terms().term_of(DAY) is None
    assert _terms().forms[WindowKind.NIGHT]("step_count") is None


def test_a_row_is_told_by_window_and_date_without_what_yields_or_is_no_concern() -> None:
    terms = _terms(concerns={"sleep_onset_min": Concern.NONE})
    values = {"heart_rate_sleeping_bpm": 58.0, "heart_rate_resting_bpm": 60.0, "invented": 1.0}
    x = terms.dated(night(3, sleep_onset_min=-30.0, **values))
    assert x == {DAY: float(FIRST.toordinal() + 3), "night.heart_rate_sleeping_bpm": 58.0}
    x = terms.dated(row(WindowKind.DAY, 3, {"heart_rate_resting_bpm": 60.0}))
    assert x.keys() == {DAY, "day.heart_rate_resting_bpm"}


def test_a_budget_decides_the_threshold_unless_the_site_does() -> None:
    few, many = (_terms(budget_per_month=budget).threshold_z for budget in (0.2, 2.0))
    assert few > many
    assert few == COHORT.threshold_z("level_shift", 0.2)
    own = _terms(threshold=0.975)
    assert own.threshold_z == pytest.approx(1.96, abs=0.001)
    assert set(own.thresholds.values()) == {0.975}
    bare = msgspec.structs.replace(COHORT, thresholds={})
    assert set(terms_of(DetectionConfig(), bare).thresholds.values()) == {FALLBACK_THRESHOLD}


def test_equal_configurations_share_their_terms() -> None:
    assert _terms() is _terms()
    assert _terms(warm_up_days=20) is not _terms()


def test_features_are_picked_by_the_channels_that_measure_them() -> None:
    features = ["sleep_duration_min", "heart_rate_sleeping_bpm", "rmssd_ms", "screen_min"]
    picked = of_channels(WindowKind.NIGHT, [*features, "invented"], frozenset({"sleep", "phone"}))
    assert picked == {"sleep_duration_min", "screen_min"}
