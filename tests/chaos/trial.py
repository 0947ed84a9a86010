"""One trial: a recording through troubled workers, held against an undisturbed replay of it."""

import asyncio
import contextlib
import hashlib
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]  # no py.typed

from connectors.export import Exported, export
from connectors.kafka import STATE_TOPIC, ensure_topics, topic_settings
from connectors.outbox import Outbox
from connectors.outputs import OutboundMessage
from connectors.recordings import RecordingMessage, read_recording
from streams.app import RESULTS_GROUP
from streams.decoding import decode
from streams.errors import BrokerUnavailable
from streams.events import INGEST_TOPICS, OUTPUT_TOPICS, TICK_KEY, Tick
from tests.chaos.faults import KINDS, SESSION_TIMEOUT_S, Faults, Say, Stage
from tests.chaos.recording import LATENESS_H, Plan, recording
from tests.chaos.watch import Place, Watch, clocks, lag
from tests.chaos.workers import WAKELINE, Crew, Environment
from tests.logs import START_S
from tests.servers import KafkaServer

# Alerts of all kinds within a few days.
SITE = """
[detection]
warm_up_days = 1
threshold = 0.7
persistence_days = 1
persistence_hours = [1, 2]
refractory_h = 12.0
silence_min_h = 8.0
not_worn_min_h = 8.0
"""

BROKER = {"log.cleaner.backoff.ms": "200"}
# A few times the session timeout, as in a deployment, where it is hundreds of times.
COMPACTION_LAG_S = 24.0
# On top of Wakeline's own settings of the topic: compaction within seconds, and nothing left of
# what was taken back.
STATE_SETTINGS = {
    "segment.ms": "2000",
    "max.compaction.lag.ms": "25000",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "1000",
}

# Messages that go out together.
SLICE_MESSAGES = 20
# Nothing is late while anything moves; after so long without, a trial has failed.
STALLED_S = 120.0


class Verdict(msgspec.Struct, frozen=True):
    """What came of a trial; it is good if nothing is in ``faults``.

    ``lost``: what workers said that ended by themselves, which is reported and no fault. ``fences``
    is how often a partition got an owner, ``looks`` how often committed offsets were looked at.
    """

    seed: int
    is_live: bool
    seconds: float
    digest: str
    lines: dict[str, int]
    faults: list[str]
    lost: list[str]
    done: dict[str, int]
    fences: int
    looks: int


class Stalled(Exception):
    """Raised when a trial does not come to its end."""


class Trial(msgspec.Struct, frozen=True):
    """How a trial goes.

    ``is_live``: workers write the ticks themselves, ``speed`` times as fast as time goes; the
    recording is published at that speed in any case. ``faults``: what a round of them is made of.
    """

    plan: Plan
    is_live: bool
    speed: float
    folder: Path
    faults: tuple[str, ...] = tuple(KINDS)


async def run(trial: Trial, say: Say) -> Verdict:
    """Run a trial on a broker of its own."""
    begun = time.monotonic()
    kafka = KafkaServer(BROKER)
    await asyncio.to_thread(kafka.start)
    try:
        runner = _Runner(trial, kafka, say)
        return await runner.run(begun)
    finally:
        await asyncio.to_thread(kafka.close)


