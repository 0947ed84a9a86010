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

from detectors.cohort import Cohort
from detectors.config import NO_PROJECTS, DetectionConfig, Projects
from detectors.models import SubjectModels
from detectors.policy import Policy, PolicyState, RowContext
from detectors.scores import Scores
from detectors.silence import STOPPED_KEY
from detectors.terms import DATED_WINDOWS
from streams.alerts import Alerts, Causes
from streams.detection_state import AnomalyKey, DetectionState, anomaly_key
from streams.devices import WEARABLE_CHANNELS, Devices, is_of_new, is_other
from streams.events import (
    Alert,
    Anomaly,
    AnomalyState,
    FeatureRow,
    MoodCheckIn,
    Output,
    Record,
    Subject,
    SubjectStatus,
    WindowKind,
)
from streams.staff import Staff
from streams.unsettled import KINDS_OF, Reach, Said, UnsettledOf, UnsettledRow

_DEVICE = "device"
"""Among what was relearned: that a device changed."""

# What is kept of a policy beside it, in a fraction of its memory.
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PolicyState).decode


class Detection:
    """Models, policy, what staff said, and the alerts that are shown, of one subject.

    ``config`` is the site's and ``projects`` those that decide otherwise; ``project`` is the
    subject's: with the first settled row of another one, that one's settings hold.
    """

    __slots__ = (
        "_ahead",
        "_alerts",
        "_before",
        "_cohort",
        "_config",
        "_devices",
        "_is_revised",
        "_models",
        "_policy",
        "_project",
        "_projects",
        "_relearned",
        "_ripe_s",
        "_site",
        "_stale",
        "_state",
        "_unusual",
        "changes",
        "has_news",
        "judges_minutes",
    )

    def __init__(
        self,
        config: DetectionConfig,
        cohort: Cohort,
        projects: Projects = NO_PROJECTS,
        project: str | None = None,
    ) -> None:
        self.has_news = False
        self._cohort, self._site, self._projects = cohort, config, projects
        self._judge_by(project)
        self._models = SubjectModels(self._config, cohort)
        self._state = PolicyState()
        self._alerts = Alerts()
        self._relearned: set[str] = set()
        self._devices: Devices = {}
        self._unusual: set[AnomalyKey] = set()
        self._ahead = PolicyState()
        self._before: bytes | None = None
        self._stale, self._is_revised = Reach.NEWS, False
        self._ripe_s = math.inf
        self.changes = 0

    def _judge_by(self, project: str | None) -> None:
        """Have the settings of a project hold, or those of the site where it has none."""
        self._project = project if project in self._projects else None
        self._config = self._projects.get(project or "", self._site)
        self._policy = Policy(self._config, self._cohort)
        limits = self._config.limits
        self.judges_minutes = any(rule.window is WindowKind.MINUTE for rule in limits)

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
            [self._alerts.shown[key] for key in sorted(self._alerts.shown)],
            list(self._alerts.settled.values()),
            [(key, AnomalyState.ANOMALOUS) for key in unusual],
            self.has_news,
            dict(self._devices),
            self._ahead.to_state(),
            False,
            self._ripe_s if self._ripe_s < math.inf else None,
            int(self._stale),
            self._before,
            self._project,
            self._is_revised,
        )

    @classmethod
    def from_state(
        cls,
        state: DetectionState,
        config: DetectionConfig,
        cohort: Cohort,
        projects: Projects = NO_PROJECTS,
    ) -> Self:
        """Detection as it was.

        Raises
        ------
        ValueError
            When the state is of a version that is not known.
        """
        detection = cls(config, cohort, projects, state.project)
        detection._models = SubjectModels.from_state(state.models, detection._config, cohort)
        detection._state = PolicyState.from_state(state.policy)
        staff = Staff.of(state.contexts, state.actions)
        detection._alerts = Alerts.of(staff, state.sequence, state.shown, state.settled)
        detection._relearned = set(state.relearned)
        detection._devices = dict(state.devices)
        detection._unusual = {key for key, own in state.states if own is AnomalyState.ANOMALOUS}
        detection.has_news = state.has_news
        if state.ahead is not None:
            detection._ahead = PolicyState.from_state(state.ahead)
        detection._stale = Reach.ALL if state.is_stale else Reach(state.stale)
        detection._before, detection._is_revised = state.before, state.is_revised
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
        own = row.project_id if row.project_id in self._projects else None
        if own != self._project:
            self._judge_by(own)
            self._models = SubjectModels.from_state(
                self._models.to_state(), self._config, self._cohort
            )
            self._stale = Reach.ALL
        self._relearn(row, due)
        if is_of_new(self._devices, row):
            self._relearned.add(_DEVICE)
            self._stale = Reach.ALL
            self._models.relearn(WEARABLE_CHANNELS, [row.window])
        anomalies = self._models.score(row, self._state.offset)
        alerts = self._policy.step(self._state, row, anomalies, self._context(row, due, clock))
        if alerts:
            self._ahead.take_told_of(self._state)
        self._models.learn(row, anomalies)
        outputs += anomalies
        if self._unusual:
            self._unusual.difference_update(map(anomaly_key, anomalies))
        # Where a settled row tells otherwise than it did before, what follows it may do so too.
        if not (was_said and self._alerts.are_as_shown(row, alerts)):
            self._stale |= Reach.DATES if row.window in DATED_WINDOWS else Reach.HOURS
            self._is_revised |= not was_said
        outputs += map(self._alerts.settle, alerts)
        return outputs

    def look(self, said: Said, clock: float, unsettled: UnsettledOf) -> list[Output]:
        """Look at rows just said, and at as much beside them as may read otherwise now."""
        reach = said.reach | self.reach(said.rows, clock)
        if said.retakes and (self._before is None or not self._are_apart):
            reach |= Reach.DATES
        if reach and not self._are_apart:
            reach = Reach.ALL
        outputs: list[Output] = []
        is_revised = said.is_revised
        if reach:
            rows = unsettled(KINDS_OF[reach])
            outputs += self.view(rows, clock, is_revised=is_revised, reach=reach)
        hours = [one for one in said.rows if not one.is_dated]
        if hours and not reach & Reach.HOURS:
            outputs += self.follow(hours, clock)
        dates = [one for one in said.rows if one.is_dated]
        if dates and not reach & Reach.DATES:
            standing = unsettled(DATED_WINDOWS)
            outputs += self.follow(dates, clock, standing, retakes=said.retakes)
        return outputs

    def reach(self, rows: Iterable[UnsettledRow], clock: float) -> Reach:
        """What has to be looked at beside ``rows`` that follow all others of their kind.

        All of it when staff spoke or a row is of another device; hours, or nights and days, when
        what settled of them was said otherwise before; these too when a WATCH that was held back is
        ripe.
        """
        if self.has_news or any(is_other(self._devices, one.row) for one in rows):
            return Reach.ALL
        return self._stale | (Reach.DATES if clock >= self._ripe_s else Reach.NEWS)

    @property
    def _are_apart(self) -> bool:
        """Whether hours and dates tell nothing of each other: both judge silence, if there is any.

        How long it may last is told by days.
        """
        ahead, settled = self._ahead, self._state
        is_silent = STOPPED_KEY in ahead.episodes
        return not is_silent and ahead.sync_gap_usual_h == settled.sync_gap_usual_h

    def follow(
        self,
        rows: Sequence[UnsettledRow],
        clock: float,
        standing: Iterable[UnsettledRow] = (),
        *,
        retakes: bool = False,
    ) -> list[Output]:
        """Look at hours, or at dates, that follow all others, which stand as they were said.

        ``standing``: of dates, all unsettled ones in their order. ``retakes``: the first of
        ``rows`` was said before, as the last one, and told of nothing.
        """
        outputs: list[Output] = []
        self.changes += 1
        if retakes and self._before is not None:
            self._ahead.take_dates_of(_decode(self._before), self._policy.dated_keys)
            self._ahead.take_told_of(self._state)
        models = self._models.ahead() if rows[0].is_dated else self._models
        for before in standing:
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

    def view(
        self,
        rows: Iterable[UnsettledRow],
        clock: float,
        *,
        is_revised: bool,
        reach: Reach = Reach.ALL,
    ) -> list[Output]:
        """Look at all unsettled rows in their order; say what is new, changed or withdrawn.

        ``reach``: all that ``rows`` are of; what others tell stands.
        """
        outputs: list[Output] = []
        self.changes += 1
        usual_h = self._ahead.sync_gap_usual_h
        seen = self._alerts.shown_of(KINDS_OF[Reach.ALL ^ reach])
        self._take_back(reach)
        models, devices = self._models.ahead(), dict(self._devices)
        is_relearned, is_new, is_paused = bool(self._relearned), False, False
        for unsettled in rows:
            is_paused = unsettled.row.status is SubjectStatus.PAUSED
            if is_of_new(devices, unsettled.row):
                is_relearned = is_new = True
                # What is usual is shared with the settled models: these need their own.
                models = SubjectModels.from_state(models.to_state(), self._config, self._cohort)
                models.relearn(WEARABLE_CHANNELS, [unsettled.row.window])
            anomalies, alerts = self._look(unsettled, models, clock, is_relearned=is_relearned)
            models.observe(unsettled.row, anomalies)
            outputs += self._scored(anomalies, is_news=unsettled.is_news)
            seen.update((alert.alert_id, alert) for alert in alerts)
        if is_new:
            self._stale = Reach.ALL
        elif reach is Reach.DATES and self._ahead.sync_gap_usual_h != usual_h:
            self._stale |= Reach.HOURS
        causes = Causes(is_revised or self._is_revised, self.has_news, is_paused)
        outputs += self._alerts.show_only(seen, clock, causes)
        self.has_news = self._is_revised = False
        return outputs

    def _take_back(self, reach: Reach) -> None:
        """Have the policy ahead know what the settled one knows."""
        keys = self._policy.dated_keys
        if reach is Reach.DATES:
            self._ahead.take_dates_of(self._state, keys)
        else:
            before, self._ahead = self._ahead, self._state.copy()
            if reach is Reach.HOURS:
                self._ahead.take_dates_of(before, keys)
        self._stale &= ~reach
        if reach & Reach.DATES:
            self._ripe_s, self._before = math.inf, None

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
        before = self._ahead.of_dates(self._policy.dated_keys) if unsettled.is_dated else None
        alerts = self._policy.step(self._ahead, row, anomalies, context)
        if unsettled.is_dated:
            self._before = None if alerts else _encode(before)
        return anomalies, alerts

    def _scored(self, anomalies: Scores, *, is_news: bool) -> Iterable[Anomaly]:
        """What is to be said of scores: all of a row just said, else where usual and not change."""
        for anomaly in anomalies:
            key = anomaly_key(anomaly)
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
                self._stale = Reach.ALL
                self._models.relearn()
