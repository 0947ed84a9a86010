"""What the output topics carry: an output as a Kafka message, and back.

Everything but a dead letter is JSON. A dead letter keeps the key and the bytes of the message that
was refused as they are; where it came from and why stands in its headers.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from streams.errors import BadInput
from streams.events import (
    OUTPUT_TOPICS,
    Alert,
    Anomaly,
    DeadLetter,
    FeatureRow,
    MinuteRows,
    Operation,
    Output,
)

Headers = Sequence[tuple[str, bytes]]


class OutboundMessage(Struct, frozen=True):
    """A message for a topic-partition; the time of sending becomes its Kafka timestamp."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


_DECODER = msgspec.json.Decoder(FeatureRow | MinuteRows | Anomaly | Alert | Operation)
_ENCODER = msgspec.json.Encoder()


def output_message(output: Output, partition: int, code_version: str) -> OutboundMessage:
    """The message that carries an output, in the partition whose input it came from."""
    topic = OUTPUT_TOPICS[type(output)]
    if isinstance(output, DeadLetter):
        headers = _dead_letter_headers(output, code_version)
        return OutboundMessage(topic, partition, output.key, output.value, headers)
    key = None if output.user_id is None else output.user_id.encode()
    return OutboundMessage(topic, partition, key, _ENCODER.encode(output))


def output_of(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Output:
    """The output that a message of an output topic carries.

    Raises
    ------
    BadInput
        If the message is not one of Wakeline's.
    """
    try:
        if topic == OUTPUT_TOPICS[DeadLetter]:
            return _dead_letter(key, value, dict(headers))
        output: Output = _DECODER.decode(value or b"")
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise BadInput(f"a message on {topic} is not one of Wakeline's outputs: {error}") from error
    return output


def _dead_letter_headers(letter: DeadLetter, code_version: str) -> Headers:
    headers = [
        ("origin-topic", letter.topic.encode()),
        ("origin-partition", str(letter.partition).encode()),
        ("origin-offset", str(letter.offset).encode()),
        ("reason", letter.reason.encode()),
        ("code-version", code_version.encode()),
    ]
    if letter.index is not None:
        headers.append(("record-index", str(letter.index).encode()))
    return headers


def _dead_letter(key: bytes | None, value: bytes | None, headers: dict[str, bytes]) -> DeadLetter:
    index = headers.get("record-index")
    return DeadLetter(
        topic=headers["origin-topic"].decode(),
        partition=int(headers["origin-partition"]),
        offset=int(headers["origin-offset"]),
        reason=headers["reason"].decode(),
        key=key,
        value=value,
        index=None if index is None else int(index),
    )
