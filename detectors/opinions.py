"""Further detectors that a site names, to be compared with: each scores a day as a whole.

A day is what its night and its day told together. Nobody is alerted by them.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from detectors.base import DAY, Detector, State, find_detectors
from streams.events import WindowKind


class Opinions:
    """Detectors by name, and the night that belongs to the day that comes.

    Raises
    ------
    ValueError
        When there is no detector of a name.
    """

    __slots__ = ("_models", "_night")

    def __init__(self, names: Sequence[str]) -> None:
        known = find_detectors() if names else {}
        missing = [name for name in names if name not in known]
        if missing:
            raise ValueError(f"no detector {', '.join(missing)}; there are {', '.join(known)}")
        self._models: list[Detector] = [known[name]() for name in names]
        self._night: dict[str, float] = {}

    def scores(
        self, window: WindowKind, x: Mapping[str, float]
    ) -> Iterator[tuple[Detector, float]]:
        """Each detector and how unusual it finds a day, with its night; none for a night alone."""
        if window is WindowKind.DAY and self._models:
            whole = self._whole(x)
            for model in self._models:
                yield model, model.score_one(whole)

    def learn(self, window: WindowKind, x: Mapping[str, float]) -> None:
        """Take in a settled night or day."""
        if window is WindowKind.DAY:
            whole = self._whole(x)
            for model in self._models:
                model.learn_one(whole)
        self.observe(window, x)

    def observe(self, window: WindowKind, x: Mapping[str, float]) -> None:
        """Keep a night for the day of the same date."""
        if window is WindowKind.NIGHT and self._models:
            self._night = dict(x)

    def ahead(self) -> Self:
        """A twin that can observe; this one stays as it is."""
        return copy.copy(self)

    def to_state(self) -> State:
        """State of each detector by name, and the night."""
        return {
            "models": {model.name: model.to_state() for model in self._models},
            "night": self._night,
        }

    @classmethod
    def from_state(cls, state: State, names: Sequence[str]) -> Self:
        """As they were; a detector that is named anew begins to learn."""
        opinions = cls(names)
        opinions._models = [
            type(model).from_state(state["models"][model.name])
            if model.name in state["models"]
            else model
            for model in opinions._models
        ]
        opinions._night = state["night"]
        return opinions

    def _whole(self, x: Mapping[str, float]) -> dict[str, float]:
        is_same_date = self._night.get(DAY) == x[DAY]
        return {**(self._night if is_same_date else {}), **x}
