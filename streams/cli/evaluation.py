"""``wakeline evaluate``: what detection found of labels, and how much work it makes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from streams.cli.progress import progress
from streams.errors import BadInput

if TYPE_CHECKING:
    from rich.table import Table

    from connectors.evaluation.evaluate import Evaluation


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command("evaluate")(evaluate)


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="SQLite file that holds results.")],
    labels: Annotated[Path, typer.Option(help="CSV with userId, start, end, label.")],
    groups: Annotated[
        Path | None,
        typer.Option(help="CSV with userId, group, value, or a recording: its registry's groups."),
    ] = None,
    slack_days: Annotated[
        int, typer.Option(min=0, help="Days after a label's end that still count as a hit.")
    ] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file to write as well.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures as JSON.")] = False,
) -> None:
    """Say how many labels were found, how soon, and how many alerts a person-month that took.

    A hit is an alert that opened from a label's start to --slack-days after its end. Every figure
    has an interval: other samples of as many people would give one within it, 95 times of 100.

    Example: wakeline evaluate planted.sqlite --labels labels.csv -o evaluation.html
    """
    from connectors.evaluation.evaluate import evaluate as evaluated

    if output is not None and output.resolve() in {run.resolve(), labels.resolve()}:
        raise BadInput(f"{output} is a file that is read")
    with progress("evaluating", None):
        evaluation = evaluated(run, labels, groups=groups, slack_days=slack_days)
    if output is not None:
        _write_page(evaluation, run, output)
    if as_json:
        typer.echo(msgspec.json.encode(evaluation).decode())
    else:
        _show(evaluation)


def _write_page(evaluation: "Evaluation", run: Path, output: Path) -> None:
    from connectors.evaluation.page import write_page
    from connectors.run_files import open_run, read_facts

    with open_run(run) as connection:
        facts = read_facts(connection)
    write_page(evaluation, output, facts=facts)


def _show(evaluation: "Evaluation") -> None:
    from rich.console import Console

    console = Console()
    eligible = evaluation.eligible
    console.print(
        f"{len(eligible.people)} people watched from {evaluation.first} to {evaluation.last}; "
        f"{eligible.labels} labels in watched dates, {eligible.labels_not_watched} outside",
        highlight=False,
    )
    console.print(_table(evaluation))
    if evaluation.hidden:
        console.print(f"{evaluation.hidden} group values with fewer than 5 people are not shown")


def _table(evaluation: "Evaluation") -> "Table":
    from rich.table import Table

    from connectors.evaluation.evaluate import ALERTS
    from connectors.evaluation.page import row_in_words

    rows = {ALERTS: evaluation.alerts}
    rows |= {f"label {name}": each for name, each in evaluation.by_label.items()}
    rows |= {f"detector {name}": each for name, each in evaluation.detectors.items()}
    rows |= {f"{each.group} {each.value}": each.figures for each in evaluation.groups}
    table = Table("", "labels found", "openings in a label", "per person-month", "days after start")
    for name, figures in rows.items():
        row = row_in_words(name, figures)
        table.add_row(row.name, row.sensitivity, row.precision, row.load, row.lead)
    return table
