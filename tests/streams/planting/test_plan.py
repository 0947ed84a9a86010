"""Goal: cuts and shares are as asked for; method: sleeps and phone uses counted by hand."""

import pytest

from streams.events import InteractionState, PhoneCall, PhoneInteraction, SleepLevel, SleepStage
from streams.events.records import CallType
from streams.planting.changes import Effect
from streams.planting.plan import CutSleep, Plan
from tests.streams.planting.persons import at, envelope, planned

ON, UNLOCKED, OFF = (
    InteractionState.SCREEN_ON,
    InteractionState.UNLOCKED,
    InteractionState.STANDBY,
)


def _stage(begin_h: float, hours: float, level: SleepLevel) -> SleepStage:
    return SleepStage(time=at(begin_h), duration=hours * 3_600.0, level=level)


def _cut(effect: Effect, *stages: SleepStage) -> CutSleep:
    (sleep,) = planned(effect, envelope(stages)).sleeps["watch"]
    return sleep


def test_cut_takes_time_asleep_and_the_waking_in_between_goes_with_it() -> None:
    stages = (
        _stage(-1, 5, SleepLevel.LIGHT),
        _stage(4, 1, SleepLevel.AWAKE),
        _stage(5, 0.5, SleepLevel.REM),
    )
    sleep = _cut(Effect(sleep_min=-60.0), *stages)
    assert (sleep.start_s, sleep.end_s) == (at(-1), at(5.5))
    assert (sleep.cut_s, sleep.asleep_less_s) == (at(3.5), 3_600.0)


def test_cut_leaves_half_an_hour_asleep_and_stages_with_gaps_do_not_count() -> None:
    assert _cut(Effect(sleep_min=-600.0), _stage(0, 2, SleepLevel.DEEP)).cut_s == at(0.5)
    sparse = (_stage(0, 1, SleepLevel.DEEP), _stage(1.9, 1, SleepLevel.AWAKE))
    assert _cut(Effect(sleep_min=-60.0), *sparse).cut_s == pytest.approx(at(1.9))


def _uses(count: int, *, first_h: float = 8.0, every_h: float = 0.5) -> list[PhoneInteraction]:
    return [
        PhoneInteraction(time=at(first_h + index * every_h + second / 3_600), interaction_state=s)
        for index in range(count)
        for second, s in ((0, ON), (0, UNLOCKED), (90, OFF))
    ]


def _planned(percent: float, records: list[PhoneInteraction]) -> Plan:
    return planned(Effect(phone_percent=percent), envelope(records))


@pytest.mark.parametrize(("percent", "gone"), [(-50.0, 10), (-30.0, 6), (-100.0, 20), (0.0, 0)])
def test_the_asked_for_share_of_uses_goes_whole(percent: float, gone: int) -> None:
    plan = _planned(percent, _uses(20))
    assert len(plan.dropped) == 3 * gone
    assert {state for _, _, state in plan.dropped} == ({ON, UNLOCKED, OFF} if gone else set())


def test_more_use_is_copied_into_the_pauses_and_never_overlaps() -> None:
    records = _uses(21)
    plan = _planned(40.0, records)
    assert len(plan.added) == 8
    times = {record.time for record in records}
    for (_, time, state), copies in plan.added.items():
        assert state is OFF
        following = min(other for other in times if other > time)
        assert [copy.interaction_state for copy in copies] == [ON, UNLOCKED, OFF]
        assert time < copies[0].time < copies[-1].time < following
        assert copies[-1].time - copies[0].time == pytest.approx(90.0)


def test_use_across_midnight_and_without_an_end_stays() -> None:
    across = _uses(1, first_h=23.99)
    open_ended = [PhoneInteraction(time=at(12), interaction_state=ON)]
    assert _planned(-100.0, [*open_ended, *across]).dropped == set()


def test_calls_go_by_share_inside_the_stretch() -> None:
    calls = [
        PhoneCall(time=at(hour), duration=60.0, type=CallType.OUTGOING) for hour in range(-4, 10)
    ]
    plan = planned(Effect(phone_percent=-50.0), envelope(calls))
    assert len(plan.dropped) == 5
    assert min(time for _, time, _ in plan.dropped) >= at(0)
