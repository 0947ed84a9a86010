"""Goal: names of features are known or refused with what is near; method: names by hand."""

import pytest

from detectors.config import DEFAULT_LIMITS, Concern, DetectionConfig, LimitRule
from streams.events import WindowKind
from streams.feature_names import refuse_unknown_feature, refuse_unknown_names
from streams.features import features_of


@pytest.mark.parametrize("window", WindowKind)
def test_every_declared_name_is_known(window: WindowKind) -> None:
    for feature in features_of(window):
        for figure in feature.gives:
            refuse_unknown_feature(window, figure.name.replace("<instrument>", "phq_9"))


@pytest.mark.parametrize(
    ("window", "name", "says"),
    [
        (WindowKind.NIGHT, "sleep_durations_min", "nearest: sleep_duration_min, "),
        (WindowKind.DAY, "active_min", "nearest: step_active_min, active_reported_min"),
        (WindowKind.DAY, "sleep_duration_min", "window day has .*; it is one of night"),
        (WindowKind.MINUTE, "heart_rate_resting_bpm", "; it is one of hour and night and day"),
        (WindowKind.DAY, "<instrument>_score", "nearest: <instrument>_score"),
        (WindowKind.DAY, "_score", "has no feature named '_score'"),
        (WindowKind.DAY, "nonsense", "see docs/FEATURES.md"),
        # Coverage of a row is none of its values.
        (WindowKind.DAY, "worn", "has no feature named 'worn'"),
    ],
)
def test_an_unknown_name_is_refused_with_what_is_near(
    window: WindowKind, name: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        refuse_unknown_feature(window, name)


def test_limits_are_on_what_rows_of_their_window_hold() -> None:
    for limit in (
        *DEFAULT_LIMITS,
        LimitRule(name="pulse", window=WindowKind.MINUTE, feature="heart_rate_max_bpm", above=180),
        LimitRule(name="mood", window=WindowKind.DAY, feature="phq_9_score", above=20),
    ):
        refuse_unknown_names(DetectionConfig(limits=(limit,)))
    wrong = LimitRule(name="mood", window=WindowKind.NIGHT, feature="step_count", above=20)
    with pytest.raises(ValueError, match=r"limit 'mood': window night .* of hour and day"):
        refuse_unknown_names(DetectionConfig(limits=(*DEFAULT_LIMITS, wrong)))


@pytest.mark.parametrize("feature", ["rmssd_ms", "step_count", "phq_9_score"])
def test_concerns_are_on_what_is_scored(feature: str) -> None:
    refuse_unknown_names(DetectionConfig(concerns={feature: Concern.UP}))


def test_a_concern_that_would_do_nothing_is_refused() -> None:
    shown = "call_outgoing_count"
    refuse_unknown_names(DetectionConfig(concerns={shown: Concern.NONE}))
    with pytest.raises(ValueError, match=f"{shown}' is shown and not scored"):
        refuse_unknown_names(DetectionConfig(concerns={shown: Concern.DOWN}))
    with pytest.raises(ValueError, match="no feature is named 'nonsense'"):
        refuse_unknown_names(DetectionConfig(concerns={"nonsense": Concern.NONE}))
