"""Goal: a recording goes out as it was, at the pace asked for. Method: a virtual clock."""

import asyncio
import math
from collections.abc import Iterable
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from connectors.publisher import (
    DAY_S,
    SLICE_MESSAGES,
    Pace,
    days_to_present,
    parse_speed,
    publish,
    shifted,
)
from connectors.recordings import RecordingMessage
from streams.errors import BadInput
from streams.events import MESSAGE_TYPE, TICK_KEY, HeartRate, encode_envelope, encode_tick

START_MS = 1_600_000_000_000


class Virtual:
    """A clock that only sleeping moves, and an outbox that notes when messages went out."""

    def __init__(self) -> None:
        self.time = 50.0
        self.sent: list[tuple[float, OutboundMessage]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, duration_s: float) -> None:
        self.time += duration_s

    async def send(self, messages: Iterable[OutboundMessage]) -> None:
        self.sent.extend((self.time, message) for message in messages)

    def publish(self, messages: Iterable[RecordingMessage], speed: float) -> int:
        pace = Pace(speed, self.now, self.sleep)
        return asyncio.run(publish(messages, cast(Outbox, self), pace=pace))


def message(
    offset: int, at_ms: int = START_MS, key: bytes | None = b"p01", value: bytes | None = b"{}"
) -> RecordingMessage:
    return RecordingMessage("sleep", offset % 2, offset, at_ms, key, value)


@given(st.lists(st.tuples(st.none() | st.binary(), st.none() | st.binary()), max_size=30))
def test_places_keys_and_bytes_stay_as_they_were(
    contents: list[tuple[bytes | None, bytes | None]],
) -> None:
    messages = [message(n, key=key, value=value) for n, (key, value) in enumerate(contents)]
    virtual = Virtual()
    assert virtual.publish(messages, math.inf) == len(messages)
    assert [(m.topic, m.partition, m.key, m.value) for _, m in virtual.sent] == [
        (m.topic, m.partition, m.key, m.value) for m in messages
    ]


def test_speed_shortens_the_time_between_messages() -> None:
    virtual = Virtual()
    times_ms = [START_MS, START_MS + 60_000, START_MS + 30_000, START_MS + 120_000]
    virtual.publish([message(n, at_ms) for n, at_ms in enumerate(times_ms)], 60.0)
    # The third was recorded late: it goes with the second and never before it.
    assert [at for at, _ in virtual.sent] == pytest.approx([50.0, 51.0, 51.0, 52.0])


def test_full_speed_never_waits_and_sends_in_slices() -> None:
    virtual = Virtual()
    count = SLICE_MESSAGES + 1
    steps: list[int] = []
    messages = [message(n, START_MS + n * 1_000) for n in range(count)]
    asyncio.run(
        publish(
            messages,
            cast(Outbox, virtual),
            pace=Pace(math.inf, virtual.now, virtual.sleep),
            on_progress=steps.append,
        )
    )
    assert virtual.time == 50.0
    assert steps == [SLICE_MESSAGES, 1]


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", ""])
def test_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="positive number or max"):
        parse_speed(text)


def test_speed_is_a_number_or_max() -> None:
    assert parse_speed("2.5") == 2.5
    assert parse_speed("max") == math.inf


@given(first=st.floats(0, 2e9), now=st.floats(0, 2e9))
def test_moved_recording_begins_in_the_last_24_hours(first: float, now: float) -> None:
    moved = first + days_to_present(first, now) * DAY_S
    assert now - DAY_S - 1e-3 < moved <= now + 1e-3


def test_every_time_of_an_envelope_moves_by_the_same_days() -> None:
    value = encode_envelope(
        [HeartRate(time=1_600_000_000.25, heart_rate=60.0)],
        "heart_rate/1",
        project_id="x",
        user_id="p01",
        source_id="w",
        time_received=1_600_000_100.5,
    )
    moved = shifted(message(0, value=value), 10)
    envelope = msgspec.json.decode(moved.value or b"", type=MESSAGE_TYPE)
    assert envelope.time_received == 1_600_000_100.5 + 864_000
    assert envelope.records[0].time == 1_600_000_000.25 + 864_000
    assert envelope.records[0].heart_rate == 60.0
    assert moved.timestamp_ms == START_MS + 864_000_000


def test_ticks_dates_and_consent_move_and_answers_do_not() -> None:
    def move(payload: Any) -> Any:
        value = msgspec.json.encode(payload)
        return msgspec.json.decode(shifted(message(0, value=value), 2).value or b"")

    tick = shifted(message(0, key=TICK_KEY, value=encode_tick(100.0, 4)), 2)
    assert tick.value == encode_tick(100.0 + 2 * DAY_S, 4)
    consent = {"consent": {"heart_rate": {"from": 1, "until": None, "version": "1"}}}
    assert move(consent)["consent"]["heart_rate"] == {
        "from": 1 + 2 * DAY_S,
        "until": None,
        "version": "1",
    }
    assert move({"date": "2024-02-28", "steps": 3}) == {"date": "2024-03-01", "steps": 3}
    assert move({"date": "unknown"}) == {"date": "unknown"}
    answers = {"items": {"time": 3, "9": 1}, "groups": {"from": "x"}}
    assert move(answers) == answers


@pytest.mark.parametrize("value", [None, b"", b"{broken", b"\xff\xfe", b"[1, 2]"])
def test_what_is_no_json_object_stays_byte_for_byte(value: bytes | None) -> None:
    assert shifted(message(0, value=value), 5).value == value


def test_unknown_timestamp_stays_unknown() -> None:
    assert shifted(message(0, at_ms=-1), 5).timestamp_ms == -1
