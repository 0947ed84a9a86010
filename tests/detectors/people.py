"""One made-up person, day by day, through models and policy as settled rows are."""

import math
import random
from collections.abc import Iterator, Mapping

from msgspec import Struct

from detectors.cohort import load_cohort
from detectors.config import DetectionConfig
from detectors.models import SubjectModels
from detectors.policy import Policy, PolicyState, RowContext
from streams.events import Alert, AlertKind, FeatureRow, WindowKind
from tests.detectors.rows import CONFIG, row, run

COHORT = load_cohort()


class Habit(Struct, frozen=True):
    """Where a figure usually lies, how it varies, and how much of that the next day keeps."""

    window: WindowKind
    usual: float
    sd: float
    persistence: float = 0.0


HABITS: Mapping[str, Habit] = {
    "sleep_duration_min": Habit(WindowKind.NIGHT, 440.0, 25.0),
    "sleep_onset_min": Habit(WindowKind.NIGHT, -30.0, 20.0),
    "sleep_offset_min": Habit(WindowKind.NIGHT, 430.0, 25.0),
    "sleep_efficiency_percent": Habit(WindowKind.NIGHT, 91.0, 1.5),
    "heart_rate_sleeping_bpm": Habit(WindowKind.NIGHT, 57.0, 1.5, 0.6),
    "heart_rate_resting_bpm": Habit(WindowKind.DAY, 62.0, 1.5, 0.8),
    "step_count": Habit(WindowKind.DAY, 8_000.0, 1_500.0),
    "screen_min": Habit(WindowKind.DAY, 180.0, 35.0),
}
WINDOWS = (WindowKind.NIGHT, WindowKind.DAY)


class Person:
    """Somebody with habits, and all that was told of them so far.

    ``alerts`` are the clinical ones.
    """

    def __init__(self, seed: int = 1, *, config: DetectionConfig = CONFIG, **usual: float) -> None:
        self.models = SubjectModels(config, COHORT)
        self.policy = Policy(config, COHORT)
        self.state = PolicyState()
        self.index = 0
        self.alerts: list[Alert] = []
        self._draw = random.Random(seed)
        self._usual = {name: usual.get(name, habit.usual) for name, habit in HABITS.items()}
        self._off = dict.fromkeys(HABITS, 0.0)

    def rows(self, **changes: float) -> list[FeatureRow]:
        """The next night and day; ``changes`` are added to what this person would have shown."""
        values = {name: self._value(name) + changes.get(name, 0.0) for name in HABITS}
        self.index += 1
        return list(rows_of(self.index - 1, values))

    def live(self, days: int, context: RowContext | None = None, **changes: float) -> list[Alert]:
        """Live so many days, and hear what is told of them: clinical alerts."""
        told = []
        for _ in range(days):
            told += self.hear(self.rows(**changes), context)
        return told

    def hear(self, rows: list[FeatureRow], context: RowContext | None = None) -> list[Alert]:
        """What is told of these rows: clinical alerts."""
        alerts = run(rows, self.models, self.policy, state=self.state, context=context)
        told = [alert for alert in alerts if alert.kind is AlertKind.CLINICAL]
        self.alerts += told
        return told

    def _value(self, name: str) -> float:
        habit = HABITS[name]
        new = self._draw.gauss(0.0, habit.sd * math.sqrt(1.0 - habit.persistence**2))
        self._off[name] = habit.persistence * self._off[name] + new
        return self._usual[name] + self._off[name]


def rows_of(index: int, values: Mapping[str, float]) -> Iterator[FeatureRow]:
    """The night and the day of a date with these values."""
    for window in WINDOWS:
        own = {name: value for name, value in values.items() if HABITS[name].window is window}
        yield row(window, index, own)


def features_of(alerts: list[Alert]) -> set[str]:
    """Everything that these alerts give as a reason."""
    return {reason.feature for alert in alerts for reason in alert.reasons}
