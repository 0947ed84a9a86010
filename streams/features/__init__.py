"""Features: pure functions of a window; a new file in this folder is found by itself."""

import importlib
import pkgutil
from functools import cache

from streams.events import WindowKind
from streams.features.base import FEATURES, FeatureFunction, Values, Window
from streams.features.coverage import coverage


@cache
def _features_of(kind: WindowKind) -> tuple[FeatureFunction, ...]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        importlib.import_module(f"{__name__}.{module.name}")
    return tuple(feature.function for feature in FEATURES if kind in feature.windows)


def compute(window: Window) -> tuple[Values, Values]:
    """Values and coverage of a window; a value that cannot be told is absent."""
    values: Values = {}
    for function in _features_of(window.bounds.kind):
        values.update(function(window))
    return values, coverage(window)
