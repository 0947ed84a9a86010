"""Goal: AWARE's tables become the phone's events. Method: small tables of one and two phones."""

from pathlib import Path

import pytest

from connectors.importers import aware
from streams.errors import BadInput
from streams.events import CallType, DeviceStatus, InteractionState, PhoneCall, PhoneInteraction
from tests.connectors.importers.imported import imported, records, write_table

START_S = 1_488_346_200.0  # a whole quarter of an hour


def test_screen_and_battery_of_one_phone_are_of_one_source(tmp_path: Path) -> None:
    screen = [f"{START_S + 9},2", f"{START_S + 5.5},0", f"{START_S},1", f"{START_S + 901},3"]
    write_table(tmp_path / "screen.csv", "time,screen_status", screen)
    write_table(tmp_path / "battery.csv", "time,battery_level", [f"{START_S + 60},73"])
    write_table(tmp_path / "other.csv", "time,group", ["1,none"])
    _, envelopes = imported(aware.load(tmp_path), tmp_path)
    events = records(envelopes, PhoneInteraction, aware.USER)
    assert [(event.time - START_S, event.interaction_state) for event in events] == [
        (0.0, InteractionState.SCREEN_ON),
        (5.5, InteractionState.STANDBY),
        (9.0, InteractionState.LOCKED),
        (901.0, InteractionState.UNLOCKED),
    ]
    (life,) = records(envelopes, DeviceStatus, aware.USER)
    assert (life.battery_level, life.interval) == (0.73, aware.ALIVE_S)
    own = [envelope for envelope in envelopes if envelope.source_id == aware.DEVICE]
    assert [envelope.time_received - START_S for envelope in own] == [900.0, 900.0, 1_800.0]


def test_users_and_devices_are_kept_apart(tmp_path: Path) -> None:
    calls = [
        f"ada,p1,{START_S},incoming,60",
        f"bea,p2,{START_S + 1},missed,0",
        f"ada,p3,{START_S},x,1",
    ]
    write_table(tmp_path / "calls.csv", "user,device,time,call_type,call_duration", calls)
    _, envelopes = imported(aware.load(tmp_path / "calls.csv"), tmp_path)
    assert {(e.user_id, e.source_id) for e in envelopes if isinstance(e.records[0], PhoneCall)} == {
        ("ada", "p1"), ("ada", "p3"), ("bea", "p2"),
    }  # fmt: skip
    assert [call.type for call in records(envelopes, PhoneCall, "ada")] == [
        CallType.INCOMING,
        CallType.UNKNOWN,
    ]
    assert all(call.target is None for call in records(envelopes, PhoneCall, "ada"))


def test_a_folder_without_such_tables_is_refused_by_one_line(tmp_path: Path) -> None:
    write_table(tmp_path / "other.csv", "time,group", ["1,none"])
    with pytest.raises(BadInput, match="no AWARE table"):
        aware.load(tmp_path)
