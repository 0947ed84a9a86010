"""Generated ingest logs of one partition, and ways to read them in any order and batch size."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from detectors.cohort import load_cohort
from streams.config import PipelineConfig
from streams.events import (
    INGEST_TOPICS,
    OPERATIONAL_FIELDS,
    RECORD_TYPES,
    SCHEMA_OF_TYPE,
    TICK_KEY,
    TOPIC_OF_SCHEMA,
    Alert,
    Anomaly,
    Consent,
    FeatureRow,
    MinuteRows,
    Output,
    Purpose,
    Record,
    Subject,
    encode_envelope,
    encode_tick,
)
from streams.pipeline import PartitionPipeline

HOUR_S = 3_600.0
START_S = 1_700_002_800.0
"""15 November 2023, 00:00 in Rome."""


class Message(Struct, frozen=True):
    """A message of a log."""

    offset: int
    key: bytes
    value: bytes


Logs = dict[str, list[Message]]


class LogWriter:
    """Appends messages to the logs of one partition."""

    def __init__(self) -> None:
        self.logs: Logs = {topic: [] for topic in INGEST_TOPICS}
        # By topic, records and their source, for those who send some of them again.
        self.sent: dict[str, list[tuple[list[Record], str]]] = {t: [] for t in INGEST_TOPICS}

    def put(self, topic: str, key: bytes, value: bytes) -> None:
        """Append bytes as they are."""
        log = self.logs[topic]
        log.append(Message(len(log), key, value))

    def tick(self, time: float, topics: Sequence[str] = INGEST_TOPICS) -> None:
        """Append a tick to the given topics."""
        for topic in topics:
            self.put(topic, TICK_KEY, encode_tick(time, 1))

    def send(
        self,
        *records: Record,
        received: float,
        user_id: str = "u1",
        source_id: str = "watch",
        utc_offset: int | None = None,
    ) -> None:
        """Append an envelope."""
        schema = SCHEMA_OF_TYPE[type(records[0])]
        value = encode_envelope(
            list(records),
            schema,
            project_id="p",
            user_id=user_id,
            source_id=source_id,
            time_received=received,
            utc_offset=utc_offset,
        )
        self.put(TOPIC_OF_SCHEMA[schema], user_id.encode(), value)

    def settle_everything(self, last: float, lateness_s: float) -> None:
        """Append ticks to all topics until whatever ended by ``last`` has settled."""
        stop = last + lateness_s + 60 * HOUR_S
        time = last
        while time < stop:
            time += HOUR_S
            self.tick(time)


def subject(user_id: str = "u1", **changes: Any) -> Subject:
    """A subject who has consented to everything since the epoch."""
    consent = {
        schema.partition("/")[0]: Consent(purposes=[Purpose.CARE], from_=0.0, version="1")
        for schema in RECORD_TYPES
    }
    base = Subject(
        user_id=user_id,
        project_id="p",
        care_team="team",
        time_zone="Europe/Rome",
        consent=consent,
    )
    return msgspec.structs.replace(base, **changes)


def pipeline_of(config: PipelineConfig, epoch: int = 0) -> PartitionPipeline:
    """A fresh pipeline of the only partition."""
    return PartitionPipeline(0, config, partition_of=lambda _: 0, cohort=load_cohort(), epoch=epoch)


def in_turns(logs: Logs) -> Iterator[tuple[str, list[Message]]]:
    """Read one message of each topic in turn."""
    longest = max(len(log) for log in logs.values())
    for place in range(longest):
        for topic, log in logs.items():
            if place < len(log):
                yield topic, [log[place]]


def at_random(
    logs: Logs, seed: int, batch_max: int, pipeline: PartitionPipeline
) -> Iterator[tuple[str, list[Message]]]:
    """Read batches of random sizes from random topics, mostly leaving blocked topics alone."""
    chance = random.Random(seed)
    places = dict.fromkeys(logs, 0)
    while any(places[topic] < len(logs[topic]) for topic in logs):
        ready = [topic for topic in logs if places[topic] < len(logs[topic])]
        free = [topic for topic in ready if topic not in pipeline.blocked]
        topic = chance.choice(free if free and chance.random() < 0.8 else ready)
        size = chance.randint(1, batch_max)
        yield topic, logs[topic][places[topic] : places[topic] + size]
        places[topic] += size


def run(logs: Logs, config: PipelineConfig, seed: int | None, batch_max: int = 1) -> list[Output]:
    """Everything that follows from the logs, read in turns or, with a seed, at random."""
    pipeline = pipeline_of(config)
    order = in_turns(logs) if seed is None else at_random(logs, seed, batch_max, pipeline)
    outputs: list[Output] = []
    for topic, batch in order:
        outputs += pipeline.process(topic, batch)
    return outputs


def settled(outputs: Sequence[Output]) -> list[bytes]:
    """What a canonical export would hold of outputs, sorted."""
    kept: dict[bytes, bytes] = {}
    for output in outputs:
        if isinstance(output, FeatureRow | MinuteRows | Anomaly | Alert) and output.settled:
            fields = msgspec.to_builtins(output)
            for name in OPERATIONAL_FIELDS:
                fields.pop(name, None)
            line = msgspec.json.encode(fields, order="sorted")
            kept[output.alert_id.encode() if isinstance(output, Alert) else line] = line
    return sorted(kept.values())