class _Runner:
    def __init__(self, trial: Trial, kafka: KafkaServer, say: Say) -> None:
        self._trial = trial
        self._kafka = kafka
        self._say = say
        self._partitions = trial.plan.partitions
        self._results = trial.folder / "results.sqlite"
        self._settings = self._settings_of_workers()
        self._watch = Watch(kafka.address, self._partitions)

    async def run(self, begun: float) -> Verdict:
        await _make_topics(self._kafka.address, self._partitions)
        speed = self._trial.speed if self._trial.is_live else None
        environment = Environment(self._settings, START_S, speed)
        workers = Crew("process", self._trial.folder, environment)
        results = Crew("results", self._trial.folder, environment)
        stage = Stage(
            self._kafka, self._watch, workers=workers, results=results, path=self._results
        )
        faults = Faults(stage, self._trial.plan.seed, self._say, self._trial.faults)
        workers.add()
        workers.add()
        results.add()
        try:
            async with _beside(workers.keep_alive(), results.keep_alive(), self._watch.run()):
                await self._live_through(faults)
                await workers.stop_all()
                await self._finish(environment, workers, results)
        finally:
            for crew in (workers, results):
                crew.kill_all()
        await self._wakeline("replay", "taken.jsonl.zst", "-o", "replayed.sqlite")
        return self._verdict(begun, faults, [*workers.lost, *results.lost])

    async def _live_through(self, faults: Faults) -> None:
        """Publish while things break, until the results have come to the recording's end."""
        stop = asyncio.Event()
        async with _beside(faults.run(stop)) as (troubling,):
            messages = recording(self._trial.plan)
            end_s = max(message.timestamp_ms for message in messages) / 1000.0
            if self._trial.is_live:
                messages = [message for message in messages if message.key != TICK_KEY]
            await _publish(messages, self._kafka.address, self._trial.speed)
            self._say("all is published")
            await self._wait(lambda: self._has_reached(end_s), "the end of the recording")
            stop.set()
            await troubling

    async def _finish(self, environment: Environment, workers: Crew, results: Crew) -> None:
        """Record what is there, and let one worker come to the end of it."""
        await self._wakeline("record", "taken.jsonl.zst", "--to-end")
        taken = _Taken(self._trial.folder / "taken.jsonl.zst")
        environment.speed = None
        last = workers.add()
        await self._wait(lambda: clocks(self._results) == taken.clocks, "the last ticks")
        await workers.stop(last)
        looks = self._watch.looks + 2
        await self._wait(lambda: self._watch.looks >= looks, "the last look")
        if self._watch.sealed_offsets() != taken.ends:
            workers.lost.append(f"{last.name} stopped without a last checkpoint")
        places = [
            (topic, n) for topic in {*OUTPUT_TOPICS.values()} for n in range(self._partitions)
        ]
        while await lag(self._kafka.address, RESULTS_GROUP, places):  # noqa: ASYNC110 - ask only
            await asyncio.sleep(0.5)
        await results.stop_all()

    def _has_reached(self, end_s: float) -> bool:
        found = clocks(self._results)
        return len(found) == self._partitions and min(found.values()) >= end_s

    async def _wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something holds, as long as anything moves."""
        moved, last = time.monotonic(), None
        while not condition():
            state = clocks(self._results), self._watch.seals
            if state != last:
                moved, last = time.monotonic(), state
            if time.monotonic() - moved > STALLED_S:
                raise Stalled(f"nothing moves any more before {what}: {state}")
            await asyncio.sleep(0.2)
        self._say(f"{what} reached")

    async def _wakeline(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            str(WAKELINE),
            *arguments,
            cwd=self._trial.folder,
            env={**os.environ, **self._settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        words, _ = await process.communicate()
        assert process.returncode == 0, f"wakeline {arguments[0]}: {words.decode()}"

    def _settings_of_workers(self) -> dict[str, str]:
        site = self._trial.folder / "site.toml"
        site.write_text(SITE, encoding="utf-8")
        return {
            "WAKELINE_BROKER": self._kafka.address,
            "WAKELINE_PARTITIONS": str(self._partitions),
            "WAKELINE_LATENESS_H": str(LATENESS_H),
            "WAKELINE_SITE_CONFIG": str(site),
            "WAKELINE_RESULTS": str(self._results),
            "WAKELINE_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
            "WAKELINE_CHECKPOINT_INTERVAL_S": "1",
            "WAKELINE_COMPACTION_LAG_S": str(COMPACTION_LAG_S),
        }

    def _verdict(self, begun: float, faults: Faults, lost: list[str]) -> Verdict:
        found = list(self._watch.faults)
        digest = hashlib.sha256()
        counts = {}
        for what in Exported:
            ours, expected = (
                list(export(path, what))
                for path in (self._results, self._trial.folder / "replayed.sqlite")
            )
            counts[what.value] = len(expected)
            digest.update(b"".join(expected))
            if ours != expected:
                found.append(_difference(what, ours, expected))
        return Verdict(
            seed=self._trial.plan.seed,
            is_live=self._trial.is_live,
            seconds=time.monotonic() - begun,
            digest=digest.hexdigest()[:16],
            lines=counts,
            faults=found,
            lost=lost,
            done={**faults.counts, "taken over": faults.taken, "compacted": faults.compacted},
            fences=sum(self._watch.epochs.values()),
            looks=self._watch.looks,
        )


class _Taken:
    """What a recording says of its logs: their ends, and the clocks they come to."""

    def __init__(self, path: Path) -> None:
        self.ends: dict[Place, int] = {}
        times: dict[Place, float] = {}
        for message in read_recording(path):
            place = message.topic, message.partition
            self.ends[place] = message.offset + 1
            if message.key == TICK_KEY:
                tick = decode(message.value)
                assert isinstance(tick, Tick)
                times[place] = max(times.get(place, 0.0), tick.time)
        numbers = sorted({number for _, number in times})
        self.clocks = {n: min(times[topic, n] for topic in INGEST_TOPICS) for n in numbers}


@contextlib.asynccontextmanager
async def _beside(
    *coroutines: Coroutine[Any, Any, None],
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run coroutines beside a block and no longer; an error of one of them ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        yield tasks
        for task in tasks:
            task.cancel()


async def _make_topics(address: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        settings = topic_settings(STATE_TOPIC, COMPACTION_LAG_S) | STATE_SETTINGS
        await admin.create_topics([NewTopic(STATE_TOPIC, partitions, 1, topic_configs=settings)])
    finally:
        await admin.close()
    await ensure_topics(address, partitions)


async def _publish(messages: Sequence[RecordingMessage], address: str, speed: float) -> None:
    """Publish a recording at a speed; what an outage left open goes out again, as gateways do."""
    begun = time.monotonic()
    async with Outbox(address) as outbox:
        for start in range(0, len(messages), SLICE_MESSAGES):
            some = messages[start : start + SLICE_MESSAGES]
            due = begun + (some[0].timestamp_ms / 1000.0 - START_S) / speed
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await _deliver(outbox, some)


async def _deliver(outbox: Outbox, messages: Sequence[RecordingMessage]) -> None:
    while True:
        try:
            await outbox.send(
                OutboundMessage(message.topic, message.partition, message.key, message.value)
                for message in messages
            )
        except BrokerUnavailable:
            await asyncio.sleep(0.5)
        else:
            return


def _difference(what: Exported, ours: list[bytes], expected: list[bytes]) -> str:
    missing = Counter(expected) - Counter(ours)
    beyond = Counter(ours) - Counter(expected)
    return (
        f"{what.value} differ: {missing.total()} lines missing, {beyond.total()} beyond; "
        f"first missing {min(missing, default=b'')[:300]!r}, first beyond "
        f"{min(beyond, default=b'')[:300]!r}"
    )
