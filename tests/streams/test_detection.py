"""Goal: unsettled rows are only looked at, and another device is learned anew; method: rows of one
made-up person, settled one after the other and shown before they settle.
"""

from collections.abc import Container, Sequence

import msgspec
import pytest

from detectors import wording
from detectors.cohort import load_cohort
from streams.detection import Detection
from streams.detection_state import DetectionState
from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    Anomaly,
    AnomalyState,
    FeatureRow,
    Output,
    WindowKind,
)
from streams.unsettled import Place, Reach, Said, UnsettledRow
from tests.detectors.people import Person, features_of
from tests.detectors.rows import CONFIG, DAY_S, row

COHORT = load_cohort()
TAUGHT = 60
WARM_UP = CONFIG.warm_up_days
FASTER = {"heart_rate_sleeping_bpm": 5.0, "heart_rate_resting_bpm": 5.0}
OLD, NEW = "Watch 2", "Watch 3"


class _Watched:
    """A person whose rows go through the detection of a worker."""

    def __init__(self) -> None:
        self.person = Person(seed=2)
        self.detection = Detection(CONFIG, COHORT)
        self.device: str | None = OLD
        taught = self.days(TAUGHT)
        assert self.settle(taught) == []
        assert self.detection.view([], taught[-1].end, is_revised=False) == []

    def days(self, count: int, **changes: float) -> list[FeatureRow]:
        """Settled rows of the next days."""
        rows = [one for _ in range(count) for one in self.person.rows(**changes)]
        return [msgspec.structs.replace(one, device_type=self.device) for one in rows]

    def settle(self, rows: Sequence[FeatureRow]) -> list[Alert]:
        return _alerts(self.said(rows))

    def said(self, rows: Sequence[FeatureRow]) -> list[Output]:
        outputs: list[Output] = []
        for one in rows:
            due = one.end + 3.0 * DAY_S
            outputs += self.detection.settle(one, due, due)
        return outputs

    def view(self, rows: Sequence[FeatureRow]) -> list[Output]:
        clock = rows[-1].end
        unsettled = [msgspec.structs.replace(one, settled=False) for one in rows]
        looked = [UnsettledRow(one, clock - DAY_S) for one in unsettled]
        return self.detection.view(looked, clock, is_revised=True)

    def go_on_from(self, state: DetectionState) -> None:
        self.detection = Detection.from_state(state, CONFIG, COHORT)


def _kept(detection: Detection) -> DetectionState:
    kept = msgspec.msgpack.encode(detection.to_state())
    return msgspec.msgpack.decode(kept, type=DetectionState)


def _alerts(outputs: Sequence[Output]) -> list[Alert]:
    return [one for one in outputs if isinstance(one, Alert)]


def _states(outputs: Sequence[Output]) -> dict[tuple[str, str | None, float], AnomalyState]:
    found = [one for one in outputs if isinstance(one, Anomaly)]
    return {(one.detector, one.feature, one.start): one.state for one in found}


@pytest.fixture
def watched() -> _Watched:
    return _Watched()


def test_a_heart_that_beats_faster_is_told(watched: _Watched) -> None:
    assert FASTER.keys() & features_of(watched.settle(watched.days(10, **FASTER)))


def test_another_model_that_reads_higher_is_learned_anew_and_the_alerts_say_so(
    watched: _Watched,
) -> None:
    watched.device = NEW
    assert watched.settle(watched.days(WARM_UP, **FASTER)) == []
    # Kept in between, so that a restart does not take the device for another one.
    watched.go_on_from(_kept(watched.detection))
    short = watched.settle(watched.days(4, sleep_duration_min=-120.0, **FASTER))
    assert features_of(short) >= {"sleep_duration_min"}
    assert not FASTER.keys() & features_of(short)
    assert all(wording.RELEARNED in alert.missing for alert in short)


def test_what_the_device_does_not_measure_is_judged_all_along(watched: _Watched) -> None:
    watched.device = NEW
    told = watched.settle(watched.days(4, screen_min=220.0, **FASTER))
    assert features_of(told) == {"screen_min"}
    assert wording.RELEARNED in told[0].missing
    assert any("steps: learning" in text for text in told[0].missing)


@pytest.mark.parametrize("between", [None, OLD])
def test_rows_without_a_device_and_of_the_same_one_change_nothing(
    watched: _Watched, between: str | None
) -> None:
    watched.device = between
    watched.settle(watched.days(2))
    watched.device = OLD
    assert FASTER.keys() & features_of(watched.settle(watched.days(10, **FASTER)))


