"""DATA alerts: data stopped, or the wearable is not worn. Neither says anything of the person.

Not worn is not calm, and no data is not zero: both are told apart from clinical changes, and a
paused subject is left in peace. An alert is resolved when data come again, so that an open one
always means that they are missing now.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from detectors import wording
from detectors.config import DetectionConfig
from detectors.episodes import (
    OURSELVES,
    Episode,
    Finding,
    PolicyState,
    RowContext,
    Said,
    alert_of,
    episode_of,
)
from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    Direction,
    FeatureRow,
    Reason,
    Severity,
    SubjectStatus,
    WindowKind,
)

DATA_STOPPED = "data_stopped"
NOT_WORN = "not_worn"
STOPPED_KEY, NOT_WORN_KEY = f"data|{DATA_STOPPED}", f"data|{NOT_WORN}"
"""Keys of the episodes: days alone change whether a wearable is worn."""

GAP_FACTOR = 2.0
"""Silence counts beyond this many of the subject's usual sync gaps."""

WORN_MIN = 0.1
"""Share of a day from which a wearable counts as worn."""

UNWORN_MAX = 0.02
"""Share of a day up to which it counts as not worn."""

OTHERS_MIN = 0.1
"""Share of a day from which another channel shows that data still come."""

WEARER_DAYS = 3
"""Days worn within the last two weeks that make somebody a wearer at all."""

_TWO_WEEKS = (1 << 14) - 1


class _Look(Struct, frozen=True):
    """What a rule says of a row, and whether that is that data are missing."""

    finding: Finding
    is_missing: bool


def judge_silence(
    config: DetectionConfig, state: PolicyState, row: FeatureRow, context: RowContext
) -> list[Alert]:
    """DATA alerts that a row opens or, when data flow or the device is worn again, resolves."""
    alerts = []
    if "silence_h" in row.values and row.end > state.silence_until:
        state.silence_until = row.end
        alerts += _episode(state, row, context, lambda: _stopped(config, state, row))
    if row.window is WindowKind.DAY:
        state.sync_gap_usual_h = row.values.get("sync_gap_usual_h", state.sync_gap_usual_h)
        _count_wear(state, row)
        alerts += _episode(state, row, context, lambda: _unworn(config, state, row))
    return alerts


def _episode(
    state: PolicyState, row: FeatureRow, context: RowContext, find: Callable[[], _Look]
) -> list[Alert]:
    """Open, carry on or close the episode of a rule."""
    look = find()
    finding = look.finding
    key = f"data|{finding.rule}"
    episode = state.episodes.get(key)
    if not look.is_missing:
        if episode is None:
            return []
        del state.episodes[key]
        return [_resolved(row, episode, finding, context)]
    if row.status is SubjectStatus.PAUSED or finding.rule in context.snoozed_rules:
        return []
    if episode is not None:
        episode.last_end = row.end
        episode.rows += 1
        return []
    state.episodes[key] = episode = episode_of(row, finding)
    return [alert_of(row, episode, finding, context)]


def _resolved(row: FeatureRow, episode: Episode, finding: Finding, context: RowContext) -> Alert:
    return msgspec.structs.replace(
        alert_of(row, episode, finding, context),
        status=AlertStatus.RESOLVED,
        status_at=row.end,
        status_by=OURSELVES,
    )


def _stopped(config: DetectionConfig, state: PolicyState, row: FeatureRow) -> _Look:
    hours = row.values["silence_h"]
    usual_h = row.values.get("sync_gap_usual_h", state.sync_gap_usual_h)
    limit_h = max(config.silence_min_h, GAP_FACTOR * (usual_h or 0.0))
    is_missing = hours > limit_h
    reason = Reason(
        feature="silence_h",
        direction=Direction.UP if is_missing else Direction.DOWN,
        value=hours,
        unit="h",
        usual_high=usual_h,
    )
    summary = wording.silence(hours, usual_h) if is_missing else wording.DATA_AGAIN
    return _Look(_finding(DATA_STOPPED, reason, limit_h, summary), is_missing)


def _unworn(config: DetectionConfig, state: PolicyState, row: FeatureRow) -> _Look:
    others = [
        channel for channel in ("phone", "steps") if row.coverage.get(channel, 0.0) >= OTHERS_MIN
    ]
    is_wearer = state.worn_days.bit_count() >= WEARER_DAYS
    is_long = state.unworn_h > 0.0 and state.unworn_h >= config.not_worn_min_h
    is_missing = is_wearer and is_long and bool(others)
    reason = Reason(
        feature="worn",
        direction=Direction.DOWN if is_missing else Direction.UP,
        value=_worn(row),
        unit="share of the day",
        coverage=_worn(row),
    )
    if is_missing:
        summary = wording.not_worn(state.unworn_h, others)
    else:
        summary = wording.WORN_AGAIN if state.unworn_h == 0.0 else wording.NOT_WORN_UNKNOWN
    return _Look(_finding(NOT_WORN, reason, config.not_worn_min_h, summary), is_missing)


def _finding(rule: str, reason: Reason, limit_h: float, summary: str) -> Finding:
    return Finding(
        kind=AlertKind.DATA,
        rule=rule,
        severity=Severity.WATCH,
        score=reason.value,
        threshold=limit_h,
        features=(reason.feature,),
        say=lambda _: Said((reason,), summary),
    )


def _count_wear(state: PolicyState, row: FeatureRow) -> None:
    share = _worn(row)
    # A lost wearable must stay known as worn once, or its alert would close by forgetting.
    if share > UNWORN_MAX:
        state.unworn_h = 0.0
        state.worn_days = (state.worn_days << 1 | (share >= WORN_MIN)) & _TWO_WEEKS
    else:
        # Local days have 23 to 25 hours; each counts as one day.
        state.unworn_h += 24.0


def _worn(row: FeatureRow) -> float:
    """Share of the day worn: as the device tells it, else as heart rate shows it."""
    return row.coverage.get("worn", row.coverage.get("heart_rate", 0.0))
