"""What a project and its cohort say of features and thresholds, worked out once for everybody."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import msgspec
from msgspec import Struct

from detectors.base import DAY
from detectors.baseline import Form
from detectors.cohort import Cohort
from detectors.config import Concern, DetectionConfig
from detectors.features import FeatureSpec, spec_of
from detectors.level_shift import Term, TermOf
from detectors.normal import deviate_of
from detectors.shifts import Role
from streams.events import FeatureRow, WindowKind

SCORED_WINDOWS = (WindowKind.HOUR, WindowKind.NIGHT, WindowKind.DAY)
"""Minutes are never scored: limits on them apart, they are only shown."""

DATED_WINDOWS = (WindowKind.NIGHT, WindowKind.DAY)
"""What is keyed by a local date, in the order in which those of one date settle."""

FALLBACK_THRESHOLD = 0.9973
"""Threshold of a window kind of which the cohort says nothing: three standard deviations."""

LEVEL_SHIFT_RULE = "level_shift"
"""Name of the budget that the cohort has for shifts."""

FormOf = Callable[[str], Form | None]


class Terms(Struct, frozen=True):
    """How features are looked at, and from where on.

    ``forms``: by window kind, for baselines. ``term_of``: for shifts, by ``window.feature``.
    ``thresholds`` (0..1) of a feature's score by window kind, ``threshold_z`` of a shift (standard
    deviations).
    """

    forms: Mapping[WindowKind, FormOf]
    term_of: TermOf
    thresholds: Mapping[WindowKind, float]
    threshold_z: float
    cohort_version: str

    def dated(self, row: FeatureRow) -> dict[str, float]:
        """Scored values of a night or day by ``window.feature``, and the day they are of."""
        x = {DAY: float(row.local_date.toordinal())}
        for feature in scored(row.window, tuple(row.values)):
            key = key_of(row.window, feature)
            if self.term_of(key) is not None:
                x[key] = row.values[feature]
        return x


@lru_cache(maxsize=1_024)
def scored(window: WindowKind, features: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a row's features that are scored, in their order, unless they yield to another.

    Rows have a few sets of features, over and over, so each is gone through once.
    """
    specs = {feature: spec_of(window, feature) for feature in sorted(features)}
    return tuple(
        feature
        for feature, spec in specs.items()
        if spec is not None and spec.yields_to not in specs
    )


@lru_cache(maxsize=1_024)
def key_of(window: WindowKind, feature: str) -> str:
    """Name of a feature among those of all kinds of window."""
    return f"{window.value}.{feature}"


@lru_cache(maxsize=1_024)
def spec_of_key(key: str) -> FeatureSpec:
    """How a feature is scored that has such a name."""
    window, _, feature = key.partition(".")
    spec = spec_of(WindowKind(window), feature)
    assert spec is not None, "only scored features get such a name"
    return spec


def of_channels(
    window: WindowKind, features: Iterable[str], channels: frozenset[str]
) -> frozenset[str]:
    """Those of the features that are measured through one of the channels."""
    specs = {feature: spec_of(window, feature) for feature in features}
    return frozenset(
        feature for feature, spec in specs.items() if spec is not None and spec.channel in channels
    )


def terms_of(config: DetectionConfig, cohort: Cohort) -> Terms:
    """What a configuration and a cohort say; equal ones share what is worked out."""
    return _terms(msgspec.msgpack.encode(config), msgspec.msgpack.encode(cohort))


@lru_cache(maxsize=8)
def _terms(config_bytes: bytes, cohort_bytes: bytes) -> Terms:
    config = msgspec.msgpack.decode(config_bytes, type=DetectionConfig)
    cohort = msgspec.msgpack.decode(cohort_bytes, type=Cohort)

    @lru_cache(maxsize=1_024)
    def form_of(window: WindowKind, feature: str) -> Form | None:
        spec = spec_of(window, feature)
        if spec is None:
            return None
        concern = config.concerns.get(feature, spec.concern)
        if concern is Concern.NONE:
            return None
        return Form(spec.shape, spec.floor, concern, cohort.prior(window, feature))

    @lru_cache(maxsize=1_024)
    def term_of(key: str) -> Term | None:
        window, _, feature = key.partition(".")
        form = form_of(WindowKind(window), feature) if feature else None
        if form is None:
            return None
        return Term(form.shape, form.floor, Role(form.concern, spec_of_key(key).domain), form.prior)

    threshold_z = cohort.threshold_z(LEVEL_SHIFT_RULE, config.budget_per_month)
    thresholds = {w: cohort.thresholds.get(w, FALLBACK_THRESHOLD) for w in SCORED_WINDOWS}
    if config.threshold is not None:
        threshold_z = deviate_of(1.0 - config.threshold)
        thresholds = dict.fromkeys(SCORED_WINDOWS, config.threshold)
    forms = {window: _of_window(form_of, window) for window in SCORED_WINDOWS}
    return Terms(forms, term_of, thresholds, threshold_z, cohort.version)


def _of_window(form_of: Callable[[WindowKind, str], Form | None], window: WindowKind) -> FormOf:
    return lambda feature: form_of(window, feature)
