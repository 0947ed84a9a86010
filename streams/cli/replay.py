"""The command of engineers: replay."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.progress import progress
from streams.cli.streaming import CohortOption
from streams.cli.tables import MapOption, TableOption, check_sources, read_rows, replay_rows

if TYPE_CHECKING:
    from connectors.recordings import RecordingMessage, RecordingSummary
    from streams.replay import ReplaySummary
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command()(replay)


def replay(
    output: Annotated[Path, typer.Option("--output", "-o", help="SQLite file for the run.")],
    recording: Annotated[
        list[Path] | None, typer.Argument(help="Recordings, in any order.")
    ] = None,
    table: TableOption = None,
    map_file: MapOption = None,
    partitions: Annotated[
        int | None, typer.Option(help="Partitions the recording was written with.")
    ] = None,
    lateness_h: Annotated[
        float | None, typer.Option(help="How long after its window data are taken in (h).")
    ] = None,
    site_config: Annotated[
        Path | None, typer.Option("--site-config", help="TOML file with the site's configuration.")
    ] = None,
    cohort: CohortOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Run recordings through the same pipeline as a worker's, without Kafka.

    The same recordings and configuration give the same results, bit for bit. With --table, daily
    features that a study has published go to detection as settled nights and days.

    Example: wakeline replay march.jsonl.gz april.jsonl.gz -o spring.sqlite
    """
    from connectors.recordings import inspect_recordings
    from streams.settings import Settings

    check_sources(recording or [], table, map_file)
    found = inspect_recordings(recording) if recording else None
    settings = Settings.load(
        partitions=found.partitions if partitions is None and found is not None else partitions,
        lateness_h=lateness_h,
        site_config=site_config,
        cohort=cohort,
    )
    if found is not None:
        summary = asyncio.run(_replay(found, output, settings))
    else:
        assert table is not None and map_file is not None  # noqa: PT018 - see check_sources
        summary = asyncio.run(_replay_table(table, map_file, output, settings))
    _tell(summary, output, as_json=as_json)


async def _replay(found: "RecordingSummary", output: Path, settings: "Settings") -> "ReplaySummary":
    from connectors.run_files import made_whole
    from connectors.sqlite import SqliteResults
    from streams.replay import replay as run_replay

    config = settings.pipeline_config()
    paths = ", ".join(path.name for path in found.paths)
    facts = _facts(settings) | {"recordings": paths}
    with made_whole(output) as part, progress("replaying", found.messages) as advance:
        sink = SqliteResults(part, run=facts)
        try:
            return await run_replay(
                messages_of(found, config.partitions),
                sink,
                config=config,
                cohort=settings.loaded_cohort().cohort,
                on_progress=advance,
            )
        finally:
            await sink.close()


async def _replay_table(
    table: Path, map_file: Path, output: Path, settings: "Settings"
) -> "ReplaySummary":
    from connectors.run_files import made_whole

    rows = read_rows(table, map_file)
    judged_by = settings.pipeline_config(), settings.loaded_cohort().cohort
    facts = _facts(settings) | {"recordings": table.name, "map": map_file.name}
    with made_whole(output) as part, progress("replaying", len(rows)) as advance:
        return await replay_rows(rows, part, facts, judged_by=judged_by, on_progress=advance)


def _facts(settings: "Settings") -> dict[str, str]:
    """What results are a function of, beside what is replayed."""
    from importlib.metadata import version

    import msgspec

    cohort, digest = settings.loaded_cohort()
    return {
        "wakeline": version("wakeline"),
        "configuration": msgspec.json.encode(settings.pipeline_config()).decode(),
        "cohort": cohort.version,
        "cohort_digest": digest,
    }


def messages_of(found: "RecordingSummary", partitions: int) -> "Iterator[RecordingMessage]":
    """Messages of recordings; those without ticks get them at the pace of ``timeReceived``."""
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
