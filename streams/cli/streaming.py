"""Commands round the broker: worker, topics, publish, record, up."""

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.progress import progress
from streams.cli.running import run_until_signal, work_until

if TYPE_CHECKING:
    from connectors.recordings import RecordingMessage, RecordingSummary
    from streams.settings import Settings

BrokerOption = Annotated[
    str | None, typer.Option("--broker", help="Broker as host:port (WAKELINE_BROKER).")
]
PartitionsOption = Annotated[
    int | None, typer.Option("--partitions", help="Partitions of every topic.")
]
SiteOption = Annotated[
    Path | None, typer.Option("--site-config", help="TOML file with the site's configuration.")
]
CohortOption = Annotated[
    Path | None, typer.Option("--cohort", help="JSON file that `wakeline fit-cohort` wrote.")
]
ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", help="SQLite file that takes the results, in place of InfluxDB."),
]
TicksOption = Annotated[
    str | None,
    typer.Option("--ticks", help="Who keeps the clock: live, recorded, or START:SPEED."),
]


class Only(StrEnum):
    """One of the two apps of a worker."""

    PROCESS = "process"
    RESULTS = "results"


class Start(StrEnum):
    """Where the times of a published recording begin."""

    RECORDED = "recorded"
    NOW = "now"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    for command in (worker, topics, publish, record, up):
        app.command()(command)


def worker(
    broker: BrokerOption = None,
    only: Annotated[Only | None, typer.Option(help="Run one of the two apps only.")] = None,
    ticks: TicksOption = None,
    results: ResultsOption = None,
    partitions: PartitionsOption = None,
    site_config: SiteOption = None,
    cohort: CohortOption = None,
) -> None:
    """Process what comes through the broker, and store the results, until Ctrl-C.

    Feeding it a recording: use --ticks recorded, since ticks of today would make old data late.

    Example: wakeline worker --broker 127.0.0.1:9092 --results results.sqlite
    """
    settings = _settings(
        broker=broker,
        ticks=ticks,
        results=results,
        partitions=partitions,
        site_config=site_config,
        cohort=cohort,
    )
    if results is not None:
        settings = settings.model_copy(update={"influx_url": None})
    from streams.app import Part, Worker
    from streams.cli.sinks import results_sink

    parts = frozenset(Part) if only is None else frozenset({Part(only)})

    async def run(stop: asyncio.Event) -> None:
        sink = results_sink(settings) if Part.RESULTS in parts else None
        await work_until(stop, Worker(settings, sink, parts=parts))

    run_until_signal(run)


def topics(
    broker: BrokerOption = None,
    partitions: PartitionsOption = None,
    replication: Annotated[
        int | None, typer.Option(help="Copies of each topic that the brokers keep.")
    ] = None,
) -> None:
    """Create the topics that are missing, and check the number of partitions of the others.

    Example: wakeline topics --broker 127.0.0.1:9092 --partitions 12 --replication 3
    """
    settings = _settings(broker=broker, partitions=partitions, replication=replication)
    count = settings.pipeline_config().partitions
    from connectors.kafka import ensure_topics, wait_for_broker

    async def run() -> list[str]:
        await wait_for_broker(settings.broker, settings.connect_timeout_s)
        return await ensure_topics(settings.broker, count, settings.replication)

    created = asyncio.run(run())
    what = f"created {', '.join(created)}" if created else "all topics were there"
    typer.echo(f"{what}; {count} partitions each")


