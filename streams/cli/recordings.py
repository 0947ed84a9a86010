"""The command that turns published data sets into recordings."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.progress import progress

if TYPE_CHECKING:
    from connectors.importers.dataset import DataSet
    from connectors.importers.writer import ImportSummary


class Format(StrEnum):
    """Data sets that can be imported."""

    MMASH = "mmash"
    LIFESNAPS_DAILY = "lifesnaps-daily"
    AWARE = "aware"


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command("import")(import_)


def import_(
    fmt: Annotated[Format, typer.Argument(metavar="FORMAT", help="mmash, lifesnaps-daily, aware.")],
    path: Annotated[Path, typer.Argument(help="Folder or table of the data set.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Recording to write.")],
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of every topic.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Turn a published data set into a recording.

    Example: wakeline import mmash data/mmash -o mmash.jsonl.gz
    """
    from connectors.importers.writer import Target, write_recording

    data = _loader(fmt)(path)
    with progress("importing", None) as advance:
        summary = write_recording([data], Target(path=output, partitions=partitions), advance)
    _tell(summary, output, as_json=as_json)


def _loader(fmt: Format) -> "Callable[[Path], DataSet]":
    from connectors.importers import aware, lifesnaps, mmash

    loaders: dict[Format, Callable[[Path], DataSet]] = {
        Format.MMASH: mmash.load,
        Format.LIFESNAPS_DAILY: lifesnaps.load,
        Format.AWARE: aware.load,
    }
    return loaders[fmt]


def _tell(summary: "ImportSummary", output: Path, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())
        return
    records = ", ".join(f"{name} {count}" for name, count in summary.records.items())
    typer.echo(f"{summary.people} people, {summary.envelopes} envelopes into {output}: {records}")
    for reason, count in summary.left_out.items():
        typer.echo(f"left out: {count} {reason}")
    for note in summary.notes:
        typer.echo(f"note: {note}")
