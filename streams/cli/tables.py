"""Tables of daily features on the command line: read with their map, detected, stored."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.errors import BadInput

if TYPE_CHECKING:
    from detectors.cohort import Cohort
    from streams.config import PipelineConfig
    from streams.events import FeatureRow, Output
    from streams.replay import ReplaySummary
    from streams.tables import Line, TableMap

OUTPUTS_TOGETHER = 5_000
"""Outputs that are written in one transaction."""

TableOption = Annotated[
    Path | None, typer.Option("--table", help="CSV of daily features, in place of recordings.")
]
MapOption = Annotated[
    Path | None, typer.Option("--map", help="TOML that says which column is which feature.")
]


def check_sources(recordings: list[Path], table: Path | None, map_file: Path | None) -> None:
    """Refuse anything but recordings, or a table with its map.

    Raises
    ------
    BadInput
        If neither or both are given, or a table without a map.
    """
    if bool(recordings) == (table is not None):
        raise BadInput("either recordings or --table is needed")
    if (table is None) != (map_file is None):
        raise BadInput("--table and --map belong together")


def read_rows(table: Path, map_file: Path) -> "list[FeatureRow]":
    """Settled rows of a table, person by person.

    Raises
    ------
    BadInput
        If a file cannot be read, the map does not fit, a cell is not what its column says, or a
        person has two rows of one date.
    """
    from streams.tables import settled_rows, table_map

    try:
        mapped = table_map(map_file.read_bytes())
    except OSError as error:
        raise BadInput(f"the map {map_file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"the map {map_file} does not fit: {error}") from error
    rows = [*settled_rows(_lines(table, mapped), mapped)]
    if not rows:
        raise BadInput(f"{table}: a table without a line")
    return rows


def _lines(path: Path, mapped: "TableMap") -> "Iterator[Line]":
    from connectors.importers.tables import Table
    from streams.tables import line_of

    table = Table(path, mapped.columns)
    seen: dict[tuple[str, int], int] = {}
    with table.refusing():
        for cells in table:
            line = line_of(dict(zip(mapped.columns, cells, strict=True)), mapped)
            first = seen.setdefault((line.user_id, line.date), table.row_number)
            if first != table.row_number:
                # Which of the two holds nobody could say.
                raise BadInput(
                    f"{path}, row {table.row_number}: {mapped.user} and {mapped.date} are those of "
                    f"row {first}; a person has one row of a date"
                )
            yield line


async def replay_rows(
    rows: "list[FeatureRow]",
    output: Path,
    facts: Mapping[str, str],
    *,
    judged_by: "tuple[PipelineConfig, Cohort]",
    on_progress: Callable[[int], None],
) -> "ReplaySummary":
    """Run settled rows through detection into a fresh RUN; progress in rows."""
    from connectors.sqlite import SqliteResults
    from streams.events import Operation
    from streams.replay import ReplaySummary
    from streams.tables import detect

    sink = SqliteResults(output, run=facts)
    waiting: list[Output] = []
    written = 0
    clock = max(row.end for row in rows) + judged_by[0].lateness_s
    try:
        for outputs in detect(rows, *judged_by):
            waiting += outputs
            on_progress(1)
            if len(waiting) >= OUTPUTS_TOGETHER:
                await sink.write(waiting)
                written += len(waiting)
                waiting = []
        waiting.append(Operation(name="clock", partition=0, time=clock, values={}))
        await sink.write(waiting)
    finally:
        await sink.close()
    return ReplaySummary(0, written + len(waiting), clock, {"row_count": len(rows)})