def publish(
    recording: Annotated[list[Path], typer.Argument(help="Recordings to publish.")],
    broker: BrokerOption = None,
    speed: Annotated[str, typer.Option(help="How many times as fast as recorded, or max.")] = "max",
    start: Annotated[
        Start, typer.Option(help="now: move all times by whole days, so that it begins today.")
    ] = Start.RECORDED,
) -> None:
    """Send a recording to the broker: same partitions, keys and bytes, timestamps of today.

    Example: wakeline publish sample.jsonl.gz --speed 3600
    """
    settings = _settings(broker=broker)
    import time

    from connectors.kafka import require_partitions, wait_for_broker
    from connectors.outbox import Outbox
    from connectors.publisher import Pace, parse_speed
    from connectors.publisher import publish as publish_messages
    from connectors.recordings import inspect_recordings
    from streams.events import INGEST_TOPICS

    pace = Pace(parse_speed(speed))
    summary = inspect_recordings(recording)

    async def run() -> int:
        await wait_for_broker(settings.broker, settings.connect_timeout_s)
        await require_partitions(settings.broker, INGEST_TOPICS, summary.partitions)
        messages = _messages(summary, time.time() if start is Start.NOW else None)
        async with Outbox(settings.broker) as outbox:
            with progress("publishing", summary.messages) as advance:
                return await publish_messages(messages, outbox, pace=pace, on_progress=advance)

    typer.echo(f"published {asyncio.run(run())} messages")


def record(
    out: Annotated[Path, typer.Argument(help="File to write (.jsonl, .jsonl.gz, .jsonl.zst).")],
    broker: BrokerOption = None,
    until_idle: Annotated[
        float | None, typer.Option(help="End after so many seconds without a message.")
    ] = None,
    to_end: Annotated[
        bool, typer.Option("--to-end", help="End when all that is there now is read.")
    ] = False,
) -> None:
    """Write all ingest topics from the start of their logs, ticks included, until Ctrl-C.

    Example: wakeline record today.jsonl.gz --to-end
    """
    settings = _settings(broker=broker)
    import math

    from connectors.kafka import wait_for_broker
    from connectors.recorder import Span
    from connectors.recorder import record as record_topics
    from connectors.recordings import RecordingWriter
    from streams.events import INGEST_TOPICS

    async def run(stop: asyncio.Event) -> int:
        await wait_for_broker(settings.broker, settings.connect_timeout_s)
        idle_s = math.inf if until_idle is None else until_idle
        span = Span(stop, idle_s=idle_s, at_end=to_end)
        with RecordingWriter(out) as writer, progress("recording", None) as advance:
            return await record_topics(
                settings.broker, INGEST_TOPICS, writer.write, span=span, on_progress=advance
            )

    typer.echo(f"recorded {run_until_signal(run)} messages into {out}")


def up(
    port: Annotated[
        int | None, typer.Option(help="Port of the embedded broker (WAKELINE_UP_PORT).")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the journal and the results are kept.")
    ] = None,
    partitions: PartitionsOption = None,
    site_config: SiteOption = None,
    cohort: CohortOption = None,
) -> None:
    """Run an embedded broker and a worker on this machine, until Ctrl-C.

    The broker has no disk: what goes through it is kept as a recording, the journal, and published
    again at the next start.

    Example: wakeline up --port 9092 --folder wakeline-data
    """
    settings = _settings(
        up_port=port,
        up_folder=folder,
        partitions=partitions,
        site_config=site_config,
        cohort=cohort,
    )
    from streams.cli.station import Station

    station = Station(settings, say=typer.echo)
    run_until_signal(station.run)


def _settings(**options: object) -> "Settings":
    from streams.cli.logs import configure_logs
    from streams.settings import Settings

    configure_logs()
    return Settings.load(**options)


def _messages(summary: "RecordingSummary", now_s: float | None) -> "Iterator[RecordingMessage]":
    """Messages of recordings, with ticks, moved to the present if ``now_s`` is given."""
    from connectors.publisher import days_to_present, shifted
    from connectors.recordings import read_recordings, with_ticks

    messages = read_recordings(summary.paths)
    if not summary.has_ticks:
        messages = with_ticks(messages, summary.partitions)
    if now_s is None:
        return messages
    days = days_to_present(summary.first_time, now_s)
    return (shifted(message, days) for message in messages)