def test_a_state_of_before_devices_were_kept_goes_on_without_relearning(
    watched: _Watched,
) -> None:
    fields = msgspec.to_builtins(watched.detection.to_state())
    devices = fields[10]
    assert set(devices.values()) == {OLD}
    watched.go_on_from(msgspec.convert(fields[:10], DetectionState))
    watched.device = NEW
    assert FASTER.keys() & features_of(watched.settle(watched.days(10, **FASTER)))


def test_hours_that_settle_before_the_nights_around_them_change_nothing_for_these(
    watched: _Watched,
) -> None:
    """An hour of the new device settles before the night and the day on which it came."""

    def hour(device: str) -> FeatureRow:
        one = row(WindowKind.HOUR, 24 * TAUGHT, {"heart_rate_resting_bpm": 64.0})
        return msgspec.structs.replace(one, device_type=device)

    watched.settle([hour(OLD), hour(NEW)])
    states = _states(watched.said(watched.days(1)))
    assert AnomalyState.LEARNING not in states.values()
    watched.settle([hour(NEW)])
    watched.device = NEW
    states = _states(watched.said(watched.days(1)))
    learning = {feature for (_, feature, _), state in states.items() if state == "LEARNING"}
    assert learning >= {"sleep_duration_min", "heart_rate_resting_bpm", "step_count"}
    assert "screen_min" not in learning


@pytest.mark.parametrize("device", [OLD, NEW])
def test_what_is_shown_before_is_what_settles_afterwards(watched: _Watched, device: str) -> None:
    before = _kept(watched.detection).models
    rows = watched.days(2, **FASTER)
    watched.device = device
    rows += watched.days(3, sleep_duration_min=-120.0, screen_min=220.0, **FASTER)
    shown = watched.view(rows)
    assert _kept(watched.detection).models == before
    settled = watched.said(rows)
    learned_last = rows[0].start
    first = {key: state for key, state in _states(shown).items() if key[2] == learned_last}
    assert first == {k: state for k, state in _states(settled).items() if k[2] == learned_last}
    learning = {key for key, state in _states(settled).items() if state is AnomalyState.LEARNING}
    seen = {key for key, state in _states(shown).items() if state is AnomalyState.LEARNING}
    assert seen == learning
    assert bool(learning) is (device == NEW)
    ids = {alert.alert_id for alert in _alerts(shown)}
    assert ids
    assert ids == {alert.alert_id for alert in _alerts(settled)}


def _unsettled(rows: Sequence[FeatureRow], said_s: float) -> list[UnsettledRow]:
    return [
        UnsettledRow(msgspec.structs.replace(one, settled=False), said_s, False) for one in rows
    ]


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("changes", [{}, {"sleep_duration_min": -150.0}, {"screen_min": 90.0}])
def test_rows_that_follow_tell_what_a_look_at_all_of_them_tells(
    watched: _Watched, changes: dict[str, float], *, is_kept: bool
) -> None:
    rows = _unsettled(watched.days(2) + watched.days(3, **changes), 0.0)
    told: list[Output] = []
    for at, one in enumerate(rows):
        assert watched.detection.reach([one], one.row.end) is Reach.NEWS
        news = msgspec.structs.replace(one, is_news=True)
        told += watched.detection.follow([news], one.row.end, [*rows[:at], news])
        if is_kept:
            watched.go_on_from(_kept(watched.detection))
    assert bool(_alerts(told)) is ("sleep_duration_min" in changes)
    assert watched.detection.view(rows, rows[-1].row.end, is_revised=False) == []


def _hours(count: int, **values: float) -> list[FeatureRow]:
    """Settled hours after what was taught."""
    return [row(WindowKind.HOUR, 24 * TAUGHT + place, values) for place in range(count)]


def _week(watched: _Watched, silence_h: float) -> list[UnsettledRow]:
    """Unsettled rows with changed nights and days, in the order in which they settle."""
    hours = [
        msgspec.structs.replace(one, values={"heart_rate_resting_bpm": bpm, "silence_h": silence_h})
        for one, bpm in zip(_hours(24 * 5), [70.0, 71.0, 120.0] * 40, strict=True)
    ]
    dates = watched.days(3, sleep_duration_min=-150.0, screen_min=220.0)
    return _unsettled(hours + dates, 0.0)


