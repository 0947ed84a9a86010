"""Goal: the in-band clock says what was asked for. Method: injected clocks, a recording outbox."""

import asyncio
from collections.abc import Iterable
from typing import cast

import msgspec
import pytest

from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from connectors.ticks import TICK_INTERVAL_S, TickPlan, TickWriter, parse_ticks
from streams.errors import BadInput
from streams.events import TICK_KEY, Tick


class Sent:
    def __init__(self) -> None:
        self.messages: list[OutboundMessage] = []

    async def send(self, messages: Iterable[OutboundMessage]) -> None:
        self.messages.extend(messages)


def test_every_owned_partition_gets_the_same_tick() -> None:
    sent = Sent()
    owned = [("sleep", 1), ("activity", 1)]
    writer = TickWriter(cast(Outbox, sent), 4, clock=lambda: 123.5, owned=lambda: owned)
    asyncio.run(writer.write())
    assert [(m.topic, m.partition, m.key) for m in sent.messages] == [
        ("activity", 1, TICK_KEY),
        ("sleep", 1, TICK_KEY),
    ]
    for message in sent.messages:
        tick = msgspec.json.decode(message.value or b"", type=Tick)
        assert tick == Tick(time=123.5, partitions=4)


def test_live_clock_is_the_time_of_day() -> None:
    now = [1000.0]
    plan = parse_ticks("live")
    assert plan is not None
    clock = plan.clock(lambda: now[0])
    now[0] += 7.0
    assert clock() == 1007.0
    assert plan.interval_s == TICK_INTERVAL_S


def test_past_clock_starts_where_asked_and_runs_faster() -> None:
    now = [1000.0]
    plan = parse_ticks("500:3600")
    assert plan == TickPlan(500.0, 3600.0)
    clock = plan.clock(lambda: now[0])
    assert clock() == 500.0
    now[0] += 2.0
    assert clock() == 500.0 + 7200.0
    assert 0 < plan.interval_s <= TICK_INTERVAL_S


def test_recorded_ticks_mean_that_none_are_written() -> None:
    assert parse_ticks("recorded") is None


@pytest.mark.parametrize("text", ["", "now", "1:", ":1", "1:0", "1:-2", "-1:1", "nan:1", "1:inf"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="START:SPEED"):
        parse_ticks(text)
