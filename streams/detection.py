"""Detection for one subject: settled rows advance it, unsettled rows are only looked at.

Models and policy learn from settled rows. What is still unsettled is scored with a copy of the
settled policy, so that nothing is ever un-learned; an alert that a later look does not find again
is withdrawn, visibly.
"""

from collections.abc import Iterable, Sequence
from typing import Self

import msgspec
from msgspec import Struct

from detectors.base import State
from detectors.cohort import Cohort
from detectors.config import DetectionConfig
from detectors.models import DATED_WINDOWS, SubjectModels
from detectors.policy import Because, Policy, PolicyState, RowContext, withdrawn
from detectors.terms import SCORED_WINDOWS
from streams.events import (
    Alert,
    AlertAction,
    AlertActionKind,
    AlertStatus,
    Anomaly,
    AnomalyState,
    CareContext,
    CareContextEffect,
    FeatureRow,
    MoodCheckIn,
    Output,
    Record,
    Subject,
    WindowKind,
)

SETTLED_KEPT = 20
"""Settled alerts of a subject that staff can still act on."""

_STATUS = {
    AlertActionKind.ACKNOWLEDGE: AlertStatus.ACKNOWLEDGED,
    AlertActionKind.SNOOZE: AlertStatus.SNOOZED,
    AlertActionKind.RESOLVE: AlertStatus.RESOLVED,
}


WEARABLE_CHANNELS = frozenset({"heart_rate", "inter_beat_interval", "sleep", "steps"})
"""What a wearable measures, and another model of it measures otherwise."""

_DEVICE = "device"
"""Among what was relearned: that a device changed."""

AnomalyKey = tuple[str, str | None, float, WindowKind]


