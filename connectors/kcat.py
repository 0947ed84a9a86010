"""The lines that ``kcat -J`` writes, one for each message of a log, and their messages.

A line is a JSON object with ``topic``, ``partition``, ``offset``, ``ts`` (ms), ``key`` and
``payload`` (text, or null). Bytes that are not UTF-8 stand in the line as they are, which is what
kcat does: such a line is no valid JSON, yet nothing is lost.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct

from connectors.compressed import read_line_blocks
from streams.errors import BadInput

_Number = Annotated[int, Meta(ge=0)]


class RecordingMessage(Struct, frozen=True, gc=False):
    """One message of a log; ``timestamp_ms`` is Kafka's, -1 where the recording has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Line(Struct, gc=False):
    """What matters of a line."""

    topic: str
    partition: _Number
    offset: _Number
    key: str | None
    payload: str | None
    ts: int = -1


class Outline(Struct):
    """A line whose payload is left undecoded, for what only counts messages."""

    topic: str
    partition: _Number
    offset: _Number
    key: str | None
    payload: msgspec.Raw
    ts: int = -1


class _WireLine(Struct, gc=False):
    """A line with the fields of kcat, in its order."""

    topic: str
    partition: int
    offset: int
    tstype: str
    ts: int
    broker: int
    key: str | None
    payload: str | None


class _Placed(Protocol):
    topic: str
    partition: int
    offset: int


L = TypeVar("L", bound=_Placed)

LINES = msgspec.json.Decoder(Line)
OUTLINES = msgspec.json.Decoder(Outline)
_ENCODER = msgspec.json.Encoder()
_RAW_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def read_lines(path: Path, decoder: msgspec.json.Decoder[L]) -> Iterator[L]:
    """Lines of a file, checked to go forward within each topic-partition.

    Raises
    ------
    BadInput
        If the file cannot be read, is not one of kcat's, or the offsets of a log go back.
    """
    last: dict[tuple[str, int], int] = {}
    first_number = 1
    for block in read_line_blocks(path):
        try:
            lines = decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError):
            lines = [*_one_by_one(path, decoder, block, first_number)]
        for index, line in enumerate(lines):
            place = line.topic, line.partition
            if line.offset <= last.get(place, -1):
                raise BadInput(
                    f"{path}, line {first_number + index}: offset {line.offset} of "
                    f"{place[0]}[{place[1]}] comes after {last[place]}: a log never goes back"
                )
            last[place] = line.offset
            yield line
        first_number += block.count(b"\n")


def _one_by_one(
    path: Path, decoder: msgspec.json.Decoder[L], block: bytes, first_number: int
) -> Iterator[L]:
    """Lines of a block that holds bytes that are not UTF-8, or something that is no line."""
    for number, raw in enumerate(block.splitlines(), first_number):
        if not raw.strip():
            continue
        try:
            try:
                yield decoder.decode(raw)
            except UnicodeDecodeError:
                yield _with_raw_bytes(raw, decoder)
        except (ValueError, RecursionError):
            # The error itself would tell of the payload.
            raise BadInput(
                f"{path}, line {number}: not a recording (a line of `kcat -J` was expected)"
            ) from None


def _with_raw_bytes(raw: bytes, decoder: msgspec.json.Decoder[L]) -> L:
    fields = json.loads(raw.decode("utf-8", "surrogateescape"))
    if decoder.type is Outline and isinstance(fields, dict):
        # No tick has such bytes, so nobody reads this payload.
        fields["payload"] = msgspec.Raw(b'""')
    line: L = msgspec.convert(fields, decoder.type)
    return line


def text_bytes(text: str) -> bytes:
    """Bytes that a text of a line stands for.

    Raises
    ------
    UnicodeEncodeError
        If the text holds half of a surrogate pair, which stands for no bytes.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def encode_line(message: RecordingMessage) -> bytes:
    """The line of a message, with its line feed."""
    try:
        return _ENCODER.encode(_wire_line(message, "strict")) + b"\n"
    except UnicodeDecodeError:
        line = msgspec.structs.asdict(_wire_line(message, "surrogateescape"))
        return _RAW_ENCODER.encode(line).encode("utf-8", "surrogateescape") + b"\n"


def _wire_line(message: RecordingMessage, errors: str) -> _WireLine:
    key, value = message.key, message.value
    return _WireLine(
        message.topic,
        message.partition,
        message.offset,
        "unknown" if message.timestamp_ms < 0 else "create",
        message.timestamp_ms,
        -1,
        None if key is None else key.decode("utf-8", errors),
        None if value is None else value.decode("utf-8", errors),
    )
