"""Envelopes with a change in them: what lies outside of its dates stays byte for byte."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
from msgspec.structs import replace

from streams.decoding import Refused, decode
from streams.events import (
    RECORD_TYPES,
    ActivitySummary,
    HeartRate,
    HeartRateVariability,
    InterBeatInterval,
    PhoneAppUsage,
    PhoneCall,
    PhoneInteraction,
    PhoneMessage,
    PhoneUsageSummary,
    Record,
    RestingHeartRate,
    SleepEpisode,
    SleepStage,
    SleepSummary,
    Steps,
    Timed,
)
from streams.evidence import interval_end_s
from streams.planting.changes import SIGNALS
from streams.planting.material import date_of
from streams.planting.plan import CutSleep, Plan, kind_of

BEATS_TOGETHER_S = 300.0
"""Beats of so long a stretch (s) are changed around their common mean (Task Force 1996: 5 min)."""

HEART_RATE_BPM = 20.0, 300.0
INTERVAL_S = 0.2, 3.0
VARIABILITY_MS = 0.1, 1_000.0
STEPS_MAX = 200_000
COUNT_MAX = 1_000_000
DAY_MAX_S = 90_000.0
"""Ranges of the contract, within which planted values stay."""

Raw = dict[str, Any]
Changed = list[tuple[int, list[Record]]]
"""Index of a record that changes, and what stands there from now on: nothing, one or more."""


def planted(value: bytes, plan: Plan) -> bytes | None:
    """The payload of an envelope with the change in it.

    Parameters
    ----------
    value
        Payload of an envelope of the person that ``plan`` is for.
    plan
        What is done to this person's records.

    Returns
    -------
    bytes or None
        ``value`` itself where nothing changes; None when no record is left. Fields that the
        contract does not know stay. ``timeReceived`` moves only where a record of the envelope
        would lie after it otherwise.
    """
    try:
        envelope: Raw = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value
    if isinstance(decode(value), Refused) or envelope["schema"] not in SIGNALS:
        return value
    schema, source = envelope["schema"], envelope["sourceId"]
    offset = envelope.get("utcOffset")
    inside = [
        (index, record)
        for index, record in enumerate(_records(envelope["records"], schema))
        if record is not None and plan.holds(date_of(record, plan.clock, offset))
    ]
    changed = dict(changed_records(inside, source, plan))
    if not changed:
        return value
    records = [
        each
        for index, raw in enumerate(envelope["records"])
        for each in _written(raw, changed.get(index))
    ]
    if not records:
        return None
    latest = max(
        (record.time for new in changed.values() for record in new if isinstance(record, Timed)),
        default=0.0,
    )
    received = max(envelope["timeReceived"], latest)
    return msgspec.json.encode(envelope | {"timeReceived": received, "records": records})


def changed_records(
    inside: Sequence[tuple[int, Record]], source: str, plan: Plan
) -> Iterator[tuple[int, list[Record]]]:
    """Index and new form of those records of one envelope that the plan changes."""
    for kind, same in groupby(inside, key=lambda each: type(each[1])):
        found = list(same)
        if kind is InterBeatInterval:
            yield from _beats(found, plan)
        elif kind is Steps:
            yield from _steps(found, plan)
        else:
            for index, record in found:
                new = _changed(record, source, plan)
                if new != [record]:
                    yield index, new


def _records(raws: Sequence[Raw], schema: str) -> Iterator[Record | None]:
    """Records of an envelope; None for one that the contract refuses, which stays as it is."""
    for raw in raws:
        try:
            yield msgspec.convert(raw, RECORD_TYPES[schema])
        except (msgspec.ValidationError, ValueError):
            yield None


def _written(raw: Raw, new: Sequence[Record] | None) -> Iterator[Raw]:
    if new is None:
        yield raw
        return
    for index, record in enumerate(new):
        fields = msgspec.to_builtins(record)
        yield raw | fields if index == 0 else fields


def _changed(record: Record, source: str, plan: Plan) -> list[Record]:
    effect = plan.effect
    match record:
        case HeartRate():
            rate = _within(HEART_RATE_BPM, record.heart_rate + effect.heart_rate_bpm)
            return [replace(record, heart_rate=rate)]
        case RestingHeartRate():
            rate = _within(HEART_RATE_BPM, record.resting_heart_rate + effect.heart_rate_bpm)
            return [replace(record, resting_heart_rate=rate)]
        case HeartRateVariability(rmssd=float(rmssd)):
            factor = _factor(effect.rmssd_percent)
            return [replace(record, rmssd=_within(VARIABILITY_MS, rmssd * factor))]
        case SleepSummary() | SleepEpisode() | SleepStage():
            return _sleep(record, source, plan)
        case ActivitySummary():
            return [_activity(record, _factor(effect.steps_percent))]
        case PhoneUsageSummary() | PhoneAppUsage():
            return [_phone_totals(record, _factor(effect.phone_percent))]
        case PhoneInteraction() | PhoneCall() | PhoneMessage():
            return _phone_events(record, source, plan)
        case _:
            return [record]


def _factor(percent: float) -> float:
    return 1.0 + percent / 100.0


def _within(span: tuple[float, float], value: float) -> float:
    return min(max(value, span[0]), span[1])


def _beats(found: Sequence[tuple[int, Record]], plan: Plan) -> Iterator[tuple[int, list[Record]]]:
    """Move the mean interval to the new heart rate, and scale what varies around it.

    Differences of successive beats scale with it, and so does RMSSD; at the edge between two
    stretches of ``BEATS_TOGETHER_S`` that is true but for the change of their means.
    """
    effect, factor = plan.effect, _factor(plan.effect.rmssd_percent)
    if not effect.heart_rate_bpm and factor == 1.0:
        return
    together: dict[int, list[tuple[int, InterBeatInterval]]] = defaultdict(list)
    for index, record in found:
        if isinstance(record, InterBeatInterval):
            together[int(record.time // BEATS_TOGETHER_S)].append((index, record))
    for beats in together.values():
        mean_s = sum(beat.inter_beat_interval for _, beat in beats) / len(beats)
        new_mean_s = 60.0 / _within(HEART_RATE_BPM, 60.0 / mean_s + effect.heart_rate_bpm)
        for index, beat in beats:
            varied_s = new_mean_s + factor * (beat.inter_beat_interval - mean_s)
            # Tenths of a millisecond: finer than any device, and short on the wire.
            interval_s = round(_within(INTERVAL_S, varied_s), 4)
            yield index, [replace(beat, inter_beat_interval=interval_s)]


def _steps(found: Sequence[tuple[int, Record]], plan: Plan) -> Iterator[tuple[int, list[Record]]]:
    """Scale steps so that rounding does not add up over the envelope."""
    factor = _factor(plan.effect.steps_percent)
    if factor == 1.0:
        return
    total = given = 0
    for index, record in found:
        if isinstance(record, Steps):
            total += record.steps
            new = min(round(total * factor) - given, STEPS_MAX)
            given = round(total * factor)
            if new != record.steps:
                yield index, [replace(record, steps=new)]


def _activity(record: ActivitySummary, factor: float) -> ActivitySummary:
    """Scale steps and active time; what is no longer active is sedentary, and the other way."""
    steps, active_s, still_s = record.steps, record.active_duration, record.sedentary_duration
    if steps is not None:
        steps = min(round(steps * factor), STEPS_MAX)
    if active_s is not None:
        new_s = min(active_s * factor, DAY_MAX_S)
        if still_s is not None:
            still_s = _within((0.0, DAY_MAX_S), still_s + active_s - new_s)
        active_s = new_s
    return replace(record, steps=steps, active_duration=active_s, sedentary_duration=still_s)


def _phone_totals(
    record: PhoneUsageSummary | PhoneAppUsage, factor: float
) -> PhoneUsageSummary | PhoneAppUsage:
    if isinstance(record, PhoneAppUsage):
        return replace(record, duration=record.duration * factor)
    wakes, unlocks, used_s = record.screen_wakes, record.unlocks, record.unlock_duration
    return replace(
        record,
        screen_wakes=None if wakes is None else min(round(wakes * factor), COUNT_MAX),
        unlocks=None if unlocks is None else min(round(unlocks * factor), COUNT_MAX),
        unlock_duration=None if used_s is None else min(used_s * factor, record.duration),
    )


def _phone_events(record: Timed, source: str, plan: Plan) -> list[Record]:
    if (source, record.time, kind_of(record)) in plan.dropped:
        return []
    if isinstance(record, PhoneInteraction):
        added = plan.added.get((source, record.time, record.interaction_state), ())
        return [record, *added]
    return [record]


def _sleep(
    record: SleepSummary | SleepEpisode | SleepStage, source: str, plan: Plan
) -> list[Record]:
    if isinstance(record, SleepSummary):
        return [_shorter_summary(record, -plan.effect.sleep_min * 60.0)]
    start_s, end_s = record.time, interval_end_s(record)
    for sleep in plan.sleeps.get(source, ()):
        if isinstance(record, SleepEpisode):
            if (start_s, end_s) == (sleep.start_s, sleep.end_s):
                return [_cut_episode(record, sleep)]
        elif sleep.start_s <= start_s and end_s <= sleep.end_s:
            return _cut_stage(record, sleep)
    return [record]


def _shorter_summary(record: SleepSummary, less_s: float) -> SleepSummary:
    """Less time asleep and in bed; what is told of stages shrinks in proportion."""
    asleep_s, in_bed_s = record.asleep_duration, record.in_bed_duration
    less_s = min(less_s, asleep_s if asleep_s is not None else less_s)
    factor = 1.0 - less_s / asleep_s if asleep_s else 1.0
    stages_s = (record.deep_duration, record.light_duration, record.rem_duration)
    deep_s, light_s, rem_s = (None if each is None else each * factor for each in stages_s)
    return replace(
        record,
        asleep_duration=None if asleep_s is None else asleep_s - less_s,
        in_bed_duration=None if in_bed_s is None else max(in_bed_s - less_s, 0.0),
        deep_duration=deep_s,
        light_duration=light_s,
        rem_duration=rem_s,
    )


def _cut_episode(record: SleepEpisode, sleep: CutSleep) -> SleepEpisode:
    asleep_s, awake_s = record.asleep_duration, record.awake_duration
    awake_less_s = max(sleep.end_s - sleep.cut_s - sleep.asleep_less_s, 0.0)
    return replace(
        record,
        time=record.time + sleep.shift_s,
        duration=sleep.cut_s - sleep.start_s,
        asleep_duration=None if asleep_s is None else max(asleep_s - sleep.asleep_less_s, 0.0),
        awake_duration=None if awake_s is None else max(awake_s - awake_less_s, 0.0),
    )


def _cut_stage(record: SleepStage, sleep: CutSleep) -> list[Record]:
    if record.time >= sleep.cut_s:
        return []
    end_s = min(interval_end_s(record), sleep.cut_s)
    return [replace(record, time=record.time + sleep.shift_s, duration=end_s - record.time)]
