"""Feature rows of one made-up subject, for tests of models, rules and policy."""

import datetime as dt
import random
from collections.abc import Iterable, Mapping

from detectors.config import DetectionConfig
from detectors.models import SubjectModels
from detectors.policy import Policy, PolicyState, RowContext
from streams.events import Alert, FeatureRow, SubjectStatus, WindowKind

FIRST = dt.date(2026, 1, 1)
HOUR_S = 3_600.0
DAY_S = 86_400.0


def row(
    window: WindowKind,
    index: int,
    values: Mapping[str, float] | None = None,
    *,
    coverage: Mapping[str, float] | None = None,
    status: SubjectStatus = SubjectStatus.ENROLLED,
) -> FeatureRow:
    """The settled row of the ``index``-th window of its kind since the first local date."""
    length = {WindowKind.MINUTE: 60.0, WindowKind.HOUR: HOUR_S}.get(window, DAY_S)
    midnight = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()
    start = midnight + index * length - (DAY_S / 2 if window is WindowKind.NIGHT else 0.0)
    return FeatureRow(
        user_id="subject-1",
        project_id="project",
        care_team="team",
        status=status,
        window=window,
        start=start,
        end=start + length,
        local_date=FIRST + dt.timedelta(days=int(index * length // DAY_S)),
        values=dict(values or {}),
        coverage=dict(coverage or {}),
        settled=True,
    )


def night(index: int, **values: float) -> FeatureRow:
    """A night with these values."""
    return row(WindowKind.NIGHT, index, values)


def ordinary_nights(count: int, *, first: int = 0) -> list[FeatureRow]:
    """Nights of about seven and a half hours' sleep from half past eleven, a calm heart."""
    draw = random.Random(first)
    return [
        night(
            first + i,
            sleep_duration_min=draw.gauss(440.0, 25.0),
            sleep_onset_min=draw.gauss(-30.0, 20.0),
            heart_rate_sleeping_bpm=draw.gauss(60.0, 1.5),
        )
        for i in range(count)
    ]


def run(
    rows: Iterable[FeatureRow],
    models: SubjectModels,
    policy: Policy,
    *,
    state: PolicyState,
    context: RowContext | None = None,
) -> list[Alert]:
    """Score, judge and learn rows one after the other, as settled rows are."""
    alerts = []
    for one in rows:
        scores = models.score(one, state.offset)
        about = context or RowContext(detected_at=one.end + 3 * DAY_S)
        alerts += policy.step(state, one, scores, about)
        models.learn(one)
    return alerts


CONFIG = DetectionConfig()
