"""Recordings: files of ``kcat -J`` lines, which hold what ingest logs hold, byte for byte.

Files may be compressed by gzip or zstd. Topics that are not ingest topics are skipped.
"""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import merge
from itertools import chain, combinations
from operator import itemgetter
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

from connectors.compressed import LineFile
from connectors.kcat import (
    LINES,
    OUTLINES,
    Outline,
    RecordingMessage,
    encode_line,
    read_lines,
    text_bytes,
)
from connectors.pacing import with_ticks
from streams.errors import BadInput
from streams.events import INGEST_TOPICS, TICK_KEY, Tick

__all__ = [
    "OffsetRange",
    "RecordingMessage",
    "RecordingSummary",
    "RecordingWriter",
    "encode_line",
    "inspect_recordings",
    "read_recording",
    "read_recordings",
    "with_ticks",
]

_INGEST = frozenset(INGEST_TOPICS)
_TICK_KEY_TEXT = TICK_KEY.decode()

Place = tuple[str, int]
"""A topic and a partition number."""


class OffsetRange(Struct, frozen=True):
    """What is there of one topic-partition; offsets may be missing in between."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    messages: int


class RecordingSummary(Struct, frozen=True, kw_only=True):
    """What recordings hold together.

    ``paths`` are in an order in which no log goes back. ``messages`` counts ingest topics only;
    ``skipped`` is the number of messages of other topics. ``partitions`` is what the first tick
    says, else the largest partition number + 1. ``unticked`` are topic-partitions of the ingest
    topics without a single tick: if there are ticks elsewhere, the clock of their partition
    never moves. ``first_time`` and ``last_time`` (s UTC) are those of the ticks; without ticks,
    Kafka's.
    """

    paths: tuple[Path, ...]
    messages: int
    skipped: int
    partitions: int
    ranges: tuple[OffsetRange, ...]
    unticked: tuple[Place, ...]
    first_time: float
    last_time: float

    @property
    def has_ticks(self) -> bool:
        """Whether there is a tick anywhere."""
        return len(self.unticked) < self.partitions * len(INGEST_TOPICS)


class RecordingWriter:
    """Writes a recording; used as ``with``. Equal messages give equal bytes.

    The file appears when the block ends well. Until then, and for good if it ends by an exception,
    what was written is in ``<path>.partial``, which can be read as a recording up to its last
    whole message.

    Parameters
    ----------
    path
        ``.gz`` and ``.zst`` are compressed.
    level
        Level of compression; the format's usual one if absent.
    """

    def __init__(self, path: Path, *, level: int | None = None) -> None:
        self._file = LineFile(path, level)

    def __enter__(self) -> Self:
        """Begin the file."""
        self._file.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """End the file."""
        self._file.__exit__(kind, *rest)

    def write(self, message: RecordingMessage) -> None:
        """Append a message."""
        self._file.write(encode_line(message))


def read_recording(path: Path) -> Iterator[RecordingMessage]:
    """Messages of the ingest topics in a recording, in its order; other topics are skipped.

    Raises
    ------
    BadInput
        If the file is missing, damaged, cut off, without messages, or not a recording, or if the
        offsets of a topic-partition go back.
    """
    # Local names, for this runs once for every message of a replay.
    ingest, message = _INGEST, RecordingMessage
    is_empty = True
    for line in read_lines(path, LINES):
        topic, key, payload = line.topic, line.key, line.payload
        if topic not in ingest:
            continue
        is_empty = False
        yield message(
            topic,
            line.partition,
            line.offset,
            line.ts,
            None if key is None else text_bytes(key),
            None if payload is None else text_bytes(payload),
        )
    if is_empty:
        raise _nothing_in(path)


def read_recordings(paths: Sequence[Path]) -> Iterator[RecordingMessage]:
    """Messages of several recordings as of one.

    Files that continue the same logs are read one after the other, others are merged by Kafka's
    timestamp; each topic-partition is in the order of its log.

    Raises
    ------
    BadInput
        As `inspect_recordings`.
    """
    if len(paths) == 1:
        yield from read_recording(paths[0])
        return
    lanes = _lanes([_inspect(path) for path in paths])
    yield from merge(
        *(chain.from_iterable(map(read_recording, lane)) for lane in lanes),
        key=lambda message: message.timestamp_ms,
    )


def inspect_recordings(paths: Sequence[Path]) -> RecordingSummary:
    """Read recordings through and say what they hold, without keeping any of it.

    Raises
    ------
    BadInput
        As `read_recording`; if two files hold the same offsets; if ticks were written for
        different numbers of partitions.
    """
    files = [_inspect(path) for path in paths]
    lanes = _lanes(files)
    ranges = _ranges(files)
    partitions = _partitions(files, 1 + max(range_.partition for range_ in ranges))
    ticked = {place for file in files for place in file.ticked}
    every = ((topic, number) for topic in INGEST_TOPICS for number in range(partitions))
    times = [time for file in files for time in file.tick_times]
    times = times or [time for file in files for time in file.kafka_times]
    return RecordingSummary(
        paths=tuple(chain.from_iterable(lanes)),
        messages=sum(range_.messages for range_ in ranges),
        skipped=sum(file.skipped for file in files),
        partitions=partitions,
        ranges=ranges,
        unticked=tuple(place for place in every if place not in ticked),
        first_time=min(times),
        last_time=max(times),
    )


class _FileSummary:
    """What one file holds; times as [smallest, largest] in s, or empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped = 0
        self.ranges: dict[Place, OffsetRange] = {}
        self.ticked: set[Place] = set()
        self.tick_partitions: dict[int, None] = {}
        self.tick_times: list[float] = []
        self.kafka_times: list[float] = []

    def add(self, line: Outline) -> None:
        if line.topic not in _INGEST:
            self.skipped += 1
            return
        place = line.topic, line.partition
        known = self.ranges.get(place)
        first, count = (known.first_offset, known.messages) if known else (line.offset, 0)
        self.ranges[place] = OffsetRange(*place, first, line.offset, count + 1)
        self.kafka_times = _extended(self.kafka_times, line.ts / 1000.0)
        if line.key == _TICK_KEY_TEXT:
            self._add_tick(place, line.payload)

    def _add_tick(self, place: Place, payload: msgspec.Raw) -> None:
        try:
            tick = msgspec.json.decode(msgspec.json.decode(payload, type=str), type=Tick)
        except (msgspec.DecodeError, UnicodeError):
            return  # not a tick after all: the pipeline refuses it by name
        self.ticked.add(place)
        self.tick_partitions[tick.partitions] = None
        self.tick_times = _extended(self.tick_times, tick.time)


