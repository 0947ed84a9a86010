"""The demo: a real excerpt through the embedded broker and a real worker, on this machine."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.progress import progress
from streams.cli.running import run_until_signal

if TYPE_CHECKING:
    from connectors.base import Refuse, ResultSink
    from connectors.recordings import RecordingSummary
    from streams.events import Alert, Output
    from streams.settings import Settings

SAMPLE = Path("samples/demo.jsonl.zst")
SESSION_TIMEOUT_S = 3.0
SHOWN_MAX = 4


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command()(demo)


def demo(
    recording: Annotated[Path, typer.Option(help="Recording to stream.")] = SAMPLE,
    folder: Annotated[Path, typer.Option(help="Where results and report go.")] = Path("demo"),
) -> None:
    """Stream a recording through an embedded broker and a worker, and show what came of it.

    Example: wakeline demo --folder demo
    """
    from connectors.recordings import inspect_recordings
    from streams.cli.logs import configure_logs

    configure_logs()
    found = inspect_recordings([recording])
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.sqlite"
    results.unlink(missing_ok=True)

    async def run(stop: asyncio.Event) -> bool:
        await stream(found, results, stop)
        return stop.is_set()

    if run_until_signal(run):
        raise typer.Exit(130)
    _show(results)
    page = folder / "report.html"
    _report(results, page)
    typer.echo(f"\nResults: {results}\nReport:  {page} (open it in a browser)")


async def stream(found: "RecordingSummary", results: Path, stop: asyncio.Event) -> None:
    """Publish the recording into a fresh broker and work until all that follows is stored."""
    from connectors.broker import EmbeddedBroker
    from connectors.sqlite import SqliteResults
    from streams.settings import Settings

    async with EmbeddedBroker() as broker:
        settings = Settings.load(
            broker=broker.address,
            partitions=found.partitions,
            ticks="recorded",
            session_timeout_s=SESSION_TIMEOUT_S,
            health_port=0,
        )
        await work_through(found, settings, SqliteResults(results), stop)


async def work_through(
    found: "RecordingSummary", settings: "Settings", sink: "ResultSink", stop: asyncio.Event
) -> None:
    """Publish a recording into new topics and work until all that follows is in the sink."""
    from connectors.kafka import ensure_topics
    from connectors.outbox import Outbox
    from connectors.publisher import publish
    from connectors.recordings import read_recordings
    from streams.app import Worker

    await ensure_topics(settings.broker, found.partitions)
    async with Outbox(settings.broker) as outbox:
        with progress("publishing", found.messages) as advance:
            await publish(read_recordings(found.paths), outbox, on_progress=advance)
    watched = _Watched(sink)
    worker = Worker(settings, watched)
    working = asyncio.ensure_future(worker.run())
    stopping = asyncio.ensure_future(stop.wait())
    storing = asyncio.ensure_future(_all_stored(watched, found, settings))
    await asyncio.wait([working, stopping, storing], return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    storing.cancel()
    stopping.cancel()
    await working


async def _all_stored(sink: "_Watched", found: "RecordingSummary", settings: "Settings") -> None:
    """Wait until the worker has processed the recording to its end and stored what followed."""
    from connectors.recorder import Span, record
    from streams.events import OUTPUT_TOPICS

    with progress("storing what follows", None) as advance:
        told = 0
        while not sink.has_reached(found.last_time, found.partitions):
            await sink.more()
            advance(sink.count - told)
            told = sink.count
        # Outputs lie in several topics, so the clock's word can come before the last alert's.
        topics = sorted(set(OUTPUT_TOPICS.values()))
        span = Span(asyncio.Event(), at_end=True)
        written = await record(settings.broker, topics, lambda _: None, span=span)
        while sink.count < written:
            await sink.more()


def _show(results: Path) -> None:
    """Print alerts with their reasons, clinical ones and limits first."""
    from connectors.run_files import open_run, settled_alerts

    with open_run(results) as connection:
        alerts = settled_alerts(connection)
    alerts.sort(key=lambda alert: (alert.opened_at, alert.alert_id), reverse=True)
    for kind in sorted({alert.kind for alert in alerts}):
        found = [alert for alert in alerts if alert.kind == kind]
        typer.echo(f"\n{kind}: {len(found)} alerts; the latest:")
        for alert in found[:SHOWN_MAX]:
            _show_alert(alert)


def _show_alert(alert: "Alert") -> None:
    typer.echo(f"  {alert.local_date:%d %b %Y}  {alert.severity:<6}  {alert.user_id}")
    typer.echo(f"      {alert.summary}")
    if alert.missing:
        typer.echo(f"      Not available: {', '.join(alert.missing)}.")


def _report(results: Path, page: Path) -> None:
    from connectors.report import write_report

    write_report(results, page)


class _Watched:
    """A sink that knows how much it has stored."""

    def __init__(self, sink: "ResultSink") -> None:
        self.count = 0
        self._sink = sink
        self._grew = asyncio.Event()
        self._clocks: dict[int, float] = {}

    async def write(self, outputs: "Sequence[Output]") -> None:
        """Store outputs, and see how far the clocks have come."""
        from streams.events import Operation

        await self._sink.write(outputs)
        self.count += len(outputs)
        for output in outputs:
            if isinstance(output, Operation) and output.name == "clock":
                self._clocks[output.partition] = output.time
        self._grew.set()

    def refuse_to(self, refuse: "Refuse") -> None:
        """Say where refused outputs go."""
        self._sink.refuse_to(refuse)

    def figures(self) -> dict[str, float]:
        """Counters of the sink."""
        return self._sink.figures()

    def forget(self) -> None:
        """Forget what is stored."""
        self._sink.forget()

    def has_reached(self, time: float, partitions: int) -> bool:
        """Whether every partition's clock has come to ``time`` (s UTC)."""
        return len(self._clocks) == partitions and min(self._clocks.values()) >= time

    async def more(self) -> None:
        """Wait until something more was stored."""
        self._grew.clear()
        await self._grew.wait()

    async def close(self) -> None:
        """Close the sink."""
        await self._sink.close()
