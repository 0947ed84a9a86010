"""Further detectors that a site names, to be compared with: each scores a day as a whole.

A day is what its night and its day told together. Nobody is alerted by them.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Self

from msgspec import Struct

from detectors.base import DAY, Detector, State
from detectors.config import Compared
from detectors.half_space_trees import HalfSpaceTrees
from detectors.mahalanobis import Mahalanobis
from detectors.mean_sd import MeanSd
from detectors.night_signal import NightSignal
from detectors.resting_heart_rate_difference import RestingHeartRateDifference
from streams.events import WindowKind

RESTING_HEART_RATE = "day.heart_rate_resting_bpm"
"""What the published rules for a resting heart rate are given."""


class Told(Struct, frozen=True):
    """What a night or a day told, by feature: values in their units, and deviations from usual.

    Both carry ``DAY``. Deviations are in standard deviations, of features that have warmed up.
    """

    values: dict[str, float]
    deviations: dict[str, float]


_NOTHING = Told({}, {})

_MAKE: dict[Compared, Callable[[], Detector]] = {
    "night_signal": partial(NightSignal, RESTING_HEART_RATE),
    "resting_heart_rate_difference": partial(RestingHeartRateDifference, RESTING_HEART_RATE),
    "mean_sd": MeanSd,
    "mahalanobis": Mahalanobis,
    "half_space_trees": HalfSpaceTrees,
}
_RESTORE: dict[str, Callable[[State], Detector]] = {
    NightSignal.name: partial(NightSignal.from_state, feature=RESTING_HEART_RATE),
    RestingHeartRateDifference.name: partial(
        RestingHeartRateDifference.from_state, feature=RESTING_HEART_RATE
    ),
    MeanSd.name: MeanSd.from_state,
    Mahalanobis.name: Mahalanobis.from_state,
    HalfSpaceTrees.name: HalfSpaceTrees.from_state,
}
_OF_DEVIATIONS = frozenset({Mahalanobis.name, HalfSpaceTrees.name})


class Opinions:
    """Detectors by name, and the night that belongs to the day that comes."""

    __slots__ = ("_models", "_night")

    def __init__(self, names: Sequence[Compared]) -> None:
        self._models: list[Detector] = [_MAKE[name]() for name in names]
        self._night = _NOTHING

    def __bool__(self) -> bool:
        """Whether any detector is named."""
        return bool(self._models)

    def scores(self, window: WindowKind, told: Told) -> Iterator[tuple[Detector, float]]:
        """Each detector and how unusual it finds a day, with its night; none for a night alone."""
        if window is WindowKind.DAY:
            for model in self._models:
                yield model, model.score_one(self._whole(model, told))

    def learn(self, window: WindowKind, told: Told) -> None:
        """Take in a settled night or day."""
        if window is WindowKind.DAY:
            for model in self._models:
                model.learn_one(self._whole(model, told))
        self.observe(window, told)

    def observe(self, window: WindowKind, told: Told) -> None:
        """Keep a night for the day of the same date."""
        if window is WindowKind.NIGHT and self._models:
            self._night = told

    def ahead(self) -> Self:
        """A twin that can observe; this one stays as it is."""
        return copy.copy(self)

    def to_state(self) -> State:
        """State of each detector by name, and the night."""
        return {
            "models": {model.name: model.to_state() for model in self._models},
            "night": [self._night.values, self._night.deviations],
        }

    @classmethod
    def from_state(cls, state: State, names: Sequence[Compared]) -> Self:
        """As they were; a detector that is named anew begins to learn."""
        opinions = cls(names)
        held = state["models"]
        opinions._models = [
            _RESTORE[model.name](held[model.name]) if model.name in held else model
            for model in opinions._models
        ]
        opinions._night = Told(*state["night"])
        return opinions

    def _whole(self, model: Detector, told: Told) -> Mapping[str, float]:
        is_same_date = self._night.values.get(DAY) == told.values[DAY]
        night = self._night if is_same_date else _NOTHING
        if model.name in _OF_DEVIATIONS:
            return {**night.deviations, **told.deviations}
        return {**night.values, **told.values}
