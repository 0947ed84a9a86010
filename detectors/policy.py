"""From scores to episodes to alerts: persistence, refractory period, severity, and what rings.

The policy changes the state it is given and nothing else, so that the provisional view can run on
a copy. LIMIT and URGENT are never held back by persistence, refractory period or MUTE.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from msgspec import Struct

from detectors import wording
from detectors.cohort import Cohort
from detectors.config import DetectionConfig, LimitRule
from detectors.drift import Drift
from detectors.episodes import (
    Episode,
    Finding,
    PolicyState,
    RowContext,
    Said,
    alert_of,
    carry_on,
    episode_of,
    opened,
    quieten,
)
from detectors.features import Display, spec_of
from detectors.hours import sightings
from detectors.level_shift import LevelShift
from detectors.limits import judge_check_in, judge_limits, limit_key
from detectors.scores import Scores
from detectors.silence import NOT_WORN_KEY, judge_silence
from detectors.terms import DATED_WINDOWS
from streams.events import (
    Alert,
    AlertKind,
    AnomalyState,
    FeatureRow,
    MoodCheckIn,
    Severity,
    Subject,
    WindowKind,
)

__all__ = ["Policy", "PolicyState", "RowContext"]

CHANGE_FROM_USUAL = "change_from_usual"
"""Rule of the CLINICAL alerts."""

SLOW_CHANGE = "slow_change"
"""Rule of the CLINICAL alerts on what has been moving away for weeks."""

_DAY_KEY, _SLOW_KEY = "change|day", "slow|day"
"""Keys of the episodes of nights and days."""

SLOW_REFRACTORY_DAYS = 28
"""Days within which a slow change is told once."""

FAR_Z = 5.0
"""Two features this far from usual (standard deviations) in one row are URGENT at once."""

LONG_Z = 4.0
"""An episode with a feature this far from usual becomes URGENT when it lasts."""

LONG_FACTOR = 2
"""How many times the hours that persistence asks for make an episode of hours long."""

DAYS_A_MONTH = 30
"""Days in a month of a budget."""

LONG_DAYS = 3
"""Days after which an episode of nights and days is long."""

NEXT_DATE_S = 22.0 * 3_600.0
"""A row that ends sooner (s) after the last one that supported an episode is of the same date.

A night that was urgent at once is not over because the day that follows it is told.
"""

OFFSET_RISE = 0.2
"""By how much an episode that ends raises the person's threshold (standard deviations)."""

OFFSET_MIN, OFFSET_MAX = -0.2, 0.5
"""How far a person's threshold of a shift may be off the cohort's (standard deviations)."""


class _Found(Struct, frozen=True):
    """What a rule found: the features that speak for it, and what is said of it once it is told."""

    features: Sequence[str]
    say: Callable[[Sequence[str]], Said]
    is_urgent: bool = False
    rule: str = CHANGE_FROM_USUAL


