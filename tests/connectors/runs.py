"""Small deterministic runs for tests of what stores, exports, compares and shows results."""

import asyncio
import datetime as dt
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from connectors.sqlite import SqliteResults
from streams.events import (
    Alert,
    AlertKind,
    Anomaly,
    AnomalyState,
    Direction,
    FeatureRow,
    MinuteRows,
    MinuteValues,
    Operation,
    Output,
    Reason,
    Severity,
    SubjectStatus,
    WindowKind,
)

DAY_S = 86_400.0
FIRST_DATE = dt.date(2024, 1, 1)


def midnight_s(date: dt.date) -> float:
    return dt.datetime.combine(date, dt.time(), tzinfo=dt.UTC).timestamp()


def feature_row(  # every part of the key
    user_id: str = "alder",
    *,
    window: WindowKind = WindowKind.DAY,
    date: dt.date = FIRST_DATE,
    hour: int = 0,
    values: dict[str, float] | None = None,
    coverage: dict[str, float] | None = None,
    settled: bool = True,
    revision: int = 0,
    epoch: int = 0,
) -> FeatureRow:
    start = midnight_s(date) + hour * 3_600.0
    length_s = 3_600.0 if window is WindowKind.HOUR else DAY_S
    return FeatureRow(
        user_id=user_id,
        project_id="study",
        care_team="north",
        status=SubjectStatus.ENROLLED,
        window=window,
        start=start - 12 * 3_600.0 if window is WindowKind.NIGHT else start,
        end=start + length_s,
        local_date=date,
        values={"step_count": 4_000.0} if values is None else values,
        coverage={"steps": 1.0} if coverage is None else coverage,
        revision=revision,
        settled=settled,
        epoch=epoch,
    )


def minute_rows(
    minutes: dict[int, float],
    *,
    user_id: str = "alder",
    hour: int = 0,
    date: dt.date = FIRST_DATE,
    settled: bool = True,
    revision: int = 0,
    epoch: int = 0,
) -> MinuteRows:
    start = midnight_s(date) + hour * 3_600.0
    return MinuteRows(
        user_id=user_id,
        project_id="study",
        care_team="north",
        status=SubjectStatus.ENROLLED,
        start=start,
        end=start + 3_600.0,
        local_date=date,
        minutes=[
            MinuteValues(
                start=start + 60.0 * minute,
                values={
                    "heart_rate_mean_bpm": bpm,
                    "heart_rate_min_bpm": bpm - 4.0,
                    "heart_rate_max_bpm": bpm + 5.0,
                },
            )
            for minute, bpm in minutes.items()
        ],
        revision=revision,
        epoch=epoch,
        settled=settled,
    )


def anomaly(
    row: FeatureRow, feature: str, *, state: AnomalyState = AnomalyState.NORMAL, score: float = 0.2
) -> Anomaly:
    return Anomaly(
        user_id=row.user_id,
        project_id=row.project_id,
        care_team=row.care_team,
        window=row.window,
        start=row.start,
        end=row.end,
        local_date=row.local_date,
        detector="baseline",
        feature=feature,
        score=score,
        threshold=0.9,
        state=state,
        settled=row.settled,
        revision=row.revision,
        epoch=row.epoch,
        version="1",
    )


def judged(
    row: FeatureRow,
    detector: str,
    *,
    state: AnomalyState = AnomalyState.NORMAL,
    score: float = 0.2,
) -> Anomaly:
    """What a detector says of a row as a whole."""
    found = anomaly(row, "step_count", state=state, score=score)
    return msgspec.structs.replace(found, detector=detector, feature=None)


def alert(  # every part of an alert that a test turns on
    row: FeatureRow,
    *,
    alert_id: str = "alert-1",
    kind: AlertKind = AlertKind.CLINICAL,
    severity: Severity = Severity.WATCH,
    reasons: Sequence[Reason] = (),
    summary: str = "Slept less than usual on two of three nights.",
    settled: bool | None = None,
    revision: int = 0,
) -> Alert:
    return Alert(
        alert_id=alert_id,
        user_id=row.user_id,
        project_id=row.project_id,
        care_team=row.care_team,
        kind=kind,
        rule=f"{kind.value.lower()}_rule",
        severity=severity,
        opened_at=row.end,
        detected_at=row.end + 300.0,
        settled=row.settled if settled is None else settled,
        window=row.window,
        start=row.start,
        end=row.end,
        local_date=row.local_date,
        score=0.97,
        threshold=0.9,
        reasons=list(reasons),
        summary=summary,
        missing=["phone"],
        model_versions={"baseline": "1"},
        revision=revision,
        epoch=row.epoch,
    )


def clock(time: float, partition: int = 0) -> Operation:
    return Operation(name="clock", partition=partition, time=time, values={})


def sleep_reason(value: float = 212.0) -> Reason:
    return Reason(
        feature="sleep_duration_min",
        direction=Direction.DOWN,
        value=value,
        unit="min",
        usual_low=380.0,
        usual_median=425.0,
        usual_high=470.0,
        z=-4.1,
        days_of_baseline=31,
        coverage=0.94,
    )


def person(user_id: str, *, days: int = 60, seed: int = 0) -> list[Output]:
    """Give settled nights and days of one person, learning for 14 days, with a gap of five days."""
    outputs: list[Output] = []
    for day in range(days):
        date = FIRST_DATE + dt.timedelta(days=day)
        worn = 0.0 if 30 <= day < 35 else 0.94
        wave = math.sin(day * 1.7 + seed) + 0.5 * math.sin(day * 0.61 + 2 * seed)
        short = 190.0 if day >= days - 3 else 0.0
        night_values = {
            "sleep_duration_min": 430.0 + 18 * wave - short,
            "sleep_onset_min": -50.0 + 20 * wave + short * 0.8,
            "sleep_offset_min": 410.0 + 14 * wave - short * 0.2,
            "heart_rate_resting_bpm": 57.0 + 1.6 * wave + short / 25,
        }
        day_values = {
            "step_count": 7_200.0 + 1_500 * wave,
            "screen_min": 160.0 + 30 * wave + short / 2,
            "unlock_count": 62.0 + 9 * wave,
        }
        state = AnomalyState.LEARNING if day < 14 else AnomalyState.NORMAL
        for window, values in ((WindowKind.NIGHT, night_values), (WindowKind.DAY, day_values)):
            row = feature_row(
                user_id,
                window=window,
                date=date,
                values=values if worn else {},
                coverage=dict.fromkeys(("heart_rate", "sleep", "phone", "steps"), worn),
            )
            outputs += [row, *(anomaly(row, name, state=state) for name in row.values)]
    return outputs


def write_run(path: Path, *batches: Iterable[Output], facts: dict[str, str] | None = None) -> Path:
    """Write a fresh run, one transaction per batch."""

    async def write() -> None:
        sink = SqliteResults(path, run=facts or {"wakeline": "0.1.0"})
        try:
            for batch in batches:
                await sink.write(list(batch))
        finally:
            await sink.close()

    asyncio.run(write())
    return path
