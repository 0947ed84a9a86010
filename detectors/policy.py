"""From scores to episodes to alerts: persistence, refractory period, severity, and what rings.

The policy changes the state it is given and nothing else, so that the provisional view can run on
a copy. LIMIT and URGENT are never held back by persistence, refractory period or MUTE.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from detectors import wording
from detectors.cohort import Cohort
from detectors.config import DetectionConfig
from detectors.episodes import (
    OURSELVES,
    Episode,
    Finding,
    Judged,
    PolicyState,
    RowContext,
    alert_of,
    episode_of,
)
from detectors.limits import judge_check_in, judge_limits
from detectors.models import Scores
from detectors.silence import judge_silence
from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    Anomaly,
    AnomalyState,
    Direction,
    FeatureRow,
    MoodCheckIn,
    Severity,
    Subject,
    WindowKind,
)

__all__ = ["Policy", "PolicyState", "RowContext", "withdrawn"]

CHANGE_FROM_USUAL = "change_from_usual"
"""Rule of the CLINICAL alerts."""

FAR_Z = 5.0
"""Two features this far from usual (standard deviations) in one row are URGENT at once."""

LONG_Z = 4.0
"""An episode with a feature this far from usual becomes URGENT when it lasts."""

LONG_FACTOR = 2
"""How many times the rows that persistence asks for make an episode long."""

STALE_FACTOR = 3
"""Rows older than this many times the span of persistence no longer count for it."""

Because = Literal["data", "learned", "subject"]
"""Why an alert is withdrawn: new data, what has been learned since, or the subject withdrew."""

_BECAUSE = {
    "data": wording.WITHDRAWN_DATA,
    "learned": wording.WITHDRAWN_LEARNED,
    "subject": wording.WITHDRAWN_SUBJECT,
}


class _Sighting(Struct, frozen=True):
    """An anomaly of this row: in how many of the last valid rows it was so, and whether enough."""

    anomaly: Anomaly
    z: float
    seen: tuple[int, int]
    is_persistent: bool


class Policy:
    """Turns scored rows of any subject into alerts; all memory is in the state it is given."""

    __slots__ = ("_config", "_version")

    def __init__(self, config: DetectionConfig, cohort: Cohort) -> None:
        self._config = config
        self._version = cohort.version

    def step(
        self, state: PolicyState, row: FeatureRow, anomalies: Scores, context: RowContext
    ) -> list[Alert]:
        """Judge a row that follows all rows that ``state`` has taken.

        Parameters
        ----------
        state
            What is remembered of the subject; it is changed.
        row
            Any row; of minutes only limits are judged.
        anomalies
            What ``SubjectModels.score`` said of the row.
        context
            What is known beside the row.

        Returns
        -------
        list
            Alerts that the row opened or changed: limits, then data, then at most one clinical.
        """
        alerts = judge_limits(self._config, state, row, context)
        alerts += judge_silence(self._config, state, row, context)
        if anomalies:
            alerts += self._judge_change(state, row, anomalies, context)
        return alerts

    def check_in(self, record: MoodCheckIn, subject: Subject, clock: float) -> list[Alert]:
        """Judge a self-report by the site's limits at once (clock: in-band, s UTC)."""
        return judge_check_in(self._config.check_in_limits, record, subject, clock)

    def _judge_change(
        self, state: PolicyState, row: FeatureRow, scores: Scores, context: RowContext
    ) -> list[Alert]:
        known = [anomaly for anomaly in scores if anomaly.state is not AnomalyState.LEARNING]
        if not known:
            return []
        sightings = [
            sighting
            for anomaly in known
            if (sighting := self._sight(state, row, anomaly, scores)) is not None
        ]
        sightings.sort(key=_rank)
        key = f"change|{row.window.value}"
        episode = _current(state, key, row, self._config)
        severity = self._severity(sightings, episode, row.window)
        if severity is None:
            _quieten(episode, self._persistence(row.window)[1])
            return []
        finding = self._finding(row, scores, sightings, severity=severity, context=context)
        if episode is not None and episode.is_open:
            return _carry_on(episode, row, finding, context)
        if severity is Severity.WATCH and self._is_held_back(episode, row, context):
            return []
        state.episodes[key] = episode = episode_of(row, finding)
        return [alert_of(row, episode, finding, context)]

    def _persistence(self, window: WindowKind) -> tuple[int, int]:
        is_hour = window is WindowKind.HOUR
        return self._config.persistence_hours if is_hour else self._config.persistence_days

    def _sight(
        self, state: PolicyState, row: FeatureRow, anomaly: Anomaly, scores: Scores
    ) -> _Sighting | None:
        """Remember a valid row of a feature; None when there is nothing unusual in it."""
        k, n = self._persistence(row.window)
        feature = anomaly.feature or anomaly.detector
        reason = scores.reasons.get(feature)
        is_down = reason is not None and reason.direction is Direction.DOWN
        is_unusual = anomaly.state is AnomalyState.ANOMALOUS
        side = (-1 if is_down else 1) if is_unusual else 0
        oldest = row.end - STALE_FACTOR * n * (row.end - row.start)
        key = f"{row.window.value}|{feature}"
        before = [judged for judged in state.recent.get(key, ()) if judged.end > oldest]
        recent = [*before, Judged(row.end, side)][-n:]
        state.recent[key] = recent
        if not is_unusual:
            return None
        count = sum(judged.side == side for judged in recent)
        z = 0.0 if reason is None or reason.z is None else abs(reason.z)
        return _Sighting(anomaly, z, (count, len(recent)), count >= k)

    def _severity(
        self, sightings: Sequence[_Sighting], episode: Episode | None, window: WindowKind
    ) -> Severity | None:
        """By how far and how long; None when the row supports no alert."""
        if sum(sighting.z >= FAR_Z for sighting in sightings) >= 2:
            return Severity.URGENT
        persistent = [sighting for sighting in sightings if sighting.is_persistent]
        if not persistent:
            return None
        k, _ = self._persistence(window)
        # The first row of an episode stands for the k that made it persistent.
        rows = k + (episode.rows if episode is not None and episode.is_open else 0)
        is_long = rows >= LONG_FACTOR * k
        if is_long and any(sighting.z >= LONG_Z for sighting in persistent):
            return Severity.URGENT
        return Severity.WATCH

    def _is_held_back(self, episode: Episode | None, row: FeatureRow, context: RowContext) -> bool:
        """Whether a new WATCH stays silent; it rings later if it is still there then."""
        is_refractory = (
            episode is not None and row.end - episode.last_end < self._config.refractory_h * 3_600.0
        )
        return context.muted or CHANGE_FROM_USUAL in context.snoozed_rules or is_refractory

    def _finding(
        self,
        row: FeatureRow,
        scores: Scores,
        sightings: Sequence[_Sighting],
        *,
        severity: Severity,
        context: RowContext,
    ) -> Finding:
        named = [(s, s.anomaly.feature) for s in sightings if s.anomaly.feature is not None]
        reasons = [scores.reasons[feature] for _, feature in named]
        first = sightings[0]
        return Finding(
            kind=AlertKind.CLINICAL,
            rule=CHANGE_FROM_USUAL,
            severity=severity,
            score=max(sighting.anomaly.score for sighting in sightings),
            threshold=first.anomaly.threshold,
            reasons=reasons,
            lasting=[feature for sighting, feature in named if sighting.is_persistent],
            summary=wording.change(row.window, reasons, first.seen),
            missing=self._missing(row, scores, context),
            model_versions={
                sighting.anomaly.detector: sighting.anomaly.version for sighting in sightings
            }
            | {"cohort": self._version},
        )

    def _missing(self, row: FeatureRow, scores: Scores, context: RowContext) -> list[str]:
        missing = [wording.absent(row.window, feature) for feature in scores.absent]
        for anomaly in scores:
            if anomaly.state is AnomalyState.LEARNING and anomaly.feature is not None:
                days = scores.reasons[anomaly.feature].days_of_baseline
                missing.append(
                    wording.learning(row.window, anomaly.feature, days, self._config.warm_up_days)
                )
        if context.relearned and scores.relearned:
            missing.append(wording.RELEARNED)
        return missing