@pytest.mark.parametrize("silence_h", [0.0, 200.0])
@pytest.mark.parametrize(
    ("place", "values", "reach"),
    [
        (-4, {"sleep_duration_min": 440.0}, Reach.DATES),
        (-3, {"screen_min": 180.0}, Reach.DATES),
        (-3, {"silence_h": 1.0}, Reach.DATES),
        (20, {"heart_rate_resting_bpm": 70.0}, Reach.HOURS),
        (119, {"heart_rate_resting_bpm": 150.0}, Reach.HOURS),
        (119, {"silence_h": 1.0}, Reach.HOURS),
    ],
)
def test_what_is_looked_at_beside_what_stands_tells_what_a_look_at_all_tells(
    watched: _Watched, place: int, values: dict[str, float], reach: Reach, silence_h: float
) -> None:
    rows = _week(watched, silence_h)
    clock = rows[-1].row.end
    kinds = {alert.kind for alert in _alerts(watched.detection.view(rows, clock, is_revised=False))}
    assert kinds == {AlertKind.CLINICAL, *([AlertKind.DATA] if silence_h else [])}
    changed = msgspec.structs.replace(rows[place].row, values=rows[place].row.values | values)
    rows[place] = UnsettledRow(changed, clock)
    said = Said()
    said.add(rows[place], Place.WITHIN)
    assert said.reach is reach
    twin = Detection.from_state(_kept(watched.detection), CONFIG, COHORT)
    told = watched.detection.look(said, clock, lambda kinds: _of(rows, kinds))
    assert told == twin.view(rows, clock, is_revised=False)
    assert _kept(watched.detection) == _kept(twin)


def _of(rows: list[UnsettledRow], kinds: Container[WindowKind]) -> list[UnsettledRow]:
    return [one for one in rows if one.row.window in kinds]


def test_the_last_day_said_anew_while_data_have_stopped_has_all_looked_at(
    watched: _Watched,
) -> None:
    """Its silence may be over, which a day that is retaken does not judge."""
    days = [
        msgspec.structs.replace(one, values=one.values | {"silence_h": 200.0})
        for one in watched.days(2)
    ]
    rows = _unsettled(days, 0.0)
    clock = rows[-1].row.end
    (stopped,) = _alerts(watched.detection.view(rows, clock, is_revised=False))
    assert stopped.kind is AlertKind.DATA
    values = rows[-1].row.values | {"silence_h": 1.0}
    rows[-1] = UnsettledRow(msgspec.structs.replace(rows[-1].row, values=values), clock)
    said = Said()
    said.add(rows[-1], Place.LAST)
    twin = Detection.from_state(_kept(watched.detection), CONFIG, COHORT)
    told = watched.detection.look(said, clock, lambda kinds: _of(rows, kinds))
    assert told == twin.view(rows, clock, is_revised=False)
    assert {alert.kind for alert in _alerts(told)} == {AlertKind.DATA}


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("changes", [{}, {"sleep_duration_min": -150.0}])
def test_the_last_day_said_anew_tells_what_a_look_at_all_tells(
    watched: _Watched, changes: dict[str, float], *, is_kept: bool
) -> None:
    rows = _unsettled(watched.days(3), 0.0)
    clock = rows[-1].row.end
    assert _alerts(watched.detection.view(rows[:-1], clock, is_revised=False)) == []
    if is_kept:
        watched.go_on_from(_kept(watched.detection))
    last = rows[-2].row
    values = {name: value + changes.get(name, 0.0) for name, value in last.values.items()}
    rows[-2] = UnsettledRow(msgspec.structs.replace(last, values=values), clock)
    rows[-1] = msgspec.structs.replace(rows[-1], is_news=True)
    said = Said()
    said.add(rows[-2], Place.LAST)
    said.add(rows[-1], Place.AFTER)
    assert (said.reach, said.retakes) == (Reach.NEWS, True)
    twin = Detection.from_state(_kept(watched.detection), CONFIG, COHORT)
    told = watched.detection.look(said, clock, lambda kinds: _of(rows, kinds))
    assert told == twin.view(rows, clock, is_revised=False)
    assert _kept(watched.detection) == _kept(twin)


