"""Messages a second of Wakeline's agent and of its peers, on one broker, doing one job.

Every contender reads a topic of the same messages from its beginning, in a process of its own, one
after the other. The results that it produced must be those that the job has without any broker.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from aiokafka import (  # type: ignore[import-untyped]  # it has no py.typed
    AIOKafkaConsumer,
    AIOKafkaProducer,
    TopicPartition,
)
from aiokafka.admin import (  # type: ignore[import-untyped]  # it has no py.typed
    AIOKafkaAdminClient,
    NewTopic,
)

from bench import worker
from bench.contenders.task import Report, Task
from bench.job import MinuteResult, encode_sample, expected, samples
from bench.results import Goal, Progress, Result
from connectors.broker import EmbeddedBroker

PARTITIONS = 4
SUBJECTS = 200
MESSAGES = {
    "wakeline": 400_000,
    "faust, raw bytes": 50_000,
    "faust, Record": 50_000,
    "quix, apply": 400_000,
    "quix, state": 100_000,
    "quix, window": 100_000,
    "aiokafka loop": 400_000,
    worker.CONTENDER: 100_000,
}
"""Contender -> messages it reads: enough for two seconds or more of each."""
ROUNDS = 3
"""Runs of each contender, in turn; the median counts, so that a busy moment does not."""
WARM_UP_SHARE = 0.1
RETENTION_MS = 86_400_000
TIMEOUT_S = 120.0


def run(progress: Progress) -> list[Result]:
    """Fill the topics, run every contender, check what they produced, and compare."""
    return results_of(asyncio.run(measure(list(MESSAGES), progress, rounds=ROUNDS)))


async def measure(
    contenders: Sequence[str], progress: Progress, *, rounds: int
) -> dict[str, float]:
    """Give each contender's messages a second: the median over ``rounds``."""
    rates: dict[str, list[float]] = {contender: [] for contender in contenders}
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedBroker() as broker:
            await prepare(broker.address, contenders, progress)
            for number in range(rounds):
                for contender in contenders:
                    task = task_of(contender, broker.address, Path(directory), number=number)
                    is_worker = contender == worker.CONTENDER
                    report = await (contend_alone(task) if is_worker else contend(task))
                    rates[contender].append(report.messages_per_s)
                    progress(
                        f"{contender}: {report.messages_per_s:,.0f} messages/s, "
                        f"{report.messages_per_cpu_s:,.0f} per CPU second"
                    )
    return {contender: statistics.median(rate) for contender, rate in rates.items()}


async def prepare(address: str, contenders: Sequence[str], progress: Progress) -> None:
    """Fill a topic for each number of messages."""
    counts = {MESSAGES[name] for name in contenders if name != worker.CONTENDER}
    for messages in sorted(counts):
        progress(f"filling a topic with {messages:,} messages")
        await fill(address, messages)


def task_of(contender: str, address: str, directory: Path, *, number: int) -> Task:
    """Give the task of a contender's run, with topics and a group of its own."""
    slug = "".join(c if c.isalnum() else "-" for c in contender) + f"-{number}"
    messages = MESSAGES[contender]
    return Task(
        contender=contender,
        broker=address,
        source=source_of(messages),
        output=f"minutes-{slug}",
        group=f"bench-{slug}",
        messages=messages,
        warm_up=int(messages * WARM_UP_SHARE),
        directory=str(directory / slug),
        report=str(directory / f"{slug}.json"),
        partitions=PARTITIONS,
        end_s=worker.END_S,
    )


def source_of(messages: int) -> str:
    """Name the topic that holds this many messages."""
    return f"heart-rate-{messages}"


async def create_topic(address: str, name: str) -> None:
    """Create a topic; with a retention of its own, which Quix copies for its changelogs."""
    topic = NewTopic(name, PARTITIONS, 1, topic_configs={"retention.ms": str(RETENTION_MS)})
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([topic])
    finally:
        await admin.close()


async def fill(address: str, messages: int) -> None:
    """Publish samples, keyed by subject."""
    await create_topic(address, source_of(messages))
    async with AIOKafkaProducer(
        bootstrap_servers=address, max_batch_size=131_072, linger_ms=20
    ) as producer:
        for user_id, time_s, rate in samples(messages, SUBJECTS):
            value = encode_sample(user_id, time_s, rate)
            await producer.send(source_of(messages), value, key=user_id.encode())


async def contend(task: Task) -> Report:
    """Run one contender to its last message and check its results."""
    await create_topic(task.broker, task.output)
    await run_process(task)
    check(task, await produced(task.broker, task.output))
    return report_in(Path(task.report))


async def contend_alone(task: Task) -> Report:
    """Run the whole worker with a broker of its own.

    It keeps its state with the broker, and would find that the round before has done everything.
    """
    async with EmbeddedBroker() as broker:
        await worker.fill(
            broker.address, worker.recording(task.messages, SUBJECTS, PARTITIONS), PARTITIONS
        )
        own = msgspec.structs.replace(task, broker=broker.address)
        await run_process(own)
        await worker.check(own, SUBJECTS)
    return report_in(Path(task.report))


async def run_process(task: Task) -> None:
    """Run a contender in a process of its own."""
    arguments = msgspec.json.encode(task).decode()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.contenders", arguments), stderr=asyncio.subprocess.PIPE
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        raise RuntimeError(f"{task.contender} failed:\n{said.decode()}")


def report_in(path: Path) -> Report:
    """Read what a contender reported."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def check(task: Task, results: Sequence[MinuteResult]) -> None:
    """Hold a contender to the job: each result once, and equal to the computed ones."""
    wanted = expected(task.messages, SUBJECTS)
    found = set(results)
    if len(results) != len(wanted) or found != wanted:
        raise RuntimeError(
            f"{task.contender} did another job: {len(results)} results for {len(wanted)}, "
            f"{len(wanted - found)} missing, {len(found - wanted)} wrong"
        )


async def produced(address: str, topic: str) -> list[MinuteResult]:
    """Read the results of a topic from its beginning to its end."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    decoder = msgspec.json.Decoder(MinuteResult)
    results: list[MinuteResult] = []
    async with AIOKafkaConsumer(
        bootstrap_servers=address, enable_auto_commit=False, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        # An empty answer is the end: nothing is being written any more.
        while batches := await consumer.getmany(timeout_ms=2_000):
            results += [
                decoder.decode(record.value) for batch in batches.values() for record in batch
            ]
    return results


GOALS = {"faust": Goal(ratio_at_least=10.0), "quix": Goal(ratio_at_least=1.5), "aiokafka": None}
"""First word of the peers of a kind -> what is to be reached against the fastest of them."""


def results_of(rates: Mapping[str, float]) -> list[Result]:
    """Compare Wakeline with each kind of peer; the ratio is to the fastest of a kind."""
    results = []
    for kind, goal in GOALS.items():
        peers = {name: rate for name, rate in rates.items() if name.startswith(kind)}
        results.append(_result(f"messages, against {kind}", rates["wakeline"], peers, goal))
    peers = {name: rate for name, rate in rates.items() if name.startswith(tuple(GOALS))}
    results.append(_result("messages, whole worker", rates[worker.CONTENDER], peers, None))
    return results


def _result(name: str, value: float, peers: dict[str, float], goal: Goal | None) -> Result:
    ratio = value / max(peers.values())
    return Result(name=name, value=value, unit="messages/s", peers=peers, ratio=ratio, goal=goal)