class Policy:
    """Turns scored rows of any subject into alerts; all memory is in the state it is given."""

    __slots__ = ("_config", "_version")

    def __init__(self, config: DetectionConfig, cohort: Cohort) -> None:
        self._config = config
        self._version = cohort.version

    @property
    def dated_keys(self) -> frozenset[str]:
        """Keys of the episodes that nothing but nights and days change."""
        return _dated_keys(self._config.limits)

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
        if row.window is WindowKind.HOUR:
            alerts += self._judge_hour(state, row, anomalies, context)
        elif anomalies:
            alerts += self._judge_day(state, row, anomalies, context)
            alerts += self._judge_slow(state, row, anomalies, context)
        return alerts

    def check_in(self, record: MoodCheckIn, subject: Subject, clock: float) -> list[Alert]:
        """Judge a self-report by the site's limits at once (clock: in-band, s UTC)."""
        return judge_check_in(self._config.check_in_limits, record, subject, clock)

    def may_ring(self, state: PolicyState, row: FeatureRow, scores: Scores) -> bool:
        """Whether a WATCH may begin with a night or day, if ``muted`` does not hold it back."""
        if self._is_recent(state.episodes.get(_DAY_KEY), row):
            return False
        is_new = not _is_told(state.episodes.get(_SLOW_KEY), row)
        return scores.is_shifted or (bool(scores.drifted) and is_new)

    def _judge_hour(
        self, state: PolicyState, row: FeatureRow, scores: Scores, context: RowContext
    ) -> list[Alert]:
        """Hours: unusual ones that persist."""
        k, n = self._config.persistence_hours
        seen = sightings(state, row, scores, (k, n))
        key = "change|hour"
        episode = _current(state, key, row, self._config)
        persistent = [sighting for sighting in seen if sighting.is_persistent]
        is_far = _are_far(scores)
        if not (persistent or is_far):
            if scores:
                quieten(episode, n)
            return []
        # The first row of an episode stands for the k that made it persistent.
        rows = k + (episode.rows if episode is not None and episode.is_open else 0)
        is_grave = rows >= LONG_FACTOR * k and any(one.z >= LONG_Z for one in persistent)
        features = [one.anomaly.feature or "" for one in seen]

        def say(told: Sequence[str]) -> Said:
            reasons = [scores.reason(feature) for feature in told]
            sighting = seen[features.index(told[0])]
            return Said(reasons, wording.change(row.window, reasons, sighting.seen))

        finding = self._finding(row, scores, context, _Found(features, say, is_far or is_grave))
        return self._tell(state, key, row, finding=finding, context=context)

    def _judge_day(
        self, state: PolicyState, row: FeatureRow, scores: Scores, context: RowContext
    ) -> list[Alert]:
        """Nights and days: a shift of the last days, or much at once."""
        episode = _current(state, _DAY_KEY, row, self._config)
        is_far = _are_far(scores)
        if not (scores.is_shifted or is_far):
            if scores.shift is not None:
                self._settle_down(state, episode, row)
            return []
        is_long = (
            episode is not None
            and episode.is_open
            and (row.local_date - episode.local_date).days >= LONG_DAYS - 1
        )
        is_grave = is_long and any(
            abs(z) >= LONG_Z and spec.display is not Display.CLOCK for spec, z in scores.latest_z()
        )
        features = scores.shifted() if scores.is_shifted else _furthest(scores)
        found = _Found(features, partial(_shift_said, scores), is_far or is_grave)
        finding = self._finding(row, scores, context, found)
        return self._tell(state, _DAY_KEY, row, finding=finding, context=context)

    def _judge_slow(
        self, state: PolicyState, row: FeatureRow, scores: Scores, context: RowContext
    ) -> list[Alert]:
        """Nights and days: what has been moving away for a while, told once in four weeks.

        A shift that was just told moves the same figures, and is not told a second time.
        """
        if not scores.drifted or self._is_recent(state.episodes.get(_DAY_KEY), row):
            return []
        episode = state.episodes.get(_SLOW_KEY)
        if _is_told(episode, row):
            return []
        if episode is not None:
            episode.close()
        found = _Found(scores.slow(), lambda _: _slow_said(scores), rule=SLOW_CHANGE)
        finding = self._finding(row, scores, context, found)
        return self._tell(state, _SLOW_KEY, row, finding=finding, context=context)

    def _settle_down(self, state: PolicyState, episode: Episode | None, row: FeatureRow) -> None:
        """End an episode, or let the person's threshold sink a little on a day without one.

        A threshold that rises only with episodes that have ended cannot follow a change that is
        still going on, and in balance it lets a person ring as often as the budget says.
        """
        if episode is not None and episode.is_open:
            if row.end - episode.last_end < NEXT_DATE_S:
                return
            episode.close()
            state.offset = min(state.offset + OFFSET_RISE, OFFSET_MAX)
        elif row.window is WindowKind.DAY:
            fall = OFFSET_RISE * self._config.budget_per_month / DAYS_A_MONTH
            state.offset = max(state.offset - fall, OFFSET_MIN)

    def _tell(
        self,
        state: PolicyState,
        key: str,
        row: FeatureRow,
        *,
        finding: Finding,
        context: RowContext,
    ) -> list[Alert]:
        """Carry on an open episode, or open one unless it is held back."""
        episode = state.episodes.get(key)
        if episode is not None and episode.is_open:
            return carry_on(episode, row, finding, context)
        if finding.severity is Severity.WATCH and self._is_held_back(
            episode, row, finding.rule, context
        ):
            return []
        state.episodes[key] = episode = episode_of(row, finding)
        # A slow change is told once, and never carried on.
        tell = alert_of if finding.rule == SLOW_CHANGE else opened
        return [tell(row, episode, finding, context)]

    def _is_recent(self, episode: Episode | None, row: FeatureRow) -> bool:
        """Whether an episode lasts, or ended within the refractory period."""
        refractory_s = self._config.refractory_h * 3_600.0
        return episode is not None and row.end - episode.last_end < refractory_s

    def _is_held_back(
        self, episode: Episode | None, row: FeatureRow, rule: str, context: RowContext
    ) -> bool:
        """Whether a new WATCH stays silent; it rings later if it is still there then."""
        return context.muted or rule in context.snoozed_rules or self._is_recent(episode, row)

    def _finding(
        self, row: FeatureRow, scores: Scores, context: RowContext, found: _Found
    ) -> Finding:
        anomalous = [one for one in scores if one.state is AnomalyState.ANOMALOUS]
        # What decides goes first: the whole of the days before a feature on its own.
        name = Drift.name if found.rule == SLOW_CHANGE else LevelShift.name
        decisive = [
            one
            for one in scores
            if one.detector == name and (scores.is_shifted or found.rule == SLOW_CHANGE)
        ]
        first = max(decisive or anomalous, key=lambda one: one.score)
        return Finding(
            kind=AlertKind.CLINICAL,
            rule=found.rule,
            severity=Severity.URGENT if found.is_urgent else Severity.WATCH,
            score=first.score,
            threshold=first.threshold,
            features=found.features,
            say=found.say,
            missing=self._missing(row, scores, context),
            model_versions={one.detector: one.version for one in anomalous}
            | {"cohort": self._version},
        )

    def _missing(self, row: FeatureRow, scores: Scores, context: RowContext) -> list[str]:
        missing = [wording.absent(row.window, feature) for feature in scores.absent]
        for anomaly in scores:
            if anomaly.state is AnomalyState.LEARNING and anomaly.feature is not None:
                days = scores.usual[anomaly.feature].days
                missing.append(
                    wording.learning(row.window, anomaly.feature, days, self._config.warm_up_days)
                )
        if context.relearned and scores.relearned:
            missing.append(wording.RELEARNED)
        return missing