def test_a_night_rings_watch_once_it_has_stood_unchanged_for_a_while(watched: _Watched) -> None:
    rows = watched.days(3, sleep_duration_min=-150.0)
    clock = rows[-1].end
    ripe_s = clock + 3_600.0 * CONFIG.watch_delay_h
    young = _unsettled(rows, clock)
    assert _alerts(watched.detection.view(young, clock, is_revised=False)) == []
    watched.go_on_from(_kept(watched.detection))
    assert watched.detection.reach([], ripe_s - 1.0) is Reach.NEWS
    assert watched.detection.reach([], ripe_s) is Reach.DATES
    (alert,) = _alerts(watched.detection.view(young, ripe_s, is_revised=False))
    assert features_of([alert]) == {"sleep_duration_min"}
    assert watched.detection.reach([], ripe_s + DAY_S) is Reach.NEWS


def test_what_follows_stands_until_a_row_settles_otherwise_than_it_was_said(
    watched: _Watched,
) -> None:
    def settle(one: FeatureRow, *, was_said: bool) -> Reach:
        due = one.end + 3.0 * DAY_S
        watched.detection.settle(one, due, due, was_said=was_said)
        return watched.detection.reach([], due)

    first, second, third = watched.days(2)[:3]
    assert settle(first, was_said=True) is Reach.NEWS
    assert settle(second, was_said=False) is Reach.DATES
    watched.go_on_from(_kept(watched.detection))
    assert watched.detection.reach([], third.end) is Reach.DATES
    watched.detection.view([], third.end, is_revised=False, reach=Reach.DATES)
    assert settle(third, was_said=True) is Reach.NEWS
    assert settle(_hours(1)[0], was_said=False) is Reach.HOURS
    watched.detection.view([], third.end, is_revised=False, reach=Reach.HOURS)
    assert watched.detection.reach([], third.end) is Reach.NEWS
    watched.detection.notice()
    assert watched.detection.reach([], third.end) is Reach.ALL


def test_an_alert_that_settles_as_it_was_shown_has_nothing_looked_at_anew(
    watched: _Watched,
) -> None:
    rows = watched.days(3, sleep_duration_min=-150.0)
    (shown,) = _alerts(watched.view(rows))
    (settled,) = watched.settle(rows)
    assert settled.alert_id == shown.alert_id
    assert watched.detection.reach([], rows[-1].end) is Reach.NEWS
    unsettled = _unsettled(watched.days(1, sleep_duration_min=-150.0), 0.0)
    clock = unsettled[0].row.end
    told = watched.detection.follow(unsettled[:1], clock, unsettled[:1])
    assert {alert.alert_id for alert in _alerts(told)} <= {shown.alert_id}
    assert watched.detection.view(unsettled[:1], clock, is_revised=False) == []


def test_an_alert_whose_row_settles_without_it_is_withdrawn_by_the_next_look(
    watched: _Watched,
) -> None:
    rows = watched.days(2, sleep_duration_min=-150.0)
    (shown,) = _alerts(watched.view(rows))
    calm = watched.days(2)
    first = [
        msgspec.structs.replace(usual, start=one.start, end=one.end, local_date=one.local_date)
        for one, usual in zip(rows, calm, strict=False)
    ]
    watched.settle(first)
    assert watched.detection.reach([], rows[-1].end) is Reach.DATES
    (gone,) = _alerts(watched.detection.view([], rows[-1].end, is_revised=True))
    assert (gone.alert_id, gone.status) == (shown.alert_id, AlertStatus.WITHDRAWN)
    assert gone.summary.startswith(wording.WITHDRAWN_DATA)


def test_what_settles_otherwise_than_it_was_said_is_new_data_also_after_a_restart(
    watched: _Watched,
) -> None:
    rows = watched.days(2, sleep_duration_min=-150.0)
    watched.view(rows)
    for one in watched.days(2):
        due = one.end + 3.0 * DAY_S
        watched.detection.settle(one, due, due, was_said=False)
    watched.go_on_from(_kept(watched.detection))
    (gone,) = _alerts(watched.detection.view([], rows[-1].end, is_revised=False))
    assert gone.summary.startswith(wording.WITHDRAWN_DATA)


def test_what_staff_hold_back_is_not_said_to_have_been_learned(watched: _Watched) -> None:
    rows = watched.days(2, sleep_duration_min=-150.0)
    (shown,) = _alerts(watched.view(rows))
    watched.detection.notice()
    (gone,) = _alerts(watched.detection.view([], rows[-1].end, is_revised=False))
    assert gone.alert_id == shown.alert_id
    assert gone.summary.startswith(wording.WITHDRAWN_NEWS)