def withdrawn(alert: Alert, because: Because, clock: float) -> Alert:
    """The alert as no longer supported, with the reason in words (clock: in-band, s UTC)."""
    return msgspec.structs.replace(
        alert,
        status=AlertStatus.WITHDRAWN,
        status_at=clock,
        status_by=OURSELVES,
        summary=wording.withdrawal(alert.summary, _BECAUSE[because]),
    )


def _rank(sighting: _Sighting) -> tuple[bool, float, float, str]:
    feature = sighting.anomaly.feature or sighting.anomaly.detector
    return not sighting.is_persistent, -sighting.z, -sighting.anomaly.score, feature


def _current(
    state: PolicyState, key: str, row: FeatureRow, config: DetectionConfig
) -> Episode | None:
    """The last episode of a rule; one that no row supported for long is over."""
    episode = state.episodes.get(key)
    if episode is not None and row.start - episode.last_end > config.refractory_h * 3_600.0:
        episode.is_open = False
    return episode


def _quieten(episode: Episode | None, rows: int) -> None:
    """Count a valid row without findings; ``rows`` of them in a row end the episode."""
    if episode is not None and episode.is_open:
        episode.quiet += 1
        episode.is_open = episode.quiet < rows


def _carry_on(
    episode: Episode, row: FeatureRow, finding: Finding, context: RowContext
) -> list[Alert]:
    """Extend an open episode; it is told again when it got graver or a lasting change joined."""
    news = [reason.feature for reason in finding.reasons if reason.feature not in episode.features]
    is_graver = episode.severity is Severity.WATCH and finding.severity is Severity.URGENT
    episode.last_end = row.end
    episode.rows += 1
    episode.quiet = 0
    episode.score = max(episode.score, finding.score)
    # A new list: the old one belongs to the settled view, too, where this looks ahead.
    episode.features = [*episode.features, *news]
    if is_graver:
        episode.severity = Severity.URGENT
    return [alert_of(row, episode, finding, context)] if is_graver or news else []
