"""The AsyncAPI 3 document of all topics."""

import json
from typing import Any

import msgspec
from msgspec import Struct

from streams.contract.examples import example
from streams.contract.tables import as_markdown, headline
from streams.events import (
    ENVELOPE_TYPES,
    INGEST_TOPICS,
    OUTPUT_TOPICS,
    RECORD_TYPES,
    SCHEMA_OF_TYPE,
    TICK_KEY,
    TOPIC_OF_SCHEMA,
    AlertAction,
    CareContext,
    DeadLetter,
    Subject,
    Tick,
)
from streams.events.ranges import UserId

CONTRACT_VERSION = "1.0.0"
"""Version of the contract; a minor step adds something, a major one renames a schema's ``/1``."""

KEPT_FOR_EVER = frozenset(
    TOPIC_OF_SCHEMA[SCHEMA_OF_TYPE[record]] for record in (Subject, CareContext, AlertAction)
)
"""Ingest topics whose whole history a rebuild needs."""

_REF = "#/components/schemas/{name}"
_KAFKA_BINDING = "0.5.0"
_PARTITIONER = (
    "Keyed by userId with Kafka's murmur2 partitioner; all ingest topics have the same number of "
    "partitions."
)
# What the structs check after decoding, said in JSON Schema.
_RULES: dict[str, dict[str, Any]] = {
    "HeartRateVariability": {
        "anyOf": [
            {"required": ["rmssd"], "properties": {"rmssd": {"type": "number"}}},
            {"required": ["sdnn"], "properties": {"sdnn": {"type": "number"}}},
        ],
        "oneOf": [
            {"required": ["date"], "properties": {"date": {"type": "string"}}},
            {
                "required": ["time", "duration"],
                "properties": {"time": {"type": "number"}, "duration": {"type": "number"}},
            },
        ],
    }
}
_DEAD_LETTER_HEADERS = {
    "type": "object",
    "description": "UTF-8 texts; numbers are written in decimal.",
    "properties": {
        "origin-topic": {"type": "string", "description": "Topic where the message was found."},
        "origin-partition": {"type": "string", "description": "Partition of that topic."},
        "origin-offset": {"type": "string", "description": "Offset in that partition."},
        "record-index": {"type": "string", "description": "Which record, if only one is bad."},
        "reason": {"type": "string", "description": "Why it was refused, without its content."},
        "code-version": {"type": "string", "description": "Version of the code that refused it."},
    },
    "required": ["origin-topic", "origin-partition", "origin-offset", "reason", "code-version"],
}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 document of all topics, as seen from Wakeline: it receives what is ingested."""
    messages = {**_ingest_messages(), **_output_messages()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Wakeline events",
            "version": CONTRACT_VERSION,
            "description": (
                "Events that device gateways publish about subjects, and what Wakeline says of "
                "them. One Kafka message is one JSON object (UTF-8). Changes within a major "
                "version of a schema only add optional fields."
            ),
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": "application/json",
        "channels": {**_ingest_channels(), **_output_channels()},
        "operations": _operations(),
        "components": {"messages": messages, "schemas": _schemas()},
    }


def contract_json() -> str:
    """Text of the AsyncAPI document, as ``docs/asyncapi.json`` holds it."""
    return json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n"


def _message_name(schema: str) -> str:
    """Name of a message: AsyncAPI allows no slash in the keys of components."""
    return schema.replace("/", ".")


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _message(schema: str, struct: type[Struct], about: type[Struct]) -> dict[str, Any]:
    return {
        "name": schema,
        "title": schema,
        "summary": headline(about),
        "payload": _ref("schemas", struct.__name__),
        "bindings": {"kafka": {"key": _key_schema(struct), "bindingVersion": _KAFKA_BINDING}},
    }


def _key_schema(struct: type[Struct]) -> dict[str, Any]:
    if struct is Tick:
        return {"type": "string", "const": TICK_KEY.decode()}
    schema = msgspec.json.schema(UserId)
    return {**schema, "description": "The userId of the message (UTF-8)."}


def _ingest_messages() -> dict[str, Any]:
    messages = {
        _message_name(schema): {
            **_message(schema, envelope, RECORD_TYPES[schema]),
            "examples": [{"name": "all fields", "payload": example(envelope)}],
        }
        for schema, envelope in ENVELOPE_TYPES.items()
    }
    return {**messages, "tick.1": _message("tick/1", Tick, Tick)}


def _schema_name(struct: type[Struct]) -> str:
    tag = struct.__struct_config__.tag
    return tag if isinstance(tag, str) else struct.__name__


def _output_messages() -> dict[str, Any]:
    messages = {
        _message_name(_schema_name(struct)): _message(_schema_name(struct), struct, struct)
        for struct in OUTPUT_TOPICS
        if struct is not DeadLetter
    }
    dead_letter = {
        "name": "dead_letter",
        "title": "dead_letter",
        "summary": headline(DeadLetter),
        "contentType": "application/octet-stream",
        "headers": _DEAD_LETTER_HEADERS,
        "payload": {
            "description": (
                "The refused message, byte for byte; empty in all but the first about a message, "
                "and where the subject's consent does not allow its content to be kept."
            )
        },
    }
    return {**messages, "dead_letter": dead_letter}


def _channel(topic: str, description: str, messages: list[str]) -> dict[str, Any]:
    kafka: dict[str, Any] = {"topic": topic, "bindingVersion": _KAFKA_BINDING}
    if topic in KEPT_FOR_EVER:
        kafka["topicConfiguration"] = {"cleanup.policy": ["delete"], "retention.ms": -1}
    return {
        "address": topic,
        "description": description,
        "messages": {name: _ref("messages", name) for name in messages},
        "bindings": {"kafka": kafka},
    }


def _ingest_names(topic: str) -> list[str]:
    return [_message_name(schema) for schema, home in TOPIC_OF_SCHEMA.items() if home == topic]


def _ingest_channels() -> dict[str, Any]:
    channels = {}
    for topic in INGEST_TOPICS:
        kept = " Kept for ever: a rebuild needs its history." if topic in KEPT_FOR_EVER else ""
        description = f"{_PARTITIONER}{kept} Ticks are written by Wakeline alone."
        channels[topic] = _channel(topic, description, [*_ingest_names(topic), "tick.1"])
    return channels


def _output_names() -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for struct, topic in OUTPUT_TOPICS.items():
        schema = "dead_letter" if struct is DeadLetter else _schema_name(struct)
        names.setdefault(topic, []).append(_message_name(schema))
    return names


def _output_channels() -> dict[str, Any]:
    return {
        topic: _channel(topic, "Written by Wakeline.", names)
        for topic, names in _output_names().items()
    }


def _operation(action: str, topic: str, names: list[str], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in names],
    }


def _operations() -> dict[str, Any]:
    operations = {}
    for topic in INGEST_TOPICS:
        operations[f"receive-{topic}"] = _operation(
            "receive", topic, _ingest_names(topic), "Gateways publish, Wakeline reads."
        )
        operations[f"tick-{topic}"] = _operation(
            "send", topic, ["tick.1"], "Wakeline writes the clock of each partition into its log."
        )
    for topic, names in _output_names().items():
        operations[f"send-{topic}"] = _operation("send", topic, names, "Wakeline publishes.")
    return operations


def _schemas() -> dict[str, Any]:
    types = [*ENVELOPE_TYPES.values(), Tick, *(t for t in OUTPUT_TOPICS if t is not DeadLetter)]
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    for name, schema in components.items():
        if "description" in schema:
            schema["description"] = as_markdown(schema["description"])
        schema.update(_RULES.get(name, {}))
    for schema_name, envelope in ENVELOPE_TYPES.items():
        components[envelope.__name__]["description"] = f"Envelope of {schema_name} records."
    return components
