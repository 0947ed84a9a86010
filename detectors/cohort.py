"""What a cohort lends to a young baseline: priors and thresholds, as versioned data.

Nothing is learned across subjects on the fly: a cohort is a file, fitted from recordings by
``detectors.fitting``, and part of what settled results are a function of.
"""

from functools import lru_cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from streams.events import WindowKind

DEFAULT_FILE = "cohort_default.json"
"""Name of the cohort that ships with the package."""

Positive = Annotated[float, Meta(gt=0.0)]


class Prior(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a feature before anything is known of the person.

    All on the scale of the feature's shape (``detectors.features``: plain, square root or natural
    logarithm). ``centre``: the middle of the people's own middles, ``spread``: the standard
    deviation between these, ``scale``: the usual standard deviation within a person,
    ``persistence``: the correlation of a person's day with the day before (0: none). ``source``
    says where the figures come from, ``people`` how many they were fitted on (0: published or
    physical figures).
    """

    centre: float
    spread: Positive
    scale: Positive
    persistence: Annotated[float, Meta(ge=0.0, le=0.95)] = 0.0
    people: Annotated[int, Meta(ge=0)] = 0
    source: str


class Cohort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Priors by ``window.feature``, and the score above which a feature of a row is anomalous.

    ``thresholds`` (0..1, by window kind) are quantiles of the highest score of a cohort's rows.
    """

    version: str
    source: str
    priors: dict[str, Prior]
    thresholds: dict[WindowKind, Annotated[float, Meta(gt=0.0, lt=1.0)]]

    def prior(self, window: WindowKind, feature: str) -> Prior | None:
        """The prior of a feature; None when the cohort knows none."""
        return self.priors.get(f"{window.value}.{feature}")


def load_cohort(data: bytes | None = None) -> Cohort:
    """Decode a cohort (JSON), or the one that ships with the package.

    Raises
    ------
    ValueError
        When the bytes are no cohort: with what is wrong, and where.
    """
    return _default_cohort() if data is None else msgspec.json.decode(data, type=Cohort)


@lru_cache(maxsize=1)
def _default_cohort() -> Cohort:
    data = files("detectors").joinpath(DEFAULT_FILE).read_bytes()
    return msgspec.json.decode(data, type=Cohort)