def _are_far(scores: Scores) -> bool:
    """Whether a row is so unusual in two features that it need not last.

    Times of day move together, on every journey: they count as one.
    """
    window = scores.row.window
    far = [name for name in _unusual(scores) if abs(scores.usual[name].z) >= FAR_Z]
    others = sum(not _is_time_of_day(window, feature) for feature in far)
    return others + (len(far) > others) >= 2


def _is_time_of_day(window: WindowKind, feature: str) -> bool:
    spec = spec_of(window, feature)
    return spec is not None and spec.display is Display.CLOCK


def _unusual(scores: Scores) -> list[str]:
    return [
        anomaly.feature
        for anomaly in scores
        if anomaly.feature is not None and anomaly.state is AnomalyState.ANOMALOUS
    ]


def _furthest(scores: Scores) -> list[str]:
    """The unusual features of a row, the furthest first."""
    return sorted(_unusual(scores), key=lambda name: (-abs(scores.usual[name].z), name))


def _shift_said(scores: Scores, features: Sequence[str]) -> Said:
    """What is said of ``features`` of a shift, or of some that are far off in one row."""
    row = scores.row
    until = row.local_date, row.window
    if scores.is_shifted and scores.shift is not None:
        since = dt.date.fromordinal(scores.shift.since)
        reasons = [reason for reason in scores.evidence() if reason.feature in features]
    else:
        reasons, since = [scores.reason(feature) for feature in features], row.local_date
    return Said(reasons, wording.shift(reasons, since, until))


def _slow_said(scores: Scores) -> Said:
    """What is said of features that have been moving away for a while."""
    reasons = scores.slow_evidence()
    told = [
        wording.Slow(one, dt.date.fromordinal(scores.drifted[one.feature]), scores.has_moved(one))
        for one in reasons
    ]
    return Said(reasons, wording.slow(told))


@lru_cache(maxsize=64)
def _dated_keys(limits: tuple[LimitRule, ...]) -> frozenset[str]:
    dated = (limit_key(rule) for rule in limits if rule.window in DATED_WINDOWS)
    return frozenset({_DAY_KEY, _SLOW_KEY, NOT_WORN_KEY, *dated})


def _is_told(slow: Episode | None, row: FeatureRow) -> bool:
    """Whether a slow change was told so lately that another is not."""
    return slow is not None and (row.local_date - slow.local_date).days < SLOW_REFRACTORY_DAYS


def _current(
    state: PolicyState, key: str, row: FeatureRow, config: DetectionConfig
) -> Episode | None:
    """The last episode of a rule; one that no row supported for long is over."""
    episode = state.episodes.get(key)
    if episode is not None and row.start - episode.last_end > config.refractory_h * 3_600.0:
        episode.close()
    return episode
