"""Phone use: screen time, unlocks, first and last use.

A screen is on from SCREEN_ON (or UNLOCKED) until STANDBY, LOCKED or SHUTDOWN. An episode of more
than six hours is a lost event, not use, and is left out (RAPIDS' default).
"""

from bisect import bisect_left

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.events import InteractionState, PhoneUsageSummary, WindowKind
from streams.evidence import STATES, PhoneLog
from streams.features.base import Figure, Floats, Values, Window, feature, once_per_window
from streams.features.coverage import phone_alive_bits, phone_sources
from streams.features.sleep import main_sleep

EPISODE_MAX_S = 6 * 3_600.0
"""Longest screen episode that counts as use (s)."""

COVERAGE_MIN = 0.6
"""Share of the window in which the phone must have lived for its silence to mean anything."""

_LIVED = "signs of life for 60 % of the window, or one use where no phone sends any"

# States by their code in a phone's log.
_UNLOCKED = STATES.index(InteractionState.UNLOCKED)
_ON = frozenset({STATES.index(InteractionState.SCREEN_ON), _UNLOCKED})
_OFF = frozenset(
    STATES.index(state)
    for state in (
        InteractionState.STANDBY,
        InteractionState.LOCKED,
        InteractionState.SHUTDOWN,
        InteractionState.BOOTED,
    )
)


class PhoneUse(Struct, frozen=True):
    """Use per minute of the window, arrays of its length, and when it was used (s UTC).

    ``episodes_s``: when the screen went on and off, as far as it lies in the window.
    """

    screen_s: Floats
    unlocks: NDArray[np.int64]
    uses_s: tuple[float, ...]
    episodes_s: tuple[tuple[float, float], ...]


@once_per_window
def phone_use(window: Window) -> PhoneUse | None:
    """Use of the phone; None when nothing can be told.

    Of several phones one wins per minute: the first in order that lived or was used in it.
    """
    sources = phone_sources(window)
    uses = [_use_of(window, window.evidence.phones[source]) for source in sources]
    # What is used is used while it lives, so that nothing is taken from one that is alone.
    use = uses[0] if len(uses) == 1 else _merged(window, sources, uses)
    alive = phone_alive_bits(window)
    if alive is None:
        is_told = bool(use.uses_s) or bool(use.screen_s.any())
    else:
        is_told = float(alive.bit_count()) >= COVERAGE_MIN * window.length
    return use if is_told else None


def _merged(window: Window, sources: list[tuple[int, str]], phones: list[PhoneUse]) -> PhoneUse:
    """The use of several phones: of each minute that of the first that lived or was used in it."""
    screen = np.zeros(window.length)
    unlocks = np.zeros(window.length, dtype=np.int64)
    taken = np.zeros(window.length, dtype=bool)
    uses: list[float] = []
    episodes: list[tuple[float, float]] = []
    for source, own in zip(sources, phones, strict=True):
        has = window.alive(source) | (own.screen_s > 0.0)
        has[[int(use // 60) - window.start for use in own.uses_s]] = True
        free = has & ~taken
        screen[free] = own.screen_s[free]
        unlocks[free] = own.unlocks[free]
        uses += [use for use in own.uses_s if free[int(use // 60) - window.start]]
        episodes += [e for e in own.episodes_s if free[int(e[0] // 60) - window.start]]
        taken |= has
    return PhoneUse(screen, unlocks, tuple(sorted(uses)), tuple(sorted(episodes)))


@feature(
    WindowKind.HOUR,
    WindowKind.DAY,
    gives=(
        Figure(
            name="screen_min",
            meaning="Minutes with the screen on, else a phone's own totals within the window.",
            minimum=f"{_LIVED}; or a phone's totals",
            source="RAPIDS: sumdurationunlock",
        ),
        Figure(
            name="unlock_count",
            meaning="Unlocks of the phone, else a phone's own totals within the window.",
            minimum=f"{_LIVED}; or a phone's totals",
            source="Saeb 2015; RAPIDS: countepisodeunlock",
        ),
    ),
)
def phone_features(window: Window) -> Values:
    """``screen_min`` (minutes with the screen on) and ``unlock_count`` of the window.

    Given when the phone lived for 60 % of the window; where no phone sends signs of life, when it
    was used at all, for then a zero could not be told from a loss. Else a phone's own totals of
    intervals that lie within the window; no screen time where one is longer than its interval, or
    all together than the window.
    """
    use = phone_use(window)
    if use is None:
        return _from_summaries(window)
    return {
        "screen_min": float(use.screen_s.sum()) / 60.0,
        "unlock_count": float(use.unlocks.sum()),
    }


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="screen_episode_count",
            meaning="Times that the screen was on, of which any part lies in the day.",
            minimum=_LIVED,
            source="RAPIDS: countepisodeunlock, of unlocks there",
        ),
        Figure(
            name="screen_episode_mean_min",
            meaning="Mean length of these, as far as they lie in the day.",
            minimum=f"one episode, and {_LIVED}",
            source="RAPIDS: avgdurationunlock, of unlocks there",
        ),
        Figure(
            name="screen_episode_max_min",
            meaning="Greatest length of these, as far as they lie in the day.",
            minimum=f"one episode, and {_LIVED}",
            source="RAPIDS: maxdurationunlock, of unlocks there",
        ),
    ),
)
def screen_episodes(window: Window) -> Values:
    """``screen_episode_count``, ``screen_episode_mean_min`` and ``screen_episode_max_min``.

    Episodes from the screen's going on to its going off, of which any part lies in the day; their
    lengths are of that part. Of several phones those of the phone that goes first in the minute in
    which they begin. Told as ``screen_min`` is, from single events alone; without an episode there
    is no mean and no longest one.

    Source: RAPIDS (countepisode, avgduration, maxduration; lost events of more than 6 h left out).
    """
    use = phone_use(window)
    if use is None:
        return {}
    values = {"screen_episode_count": float(len(use.episodes_s))}
    if use.episodes_s:
        lengths_s = [stop_s - start_s for start_s, stop_s in use.episodes_s]
        values["screen_episode_mean_min"] = sum(lengths_s) / len(lengths_s) / 60.0
        values["screen_episode_max_min"] = max(lengths_s) / 60.0
    return values


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="first_use_min",
            meaning="Local clock of the day's first use.",
            minimum=f"one use, and {_LIVED}",
            source="RAPIDS: firstuseafter",
        ),
        Figure(
            name="last_use_min",
            meaning="Local clock of the day's last use.",
            minimum=f"one use, and {_LIVED}",
            source="RAPIDS: timeoflastuse, of apps",
        ),
    ),
)
def use_times(window: Window) -> Values:
    """``first_use_min`` and ``last_use_min``: local clock of the first and last use of the day.

    Minutes from local midnight; absent on a day without use.
    """
    use = phone_use(window)
    if use is None or not use.uses_s:
        return {}
    return {
        "first_use_min": window.local_minutes(use.uses_s[0]),
        "last_use_min": window.local_minutes(use.uses_s[-1]),
    }


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="screen_min",
            meaning="Minutes with the screen on within the main sleep, else from 00:00 to 05:59.",
            minimum=_LIVED,
            source="RAPIDS: sumdurationunlock",
        ),
        Figure(
            name="unlock_count",
            meaning="Unlocks within the main sleep, else from 00:00 to 05:59 local time.",
            minimum=_LIVED,
            source="Saeb 2015; RAPIDS: countepisodeunlock",
        ),
    ),
)
def phone_at_night(window: Window) -> Values:
    """``screen_min`` and ``unlock_count`` within the main sleep, else 00:00 to 05:59 local time."""
    use = phone_use(window)
    if use is None:
        return {}
    sleep = main_sleep(window)
    if sleep is not None:
        within = window.mask_between(sleep.start_s, sleep.end_s)
    else:
        within = (window.local_clock >= 0) & (window.local_clock < 6 * 60)
    return {
        "screen_min": float(use.screen_s[within].sum()) / 60.0,
        "unlock_count": float(use.unlocks[within].sum()),
    }


