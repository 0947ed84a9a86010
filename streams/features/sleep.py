"""Sleeps: what episodes and stages say of when a person slept, and which sleep is the main one.

Sources: Ancoli-Israel et al. 2015 (terms); RAPIDS (RESTLESS counts as awake).
"""

from collections.abc import Sequence
from itertools import groupby
from typing import cast

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from streams.events import Record, SleepEpisode, SleepLevel, SleepStage
from streams.evidence import interval_end_s
from streams.features.base import Bools, Window, once_per_window

STAGE_GAP_S = 3_600.0
"""Stages further apart than this (s) belong to different sleeps."""

STAGE_COVERAGE_MIN = 0.8
"""Share of an episode that stages must cover to be used instead of its totals."""

# Tuples, for what is looked for is often the same object, which no hash need be made for.
_ASLEEP = (SleepLevel.DEEP, SleepLevel.LIGHT, SleepLevel.REM, SleepLevel.ASLEEP)
_AWAKE = (SleepLevel.AWAKE, SleepLevel.RESTLESS)
_MORNING_MIN = 7 * 60


class Sleep(Struct, frozen=True):
    """One sleep: in bed from ``start_s`` to ``end_s``, asleep from onset to offset (s UTC).

    ``latency_s``: from going to bed to falling asleep; ``awake_s``: awake after that; both in
    seconds, as ``asleep_s`` is. What is None was not told. ``stages`` are those that tell of it;
    there are none where they cover too little of it.
    """

    start_s: float
    end_s: float
    onset_s: float
    offset_s: float
    asleep_s: float
    latency_s: float | None
    awake_s: float | None
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


@once_per_window
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
    for record in cast("list[SleepEpisode]", _of_first(window, "sleep_episode/1")):
        mask[window.span_between(record.time, record.time + record.duration)] = True
    for stage in cast("list[SleepStage]", _of_first(window, "sleep_stage/1")):
        end_s = stage.time + stage.duration
        if end_s > window.start_s:
            mask[window.span_between(stage.time, end_s)] = stage.level in _ASLEEP
    return mask


def _of_first(window: Window, schema: str) -> list[Record]:
    """Sleeps of the source that goes first: what ended before the window leaves nothing in it."""
    if window.listed.have_ended(schema, window.start_s):
        return []
    return window.listed.of_first(schema, window.first_listed_day, window.stop_s)


def small_hours(window: Window) -> Bools:
    """Minutes from 00:00 to 06:59 local time of the window's date (Alavi 2022)."""
    return (window.local_clock >= 0) & (window.local_clock < _MORNING_MIN)


def night_minutes(window: Window) -> Bools:
    """Minutes of the main sleep; where no sleep was told, those from 00:00 to 06:59 local time."""
    sleep = main_sleep(window)
    if sleep is None:
        return small_hours(window)
    return window.mask_between(sleep.start_s, sleep.end_s)


def _by_source(
    window: Window, schema: str
) -> dict[tuple[int, str], list[SleepEpisode | SleepStage]]:
    found: dict[tuple[int, str], list[SleepEpisode | SleepStage]] = {}
    last_day = window.stop // 1_440
    for source, record in window.listed.read(schema, window.first_listed_day, last_day):
        if isinstance(record, SleepEpisode | SleepStage) and record.time < window.stop_s:
            found.setdefault(source, []).append(record)
    return found


def _ends_within(window: Window, end_s: float) -> bool:
    return window.start_s < end_s <= window.stop_s


def _staged_sleeps(
    window: Window, stages: Sequence[SleepStage], episodes: Sequence[SleepEpisode | SleepStage]
) -> list[Sleep]:
    """Sleeps made of stages alone: ended before the window does, and told by no episode."""
    found = [
        _from_stages(session, session[0].time, max(map(interval_end_s, session)))
        for session in _sessions(stages)
    ]
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


def _from_stages(stages: Sequence[SleepStage], start_s: float, end_s: float) -> Sleep:
    """A sleep in bed between two instants (s UTC), of which stages tell."""
    asleep = [stage for stage in stages if stage.level in _ASLEEP]
    onset_s = asleep[0].time if asleep else start_s
    offset_s = max(map(interval_end_s, asleep)) if asleep else end_s
    # Many devices begin a sleep with falling asleep: only awake stages tell of a time before it.
    lay_awake = any(stage.level in _AWAKE and stage.time < onset_s for stage in stages)
    return Sleep(
        start_s,
        end_s,
        onset_s=onset_s,
        offset_s=offset_s,
        asleep_s=sum(stage.duration for stage in asleep),
        latency_s=onset_s - start_s if lay_awake and asleep else None,
        awake_s=_awake_between_s(stages, onset_s, offset_s) if asleep else None,
        awakening_count=_awakenings(stages),
        is_main=None,
        stages=tuple(stages),
    )


def _from_episode(episode: SleepEpisode, stages: Sequence[SleepStage]) -> Sleep:
    end_s = interval_end_s(episode)
    inside = [s for s in stages if s.time >= episode.time and interval_end_s(s) <= end_s]
    known_s = sum(stage.duration for stage in inside if stage.level is not SleepLevel.UNKNOWN)
    awakenings = float(episode.awakenings) if episode.awakenings is not None else None
    if inside and known_s >= STAGE_COVERAGE_MIN * episode.duration:
        staged = _from_stages(inside, episode.time, end_s)
        return replace(
            staged,
            awakening_count=staged.awakening_count if awakenings is None else awakenings,
            is_main=episode.is_main_sleep,
        )
    asleep_s, awake_s = _told_s(episode)
    return Sleep(
        episode.time,
        end_s,
        onset_s=episode.time,
        offset_s=end_s,
        asleep_s=asleep_s,
        latency_s=None,
        awake_s=awake_s,
        awakening_count=awakenings,
        is_main=episode.is_main_sleep,
        stages=(),
    )


def _told_s(episode: SleepEpisode) -> tuple[float, float | None]:
    """Time asleep, and awake where known, by an episode's own figures (s)."""
    asleep_s, awake_s = episode.asleep_duration, episode.awake_duration
    if asleep_s is None and awake_s is None:
        return episode.duration, None
    if asleep_s is None:
        asleep_s = max(episode.duration - (awake_s or 0.0), 0.0)
    if awake_s is None:
        awake_s = max(episode.duration - asleep_s, 0.0)
    return asleep_s, awake_s


def _awake_between_s(stages: Sequence[SleepStage], onset_s: float, offset_s: float) -> float:
    """Time awake between falling asleep first and waking last (s)."""
    spans = (
        min(interval_end_s(stage), offset_s) - max(stage.time, onset_s)
        for stage in stages
        if stage.level in _AWAKE
    )
    return sum(span for span in spans if span > 0.0)


def _awakenings(stages: Sequence[SleepStage]) -> float:
    """Stretches awake between falling asleep first and waking last."""
    asleep = [index for index, stage in enumerate(stages) if stage.level in _ASLEEP]
    if not asleep:
        return 0.0
    between = stages[asleep[0] : asleep[-1] + 1]
    runs = groupby(between, key=lambda stage: stage.level in _AWAKE)
    return float(sum(1 for is_awake, _ in runs if is_awake))
