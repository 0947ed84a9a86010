"""What workers say of the subjects of a site within some days, as batches of the output topics.

The pipeline says it of a few subjects; the others are said the same of, under their own names. In
two lives of eight the heart rate of every third hour comes an hour late, so that rows are said
again. Batches are as a consumer fetches them when it has fallen behind.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from msgspec import Struct

from bench import everything
from bench.memory import batches
from bench.recording import Log, user_of
from connectors.influx.decisions import Decisions, key_of
from connectors.influx.known import Known
from connectors.outputs import OutboundMessage, output_message
from connectors.recordings import RecordingMessage
from detectors.cohort import load_cohort
from streams.agents import outputs_of
from streams.config import PipelineConfig
from streams.events import TICK_KEY
from streams.pipeline import PartitionPipeline
from streams.transport import Batch

FETCH_BYTES = 1_048_576
"""Most that a fetch brings of a topic-partition: the consumer's default."""
LATE_VARIANTS = frozenset({6, 7})
LATE_EVERY_H = 3


class Message(Struct, frozen=True, array_like=True):
    """A record of an output topic as the client hands it over, as far as decoding needs it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Fetched(Struct, frozen=True, array_like=True):
    """What one fetch brought of a topic."""

    topic: str
    messages: list[Message]

    def batch(self) -> Batch:
        """Give it as the transport does."""
        first, last = self.messages[0].offset, self.messages[-1].offset
        return Batch(
            topic=self.topic,
            partition=0,
            first_offset=first,
            next_offset=last + 1,
            records=self.messages,  # type: ignore[arg-type]  # no timestamps are needed here
            restarted=first == 0,
        )


class Ready(Struct, frozen=True, array_like=True):
    """Line protocol of one batch, for one bucket."""

    bucket: str
    texts: list[str]


def fetched(subjects: int, hours: int) -> Iterator[Fetched]:
    """Give all batches; ``subjects`` is a multiple of the number of lives."""
    logs: dict[str, _Log] = {}
    for messages in _said(hours):
        for message in messages:
            log = logs.setdefault(message.topic, _Log(message.topic))
            for key, value in _of_everybody(message, subjects):
                if log.is_full(value):
                    yield log.fetch()
                log.append(key, value)
    yield from (log.fetch() for log in logs.values())


def ready(fetches: Iterable[Fetched]) -> Iterator[list[Ready]]:
    """Give the lines that each batch leads to, if InfluxDB was empty at first."""
    known = Known(cells_max=10**9)
    for one in fetches:
        decisions = Decisions(known)
        for output in outputs_of(one.batch()):
            decisions.take(key_of(output), output)
        work = decisions.work()
        yield [Ready(bucket, lines.texts) for bucket, lines in work.lines.items()]


def _said(hours: int) -> Iterator[list[OutboundMessage]]:
    """Give what the pipeline says of one subject of each life at each tick."""
    pipeline = PartitionPipeline(
        0, PipelineConfig(partitions=1), partition_of=lambda _: 0, cohort=load_cohort()
    )
    recording = everything.hours(
        everything.VARIANTS,
        hours,
        partitions=1,
        partition_of=lambda _: 0,
        ticks_every_h=everything.hourly,
    )
    message_of = partial(output_message, partition=0, code_version="")
    for part in _late(recording):
        said = [
            message_of(output)
            for topic, _, some in batches(part)
            for output in pipeline.process(topic, some)
        ]
        if said:
            yield said


def _late(recording: Iterable[Iterable[RecordingMessage]]) -> Iterator[list[RecordingMessage]]:
    """Give the recording with the heart rate of some subjects an hour late now and then."""
    log = Log()
    late = {user_of(variant).encode() for variant in LATE_VARIANTS}
    held: list[RecordingMessage] = []
    number = 0
    for messages in recording:
        part = list(messages)
        if part[-1].key != TICK_KEY:
            number += 1
            is_held = number % LATE_EVERY_H == 0
            before, held = held, [m for m in part if is_held and _is_late(m, late)]
            part = before + [m for m in part if not (is_held and _is_late(m, late))]
        # Numbered anew, in the order in which they come now.
        yield [log.append(m.topic, 0, key=m.key or b"", value=m.value or b"") for m in part]


def _is_late(message: RecordingMessage, late: set[bytes]) -> bool:
    return message.topic == "heart-rate" and message.key in late


def _of_everybody(message: OutboundMessage, subjects: int) -> Iterator[tuple[bytes | None, bytes]]:
    value = message.value or b""
    if message.key is None:
        yield None, value
        return
    first = int(message.key.rpartition(b"-")[2])
    for index in range(first, subjects, everything.VARIANTS):
        key = user_of(index).encode()
        yield key, value.replace(message.key, key)


class _Log:
    """The end of a topic's log, which is fetched whenever it is long enough."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._messages: list[Message] = []
        self._bytes = 0
        self._end = 0

    def is_full(self, value: bytes) -> bool:
        return bool(self._messages) and self._bytes + len(value) > FETCH_BYTES

    def append(self, key: bytes | None, value: bytes) -> None:
        self._messages.append(Message(self._end, key, value))
        self._bytes += len(value)
        self._end += 1

    def fetch(self) -> Fetched:
        messages, self._messages, self._bytes = self._messages, [], 0
        return Fetched(self._topic, messages)
