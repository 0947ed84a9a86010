"""DATA alerts: data stopped, or the wearable is not worn. Neither says anything of the person.

Not worn is not calm, and no data is not zero: both are told apart from clinical changes, and a
paused subject is left in peace.
"""

from collections.abc import Callable

from detectors import wording
from detectors.config import DetectionConfig
from detectors.episodes import Finding, PolicyState, RowContext, alert_of, episode_of
from streams.events import (
    Alert,
    AlertKind,
    Direction,
    FeatureRow,
    Reason,
    Severity,
    SubjectStatus,
    WindowKind,
)

DATA_STOPPED = "data_stopped"
NOT_WORN = "not_worn"

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


def judge_silence(
    config: DetectionConfig, state: PolicyState, row: FeatureRow, context: RowContext
) -> list[Alert]:
    """DATA alerts that a row opens; an episode lasts until data flow, or it is worn, again."""
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
    state: PolicyState, row: FeatureRow, context: RowContext, find: Callable[[], Finding | str]
) -> list[Alert]:
    """Open, carry on or close the episode of a rule, which ``find`` names when it found nothing."""
    found = find()
    if isinstance(found, str):
        state.episodes.pop(f"data|{found}", None)
        return []
    if row.status is SubjectStatus.PAUSED or found.rule in context.snoozed_rules:
        return []
    key = f"data|{found.rule}"
    episode = state.episodes.get(key)
    if episode is not None:
        episode.last_end = row.end
        episode.rows += 1
        return []
    state.episodes[key] = episode = episode_of(row, found)
    return [alert_of(row, episode, found, context)]


def _stopped(config: DetectionConfig, state: PolicyState, row: FeatureRow) -> Finding | str:
    hours = row.values["silence_h"]
    usual_h = row.values.get("sync_gap_usual_h", state.sync_gap_usual_h)
    limit_h = max(config.silence_min_h, GAP_FACTOR * (usual_h or 0.0))
    if hours <= limit_h:
        return DATA_STOPPED
    reason = Reason(
        feature="silence_h",
        direction=Direction.UP,
        value=hours,
        unit="h",
        usual_high=usual_h,
    )
    return _finding(DATA_STOPPED, reason, limit_h, wording.silence(hours, usual_h))


def _unworn(config: DetectionConfig, state: PolicyState, row: FeatureRow) -> Finding | str:
    others = [
        channel for channel in ("phone", "steps") if row.coverage.get(channel, 0.0) >= OTHERS_MIN
    ]
    is_wearer = state.worn_days.bit_count() >= WEARER_DAYS
    is_long = state.unworn_h > 0.0 and state.unworn_h >= config.not_worn_min_h
    if not (is_wearer and is_long and others):
        return NOT_WORN
    reason = Reason(
        feature="worn",
        direction=Direction.DOWN,
        value=_worn(row),
        unit="share of the day",
        coverage=_worn(row),
    )
    summary = wording.not_worn(state.unworn_h, others)
    return _finding(NOT_WORN, reason, config.not_worn_min_h, summary)


def _finding(rule: str, reason: Reason, limit_h: float, summary: str) -> Finding:
    return Finding(
        kind=AlertKind.DATA,
        rule=rule,
        severity=Severity.WATCH,
        score=reason.value,
        threshold=limit_h,
        reasons=(reason,),
        summary=summary,
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
