"""Commands on stored results: ``export``, ``compare`` and ``report``."""

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from connectors.export import Exported, ExportFormat
from streams.cli.progress import progress
from streams.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.compare import Comparison, Difference

ENTRIES_SHOWN = 20
"""Differences of one kind that are shown to people; ``--json`` gives more."""

FIELDS_SHOWN = 4
"""Changed fields of one row that are shown to people."""

TEXT_SHOWN = 60
"""Characters of one changed text that are shown to people."""

REASONS_SHOWN = 6
"""Reasons of one difference that are shown to people."""

Run = Annotated[Path, typer.Argument(metavar="RUN", help="SQLite file that holds results.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    app.command("export")(export)
    app.command("compare")(compare)
    app.command("report")(report)


def export(
    run: Run,
    what: Annotated[Exported, typer.Argument(help="What to export.", show_default=False)],
    fmt: Annotated[
        ExportFormat, typer.Option("--format", help="JSON lines, or a table for pandas and R.")
    ] = ExportFormat.JSONL,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; standard output if absent."),
    ] = None,
) -> None:
    """Print settled results in one fixed form: equal runs give equal bytes.

    Example: wakeline export run.sqlite alerts --format csv > alerts.csv
    """
    from connectors.export import export as lines_of

    lines = lines_of(run, what, fmt)
    if output is None:
        sys.stdout.buffer.writelines(lines)
        return
    _refuse_overwriting(run, output)
    try:
        with output.open("wb") as file:
            file.writelines(lines)
    except OSError as error:
        raise BadInput(f"cannot write {output}: {error.strerror}") from error


def compare(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="The run to start from.")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="The run to compare with it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show alerts and settled rows that are new, gone or changed; exit 1 on a difference.

    Of an alert it says what differs between the runs (model, cohort, settings), and what decided
    on it in both: detector, score, threshold and state.

    Example: wakeline compare before.sqlite after.sqlite
    """
    from connectors.compare import compare as differences

    with progress("comparing", None):
        comparison = differences(run_a, run_b)
    if as_json:
        answer = {"equal": comparison.are_equal} | msgspec.to_builtins(comparison)
        typer.echo(msgspec.json.format(msgspec.json.encode(answer)))
    else:
        _show(comparison)
    if not comparison.are_equal:
        raise typer.Exit(1)


def report(
    run: Run,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Write one HTML page that opens offline: who needs attention first, and each person's plots.

    Example: wakeline report run.sqlite -o report.html
    """
    from connectors.report import write_report

    _refuse_overwriting(run, output)
    with progress("reading people", None) as advance:
        summary = write_report(run, output, on_person=advance)
    if as_json:
        typer.echo(msgspec.json.encode(summary))
    else:
        typer.echo(
            f"{output}: {summary.people} people, {summary.alerts_open} open alerts, "
            f"{summary.size_bytes / 1e6:.1f} MB"
        )


def _refuse_overwriting(run: Path, output: Path) -> None:
    if output.resolve() == run.resolve():
        raise BadInput(f"{output} is the run itself")


def _show(comparison: "Comparison") -> None:
    from rich.console import Console

    console = Console()
    for change in comparison.facts:
        console.print(f"made differently: {change.field}", style="dim", highlight=False)
    for setting in comparison.settings:
        console.print(f"setting: {setting.setting}", style="dim", highlight=False)
    if comparison.are_equal:
        console.print("No difference in settled results.")
        return
    kinds = {
        "alerts": comparison.alerts,
        "feature rows": comparison.features,
        "anomalies": comparison.anomalies,
    }
    for name, difference in kinds.items():
        for line in _lines(name, difference) if difference.count else ():
            console.print(
                _wrapped(line, console.width), highlight=False, markup=False, soft_wrap=True
            )


def _lines(name: str, difference: "Difference") -> "Iterator[str]":
    """A heading, and a block of lines for each difference."""
    yield ""
    yield (
        f"{name}: {difference.new_count:,} new, {difference.gone_count:,} gone, "
        f"{difference.changed_count:,} changed"
    )
    for change, count, entries in (
        ("new", difference.new_count, difference.new),
        ("gone", difference.gone_count, difference.gone),
        ("changed", difference.changed_count, difference.changed),
    ):
        for entry in entries[:ENTRIES_SHOWN]:
            yield f"{change}  {entry.user_id}  {entry.when}  {entry.what}"
            fields = [
                f"{each.field}: {_short(each.before)} → {_short(each.after)}"
                for each in entry.fields
            ]
            yield from _some(fields, FIELDS_SHOWN)
            yield from ["  because:"] if entry.because else []
            yield from _some(entry.because, REASONS_SHOWN)
        if count > ENTRIES_SHOWN:
            yield f"and {count - ENTRIES_SHOWN:,} more {change}"


def _some(lines: "Sequence[str]", most: int) -> "Iterator[str]":
    yield from (f"    {line}" for line in lines[:most])
    if len(lines) > most:
        yield f"    and {len(lines) - most} more"


def _wrapped(line: str, width: int) -> str:
    """A line in the width of the screen, further down indented; no id is ever cut."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _short(value: object) -> str:
    match value:
        case None:
            return "absent"
        case float():
            return f"{value:.6g}"
        case str():
            text = value
        case _:
            text = msgspec.json.encode(value).decode()
    return text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…"
