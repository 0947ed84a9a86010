"""The command of engineers: replay."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.progress import progress

if TYPE_CHECKING:
    from connectors.recordings import RecordingMessage, RecordingSummary
    from streams.config import PipelineConfig
    from streams.replay import ReplaySummary


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command()(replay)


def replay(
    recording: Annotated[list[Path], typer.Argument(help="Recordings, in any order.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="SQLite file for the run.")],
    partitions: Annotated[
        int | None, typer.Option(help="Partitions the recording was written with.")
    ] = None,
    lateness_h: Annotated[
        float | None, typer.Option(help="How long after its window data are taken in (h).")
    ] = None,
    site_config: Annotated[
        Path | None, typer.Option("--site-config", help="TOML file with the site's configuration.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Run recordings through the same pipeline as a worker's, without Kafka.

    The same recordings and configuration give the same results, bit for bit.

    Example: wakeline replay march.jsonl.gz april.jsonl.gz -o spring.sqlite
    """
    from connectors.recordings import inspect_recordings
    from streams.settings import Settings

    found = inspect_recordings(recording)
    settings = Settings.load(
        partitions=partitions if partitions is not None else found.partitions,
        lateness_h=lateness_h,
        site_config=site_config,
    )
    summary = asyncio.run(_replay(found, output, settings.pipeline_config()))
    _tell(summary, output, as_json=as_json)


async def _replay(
    found: "RecordingSummary", output: Path, config: "PipelineConfig"
) -> "ReplaySummary":
    from importlib.metadata import version

    import msgspec

    from connectors.sqlite import SqliteResults
    from detectors.cohort import load_cohort
    from streams.replay import replay as run_replay

    cohort = load_cohort()
    facts = {
        "wakeline": version("wakeline"),
        "configuration": msgspec.json.encode(config).decode(),
        "cohort": cohort.version,
        "recordings": ", ".join(path.name for path in found.paths),
    }
    sink = SqliteResults(output, run=facts)
    try:
        with progress("replaying", found.messages) as advance:
            return await run_replay(
                _messages(found, config.partitions),
                sink,
                config=config,
                cohort=cohort,
                on_progress=advance,
            )
    finally:
        await sink.close()


def _messages(found: "RecordingSummary", partitions: int) -> "Iterator[RecordingMessage]":
    from connectors.pacing import with_ticks
    from connectors.recordings import read_recordings

    messages = read_recordings(found.paths)
    return messages if found.has_ticks else with_ticks(messages, partitions)


def _tell(summary: "ReplaySummary", output: Path, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())
        return
    counts = ", ".join(
        f"{name.removesuffix('_count').replace('_', ' ')} {count}"
        for name, count in summary.counts.items()
        if count
    )
    typer.echo(f"{summary.messages} messages, {summary.outputs} outputs into {output}; {counts}")
