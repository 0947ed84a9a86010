"""Features: pure functions of a window; a new file in this folder is found by itself."""

import importlib
import pkgutil
from functools import cache

from streams.events import WindowKind
from streams.features.base import FEATURES, Feature, FeatureFunction, Values, Window
from streams.features.coverage import coverage


@cache
def features_of(kind: WindowKind) -> tuple[Feature, ...]:
    """What is declared for a kind of window, in the order of the modules' names."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        importlib.import_module(f"{__name__}.{module.name}")
    declared = [feature for feature in FEATURES if kind in feature.windows]
    return tuple(sorted(declared, key=lambda feature: feature.module))


@cache
def _functions_of(kind: WindowKind) -> tuple[FeatureFunction, ...]:
    return tuple(f.function for f in features_of(kind) if f.function is not None)


def compute(window: Window) -> tuple[Values, Values]:
    """Values and coverage of a window; a value that cannot be told is absent."""
    values: Values = {}
    for function in _functions_of(window.bounds.kind):
        values.update(function(window))
    return values, coverage(window)
