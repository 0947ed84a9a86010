"""Publishes a recording to a broker: partitions, keys and bytes as they were, timestamps of today.

Kafka's own timestamps are those of sending, since old ones invite deletion by retention.
"""

import asyncio
import datetime as dt
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from connectors.recordings import RecordingMessage
from streams.errors import BadInput

SLICE_MESSAGES = 5_000
"""Messages that are sent before their acknowledgements are awaited."""

TOGETHER_S = 0.01
"""Messages that are due so close to each other (s) are sent together."""

DAY_S = 86_400

# Names of the contract under which a payload says when.
_TIMES = frozenset({"time", "timeReceived", "from", "until", "at"})
_DATES = frozenset({"date"})
# Their keys are a questionnaire's and a site's, not the contract's.
_OPAQUE = frozenset({"items", "groups"})


class Pace(Struct, frozen=True):
    """How fast a recording is published: ``speed`` times as fast as it was recorded.

    Infinity sends as fast as the broker takes it. ``now`` and ``sleep`` may be replaced in tests.
    """

    speed: float = math.inf
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def parse_speed(text: str) -> float:
    """Read ``max`` or a positive number.

    Raises
    ------
    BadInput
        If it is neither.
    """
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise BadInput(f"a speed is a positive number or max, not {text!r}")
    return speed


async def publish(
    messages: Iterable[RecordingMessage],
    outbox: Outbox,
    *,
    pace: Pace | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Send a recording and return the number of messages, all acknowledged by the broker.

    Parameters
    ----------
    messages
        In the order of their logs per topic-partition, which is kept.
    outbox
        Where to send.
    pace
        How fast, by the timestamps of the recording; as fast as possible if absent.
    on_progress
        Called with the number of messages sent since the last call.

    Raises
    ------
    BrokerUnavailable
        If the broker does not take them in time.
    """
    count = 0
    for due in _due_together(messages, pace or Pace()):
        await due.wait()
        await outbox.send(due.messages)
        count += len(due.messages)
        on_progress(len(due.messages))
    return count


class _Due:
    """Messages that go out together, and when."""

    def __init__(self, pace: Pace, begun: float, after_s: float) -> None:
        self.messages: list[OutboundMessage] = []
        self._pace = pace
        self._at = begun + after_s

    async def wait(self) -> None:
        left_s = self._at - self._pace.now()
        if left_s > 0:
            await self._pace.sleep(left_s)


def _due_together(messages: Iterable[RecordingMessage], pace: Pace) -> Iterator[_Due]:
    begun = pace.now()
    first_ms: int | None = None
    due: _Due | None = None
    due_s = 0.0
    for message in messages:
        if first_ms is None:
            first_ms = message.timestamp_ms
        # A message with an earlier timestamp than the one before it does not go back in time.
        at_s = max(due_s, (message.timestamp_ms - first_ms) / 1000.0 / pace.speed)
        if due is None or len(due.messages) >= SLICE_MESSAGES or at_s > due_s + TOGETHER_S:
            if due is not None:
                yield due
            due = _Due(pace, begun, at_s)
            due_s = at_s
        due.messages.append(
            OutboundMessage(message.topic, message.partition, message.key, message.value)
        )
    if due is not None:
        yield due


def days_to_present(first_time: float, now_s: float) -> int:
    """Whole days by which a recording has to move to begin within the 24 h before ``now_s``.

    Local times of day stay what they were (but for a change of the clocks in between).
    """
    return math.floor((now_s - first_time) / DAY_S)


def shifted(message: RecordingMessage, days: int) -> RecordingMessage:
    """The message with every time and date in its payload, and its timestamp, ``days`` later.

    What is not a JSON object stays as it is.
    """
    moved_ms = message.timestamp_ms
    if moved_ms >= 0:  # -1 stands for a timestamp that the recording does not know
        moved_ms += days * DAY_S * 1000
    value = message.value
    try:
        payload = msgspec.json.decode(value or b"")
    except msgspec.DecodeError:
        payload = None
    if isinstance(payload, dict):
        value = msgspec.json.encode(_shifted(payload, days))
    return msgspec.structs.replace(message, timestamp_ms=moved_ms, value=value)


def _shifted(value: Any, days: int) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, list):
        return [_shifted(entry, days) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        name: entry if name in _OPAQUE else _shifted_field(name, entry, days)
        for name, entry in value.items()
    }


def _shifted_field(name: str, value: Any, days: int) -> Any:  # noqa: ANN401 - JSON of any shape
    if name in _TIMES and isinstance(value, int | float) and not isinstance(value, bool):
        return value + days * DAY_S
    if name in _DATES and isinstance(value, str):
        try:
            return (dt.date.fromisoformat(value) + dt.timedelta(days=days)).isoformat()
        except (ValueError, OverflowError):
            return value
    return _shifted(value, days)
