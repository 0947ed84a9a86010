"""The envelope round the records of one Kafka message, and the tick that carries the clock.

One struct per schema is built here, tagged by ``schema``, so that a good message of any type is
decoded and validated in a single pass.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any, NotRequired, TypedDict, Unpack, cast

import msgspec
from msgspec import Meta, Struct

from streams.events import ranges as r
from streams.events.records import RECORD_TYPES, SCHEMA_OF_TYPE, TOPIC_OF_SCHEMA, Record
from streams.events.registry import Subject

RECORDS_MAX = 10_000
"""Most records that one envelope may carry."""

ENVELOPE_BYTES_MAX = 4 * 1024 * 1024
"""Largest envelope taken in (bytes)."""

TICK_KEY = b"~tick"
"""Key of ticks; no ``userId`` can be equal to it."""

SUBJECT_SCHEMA = SCHEMA_OF_TYPE[Subject]
"""Schema of the registry's records, by which every other event is judged."""

INGEST_TOPICS: tuple[str, ...] = tuple(dict.fromkeys(TOPIC_OF_SCHEMA.values()))
"""The ingest topics, which all have the same number of partitions."""


class Envelope(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Records of one type from one source of one subject. Each schema has its own subclass."""

    project_id: r.ProjectId
    user_id: r.UserId
    source_id: r.SourceId
    time_received: r.EpochSeconds
    utc_offset: r.UtcOffset | None = None
    records: list[Any]


class Tick(Struct, frozen=True, kw_only=True, rename="camel", tag_field="schema", tag="tick/1"):
    """The clock in the log: ``time`` (s UTC), and how many ``partitions`` its writer saw."""

    time: r.EpochSeconds
    partitions: Annotated[
        int, Meta(ge=1, le=100_000, description="Number of partitions of the topic (count).")
    ]


def _envelope_type(schema: str, record: type[Record]) -> type[Envelope]:
    records = Annotated[
        list[record],  # type: ignore[valid-type]  # the type is data here: one per schema
        Meta(min_length=1, max_length=RECORDS_MAX),
    ]
    envelope = msgspec.defstruct(
        f"{record.__name__}Envelope",
        [("records", records)],
        bases=(Envelope,),
        tag_field="schema",
        tag=schema,
        frozen=True,
        kw_only=True,
        rename="camel",
        omit_defaults=True,
    )
    return cast("type[Envelope]", envelope)


ENVELOPE_TYPES: dict[str, type[Envelope]] = {
    schema: _envelope_type(schema, record) for schema, record in RECORD_TYPES.items()
}
"""Schema -> envelope type."""

ENVELOPE_SCHEMAS: dict[type[Envelope], str] = {
    envelope_type: schema for schema, envelope_type in ENVELOPE_TYPES.items()
}
"""Envelope type -> schema."""

MESSAGE_TYPE: Any = reduce(or_, ENVELOPE_TYPES.values(), Tick)
"""Union of everything that may lie on an ingest topic."""


class EnvelopeHead(TypedDict):
    """What an envelope says beside its records, for publishers and importers."""

    project_id: str
    user_id: str
    source_id: str
    time_received: float
    utc_offset: NotRequired[int | None]


def encode_envelope(records: Sequence[Record], schema: str, **head: Unpack[EnvelopeHead]) -> bytes:
    """Encode an envelope as it goes on the wire (UTF-8 JSON)."""
    return msgspec.json.encode(ENVELOPE_TYPES[schema](records=list(records), **head))


def encode_tick(time: float, partitions: int) -> bytes:
    """Encode a tick of the in-band clock."""
    return msgspec.json.encode(Tick(time=time, partitions=partitions))
