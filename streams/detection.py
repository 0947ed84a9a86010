"""Detection for one subject: settled rows advance it, unsettled rows are only looked at.

Models and policy learn from settled rows. Unsettled rows are scored with them and judged by a copy
of the settled policy, so that nothing is ever un-learned. A row that follows all others only
continues that copy; once something before it has changed, all that is unsettled is looked at anew,
and an alert that is not found again is withdrawn, visibly.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Self

import msgspec
from msgspec import Struct

from detectors.base import State
from detectors.cohort import Cohort
from detectors.config import DetectionConfig
from detectors.models import SubjectModels
from detectors.policy import Because, Policy, PolicyState, RowContext
from detectors.scores import Scores
from detectors.terms import DATED_WINDOWS, SCORED_WINDOWS
from streams.alerts import Alerts
from streams.events import (
    Alert,
    AlertAction,
    Anomaly,
    AnomalyState,
    CareContext,
    FeatureRow,
    MoodCheckIn,
    Output,
    Record,
    Subject,
    WindowKind,
)
from streams.staff import Staff
from streams.unsettled import Reach, Said, UnsettledOf, UnsettledRow

WEARABLE_CHANNELS = frozenset({"heart_rate", "inter_beat_interval", "sleep", "steps"})
"""What a wearable measures, and another model of it measures otherwise."""

_DEVICE = "device"
"""Among what was relearned: that a device changed."""

AnomalyKey = tuple[str, str | None, float, WindowKind]


class DetectionState(Struct, array_like=True):
    """Everything that later results of a `Detection` depend on.

    ``states``: what was last said of unsettled anomalies that are unusual. ``devices``: by window
    kind the last known model of the device of a settled row. ``ahead``: the policy after all that
    is unsettled, None before any was looked at. ``is_stale``: what was said of unsettled rows has
    to be looked at anew; ``are_dates_stale``: that of nights and days. States of before these were
    kept have none.
    """

    models: State
    policy: State
    contexts: list[tuple[float, CareContext]]
    actions: list[tuple[float, AlertAction]]
    relearned: list[str]
    sequence: int
    shown: list[Alert]
    settled: list[Alert]
    states: list[tuple[AnomalyKey, AnomalyState]]
    has_news: bool
    devices: dict[WindowKind, str] = {}
    ahead: State | None = None
    is_stale: bool = True
    ripe_s: float | None = None
    are_dates_stale: bool = False


class Detection:
    """Models, policy, what staff said, and the alerts that are shown, of one subject."""

    __slots__ = (
        "_ahead",
        "_alerts",
        "_are_dates_stale",
        "_cohort",
        "_config",
        "_devices",
        "_is_stale",
        "_models",
        "_policy",
        "_relearned",
        "_ripe_s",
        "_state",
        "_unusual",
        "changes",
        "has_news",
        "judges_minutes",
    )

    def __init__(self, config: DetectionConfig, cohort: Cohort) -> None:
        self.has_news = False
        self._config, self._cohort = config, cohort
        self.judges_minutes = any(rule.window is WindowKind.MINUTE for rule in config.limits)
        self._models = SubjectModels(config, cohort)
        self._policy = Policy(config, cohort)
        self._state = PolicyState()
        self._alerts = Alerts()
        self._relearned: set[str] = set()
        self._devices: dict[WindowKind, str] = {}
        self._unusual: set[AnomalyKey] = set()
        self._ahead = PolicyState()
        self._is_stale = self._are_dates_stale = False
        self._ripe_s = math.inf
        self.changes = 0

    def to_state(self) -> DetectionState:
        """Everything that later results depend on; it is another when ``changes`` is."""
        unusual = sorted(self._unusual, key=repr)
        return DetectionState(
            self._models.to_state(),
            self._state.to_state(),
            self._alerts.staff.contexts,
            self._alerts.staff.actions,
            sorted(self._relearned),
            self._alerts.sequence,
            list(self._alerts.shown.values()),
            list(self._alerts.settled.values()),
            [(key, AnomalyState.ANOMALOUS) for key in unusual],
            self.has_news,
            dict(self._devices),
            self._ahead.to_state(),
            self._is_stale,
            self._ripe_s if self._ripe_s < math.inf else None,
            self._are_dates_stale,
        )

    @classmethod
    def from_state(cls, state: DetectionState, config: DetectionConfig, cohort: Cohort) -> Self:
        """Detection as it was.

        Raises
        ------
        ValueError
            When the state is of a version that is not known.
        """
        detection = cls(config, cohort)
        detection._models = SubjectModels.from_state(state.models, config, cohort)
        detection._state = PolicyState.from_state(state.policy)
        staff = Staff.of(state.contexts, state.actions)
        detection._alerts = Alerts.of(staff, state.sequence, state.shown, state.settled)
        detection._relearned = set(state.relearned)
        detection._devices = dict(state.devices)
        detection._unusual = {key for key, own in state.states if own is AnomalyState.ANOMALOUS}
        detection.has_news = state.has_news
        if state.ahead is not None:
            detection._ahead = PolicyState.from_state(state.ahead)
        detection._is_stale, detection._are_dates_stale = state.is_stale, state.are_dates_stale
        detection._ripe_s = math.inf if state.ripe_s is None else state.ripe_s
        return detection

    def hear(self, records: Sequence[Record], tick: float) -> None:
        """Take what staff said; it lies after ``tick`` (s UTC) in its log."""
        self._alerts.staff.hear(records, tick)
        self.notice()

    def notice(self) -> None:
        """Have everything looked at again, for something beside the rows has changed."""
        self.has_news = True
        self.changes += 1

    def check_in(self, records: Sequence[Record], subject: Subject, clock: float) -> list[Output]:
        """Judge check-ins by the site's limits at once, in no window and however late."""
        alerts: list[Output] = []
        for record in records:
            if isinstance(record, MoodCheckIn):
                alerts += self._policy.check_in(record, subject, clock)
        return alerts

    def settle(
        self, row: FeatureRow, due: float, clock: float, *, was_said: bool = True
    ) -> list[Output]:
        """Score a settled row, let the policy take it, then learn it.

        ``was_said``: the row was said with these values before.
        """
        outputs: list[Output] = []
        self.changes += 1
        self._relearn(row, due)
        if _is_of_new_device(self._devices, row):
            self._relearned.add(_DEVICE)
            self._is_stale = True
            self._models.relearn(WEARABLE_CHANNELS, [row.window])
        anomalies = self._models.score(row, self._state.offset)
        alerts = self._policy.step(self._state, row, anomalies, self._context(row, due, clock))
        self._models.learn(row, anomalies)
        outputs += anomalies
        if self._unusual:
            self._unusual.difference_update(map(_anomaly_key, anomalies))
        outputs += map(self._alerts.settle, alerts)
        # Where a settled row tells otherwise than it did before, what follows it may do so too.
        if alerts or self._alerts.have_begun_with(row) or not was_said:
            if row.window in DATED_WINDOWS:
                self._are_dates_stale = True
            else:
                self._is_stale = True
        return outputs

    def look(self, said: Said, clock: float, unsettled: UnsettledOf) -> list[Output]:
        """Look at rows just said, and at as much beside them as may read otherwise now."""
        reach = max(said.reach, self.reach(said.rows, clock))
        if reach is Reach.ALL:
            return self.view(unsettled(SCORED_WINDOWS), clock, is_revised=said.is_revised)
        hours = [one for one in said.rows if not one.is_dated]
        dates: Iterable[UnsettledRow] = ()
        if reach is Reach.DATES or len(hours) < len(said.rows):
            dates = list(unsettled(DATED_WINDOWS))
        if reach is Reach.NEWS:
            return self.follow(said.rows, clock, dates) if said.rows else []
        outputs = self.follow(hours, clock, ()) if hours else []
        return outputs + self.view_dates(dates, clock, is_revised=said.is_revised)

    def reach(self, rows: Iterable[UnsettledRow], clock: float) -> Reach:
        """How much has to be looked at beside ``rows`` that follow all others of their kind.

        All of it when staff spoke, what settled was said otherwise before, or a row is of another
        device; nights and days when one of them settled so, or a WATCH that was held back is ripe.
        """
        is_stale = self.has_news or self._is_stale
        if is_stale or any(_is_other(self._devices, one.row) for one in rows):
            return Reach.ALL
        are_dates_stale = self._are_dates_stale or clock >= self._ripe_s
        return Reach.DATES if are_dates_stale else Reach.NEWS

    def follow(
        self,
        rows: Sequence[UnsettledRow],
        clock: float,
        dates: Iterable[UnsettledRow],
    ) -> list[Output]:
        """Look at rows that follow all others of their kind, which stand as they were said.

        ``dates``: all unsettled nights and days in their order, where ``rows`` has any of them.
        """
        outputs: list[Output] = []
        self.changes += 1
        models = self._models
        if any(one.is_dated for one in rows):
            models = models.ahead()
        for before in dates:
            if not before.is_news:
                models.observe(before.row)
        for unsettled in rows:
            relearned = bool(self._relearned)
            anomalies, alerts = self._look(unsettled, models, clock, is_relearned=relearned)
            models.observe(unsettled.row, anomalies)
            outputs += self._scored(anomalies, is_news=True)
            for alert in alerts:
                outputs += self._alerts.show(alert)
        return outputs

    def view(self, rows: Iterable[UnsettledRow], clock: float, *, is_revised: bool) -> list[Output]:
        """Look at all unsettled rows in their order; say what is new, changed or withdrawn."""
        self._ahead = self._state.copy()
        outputs, seen = self._view(rows, clock)
        because: Because = "data" if is_revised else "learned"
        outputs += self._alerts.show_only(seen, clock, because, has_news=self.has_news)
        self.has_news = False
        return outputs

    def view_dates(
        self, rows: Iterable[UnsettledRow], clock: float, *, is_revised: bool
    ) -> list[Output]:
        """Look at all unsettled nights and days in their order, beside hours that stand.

        Days and hours both judge silence: where a day had the last word on it, or has hours judge
        otherwise from now on, the next look is at all.
        """
        rows, ahead = list(rows), self._ahead
        usual_h, silence_until = ahead.sync_gap_usual_h, ahead.silence_until
        ahead.take_back_dates(self._state, self._policy.dated_keys)
        outputs, seen = self._view(rows, clock)
        because: Because = "data" if is_revised else "learned"
        seen = self._alerts.shown_of_hours() | seen
        outputs += self._alerts.show_only(seen, clock, because, has_news=False)
        days = (one.row.end for one in rows if one.row.window is WindowKind.DAY)
        self._is_stale |= ahead.sync_gap_usual_h != usual_h or silence_until in days
        return outputs

    def _view(
        self, rows: Iterable[UnsettledRow], clock: float
    ) -> tuple[list[Output], dict[str, Alert]]:
        """Score rows in their order and let the policy ahead take them; what it tells, by id."""
        outputs: list[Output] = []
        self.changes += 1
        self._ripe_s, self._are_dates_stale = math.inf, False
        models, devices = self._models.ahead(), dict(self._devices)
        is_relearned, self._is_stale = bool(self._relearned), False
        seen: dict[str, Alert] = {}
        for unsettled in rows:
            if _is_of_new_device(devices, unsettled.row):
                is_relearned = self._is_stale = True
                # What is usual is shared with the settled models: these need their own.
                models = SubjectModels.from_state(models.to_state(), self._config, self._cohort)
                models.relearn(WEARABLE_CHANNELS, [unsettled.row.window])
            anomalies, alerts = self._look(unsettled, models, clock, is_relearned=is_relearned)
            models.observe(unsettled.row, anomalies)
            outputs += self._scored(anomalies, is_news=unsettled.is_news)
            seen.update((alert.alert_id, alert) for alert in alerts)
        return outputs, seen

    def _look(
        self, unsettled: UnsettledRow, models: SubjectModels, clock: float, *, is_relearned: bool
    ) -> tuple[Scores, list[Alert]]:
        """Score an unsettled row and let the policy ahead take it."""
        row = unsettled.row
        anomalies = models.score(row, self._ahead.offset)
        context = self._context(row, clock, clock)
        ripe_s = unsettled.said_s + self._config.watch_delay_h * 3_600.0
        is_young = unsettled.is_dated and clock < ripe_s
        if is_young and self._policy.may_ring(self._ahead, row, anomalies):
            # A night or day may still come whole: half of a night would ring in vain.
            self._ripe_s = min(self._ripe_s, ripe_s)
        context = msgspec.structs.replace(
            context, muted=context.muted or is_young, relearned=is_relearned
        )
        return anomalies, self._policy.step(self._ahead, row, anomalies, context)

    def _scored(self, anomalies: Scores, *, is_news: bool) -> Iterable[Anomaly]:
        """What is to be said of scores: all of a row just said, else where usual and not change."""
        for anomaly in anomalies:
            key = _anomaly_key(anomaly)
            was_unusual, is_unusual = key in self._unusual, anomaly.state is AnomalyState.ANOMALOUS
            if is_unusual and not was_unusual:
                self._unusual.add(key)
            elif was_unusual and not is_unusual:
                self._unusual.remove(key)
            if is_news or is_unusual != was_unusual:
                yield anomaly

    def withdraw_all(self, clock: float) -> list[Output]:
        """Withdraw every alert that stands, for the subject has withdrawn."""
        return self._alerts.withdraw_all(clock)

    def _context(self, row: FeatureRow, due: float, clock: float) -> RowContext:
        staff = self._alerts.staff
        return RowContext(
            detected_at=clock,
            muted=staff.is_muted(row, due),
            snoozed_rules=staff.snoozed(row, due, self._alerts.known_to(row)),
            relearned=bool(self._relearned),
        )

    def _relearn(self, row: FeatureRow, due: float) -> None:
        """Start the baseline anew at the first settled row after staff asked for it."""
        for identity in self._alerts.staff.relearnings(row, due):
            if identity not in self._relearned:
                self._relearned.add(identity)
                self._is_stale = True
                self._models.relearn()


def _is_other(devices: dict[WindowKind, str], row: FeatureRow) -> bool:
    """Whether a row is of another device than the one known of its kind of window."""
    before = devices.get(row.window)
    return before is not None and row.device_type is not None and before != row.device_type


def _is_of_new_device(devices: dict[WindowKind, str], row: FeatureRow) -> bool:
    """Note the device of a row; whether it is another model than that of the one before.

    Each kind of window for itself, since hours settle before the nights and days around them. A
    row of which no device is known says nothing.
    """
    if row.window not in SCORED_WINDOWS or row.device_type is None:
        return False
    is_other = _is_other(devices, row)
    devices[row.window] = row.device_type
    return is_other


def _anomaly_key(anomaly: Anomaly) -> AnomalyKey:
    return anomaly.detector, anomaly.feature, anomaly.start, anomaly.window
