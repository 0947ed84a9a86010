"""The whole system over one person's rows: when it opens alerts, with and without changes."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from bench.evidence.changes import SLACK_DAYS, Change, planted
from detectors.base import State
from detectors.cohort import Cohort
from detectors.config import DetectionConfig
from detectors.models import SubjectModels
from detectors.policy import Policy, PolicyState, RowContext
from streams.events import AlertKind, FeatureRow


class Course(Struct):
    """What a person's rows came to: dates of opened alerts, and dates that were watched."""

    opened: list[dt.date]
    watched: set[dt.date]


class System:
    """Models and policy of one person, with the settings and the cohort of a project."""

    def __init__(self, config: DetectionConfig, cohort: Cohort) -> None:
        self._config = config
        self._cohort = cohort
        self._policy = Policy(config, cohort)
        self._models = SubjectModels(config, cohort)
        self._state = PolicyState()

    def run(
        self, rows: Sequence[FeatureRow], starts: Iterable[dt.date] = ()
    ) -> tuple[Course, Mapping[dt.date, tuple[State, State]]]:
        """Live through rows; the states before the dates ``starts`` are kept."""
        course = Course([], set())
        states: dict[dt.date, tuple[State, State]] = {}
        waiting = sorted(starts)
        for row in rows:
            while waiting and row.local_date >= waiting[0]:
                states[waiting.pop(0)] = self._models.to_state(), self._state.to_state()
            self._live(row, course)
        return course, states

    def finds(
        self, rows: Sequence[FeatureRow], change: Change, first: dt.date, state: tuple[State, State]
    ) -> bool:
        """Whether an alert opens when a change is planted, from a kept state on."""
        self._models = SubjectModels.from_state(state[0], self._config, self._cohort)
        self._state = PolicyState.from_state(state[1])
        last = first + dt.timedelta(days=change.days - 1 + SLACK_DAYS)
        course = Course([], set())
        for row in rows:
            if first <= row.local_date <= last:
                self._live(planted(row, change, first), course)
        return bool(course.opened)

    def _live(self, row: FeatureRow, course: Course) -> None:
        scores = self._models.score(row, self._state.offset)
        if scores.shift is not None:
            course.watched.add(row.local_date)
        context = RowContext(detected_at=row.end)
        known = {episode.alert_id for episode in self._state.episodes.values()}
        for alert in self._policy.step(self._state, row, scores, context):
            if alert.kind is AlertKind.CLINICAL and alert.alert_id not in known:
                course.opened.append(row.local_date)
        self._models.learn(row, scores)
