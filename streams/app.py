"""The worker: the Faust apps `process` and `results` in one process, started and stopped whole.

The apps have their own consumer groups, so that each can run alone, and results can be written
anew without processing anew. Faust's web server and its command line are not used.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, cast

import faust
import structlog
from aiokafka.errors import KafkaConnectionError  # type: ignore[import-untyped]  # no py.typed
from faust.types import TP

from connectors.base import ResultSink
from connectors.inspection import require_session
from connectors.kafka import ALL_TOPICS, require_partitions, wait_for_broker
from connectors.outbox import Outbox
from connectors.outputs import output_message
from connectors.state import StateTopic
from connectors.ticks import Clock, TickWriter, parse_ticks
from detectors.cohort import Cohort
from streams.agents import ResultsWriter, Stream, ease_collector, run_guarded
from streams.config import PipelineConfig
from streams.custody import Custody, NewPipeline
from streams.errors import BrokerUnavailable
from streams.events import DeadLetter
from streams.health import HealthPlace, HealthServer
from streams.metrics import ProcessFigures, ResultFigures, WorkerFigures, code_version
from streams.partitioning import partition_of
from streams.pipeline import PartitionPipeline
from streams.processing import Processor
from streams.settings import Settings
from streams.topics import ingest_topics, result_topics
from streams.transport import SCHEME, STREAM_BUFFER_BATCHES, BatchTransport

PROCESS_GROUP = "wakeline-process"
RESULTS_GROUP = "wakeline-results"

# Ctrl-C is answered within 10 s; what is not done by then is read again after the next start.
STOP_TIMEOUT_S = 4.0
LEAVE_TIMEOUT_S = 5.0

# How long a rebalance waits for a worker that is busy with a slice of messages (s).
REBALANCE_TIMEOUT_S = 60.0

# Faust gives a restore no longer than it gives a request (s).
RESTORE_TIMEOUT_S = 300.0

# How often a worker says how far behind it is (s).
LAG_INTERVAL_S = 15.0

log = structlog.get_logger(__name__)


class Part(StrEnum):
    """The apps that a worker can run."""

    PROCESS = "process"
    RESULTS = "results"


class Worker:
    """Runs the apps until told to stop.

    Parameters
    ----------
    settings
        Where the broker is, and so on.
    sink
        Where results go; the worker closes it. Needed for the part `results`.
    parts
        Which apps to run.
    clock
        The time of day (s UTC) for ticks.
    new_pipelines
        Gives, for a configuration, what makes the pipeline of a partition number and an epoch.
    """

    def __init__(
        self,
        settings: Settings,
        sink: ResultSink | None,
        *,
        parts: frozenset[Part] = frozenset(Part),
        clock: Clock = time.time,
        new_pipelines: Callable[[PipelineConfig], NewPipeline] | None = None,
    ) -> None:
        self._settings = settings
        self._new_pipelines = new_pipelines or partial(
            pipelines, cohort=settings.loaded_cohort().cohort
        )
        self._sink = sink
        self._parts = parts
        self._clock = clock
        self._stop = asyncio.Event()
        self._leave: Callable[[], Awaitable[None]] = _nothing
        self._waits_for_broker: Callable[[], bool] = bool
        self._tell_process: Callable[[], ProcessFigures] = _no_process
        self._tell_results: Callable[[], ResultFigures] = _no_results
        self.ready = asyncio.Event()

    def stop(self) -> None:
        """Ask the worker to stop; `run` returns soon after."""
        self._stop.set()

    async def run(self) -> None:
        """Run until `stop` is called or something fails; whatever failed is raised.

        Raises
        ------
        BrokerUnavailable
            If no broker answers at the address in time.
        BrokerMismatch
            If its topics do not fit.
        """
        place = HealthPlace(self._settings.health_host, self._settings.health_ports())
        interval_s = self._settings.checkpoint_interval_s
        try:
            async with HealthServer(self._figures, place, checkpoint_interval_s=interval_s):
                while not self._stop.is_set():
                    if await self._has_run():
                        break
        finally:
            if self._sink is not None:
                await self._sink.close()

    async def _has_run(self) -> bool:
        """Run until the end; False if the broker went away before the worker was ready."""
        try:
            await self._run()
        except KafkaConnectionError:
            if self.ready.is_set():
                raise
            log.warning("the broker went away while the worker started; it is waited for")
            return False
        return True

    async def _run(self) -> None:
        ease_collector()
        config = self._settings.pipeline_config()
        plan = parse_ticks(self._settings.ticks)
        new_pipeline = self._new_pipelines(config)
        await wait_for_broker(self._settings.broker, self._settings.connect_timeout_s)
        await require_partitions(self._settings.broker, ALL_TOPICS, config.partitions)
        await require_session(self._settings.broker, self._settings.session_timeout_s)
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as stack:
            apps: list[faust.App] = []
            tasks: list[Coroutine[Any, Any, None]] = []
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wakeline-"))
            outbox = await stack.enter_async_context(Outbox(self._settings.broker, waits=True))
            self._waits_for_broker = lambda: outbox.is_waiting
            if Part.RESULTS in self._parts and self._sink is not None:
                self._sink.refuse_to(partial(_send_refused, outbox, config.partitions))
                app = new_app(RESULTS_GROUP, self._settings, Path(folder))
                self._tell_results = _write_results(app, self._sink, failure).figures
                apps.append(app)
            if Part.PROCESS in self._parts:
                app = new_app(PROCESS_GROUP, self._settings, Path(folder))
                topic = StateTopic(self._settings.broker, outbox)
                custody = Custody(topic, new_pipeline, self._settings.checkpoint_policy())
                processor = _processor(app, custody, outbox, failure)
                apps.append(app)
                self._leave = processor.let_go
                clock = self._clock if plan is None else plan.clock(self._clock)
                self._tell_process = lambda: processor.figures(clock())
                tasks.append(_tell_lag(processor, outbox, clock))
                if plan is not None:
                    writer = TickWriter(
                        outbox,
                        config.partitions,
                        clock=clock,
                        owned=lambda: [(tp.topic, tp.partition) for tp in processor.assigned],
                    )
                    tasks.append(writer.run(plan.interval_s))
            await self._serve(apps, tasks, failure)

    async def _serve(
        self,
        apps: list[faust.App],
        coroutines: list[Coroutine[Any, Any, None]],
        failure: asyncio.Future[None],
    ) -> None:
        """Start the apps, wait until something ends, stop them, and raise what went wrong."""
        starting = asyncio.ensure_future(_start(apps))
        ends: list[asyncio.Future[Any]] = [failure, asyncio.ensure_future(self._stop.wait())]
        ends += [asyncio.ensure_future(coroutine) for coroutine in coroutines]
        ends += [asyncio.ensure_future(_raise_when_crashed(app)) for app in apps]
        try:
            await asyncio.wait([starting, *ends], return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and starting.exception() is None:
                self.ready.set()
                log.info("worker ready", parts=sorted(self._parts))
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set() and not failure.done():
                await self._let_go()
        finally:
            finished = [end for end in (starting, *ends) if end.done()]
            await _stop(apps, [starting, *ends])
        for end in finished:
            await end

    def _figures(self) -> WorkerFigures:
        parts = self._parts
        return WorkerFigures(
            process=self._tell_process() if Part.PROCESS in parts else None,
            results=self._tell_results() if Part.RESULTS in parts else None,
            waits_for_broker=self._waits_for_broker(),
        )

    async def _let_go(self) -> None:
        """Checkpoint before stopping, so that the next start has nothing to do again."""
        try:
            await asyncio.wait_for(self._leave(), LEAVE_TIMEOUT_S)
        except (TimeoutError, BrokerUnavailable):
            log.warning(
                "stopped without a last checkpoint: what came after the one before it is "
                "processed again"
            )


def pipelines(config: PipelineConfig, cohort: Cohort) -> NewPipeline:
    """Make Wakeline's own pipelines, which know this cohort."""
    place = partial(partition_of, partitions=config.partitions)
    return lambda partition, epoch: PartitionPipeline(
        partition, config, partition_of=place, cohort=cohort, epoch=epoch
    )