def _use_of(window: Window, log: PhoneLog) -> PhoneUse:
    first = bisect_left(log.times, window.start_s)
    last = bisect_left(log.times, window.stop_s, first)
    on_since = _on_since(window, log, first)
    spans: list[tuple[float, float]] = []
    uses: list[float] = []
    unlocked: list[int] = []
    for time, code in zip(log.times[first:last], log.codes[first:last], strict=True):
        if code in _ON:
            uses.append(time)
            if code == _UNLOCKED:
                unlocked.append(int(time // 60) - window.start)
            if on_since is None:
                on_since = time
        elif code in _OFF and on_since is not None:
            spans.append((on_since, time))
            on_since = None
    if on_since is not None:
        spans.append((on_since, window.stop_s))
    episodes = _episodes(window, spans)
    unlocks = np.bincount(np.array(unlocked, dtype=np.int64), minlength=window.length)
    return PhoneUse(_seconds_per_minute(window, episodes), unlocks, tuple(uses), tuple(episodes))


def _on_since(window: Window, log: PhoneLog, stop: int) -> float | None:
    """When the screen went on that is on as the window begins (s UTC); None when it is off."""
    first = bisect_left(log.times, window.start_s - EPISODE_MAX_S, hi=stop)
    since: float | None = None
    for place in range(stop - 1, first - 1, -1):
        if log.codes[place] in _OFF:
            break
        if log.codes[place] in _ON:
            since = log.times[place]
    return since


def _episodes(window: Window, spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Episodes as far as they lie in the window (s UTC), without lost events."""
    start_s = window.start_s
    return [
        (max(on_s, start_s), off_s)
        for on_s, off_s in spans
        if off_s - on_s <= EPISODE_MAX_S and off_s > start_s
    ]


def _seconds_per_minute(window: Window, episodes: list[tuple[float, float]]) -> Floats:
    """Seconds of each minute that lie within episodes, which follow one another."""
    if not episodes:
        return np.zeros(window.length)
    edges = np.array(episodes) - window.start_s
    lengths = edges[:, 1] - edges[:, 0]
    total = np.zeros(edges.size)
    total[1::2] = np.cumsum(lengths)
    total[2::2] = total[1:-1:2]
    minutes = np.arange(window.length + 1) * 60.0
    return np.diff(np.interp(minutes, edges.ravel(), total))


def _from_summaries(window: Window) -> Values:
    chosen: tuple[int, str] | None = None
    unlocks: list[int] = []
    screen: list[float] = []
    are_consistent = True
    for source, record in window.records("phone_usage_summary/1"):
        if not isinstance(record, PhoneUsageSummary) or chosen not in (None, source):
            continue
        if record.time < window.start_s or record.time + record.duration > window.stop_s:
            continue
        chosen = source
        if record.unlocks is not None:
            unlocks.append(record.unlocks)
        if record.unlock_duration is not None:
            screen.append(record.unlock_duration)
            are_consistent &= record.unlock_duration <= record.duration
    values: Values = {}
    if unlocks:
        values["unlock_count"] = float(sum(unlocks))
    # Totals that contradict themselves, or more of them than the window has, which is of stretches
    # that overlap: nobody can tell what is true.
    if screen and are_consistent and sum(screen) <= window.length * 60.0:
        values["screen_min"] = sum(screen) / 60.0
    return values
