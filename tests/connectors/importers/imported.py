"""What the tests of importers share: a small import, and what the recording then holds."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from connectors.importers.dataset import DataSet
from connectors.importers.writer import ImportSummary, Target, write_recording
from connectors.recordings import RecordingMessage, inspect_recordings, read_recording
from streams.events import (
    INGEST_TOPICS,
    MESSAGE_TYPE,
    SCHEMA_OF_TYPE,
    TOPIC_OF_SCHEMA,
    Envelope,
    Record,
    Tick,
)
from streams.partitioning import partition_of

PARTITIONS = 3
_DECODER = msgspec.json.Decoder(MESSAGE_TYPE)


def write_table(path: Path, columns: str, rows: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([columns, *rows, ""]), encoding="utf-8")
    return path


def imported(data: DataSet, folder: Path) -> tuple[ImportSummary, list[Envelope]]:
    """Import a data set, hold the promises of every import, and give its envelopes in order."""
    path = folder / "imported.jsonl.gz"
    summary = write_recording([data], Target(path=path, partitions=PARTITIONS))
    messages = list(read_recording(path))
    found = inspect_recordings([path])
    assert found.unticked == ()
    assert found.partitions == PARTITIONS
    envelopes = list(_checked(messages))
    assert summary.envelopes == len(envelopes)
    assert summary.envelopes + summary.ticks == len(messages)
    # A settled day is due 72 h after it has ended at UTC-12.
    assert found.last_time >= summary.last_time + (72 + 36) * 3_600
    return summary, envelopes


def records(envelopes: Sequence[Envelope], kind: type[Record], user_id: str) -> list[Any]:
    return [
        record
        for envelope in envelopes
        if envelope.user_id == user_id
        for record in envelope.records
        if isinstance(record, kind)
    ]


def _checked(messages: Sequence[RecordingMessage]) -> Iterator[Envelope]:
    """Envelopes, each valid, in its place, and neither before nor long after its log's tick."""
    clocks: dict[tuple[str, int], float] = {}
    assert {message.topic for message in messages} == set(INGEST_TOPICS)
    for message in messages:
        decoded = _DECODER.decode(message.value or b"")
        place = message.topic, message.partition
        if isinstance(decoded, Tick):
            clocks[place] = decoded.time
            continue
        assert isinstance(decoded, Envelope)
        assert message.key == decoded.user_id.encode()
        assert message.partition == partition_of(decoded.user_id, PARTITIONS)
        assert message.topic == TOPIC_OF_SCHEMA[SCHEMA_OF_TYPE[type(decoded.records[0])]]
        assert clocks[place] <= decoded.time_received <= clocks[place] + 3_600.0
        yield decoded
