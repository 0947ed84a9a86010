"""Sleep of a night: the main sleep's duration, times, efficiency and awakenings.

Sources: Ancoli-Israel et al. 2015 (terms); RAPIDS (RESTLESS counts as awake); `sleep_summary`
stands in where a vendor sends no times.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from msgspec import Struct

from streams.events import SleepEpisode, SleepLevel, SleepStage, SleepSummary, WindowKind
from streams.evidence import interval_end_s
from streams.features.base import Bools, Figure, Values, Window, feature, once_per_window

STAGE_GAP_S = 3_600.0
"""Stages further apart than this (s) belong to different sleeps."""

STAGE_COVERAGE_MIN = 0.8
"""Share of an episode that stages must cover to be used instead of its totals."""

_ASLEEP = frozenset({SleepLevel.DEEP, SleepLevel.LIGHT, SleepLevel.REM, SleepLevel.ASLEEP})
_AWAKE = frozenset({SleepLevel.AWAKE, SleepLevel.RESTLESS})


class Sleep(Struct, frozen=True):
    """One sleep: in bed from ``start_s`` to ``end_s``, asleep from onset to offset (s UTC)."""

    start_s: float
    end_s: float
    onset_s: float
    offset_s: float
    asleep_s: float
    awakening_count: float | None
    is_main: bool | None
    stages: tuple[SleepStage, ...]


@once_per_window
def sleeps(window: Window) -> list[Sleep]:
    """The sleeps that end in the window, of the source that goes first among those with any.

    An episode belongs whole to the window that holds its end. Episodes go before stages; stages
    alone make sleeps of what lies at most an hour apart.
    """
    stages = _by_source(window, "sleep_stage/1")
    episodes = _by_source(window, "sleep_episode/1")
    for source in sorted({*stages, *episodes}):
        own = [s for s in stages.get(source, []) if isinstance(s, SleepStage)]
        found = [
            _from_episode(episode, own)
            for episode in episodes.get(source, [])
            if isinstance(episode, SleepEpisode) and _ends_within(window, interval_end_s(episode))
        ]
        if not found:
            found = _staged_sleeps(window, own, episodes.get(source, []))
        if found:
            return found
    return []


def main_sleep(window: Window) -> Sleep | None:
    """The main sleep: the vendor's flag, else the longest; None when there is no sleep."""
    found = sleeps(window)
    if not found:
        return None
    flagged = [sleep for sleep in found if sleep.is_main]
    return max(flagged or found, key=lambda sleep: (sleep.end_s - sleep.start_s, sleep.start_s))


@once_per_window
def asleep_minutes(window: Window) -> Bools:
    """Minutes of the window in which the subject is known to have slept, as far as told by then.

    Stages tell where they cover a sleep; an episode without stages counts whole.
    """
    mask = np.zeros(window.length, dtype=bool)
    for records in (_by_source(window, "sleep_episode/1"), _by_source(window, "sleep_stage/1")):
        for source in sorted(records):
            for record in records[source]:
                span = window.mask_between(record.time, min(interval_end_s(record), window.stop_s))
                if isinstance(record, SleepStage) and record.level not in _ASLEEP:
                    mask &= ~span
                else:
                    mask |= span
            if records[source]:
                break
    return mask


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="sleep_duration_min",
            meaning="Time asleep in the main sleep, else the vendor's daily figure.",
            minimum="a sleep that ends in the night, or the vendor's summary",
            source="Ancoli-Israel 2015; RAPIDS: sumdurationasleepmain",
        ),
        Figure(
            name="sleep_onset_min",
            meaning="Local clock of falling asleep; without stages, of the sleep's beginning.",
            minimum="a sleep that ends in the night",
            source="RAPIDS: firstbedtimemain",
        ),
        Figure(
            name="sleep_offset_min",
            meaning="Local clock of waking last; without stages, of the sleep's end.",
            minimum="a sleep that ends in the night",
            source="RAPIDS: lastwaketimemain",
        ),
        Figure(
            name="sleep_midpoint_min",
            meaning="(onset + offset) / 2.",
            minimum="a sleep that ends in the night",
            source="Roenneberg 2003",
        ),
        Figure(
            name="sleep_efficiency_percent",
            meaning="100 times the time asleep over the time in bed.",
            minimum="a sleep that ends in the night, or the vendor's summary",
            source="Ancoli-Israel 2015; RAPIDS: avgefficiencymain",
        ),
        Figure(
            name="awakening_count",
            meaning="Stretches awake between falling asleep first and waking last.",
            minimum="stages, or the vendor's count",
            source="Ancoli-Israel 2015",
        ),
    ),
)
def sleep_features(window: Window) -> Values:
    """Duration, times, efficiency and awakenings of the main sleep of a night.

    ``sleep_duration_min`` (time asleep), ``sleep_onset_min``, ``sleep_offset_min`` and
    ``sleep_midpoint_min`` (local clock in minutes from the midnight that begins the morning's
    date), ``sleep_efficiency_percent`` (time asleep over time in bed), ``awakening_count``.
    Absent without a sleep that ends in the night; with a vendor's daily summary alone, only
    duration and efficiency.
    """
    sleep = main_sleep(window)
    if sleep is None:
        return _from_summary(window)
    onset = window.local_minutes(sleep.onset_s)
    offset = window.local_minutes(sleep.offset_s)
    values = {
        "sleep_duration_min": sleep.asleep_s / 60.0,
        "sleep_onset_min": onset,
        "sleep_offset_min": offset,
        "sleep_midpoint_min": (onset + offset) / 2.0,
    }
    if sleep.end_s > sleep.start_s:
        in_bed_s = sleep.end_s - sleep.start_s
        values["sleep_efficiency_percent"] = min(100.0 * sleep.asleep_s / in_bed_s, 100.0)
    if sleep.awakening_count is not None:
        values["awakening_count"] = sleep.awakening_count
    return values


