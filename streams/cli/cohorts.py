"""``wakeline fit-cohort``: what a cohort lends to young baselines, fitted from recordings."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.progress import progress
from streams.cli.replay import messages_of
from streams.cli.streaming import CohortOption
from streams.cli.tables import MapOption, TableOption, check_sources, read_rows
from streams.errors import BadInput

if TYPE_CHECKING:
    from connectors.base import Refuse
    from detectors.cohort import Cohort
    from streams.config import PipelineConfig
    from streams.events import FeatureRow, Output

Keeps = Callable[[str], bool]
"""Whether a person, by id, is taken."""


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command("fit-cohort")(fit_cohort)


def fit_cohort(
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON file for the cohort.")],
    version: Annotated[str, typer.Option(help="What this cohort is called in results.")],
    source: Annotated[str, typer.Option(help="What it is fitted from, in words.")],
    recording: Annotated[
        list[Path] | None, typer.Argument(help="Recordings, in any order.")
    ] = None,
    table: TableOption = None,
    map_file: MapOption = None,
    people_from: Annotated[
        Path | None, typer.Option(help="File with the userIds to take, one a line.")
    ] = None,
    leave_out: Annotated[
        Path | None, typer.Option(help="File with the userIds to leave out, one a line.")
    ] = None,
    site_config: Annotated[
        Path | None, typer.Option("--site-config", help="TOML file with the site's configuration.")
    ] = None,
    base: CohortOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Fit priors, thresholds and budgets from the settled rows of many people.

    What too few people or rows are there for is taken from the cohort of the package, or from
    the one that --cohort names.

    Example: wakeline fit-cohort people.jsonl.gz -o cohort.json --version ward-1 --source "Ward A"
    --leave-out tested.txt
    """
    from detectors.fitting import Fit
    from detectors.fitting import fit_cohort as fit
    from streams.settings import Settings

    check_sources(recording or [], table, map_file)
    keeps = _keeps(people_from, leave_out)
    settings = Settings.load(site_config=site_config, cohort=base)
    lent = settings.loaded_cohort().cohort
    config = settings.pipeline_config()
    if table is not None and map_file is not None:
        rows = [row for row in read_rows(table, map_file) if keeps(row.user_id)]
    else:
        rows = asyncio.run(_settled_rows(recording or [], config, lent, keeps=keeps))
    if not rows:
        raise BadInput("none of the people to take has a settled row")
    cohort = fit(rows, lent, Fit(version=version, source=source, config=config.detection))
    _write(cohort, output)
    _tell(cohort, rows, output, as_json=as_json)


def _keeps(people_from: Path | None, leave_out: Path | None) -> Keeps:
    if people_from is not None and leave_out is not None:
        raise BadInput("either --people-from or --leave-out can be given")
    if people_from is not None:
        taken = _ids(people_from)
        return lambda user_id: user_id in taken
    left = _ids(leave_out) if leave_out is not None else frozenset()
    return lambda user_id: user_id not in left


def _ids(path: Path) -> Collection[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as a list of userIds") from error
    found = frozenset(line.strip() for line in lines if line.strip())
    if not found:
        raise BadInput(f"{path}: no userId in it")
    return found


async def _settled_rows(
    recordings: list[Path], config: "PipelineConfig", cohort: "Cohort", *, keeps: Keeps
) -> "list[FeatureRow]":
    """Replay recordings in memory and keep the settled rows of those who are taken."""
    import msgspec

    from connectors.recordings import inspect_recordings
    from streams.events import TICK_KEY
    from streams.replay import replay

    found = inspect_recordings(recordings)
    config = msgspec.structs.replace(config, partitions=found.partitions)
    messages = (
        message
        for message in messages_of(found, found.partitions)
        if message.key == TICK_KEY or keeps((message.key or b"").decode("utf-8", "replace"))
    )
    sink = _SettledRows()
    with progress("replaying", found.messages) as advance:
        await replay(messages, sink, config=config, cohort=cohort, on_progress=advance)
    return sorted(sink.rows, key=lambda row: (row.user_id, row.end))


class _SettledRows:
    """A sink that keeps settled rows and nothing else."""

    def __init__(self) -> None:
        self.rows: list[FeatureRow] = []

    async def write(self, outputs: "Sequence[Output]") -> None:
        """Keep the settled rows among the outputs."""
        from streams.events import FeatureRow

        self.rows += [each for each in outputs if isinstance(each, FeatureRow) and each.settled]

    def refuse_to(self, refuse: "Refuse") -> None:
        """Nothing is ever refused."""

    def figures(self) -> dict[str, float]:
        """How many rows there are."""
        return {"row_count": float(len(self.rows))}

    def forget(self) -> None:
        """Nothing is remembered of what others wrote."""

    async def close(self) -> None:
        """There is nothing to release."""


def _write(cohort: "Cohort", path: Path) -> None:
    import msgspec

    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(cohort), indent=2) + b"\n")
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from error


def _tell(cohort: "Cohort", rows: "Sequence[FeatureRow]", output: Path, *, as_json: bool) -> None:
    import msgspec

    fitted = sorted(key for key, prior in cohort.priors.items() if prior.source == cohort.source)
    people = len({row.user_id for row in rows})
    if as_json:
        figures = {
            "version": cohort.version,
            "people": people,
            "rows": len(rows),
            "priors_fitted": fitted,
            "thresholds": cohort.thresholds,
            "budgets": cohort.budgets,
        }
        typer.echo(msgspec.json.encode(figures).decode())
        return
    typer.echo(f"{len(rows)} rows of {people} people into {output}")
    for rule, points in cohort.budgets.items():
        told = ", ".join(f"{rate:.2f} at {z:g}" for rate, z in points)
        typer.echo(f"{rule}: alerts per person-month at each threshold (sd): {told}")
    typer.echo(f"{len(fitted)} priors fitted, {len(cohort.priors) - len(fitted)} lent by the base")
