"""What every online detector promises, and how detectors are found.

A detector is one file of this package with one class under ``@detector``. It follows River's verbs,
stands on its own without streams, and is contract-tested without being named anywhere.
"""

import math
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Protocol, Self, TypeVar

import detectors

State = dict[str, Any]
"""Explicit numeric state: dicts, lists and numbers, fit for JSON and msgpack; never a pickle."""

HOUR = "hour_of_day"
"""Context in ``x``: hour of the local day, 0 to 23. No feature."""

DAY = "day_index"
"""Context in ``x``: number of the local date, so that hours of one day count as one. No feature."""

CONTEXT = frozenset({HOUR, DAY})
"""Names in ``x`` that tell when, not what."""

FEATURES_MAX = 64
"""Most features of one detector; further ones are left out, so that memory is bounded."""


class Detector(Protocol):
    """An online anomaly detector over a mapping of features; missing and new ones are fine.

    A detector made without arguments is ready for use. Score before learning; scoring changes
    nothing. Memory is bounded by the number of features, never by the number of samples.
    """

    name: ClassVar[str]
    """The name of the detector's file."""

    version: ClassVar[str]
    """Changes whenever the same input would give another score."""

    def score_one(self, x: Mapping[str, float]) -> float:
        """How unusual ``x`` is: 0 (as ever, or nothing known yet) to 1.

        Raises
        ------
        ValueError
            When a value is NaN or infinite: what cannot be told must be left out.
        """

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Take ``x`` into what is usual.

        Raises
        ------
        ValueError
            When a value is NaN or infinite. Nothing is learned then.
        """

    def to_state(self) -> State:
        """Everything that later scores depend on."""

    @classmethod
    def from_state(cls, state: State) -> Self:
        """A detector whose later scores equal those of the one that gave ``state``."""


D = TypeVar("D", bound=type[Detector])

_DETECTORS: dict[str, type[Detector]] = {}


def detector(cls: D) -> D:
    """Declare the class that its file is about."""
    _DETECTORS[cls.name] = cls
    return cls


def find_detectors() -> dict[str, type[Detector]]:
    """All detectors of this package by name, in order of name."""
    for module in pkgutil.iter_modules(detectors.__path__):
        import_module(f"{detectors.__name__}.{module.name}")
    return dict(sorted(_DETECTORS.items()))


def refuse_unknown(x: Mapping[str, float]) -> None:
    """Refuse values that are no numbers, for one NaN poisons a running mean for ever.

    Raises
    ------
    ValueError
        When a value is NaN or infinite.
    """
    for name, value in x.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}: leave out what cannot be told")