def new_app(group: str, settings: Settings, folder: Path) -> faust.App:
    """A Faust app over the batch transport: no web server, no tables, no topics of its own.

    Parameters
    ----------
    group
        Id of the app, which is its consumer group.
    settings
        Where the broker is.
    folder
        A folder for what Faust believes it needs one for.
    """
    brokers = settings.broker.replace(" ", "").split(",")
    app = faust.App(
        group,
        broker=";".join(f"{SCHEME}://{broker}" for broker in brokers),
        datadir=folder / group,
        autodiscover=False,
        # Faust's views would show data, on all interfaces.
        web_enabled=False,
        web_tables_enabled=False,
        web_router_enabled=False,
        stream_buffer_maxsize=STREAM_BUFFER_BATCHES,
        # A sink that is down must not hold up a rebalance; what is not acknowledged is read again.
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # Only with standbys does Faust keep all topics of a partition number together ...
        table_standby_replicas=1,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 4.0,
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_request_timeout=RESTORE_TIMEOUT_S,
    )
    # ... and only without them does it spread partitions evenly.
    app.assignor.replicas = 0
    return app


def _processor(
    app: faust.App, custody: Custody, outbox: Outbox, failure: asyncio.Future[None]
) -> Processor:
    """Let an app process the ingest topics."""
    processor = Processor(app, custody, outbox=outbox, code_version=code_version())
    cast(BatchTransport, app.transport).read_from = processor.start_offsets

    async def process(stream: faust.StreamT[Any]) -> None:
        await run_guarded(processor.run, cast(Stream, stream), failure)

    async def let_go(_: set[TP]) -> None:
        await processor.let_go()

    app.agent(ingest_topics(app), name="process")(process)
    app.on_partitions_assigned.connect(_listener(processor.on_assigned), weak=False)
    app.on_partitions_revoked.connect(_listener(let_go), weak=False)
    return processor