class DetectionState(Struct, array_like=True):
    """Everything that later results of a `Detection` depend on.

    ``devices``: by window kind the last known model of the device of a settled row; states of
    before it was kept have none.
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


class Detection:
    """Models, policy, what staff said, and the alerts that are shown, of one subject."""

    __slots__ = (
        "_actions",
        "_cohort",
        "_config",
        "_contexts",
        "_devices",
        "_models",
        "_policy",
        "_relearned",
        "_sequence",
        "_settled",
        "_shown",
        "_state",
        "_states",
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
        self._contexts: list[tuple[float, CareContext]] = []
        self._actions: list[tuple[float, AlertAction]] = []
        self._relearned: set[str] = set()
        self._devices: dict[WindowKind, str] = {}
        self._sequence = 0
        self._shown: dict[str, Alert] = {}
        self._settled: dict[str, Alert] = {}
        self._states: dict[AnomalyKey, AnomalyState] = {}
        self.changes = 0

    def to_state(self) -> DetectionState:
        """Everything that later results depend on; it is another when ``changes`` is."""
        return DetectionState(
            self._models.to_state(),
            self._state.to_state(),
            self._contexts,
            self._actions,
            sorted(self._relearned),
            self._sequence,
            list(self._shown.values()),
            list(self._settled.values()),
            list(self._states.items()),
            self.has_news,
            dict(self._devices),
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
        detection._contexts = state.contexts
        detection._actions = state.actions
        detection._relearned = set(state.relearned)
        detection._devices = dict(state.devices)
        detection._sequence = state.sequence
        detection._shown = {alert.alert_id: alert for alert in state.shown}
        detection._settled = {alert.alert_id: alert for alert in state.settled}
        detection._states = dict(state.states)
        detection.has_news = state.has_news
        return detection

    def hear(self, records: Sequence[Record], tick: float) -> None:
        """Take what staff said; it lies after ``tick`` (s UTC) in its log."""
        for record in records:
            if isinstance(record, CareContext):
                self._contexts = [
                    held for held in self._contexts if not _stands_for(held[1], record)
                ]
                self._contexts.append((tick, record))
            elif isinstance(record, AlertAction):
                self._actions.append((tick, record))
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

    def settle(self, row: FeatureRow, due: float, clock: float) -> list[Output]:
        """Score a settled row, let the policy take it, then learn it."""
        outputs: list[Output] = []
        self.changes += 1
        self._relearn(row, due)
        if _is_of_new_device(self._devices, row):
            self._relearned.add(_DEVICE)
            self._models.relearn(WEARABLE_CHANNELS, [row.window])
        anomalies = self._models.score(row, self._state.offset)
        alerts = self._policy.step(self._state, row, anomalies, self._context(row, due, clock))
        self._models.learn(row)
        outputs += anomalies
        for anomaly in anomalies:
            self._states.pop(_anomaly_key(anomaly), None)
        for found in alerts:
            shown = self._shown.pop(found.alert_id, None) or self._settled.get(found.alert_id)
            detected_at = found.detected_at if shown is None else shown.detected_at
            alert = msgspec.structs.replace(found, detected_at=detected_at)
            self._keep_settled(alert)
            outputs.append(self._said(alert))
        return outputs

    def view(self, rows: Iterable[FeatureRow], clock: float, *, is_revised: bool) -> list[Output]:
        """Look at all unsettled rows in their order; say what is new, changed or withdrawn."""
        outputs: list[Output] = []
        self.changes += 1
        state, models, devices = self._state.copy(), self._models.ahead(), dict(self._devices)
        is_relearned = bool(self._relearned)
        seen: dict[str, Alert] = {}
        states: dict[AnomalyKey, AnomalyState] = {}
        for row in rows:
            if _is_of_new_device(devices, row):
                is_relearned = True
                # What is usual is shared with the settled models: these need their own.
                models = SubjectModels.from_state(models.to_state(), self._config, self._cohort)
                models.relearn(WEARABLE_CHANNELS, [row.window])
            anomalies = models.score(row, state.offset)
            models.observe(row)
            for anomaly in anomalies:
                key = _anomaly_key(anomaly)
                states[key] = anomaly.state
                if self._states.get(key) is not anomaly.state:
                    outputs.append(anomaly)
            context = self._context(row, clock, clock)
            muted = context.muted or self._is_young(row, clock)
            context = msgspec.structs.replace(context, muted=muted, relearned=is_relearned)
            for alert in self._policy.step(state, row, anomalies, context):
                seen[alert.alert_id] = alert
        self._states = states
        outputs += self._difference(seen, clock, is_revised=is_revised)
        self.has_news = False
        return outputs

    def _is_young(self, row: FeatureRow, clock: float) -> bool:
        """Whether a night or day may still come whole: half of a night would ring in vain."""
        ripe = row.end + self._config.watch_delay_h * 3_600.0
        return row.window in DATED_WINDOWS and clock < ripe

    def withdraw_all(self, clock: float) -> list[Output]:
        """Withdraw every alert that stands, for the subject has withdrawn."""
        standing = {**self._settled, **self._shown}
        return [
            self._numbered(withdrawn(standing[key], "subject", clock)) for key in sorted(standing)
        ]

    def _difference(
        self, seen: dict[str, Alert], clock: float, *, is_revised: bool
    ) -> list[Output]:
        outputs: list[Output] = []
        gone = [self._shown[key] for key in sorted(self._shown) if key not in seen]
        gone = [alert for alert in gone if alert.alert_id not in self._settled]
        for alert_id in sorted(seen):
            alert = seen[alert_id]
            old = self._shown.get(alert_id) or self._settled.get(alert_id)
            if old is not None:
                alert = msgspec.structs.replace(
                    alert, detected_at=old.detected_at, continues=old.continues
                )
            else:
                alert = msgspec.structs.replace(alert, continues=_continued(alert, gone))
            seen[alert_id] = alert
            if old is None or self.has_news or not _is_same(old, alert):
                outputs.append(self._said(alert))
        outputs += self._restored(seen)
        because: Because = "data" if is_revised else "learned"
        outputs += [self._numbered(withdrawn(alert, because, clock)) for alert in gone]
        self._shown = seen
        return outputs

    def _restored(self, seen: dict[str, Alert]) -> list[Output]:
        """Settled alerts that unsettled rows had made graver, and no longer do."""
        return [
            self._said(self._settled[key])
            for key in sorted(self._shown)
            if key not in seen
            and key in self._settled
            and not _is_same(self._shown[key], self._settled[key])
        ]

    def _keep_settled(self, alert: Alert) -> None:
        self._settled.pop(alert.alert_id, None)
        self._settled[alert.alert_id] = alert
        while len(self._settled) > SETTLED_KEPT:
            del self._settled[next(iter(self._settled))]

    def _numbered(self, alert: Alert) -> Alert:
        """Number what is said of alerts, so that sinks know which word is the last."""
        self._sequence += 1
        return msgspec.structs.replace(alert, revision=self._sequence)

    def _said(self, alert: Alert) -> Alert:
        """Let what staff did show on an alert; one that continues another inherits it."""
        if alert.status is AlertStatus.RESOLVED:
            return self._numbered(alert)  # data came again, whatever staff did before
        ids = {alert.alert_id, alert.continues}
        for _, action in self._actions:
            if action.alert_id not in ids:
                continue
            status = _STATUS.get(action.action)
            if action.action is AlertActionKind.ASSIGN:
                alert = msgspec.structs.replace(alert, owner=action.by)
            elif status is not None:
                alert = msgspec.structs.replace(
                    alert, status=status, status_at=action.at, status_by=action.by
                )
        return self._numbered(alert)

    def _context(self, row: FeatureRow, due: float, clock: float) -> RowContext:
        muted = any(
            after < due
            and context.effect is CareContextEffect.MUTE
            and context.from_ < row.end
            and (context.until is None or context.until > row.start)
            for after, context in self._contexts
        )
        return RowContext(
            detected_at=clock,
            muted=muted,
            snoozed_rules=self._snoozed(row, due),
            relearned=bool(self._relearned),
        )

    def _snoozed(self, row: FeatureRow, due: float) -> frozenset[str]:
        # A settled row must not know of alerts that were only ever shown.
        known = self._settled if row.settled else {**self._settled, **self._shown}
        rules = {alert_id: alert.rule for alert_id, alert in known.items()}
        return frozenset(
            rules[action.alert_id]
            for after, action in self._actions
            if after < due
            and action.action is AlertActionKind.SNOOZE
            and action.alert_id in rules
            and action.at < row.end <= (action.until or action.at)
        )

    def _relearn(self, row: FeatureRow, due: float) -> None:
        """Start the baseline anew at the first settled row after staff asked for it."""
        for after, context in self._contexts:
            if context.effect is not CareContextEffect.RELEARN or after >= due:
                continue
            identity = f"{context.record_id}|{context.from_}"
            if context.from_ <= row.start and identity not in self._relearned:
                self._relearned.add(identity)
                self._models.relearn()


def _is_of_new_device(devices: dict[WindowKind, str], row: FeatureRow) -> bool:
    """Note the device of a row; whether it is another model than that of the one before.

    Each kind of window for itself, since hours settle before the nights and days around them. A
    row of which no device is known says nothing.
    """
    if row.window not in SCORED_WINDOWS or row.device_type is None:
        return False
    before = devices.get(row.window)
    devices[row.window] = row.device_type
    return before is not None and before != row.device_type


def _anomaly_key(anomaly: Anomaly) -> AnomalyKey:
    return anomaly.detector, anomaly.feature, anomaly.start, anomaly.window


def _stands_for(held: CareContext, record: CareContext) -> bool:
    return record.record_id is not None and held.record_id == record.record_id


def _continued(alert: Alert, gone: Sequence[Alert]) -> str | None:
    """The alert that rang for the same thing under another id, if there is one."""
    for old in gone:
        if (old.kind, old.rule) == (alert.kind, alert.rule):
            return old.alert_id
    return None


def _is_same(old: Alert, new: Alert) -> bool:
    return msgspec.structs.replace(old, revision=0, settled=False) == msgspec.structs.replace(
        new, revision=0, settled=False
    )
