"""What exactly is done to one person's data: which sleeps are cut, which phone events go or come.

Shares are taken by counting, not by lot: of ten uses at -30 % the same three always go.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from streams.events import InteractionState, PhoneInteraction, Record, SleepLevel, SleepStage
from streams.evidence import interval_end_s
from streams.planting.changes import Effect
from streams.planting.material import Clock, Material, SourceId, Transition
from streams.planting.places import Stretch

STAGE_GAP_S = 3_600.0
"""Stages further apart than this (s) belong to different sleeps."""

STAGE_COVERAGE_MIN = 0.8
"""Share of a sleep that stages must cover for the cut to count by them."""

ASLEEP_LEFT_S = 1_800.0
"""Time asleep that a cut always leaves (s)."""

ASLEEP = frozenset({SleepLevel.DEEP, SleepLevel.LIGHT, SleepLevel.REM, SleepLevel.ASLEEP})
_ON = frozenset({InteractionState.SCREEN_ON, InteractionState.UNLOCKED})
_OFF = frozenset({InteractionState.STANDBY, InteractionState.LOCKED})

Use = tuple[Transition, ...]
"""One use of a phone: from its screen going on until it is off and locked."""


class CutSleep(Struct, frozen=True):
    """A main sleep from ``start_s`` to ``end_s``, which now ends at ``cut_s`` (s UTC).

    ``asleep_less_s`` of time asleep lie behind the cut. Then all of it moves by ``shift_s``.
    """

    start_s: float
    end_s: float
    cut_s: float
    asleep_less_s: float
    shift_s: float


class Plan(Struct, frozen=True, kw_only=True):
    """All that is done to one person's records.

    ``dropped`` are transitions (source, time, state), calls and messages (source, time, type).
    ``added`` gives what follows a transition from now on.
    """

    clock: Clock
    effect: Effect
    stretches: tuple[Stretch, ...]
    sleeps: dict[SourceId, list[CutSleep]]
    dropped: set[tuple[SourceId, float, object]]
    added: dict[tuple[SourceId, float, InteractionState], tuple[PhoneInteraction, ...]]

    def holds(self, date: int | None) -> bool:
        """Whether a date (days since the epoch) lies in one of the stretches."""
        return date is not None and any(date in stretch for stretch in self.stretches)


def plan(material: Material, effect: Effect, stretches: tuple[Stretch, ...]) -> Plan:
    """Work out what is done to the records of one person in ``stretches``."""
    planned = Plan(
        clock=material.clock,
        effect=effect,
        stretches=stretches,
        sleeps=_cut_sleeps(material, effect, stretches),
        dropped=set(),
        added={},
    )
    share = 1.0 + effect.phone_percent / 100.0
    for stretch in stretches:
        for source, transitions in material.transitions.items():
            _plan_uses(planned, source, _uses(sorted(transitions), stretch), share)
        for (source, kind), contacts in material.contacts.items():
            inside = sorted({time for time, date in contacts if date in stretch})
            gone = _every(len(inside), 1.0 - share)
            planned.dropped.update(
                (source, time, kind) for time, goes in zip(inside, gone, strict=True) if goes
            )
    return planned


def _every(count: int, share: float) -> list[bool]:
    """Which of ``count`` things are taken, evenly spread, so that ``share`` of them are."""
    share = min(max(share, 0.0), 1.0)
    return [round((index + 1) * share) > round(index * share) for index in range(count)]


def _uses(transitions: Sequence[Transition], stretch: Stretch) -> list[Use]:
    """Uses of one phone that lie in the stretch from beginning to end, in order."""
    uses: list[list[Transition]] = []
    is_off = True
    for transition in transitions:
        if transition.state in _ON and is_off:
            uses.append([])
            is_off = False
        if uses and transition.state in _ON | _OFF:
            uses[-1].append(transition)
            is_off = is_off or transition.state in _OFF
    ended = [use for use in uses if use[-1].state in _OFF]
    return [tuple(use) for use in ended if all(each.date in stretch for each in use)]


def _plan_uses(planned: Plan, source: SourceId, uses: Sequence[Use], share: float) -> None:
    if share <= 1.0:
        for use, goes in zip(uses, _every(len(uses), 1.0 - share), strict=True):
            if goes:
                planned.dropped.update((source, each.time, each.state) for each in use)
        return
    for (use, following), comes in zip(
        pairwise(uses), _every(len(uses) - 1, share - 1.0), strict=True
    ):
        if comes:
            last = use[-1]
            copies = _copy(use, until_s=following[0].time)
            planned.added[source, last.time, last.state] = copies


def _copy(use: Use, until_s: float) -> tuple[PhoneInteraction, ...]:
    """A use like this one in the middle of the pause behind it, shorter if the pause is short."""
    pause_s, length_s = until_s - use[-1].time, use[-1].time - use[0].time
    factor = min(1.0, pause_s / 3.0 / length_s) if length_s else 0.0
    start_s = use[-1].time + pause_s / 3.0
    return tuple(
        PhoneInteraction(
            time=start_s + (each.time - use[0].time) * factor, interaction_state=each.state
        )
        for each in use
    )


def _cut_sleeps(
    material: Material, effect: Effect, stretches: tuple[Stretch, ...]
) -> dict[SourceId, list[CutSleep]]:
    if not (effect.sleep_min or effect.sleep_shift_min):
        return {}
    return {
        source: list(_cut_of_source(material, effect, stretches, source))
        for source in sorted({*material.episodes, *material.stages})
    }


def _cut_of_source(
    material: Material, effect: Effect, stretches: tuple[Stretch, ...], source: SourceId
) -> Iterator[CutSleep]:
    staged = sorted(material.stages.get(source, ()), key=lambda each: each[1].time)
    nights: dict[int, list[tuple[bool, float, float]]] = defaultdict(list)
    for night, episode in material.episodes.get(source, ()):
        nights[night].append((bool(episode.is_main_sleep), episode.time, interval_end_s(episode)))
    for start_s, end_s, night in _sessions(staged):
        if night not in nights or not any(
            start < end_s and end > start_s for _, start, end in nights[night]
        ):
            nights[night].append((False, start_s, end_s))
    for night, found in nights.items():
        if any(night in stretch for stretch in stretches):
            _, start_s, end_s = max(found, key=lambda sleep: (sleep[0], sleep[2] - sleep[1]))
            yield _cut(start_s, end_s, [stage for _, stage in staged], effect)


def _sessions(staged: Sequence[tuple[int, SleepStage]]) -> Iterator[tuple[float, float, int]]:
    """Begin, end (s UTC) and night of the sleeps that stages alone make."""
    spans: list[tuple[float, float, int]] = []
    for night, stage in staged:
        end_s = interval_end_s(stage)
        if spans and stage.time - spans[-1][1] <= STAGE_GAP_S:
            start_s, until_s, until_night = spans[-1]
            spans[-1] = start_s, max(until_s, end_s), max(until_night, night)
        else:
            spans.append((stage.time, end_s, night))
    yield from spans


def _cut(start_s: float, end_s: float, stages: Sequence[SleepStage], effect: Effect) -> CutSleep:
    """Find where a sleep has to end so that the asked for time asleep lies behind the cut."""
    inside = [each for each in stages if start_s <= each.time and interval_end_s(each) <= end_s]
    known_s = sum(each.duration for each in inside if each.level is not SleepLevel.UNKNOWN)
    asleep = [(each.time, each.duration) for each in inside if each.level in ASLEEP]
    if known_s < STAGE_COVERAGE_MIN * (end_s - start_s):
        asleep = [(start_s, end_s - start_s)]
    total_s = sum(duration for _, duration in asleep)
    less_s = left_s = min(-effect.sleep_min * 60.0, max(total_s - ASLEEP_LEFT_S, 0.0))
    cut_s = end_s
    for time, duration in reversed(asleep):
        if left_s <= 0.0:
            break
        taken_s = min(duration, left_s)
        cut_s, left_s = time + duration - taken_s, left_s - taken_s
    return CutSleep(start_s, end_s, cut_s, less_s, effect.sleep_shift_min * 60.0)


def kind_of(record: Record) -> object:
    """What tells a dropped record beside its source and time: a transition's state, else its type.

    Two transitions of one phone may share an instant, such as going on and unlocking.
    """
    return record.interaction_state if isinstance(record, PhoneInteraction) else type(record)