def _from_summary(window: Window) -> Values:
    summary = window.dated("sleep_summary/1")
    if not isinstance(summary, SleepSummary) or not summary.asleep_duration:
        return {}
    values = {"sleep_duration_min": summary.asleep_duration / 60.0}
    in_bed = summary.in_bed_duration
    if in_bed is None and summary.awake_duration is not None:
        in_bed = summary.asleep_duration + summary.awake_duration
    if in_bed:
        values["sleep_efficiency_percent"] = min(100.0 * summary.asleep_duration / in_bed, 100.0)
    return values


def _by_source(
    window: Window, schema: str
) -> dict[tuple[int, str], list[SleepEpisode | SleepStage]]:
    found: dict[tuple[int, str], list[SleepEpisode | SleepStage]] = {}
    for source, record in window.records(schema):
        if isinstance(record, SleepEpisode | SleepStage) and record.time < window.stop_s:
            found.setdefault(source, []).append(record)
    return found


def _ends_within(window: Window, end_s: float) -> bool:
    return window.start_s < end_s <= window.stop_s


def _staged_sleeps(
    window: Window, stages: Sequence[SleepStage], episodes: Sequence[SleepEpisode | SleepStage]
) -> list[Sleep]:
    """Sleeps made of stages alone: ended before the window does, and told by no episode."""
    found = [_from_stages(session) for session in _sessions(stages)]
    return [
        sleep
        for sleep in found
        if window.start_s < sleep.end_s < window.stop_s
        and not any(e.time < sleep.end_s and interval_end_s(e) > sleep.start_s for e in episodes)
    ]


def _sessions(stages: Sequence[SleepStage]) -> list[list[SleepStage]]:
    sessions: list[list[SleepStage]] = []
    end_s = 0.0
    for stage in stages:
        if not sessions or stage.time - end_s > STAGE_GAP_S:
            sessions.append([])
            end_s = stage.time
        sessions[-1].append(stage)
        end_s = max(end_s, interval_end_s(stage))
    return sessions


def _from_stages(stages: Sequence[SleepStage]) -> Sleep:
    start_s = stages[0].time
    end_s = max(interval_end_s(stage) for stage in stages)
    asleep = [stage for stage in stages if stage.level in _ASLEEP]
    return Sleep(
        start_s,
        end_s,
        onset_s=asleep[0].time if asleep else start_s,
        offset_s=max(map(interval_end_s, asleep)) if asleep else end_s,
        asleep_s=sum(stage.duration for stage in asleep),
        awakening_count=_awakenings(stages),
        is_main=None,
        stages=tuple(stages),
    )


def _from_episode(episode: SleepEpisode, stages: Sequence[SleepStage]) -> Sleep:
    end_s = interval_end_s(episode)
    inside = [s for s in stages if s.time >= episode.time and interval_end_s(s) <= end_s]
    known_s = sum(stage.duration for stage in inside if stage.level is not SleepLevel.UNKNOWN)
    staged = None
    if inside and known_s >= STAGE_COVERAGE_MIN * episode.duration:
        staged = _from_stages(inside)
    asleep_s = episode.duration
    if staged is not None:
        asleep_s = staged.asleep_s
    elif episode.asleep_duration is not None:
        asleep_s = episode.asleep_duration
    elif episode.awake_duration is not None:
        asleep_s = max(episode.duration - episode.awake_duration, 0.0)
    awakenings = float(episode.awakenings) if episode.awakenings is not None else None
    if awakenings is None and staged is not None:
        awakenings = staged.awakening_count
    return Sleep(
        episode.time,
        end_s,
        onset_s=staged.onset_s if staged is not None else episode.time,
        offset_s=staged.offset_s if staged is not None else end_s,
        asleep_s=asleep_s,
        awakening_count=awakenings,
        is_main=episode.is_main_sleep,
        stages=tuple(inside),
    )


def _awakenings(stages: Sequence[SleepStage]) -> float:
    """Stretches awake between falling asleep first and waking last."""
    asleep = [index for index, stage in enumerate(stages) if stage.level in _ASLEEP]
    if not asleep:
        return 0.0
    between = stages[asleep[0] : asleep[-1] + 1]
    runs = groupby(between, key=lambda stage: stage.level in _AWAKE)
    return float(sum(1 for is_awake, _ in runs if is_awake))
