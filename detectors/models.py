"""All models of one subject: what is usual, how far a row is from it, and what has shifted.

Scoring changes nothing, so that a row can be scored on every revision; only settled rows are
learned, so that nothing is ever un-learned.
"""

import copy
import datetime as dt
import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Self

from detectors.base import DAY, HOUR, State
from detectors.baseline import BAND_Z, Baseline, Usual
from detectors.carrying import carrying, mean_value
from detectors.cohort import Cohort
from detectors.config import Concern, DetectionConfig
from detectors.drift import Drift
from detectors.level_shift import LevelShift
from detectors.normal import tail_of
from detectors.opinions import Opinions, Told
from detectors.patterns import Domain
from detectors.scores import Scores
from detectors.shifts import Part, Role
from detectors.terms import (
    DATED_WINDOWS,
    SCORED_WINDOWS,
    key_of,
    of_channels,
    scored,
    spec_of_key,
    terms_of,
)
from streams.events import (
    Anomaly,
    AnomalyState,
    Direction,
    Evidence,
    FeatureRow,
    Reason,
    WindowKind,
)

STATE_VERSION = 2
"""Version of the form of ``SubjectModels.to_state``; version 1 had baselines only."""

FLOOR_Z = 1.0
"""Lowest threshold of a shift (standard deviations), however large the budget."""

DEVIATION_CLIP = 3.0
"""Deviations count for drift and further detectors up to here (in standard deviations)."""

OPINION_THRESHOLD = 0.5
"""From here on a further detector counts as alarmed: the published rules score 0.5 there."""


