"""All models of one subject: what is usual, and how far a row is from it.

Scoring changes nothing, so that a row can be scored on every revision; only settled rows are
learned, so that nothing is ever un-learned.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Self

import msgspec

from detectors.base import DAY, HOUR, State
from detectors.baseline import Baseline, Form, Usual
from detectors.cohort import Cohort
from detectors.config import Concern, DetectionConfig
from detectors.features import FeatureSpec, spec_of
from streams.events import Anomaly, AnomalyState, Direction, FeatureRow, Reason, WindowKind

STATE_VERSION = 1
"""Version of the form of ``SubjectModels.to_state``."""

SCORED_WINDOWS = (WindowKind.HOUR, WindowKind.NIGHT, WindowKind.DAY)
"""Minutes are never scored: limits on them apart, they are only shown."""

FALLBACK_THRESHOLD = 0.9973
"""Threshold of a window kind of which the cohort says nothing: three standard deviations."""


class Scores(list[Anomaly]):
    """Anomalies of one row in order of feature, and beside them what explains them.

    ``reasons``: by feature, today's value beside what is usual. ``absent``: features that this
    person has a baseline of and the row lacks. ``relearned``: features whose baseline was started
    anew and is still young.
    """

    __slots__ = ("absent", "reasons", "relearned")

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, Reason] = {}
        self.absent: tuple[str, ...] = ()
        self.relearned: tuple[str, ...] = ()


class SubjectModels:
    """What is usual for one subject, per kind of window."""

    __slots__ = ("_baselines", "_config", "_thresholds", "_version")

    def __init__(self, config: DetectionConfig, cohort: Cohort) -> None:
        self._config = config
        self._version = f"{Baseline.version}/{cohort.version}"
        self._thresholds = _thresholds(config, cohort)
        forms = _forms(_encode(config.concerns), _encode(cohort))
        self._baselines = {window: Baseline(forms[window]) for window in SCORED_WINDOWS}

    def score(self, row: FeatureRow) -> Scores:
        """Say of each scored feature of a row how unusual it is; changes nothing.

        A feature is LEARNING until ``warm_up_days`` valid days of its own, whatever its score.
        """
        scores = Scores()
        baseline = self._baselines.get(row.window)
        if baseline is None:
            return scores
        x = {feature: row.values[feature] for feature in sorted(row.values)}
        if row.window is WindowKind.HOUR:
            x[HOUR] = _local_hour(row)
        relearned = []
        for feature, usual in baseline.look(x):
            spec = spec_of(row.window, feature)
            if spec is None or spec.yields_to in x:
                continue
            scores.append(self._anomaly(row, feature, usual))
            scores.reasons[feature] = _reason(row, spec, usual)
            if usual.is_relearned:
                relearned.append(feature)
        scores.relearned = tuple(relearned)
        scores.absent = tuple(sorted(baseline.known_days().keys() - x.keys()))
        return scores

    def learn(self, row: FeatureRow, anomalies: Sequence[Anomaly]) -> None:
        """Take a settled row into what is usual, after it was scored.

        Parameters
        ----------
        row
            A settled row. One of a kind of window that is not scored changes nothing.
        anomalies
            What was said of the row, for detectors that learn from what others said.

        Raises
        ------
        ValueError
            When a value of the row is NaN or infinite.
        """
        baseline = self._baselines.get(row.window)
        if baseline is not None:
            x = {**row.values, DAY: float(row.local_date.toordinal())}
            if row.window is WindowKind.HOUR:
                x[HOUR] = _local_hour(row)
            baseline.learn_one(x)

    def relearn(self, features: frozenset[str] | None = None) -> None:
        """Start again to learn where the person's usual lies; how much they vary is kept.

        Asked for by staff (all features), or due to a new device model (``features``: its own).
        The features are LEARNING again for the length of a warm-up.
        """
        for baseline in self._baselines.values():
            baseline.relearn(features)

    def to_state(self) -> State:
        """Explicit numbers: the baselines by window kind."""
        windows = {window.value: model.to_state() for window, model in self._baselines.items()}
        return {"version": STATE_VERSION, "windows": windows}

    @classmethod
    def from_state(cls, state: State, config: DetectionConfig, cohort: Cohort) -> Self:
        """Models as they were.

        Raises
        ------
        ValueError
            When the state is of a version that is not known.
        """
        if state["version"] != STATE_VERSION:
            raise ValueError(f"models of version {state['version']} are not known")
        models = cls(config, cohort)
        forms = _forms(_encode(config.concerns), _encode(cohort))
        for window in SCORED_WINDOWS:
            numbers = state["windows"].get(window.value, {})
            models._baselines[window] = Baseline.from_state(numbers, forms[window])
        return models

    def _anomaly(self, row: FeatureRow, feature: str, usual: Usual) -> Anomaly:
        threshold = self._thresholds[row.window]
        if usual.days < self._config.warm_up_days:
            state = AnomalyState.LEARNING
        elif usual.score >= threshold:
            state = AnomalyState.ANOMALOUS
        else:
            state = AnomalyState.NORMAL
        return Anomaly(
            user_id=row.user_id,
            project_id=row.project_id,
            care_team=row.care_team,
            window=row.window,
            start=row.start,
            end=row.end,
            local_date=row.local_date,
            detector=Baseline.name,
            feature=feature,
            score=usual.score,
            threshold=threshold,
            state=state,
            value=row.values[feature],
            usual_low=usual.low,
            usual_median=usual.median,
            usual_high=usual.high,
            settled=row.settled,
            revision=row.revision,
            epoch=row.epoch,
            version=self._version,
        )


def _reason(row: FeatureRow, spec: FeatureSpec, usual: Usual) -> Reason:
    return Reason(
        feature=spec.feature,
        direction=Direction.UP if usual.z >= 0.0 else Direction.DOWN,
        value=row.values[spec.feature],
        unit=spec.unit,
        usual_low=usual.low,
        usual_median=usual.median,
        usual_high=usual.high,
        z=usual.z,
        days_of_baseline=usual.days,
        coverage=None if spec.channel is None else row.coverage.get(spec.channel),
    )


def _local_hour(row: FeatureRow) -> float:
    return float((row.start + row.utc_offset) // 3_600 % 24)


def _thresholds(config: DetectionConfig, cohort: Cohort) -> dict[WindowKind, float]:
    if config.threshold is not None:
        return dict.fromkeys(SCORED_WINDOWS, config.threshold)
    return {window: cohort.thresholds.get(window, FALLBACK_THRESHOLD) for window in SCORED_WINDOWS}


_encode = msgspec.msgpack.encode


@lru_cache(maxsize=8)
def _forms(concerns: bytes, cohort: bytes) -> Mapping[WindowKind, Callable[[str], Form | None]]:
    """Forms of all features by window kind, made once for all subjects of a project."""
    overrides = msgspec.msgpack.decode(concerns, type=dict[str, Concern])
    priors = msgspec.msgpack.decode(cohort, type=Cohort)

    def form_of(window: WindowKind) -> Callable[[str], Form | None]:
        @lru_cache(maxsize=256)
        def of_feature(feature: str) -> Form | None:
            spec = spec_of(window, feature)
            if spec is None:
                return None
            concern = overrides.get(feature, spec.concern)
            if concern is Concern.NONE:
                return None
            return Form(spec.shape, spec.floor, concern, priors.prior(window, feature))

        return of_feature

    return {window: form_of(window) for window in SCORED_WINDOWS}