def _write_results(
    app: faust.App, sink: ResultSink, failure: asyncio.Future[None]
) -> ResultsWriter:
    """Let an app write what the output topics carry into a sink."""
    writer = ResultsWriter(app, sink)

    async def results(stream: faust.StreamT[Any]) -> None:
        await run_guarded(writer.run, cast(Stream, stream), failure)

    app.agent(result_topics(app), name="results")(results)
    app.on_partitions_assigned.connect(_listener(writer.on_assigned), weak=False)
    app.on_partitions_revoked.connect(_listener(writer.on_revoked), weak=False)
    return writer


async def _tell_lag(processor: Processor, outbox: Outbox, clock: Clock) -> None:
    """Say again and again how far behind its logs the worker is, until cancelled."""
    while True:
        await asyncio.sleep(LAG_INTERVAL_S)
        gauges = processor.gauges(clock())
        await outbox.send(output_message(gauge, gauge.partition, "") for gauge in gauges)


async def _send_refused(outbox: Outbox, partitions: int, letters: Sequence[DeadLetter]) -> None:
    """Send what a sink refuses to the dead letters, into the partition of its subject."""
    await outbox.send(
        output_message(
            letter, partition_of((letter.key or b"").decode(), partitions), code_version()
        )
        for letter in letters
    )


def _no_process() -> ProcessFigures:
    return ProcessFigures(assigned=None, partitions=[])


def _no_results() -> ResultFigures:
    return ResultFigures(assigned=None, lag_messages={}, retries=0, write_age_s=0.0)


async def _nothing() -> None:
    """Leave nothing behind, for nothing was begun."""


def _listener(
    handle: Callable[[set[TP]], Awaitable[None] | None],
) -> Callable[..., Coroutine[Any, Any, None]]:
    """Make a listener to a signal of Faust about topic-partitions."""

    async def listen(_: object, tps: set[TP], **_options: object) -> None:
        handled = handle(tps)
        if handled is not None:
            await handled

    return listen


async def _start(apps: list[faust.App]) -> None:
    await asyncio.gather(*(app.start() for app in apps))


async def _raise_when_crashed(app: faust.App) -> None:
    await app.wait_until_stopped()
    if app.crash_reason is not None:
        raise app.crash_reason


async def _stop(apps: list[faust.App], tasks: list[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    stops = [asyncio.ensure_future(app.stop()) for app in apps]
    if stops:
        _, late = await asyncio.wait(stops, timeout=STOP_TIMEOUT_S)
        for stop in late:
            log.warning("an app did not stop in time")
            stop.cancel()