def _extended(span: list[float], time: float) -> list[float]:
    if not span:
        return [time, time]
    if span[0] <= time <= span[1]:
        return span
    return [min(span[0], time), max(span[1], time)]


def _inspect(path: Path) -> _FileSummary:
    file = _FileSummary(path)
    for line in read_lines(path, OUTLINES):
        file.add(line)
    if not file.ranges:
        raise _nothing_in(path)
    return file


def _nothing_in(path: Path) -> BadInput:
    return BadInput(f"{path}: a recording without a message of an ingest topic")


def _ranges(files: Sequence[_FileSummary]) -> tuple[OffsetRange, ...]:
    """Ranges of all files together, in order of topic and partition number."""
    total: dict[Place, OffsetRange] = {}
    entries = [entry for file in files for entry in file.ranges.items()]
    for place, range_ in sorted(entries, key=itemgetter(0)):
        known = total.get(place, range_)
        total[place] = OffsetRange(
            *place,
            min(known.first_offset, range_.first_offset),
            max(known.last_offset, range_.last_offset),
            range_.messages + (known.messages if place in total else 0),
        )
    return tuple(total.values())


def _partitions(files: Sequence[_FileSummary], largest: int) -> int:
    """Number of partitions by the ticks, or by the messages if there are no ticks."""
    counts = {count: file.path for file in files for count in file.tick_partitions}
    if len(counts) > 1:
        raise BadInput(
            f"ticks speak of {' and '.join(map(str, sorted(counts)))} partitions "
            f"({', '.join(sorted({str(path) for path in counts.values()}))}): the number must "
            "not change within a recording; replay the parts apart"
        )
    partitions = next(iter(counts), largest)
    if partitions < largest:
        raise BadInput(
            f"{counts[partitions]}: ticks speak of {partitions} partitions, but there are "
            f"messages in partition {largest - 1}"
        )
    return partitions


def _lanes(files: Sequence[_FileSummary]) -> list[list[Path]]:
    """Files in lanes: those that share a topic-partition in one lane, in the order of its log."""
    if not files:
        raise BadInput("no recording is given")
    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(files)), ()))
    for one, other in combinations(range(len(files)), 2):
        for place in sorted(files[one].ranges.keys() & files[other].ranges.keys()):
            sorter.add(*_later_first(files, place, (one, other)))
    try:
        order = [files[number] for number in sorter.static_order()]
    except CycleError:
        names = ", ".join(str(file.path) for file in files)
        raise BadInput(f"{names}: which file comes first differs between logs") from None
    lanes: list[tuple[set[Place], list[_FileSummary]]] = []
    for file in order:
        joined = [lane for lane in lanes if lane[0] & file.ranges.keys()]
        lanes = [lane for lane in lanes if lane not in joined]
        members = [*chain.from_iterable(lane[1] for lane in joined), file]
        lanes.append((set().union(*(member.ranges for member in members)), members))
    return [[member.path for member in members] for _, members in lanes]


def _later_first(
    files: Sequence[_FileSummary], place: Place, pair: tuple[int, int]
) -> tuple[int, int]:
    """Of two files that share a log the later one, then the earlier one."""
    early, late = sorted(pair, key=lambda number: files[number].ranges[place].first_offset)
    if files[early].ranges[place].last_offset >= files[late].ranges[place].first_offset:
        raise BadInput(
            f"{files[early].path} and {files[late].path} overlap: both hold offset "
            f"{files[late].ranges[place].first_offset} of {place[0]}[{place[1]}]"
        )
    return late, early
