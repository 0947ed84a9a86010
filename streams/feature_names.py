"""Names of features as people write them in settings and maps: known, or refused at once.

A name that no row ever holds is never scored and never rings, and nobody would notice.
"""

import re
from difflib import get_close_matches
from functools import cache

from detectors.config import Concern, DetectionConfig
from detectors.features import spec_of
from detectors.terms import SCORED_WINDOWS
from streams.events import WindowKind
from streams.features import features_of

NEAREST_MAX = 3
"""Most known names that a refusal offers."""

_PLACEHOLDER = re.compile(r"<[a-z]+>")
_SLUG = "[a-z0-9]+(?:_[a-z0-9]+)*"
"""What stands for a placeholder, such as ``phq_9``."""


def refuse_unknown_feature(window: WindowKind, name: str) -> None:
    """Refuse a name that no row of such a window holds.

    Raises
    ------
    ValueError
        With the nearest known names, or the windows that have a feature of this name.
    """
    if _is_told(window, name):
        return
    others = [other.value for other in WindowKind if _is_told(other, name)]
    hint = f"it is one of {' and '.join(others)}" if others else _nearest(name, _names_of(window))
    raise ValueError(f"window {window.value} has no feature named {name!r}; {hint}")


def refuse_unknown_names(config: DetectionConfig) -> None:
    """Refuse limits and concerns on what no row holds, and concerns on what is not scored.

    Raises
    ------
    ValueError
        With the setting, and the nearest known names.
    """
    for limit in config.limits:
        try:
            refuse_unknown_feature(limit.window, limit.feature)
        except ValueError as error:
            raise ValueError(f"limit {limit.name!r}: {error}") from None
    for feature, concern in config.concerns.items():
        _refuse_idle_concern(feature, concern)


def _refuse_idle_concern(feature: str, concern: Concern) -> None:
    """Refuse a concern that would change nothing."""
    if not any(_is_told(window, feature) for window in WindowKind):
        hint = _nearest(feature, tuple(name for kind in WindowKind for name in _names_of(kind)))
        raise ValueError(f"concerns: no feature is named {feature!r}; {hint}")
    is_scored = any(spec_of(window, feature) is not None for window in SCORED_WINDOWS)
    # That what is not scored be not scored is true, if idle.
    if not is_scored and concern is not Concern.NONE:
        raise ValueError(
            f"concerns: {feature!r} is shown and not scored, so no side of it can be of concern"
        )


@cache
def _names_of(window: WindowKind) -> tuple[str, ...]:
    """Names that are declared for a kind of window, placeholders in angle brackets."""
    return tuple(figure.name for feature in features_of(window) for figure in feature.gives)


@cache
def _pattern_of(window: WindowKind) -> re.Pattern[str]:
    return re.compile("|".join(_PLACEHOLDER.sub(_SLUG, name) for name in _names_of(window)))


def _is_told(window: WindowKind, name: str) -> bool:
    return _pattern_of(window).fullmatch(name) is not None


def _nearest(name: str, known: tuple[str, ...]) -> str:
    found = get_close_matches(name, dict.fromkeys(known), NEAREST_MAX)
    return f"nearest: {', '.join(found)}" if found else "see docs/FEATURES.md"