class SubjectModels:
    """What is usual for one subject, per kind of window, and what the last days told."""

    __slots__ = ("_baselines", "_drift", "_opinions", "_shift", "_terms", "_warm_up_days")

    def __init__(self, config: DetectionConfig, cohort: Cohort) -> None:
        self._terms = terms = terms_of(config, cohort)
        self._warm_up_days = config.warm_up_days
        self._baselines = {window: Baseline(terms.forms[window]) for window in SCORED_WINDOWS}
        self._shift = LevelShift(terms.term_of, config.warm_up_days, config.persistence_days)
        self._drift = Drift()
        self._opinions = Opinions(config.detectors)

    def score(self, row: FeatureRow, offset: float = 0.0) -> Scores:
        """Say how unusual a row is, each scored feature and the last days; changes nothing.

        A feature is LEARNING until ``warm_up_days`` valid days of its own, whatever its score.
        ``offset``: by how much this person's threshold of a shift is off the cohort's (standard
        deviations).
        """
        scores = Scores(row, partial(self._evidence, row), self._latest_z, self._drift.moved)
        baseline = self._baselines.get(row.window)
        if baseline is None:
            return scores
        values = row.values
        x = {feature: values[feature] for feature in scored(row.window, tuple(values))}
        if row.window is WindowKind.HOUR:
            x[HOUR] = _local_hour(row)
        relearned = []
        for feature, usual in baseline.look(x):
            scores.append(self._of_feature(row, feature, usual))
            scores.usual[feature] = usual
            if usual.is_relearned:
                relearned.append(feature)
        scores.relearned = tuple(relearned)
        scores.absent = tuple(sorted(baseline.known_days().keys() - values.keys()))
        if row.window in DATED_WINDOWS:
            self._score_days(row, scores, offset)
        return scores

    def learn(self, row: FeatureRow, scores: Scores | None = None) -> None:
        """Take a settled row into what is usual, after it was scored.

        A row of a kind of window that is not scored changes nothing. ``scores``: what was said of
        the row, if nothing was learned since.

        Raises
        ------
        ValueError
            When a value of the row is NaN or infinite.
        """
        baseline = self._baselines.get(row.window)
        if baseline is None:
            return
        x = {**row.values, DAY: float(row.local_date.toordinal())}
        if row.window is WindowKind.HOUR:
            x[HOUR] = _local_hour(row)
        if row.window in DATED_WINDOWS:
            known = None if scores is None else scores.told
            told = self._told(row) if known is None else known
            deviations = self._drifting(told)
            if deviations.keys() - {DAY}:
                self._drift.learn_one(deviations)
            self._shift.learn_one(told.values)
            self._opinions.learn(row.window, told)
        baseline.learn_one(x)

    def ahead(self) -> "SubjectModels":
        """A twin that can observe unsettled rows in their order; this one stays as it is."""
        twin = copy.copy(self)
        twin._shift = self._shift.ahead()  # noqa: SLF001 - of its own class
        twin._opinions = self._opinions.ahead()  # noqa: SLF001 - of its own class
        return twin

    def observe(self, row: FeatureRow, scores: Scores | None = None) -> None:
        """Keep what an unsettled row told for those after it, without learning it.

        ``scores``: what these models said of the row.
        """
        if row.window in DATED_WINDOWS:
            told = None if scores is None else scores.told
            values = self._terms.dated(row) if told is None else told.values
            days = self._shift.told(values) if scores is None or told is None else scores.days
            self._shift.observe(days)
            if self._opinions:
                self._opinions.observe(row.window, self._told(row) if told is None else told)

    def relearn(
        self,
        channels: frozenset[str] | None = None,
        windows: Iterable[WindowKind] = SCORED_WINDOWS,
    ) -> None:
        """Start again to learn where the person's usual lies; how much they vary is kept.

        Asked for by staff (``channels`` is None: everything), or due to another device that
        measures ``channels`` in these kinds of window. The features are LEARNING again for the
        length of a warm-up.
        """
        for window in windows:
            baseline = self._baselines[window]
            features = frozenset(baseline.known_days())
            if channels is not None:
                features = of_channels(window, features, channels)
            baseline.relearn(features)
            keys = frozenset(key_of(window, feature) for feature in features)
            self._shift.relearn(keys)
            self._drift.forget(keys)

    def to_state(self) -> State:
        """Explicit numbers: baselines by window kind, shift, and further detectors by name."""
        return {
            "version": STATE_VERSION,
            "windows": {window.value: one.to_state() for window, one in self._baselines.items()},
            "shift": self._shift.to_state(),
            "drift": self._drift.to_state(),
            "opinions": self._opinions.to_state(),
        }

    @classmethod
    def from_state(cls, state: State, config: DetectionConfig, cohort: Cohort) -> Self:
        """Models as they were; of version 1, with shifts still to be learned.

        Raises
        ------
        ValueError
            When the state is of a version that is not known.
        """
        if state["version"] not in {1, STATE_VERSION}:
            raise ValueError(f"models of version {state['version']} are not known")
        models = cls(config, cohort)
        terms = models._terms
        for window in SCORED_WINDOWS:
            numbers = state["windows"].get(window.value, {})
            models._baselines[window] = Baseline.from_state(numbers, terms.forms[window])
        if state["version"] == STATE_VERSION:
            models._shift = LevelShift.from_state(
                state["shift"], terms.term_of, config.warm_up_days, config.persistence_days
            )
            models._drift = Drift.from_state(state["drift"])
            models._opinions = Opinions.from_state(state["opinions"], config.detectors)
        return models

    def _score_days(self, row: FeatureRow, scores: Scores, offset: float) -> None:
        """Look for a shift of the last days, and ask further detectors."""
        told = scores.told = self._told(row, scores.usual)
        if not told.values.keys() - {DAY}:
            return
        scores.days = self._shift.told(told.values)
        shift = scores.shift = self._shift.look(told.values, scores.days)
        threshold_z = threshold_of(self._terms.threshold_z, offset)
        scores.hold_against(threshold_z)
        if shift is None:
            state, score = AnomalyState.LEARNING, 0.0
        else:
            state, score = _state(is_anomalous=scores.is_shifted), shift.score
        about = {"detector": LevelShift.name, "version": self._version(LevelShift.version)}
        threshold = 1.0 - tail_of(threshold_z)
        scores.append(_anomaly(row, score=score, threshold=threshold, state=state, **about))
        self._score_drift(row, scores, self._drifting(told))
        for model, score in self._opinions.scores(row.window, told):
            about = {"detector": model.name, "version": model.version}
            state = _state(is_anomalous=score >= OPINION_THRESHOLD)
            found = _anomaly(row, score=score, threshold=OPINION_THRESHOLD, state=state, **about)
            scores.append(found)

    def _score_drift(
        self, row: FeatureRow, scores: Scores, deviations: Mapping[str, float]
    ) -> None:
        """Say of features that tell of the person's state whether they have been moving away."""
        found = self._drift.scores(deviations)
        for key, score in found.items():
            term = self._terms.term_of(key)
            feature = spec_of_key(key).feature
            is_told = term is not None and _is_of_concern(term.role, deviations[key])
            # Of a day that is within the usual, nobody would understand it.
            if score >= 1.0 and is_told and abs(scores.usual[feature].z) >= BAND_Z:
                since = self._drift.since(key)
                scores.drifted[feature] = row.local_date.toordinal() if since is None else since
        if found:
            about = {"detector": Drift.name, "version": self._version(Drift.version)}
            state = _state(is_anomalous=bool(scores.drifted))
            score = max(found.values())
            scores.append(_anomaly(row, score=score, threshold=1.0, state=state, **about))

    def _told(self, row: FeatureRow, usual: Mapping[str, Usual] | None = None) -> Told:
        """Scored values of a night or day, and their deviations where ``usual`` is known."""
        values = self._terms.dated(row)
        if usual is None:
            names = (spec_of_key(key).feature for key in values if key != DAY)
            named = {name: row.values[name] for name in names}
            usual = dict(self._baselines[row.window].look(named))
        deviations = {DAY: values[DAY]}
        for key in values:
            own = None if key == DAY else usual.get(spec_of_key(key).feature)
            if own is not None and own.days >= self._warm_up_days:
                deviations[key] = max(-DEVIATION_CLIP, min(DEVIATION_CLIP, own.z))
        return Told(values, deviations)

    def _drifting(self, told: Told) -> dict[str, float]:
        """Deviations in which slow change is looked for: of what tells of a person's state.

        A feature that wanders by itself, with persistence p, is held to its long-run standard
        deviation: sqrt((1 + p) / (1 - p)) times that of independent days.
        """
        found = {DAY: told.deviations[DAY]}
        for key, value in told.deviations.items():
            term = None if key == DAY else self._terms.term_of(key)
            if term is not None and term.role.domain is not Domain.OTHER:
                persistence = term.carried(1)
                found[key] = value * math.sqrt((1.0 - persistence) / (1.0 + persistence))
        return found

    def _version(self, of_detector: str) -> str:
        return f"{of_detector}/{self._terms.cohort_version}"

    def _beside_usual(self, key: str, value: float) -> Usual | None:
        """A value of a scored feature beside what is usual."""
        spec = spec_of_key(key)
        found = self._baselines[spec.window].look({spec.feature: value})
        return next((usual for _, usual in found), None)

    def _latest_z(self, part: Part) -> float:
        """How far the latest value of a part of a shift is from usual (standard deviations)."""
        usual = self._beside_usual(part.feature, part.days[-1].value)
        return 0.0 if usual is None else usual.z

    def _evidence(self, row: FeatureRow, part: Part) -> Reason:
        """A part of a shift as a reason: its days, and of those that carry it the mean."""
        spec = spec_of_key(part.feature)
        carriers = carrying(part, self._beside_usual(part.feature, part.days[-1].value))
        value = mean_value(carriers)
        usual = self._beside_usual(part.feature, value)
        is_of_row = spec.window is row.window and spec.channel is not None
        return Reason(
            feature=spec.feature,
            window=spec.window,
            direction=Direction.UP if part.side > 0 else Direction.DOWN,
            value=value,
            unit=spec.unit,
            usual_low=None if usual is None else usual.low,
            usual_median=None if usual is None else usual.median,
            usual_high=None if usual is None else usual.high,
            z=None if usual is None else usual.z,
            days_of_baseline=0 if usual is None else usual.days,
            coverage=row.coverage.get(spec.channel or "") if is_of_row else None,
            share=part.share,
            expected=part.days[0].expected,
            evidence=[
                Evidence(
                    local_date=dt.date.fromordinal(day.day),
                    value=day.value,
                    carries=day in carriers,
                )
                for day in part.days
            ],
        )

    def _of_feature(self, row: FeatureRow, feature: str, usual: Usual) -> Anomaly:
        threshold = self._terms.thresholds[row.window]
        state = _state(is_anomalous=usual.score >= threshold)
        if usual.days < self._warm_up_days:
            state = AnomalyState.LEARNING
        return _anomaly(
            row,
            detector=Baseline.name,
            feature=feature,
            score=usual.score,
            threshold=threshold,
            state=state,
            value=row.values[feature],
            usual_low=usual.low,
            usual_median=usual.median,
            usual_high=usual.high,
            version=self._version(Baseline.version),
        )


def _is_of_concern(role: Role, deviation: float) -> bool:
    return role.concern is not (Concern.DOWN if deviation > 0.0 else Concern.UP)


def threshold_of(threshold_z: float, offset: float) -> float:
    """A person's threshold of a shift: the cohort's, moved by their own offset, above a floor."""
    return max(threshold_z + offset, FLOOR_Z)


def _state(*, is_anomalous: bool) -> AnomalyState:
    return AnomalyState.ANOMALOUS if is_anomalous else AnomalyState.NORMAL


def _anomaly(row: FeatureRow, **found: object) -> Anomaly:
    """What a detector found in a row."""
    return Anomaly(
        user_id=row.user_id,
        project_id=row.project_id,
        care_team=row.care_team,
        window=row.window,
        start=row.start,
        end=row.end,
        local_date=row.local_date,
        settled=row.settled,
        revision=row.revision,
        epoch=row.epoch,
        **found,  # type: ignore[arg-type]  # each a field of an anomaly
    )


def _local_hour(row: FeatureRow) -> float:
    return float((row.start + row.utc_offset) // 3_600 % 24)
