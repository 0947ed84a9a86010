"""Goal: a table and its map give the rows that a recording of the same data gives.

Method: LifeSnaps both ways, row against row; refusals on small files.
"""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.compressed import read_line_blocks
from connectors.importers import lifesnaps
from connectors.importers.writer import Target, write_recording
from connectors.run_files import open_run, read_facts
from streams.cli import command_line, main

MAP = Path(__file__).parents[3] / "samples" / "lifesnaps_map.toml"
Rows = dict[tuple[str, str, str], dict[str, float]]


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(command_line(), list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def _values(run: Path) -> Rows:
    with open_run(run) as connection:
        bodies = connection.execute("SELECT body FROM features WHERE settled").fetchall()
    told = {}
    for row in (json.loads(body) for (body,) in bodies):
        values = {
            name: round(value, 6)
            for name, value in row["values"].items()
            if not name.endswith("_score") and name != "silence_h"
        }
        told[row["userId"], row["window"], row["localDate"]] = values
    return told


def _table(folder: Path, shared_data: Path, people: set[str]) -> Path:
    (source,) = (shared_data / "lifesnaps_daily").glob("*.csv.gz")
    text = b"".join(read_line_blocks(source)).decode()
    path = folder / "daily.csv"
    lines = text.splitlines(keepends=True)
    own = [line for line in lines[1:] if next(csv.reader([line]))[1] in people]
    path.write_text("".join([lines[0], *own[:60]]))
    return path


def test_lifesnaps_table_gives_the_rows_of_the_imported_recording(
    tmp_path: Path, shared_data: Path
) -> None:
    every = lifesnaps.load(shared_data / "lifesnaps_daily", days_max=1)
    table = _table(tmp_path, shared_data, {every.people[0].user_id})
    recording = tmp_path / "people.jsonl"
    write_recording([lifesnaps.load(table)], Target(path=recording, partitions=1))
    by_pipeline, by_table = tmp_path / "one.sqlite", tmp_path / "two.sqlite"
    _run("replay", str(recording), "-o", str(by_pipeline))
    told = _run("replay", "--table", str(table), "--map", str(MAP), "-o", str(by_table), "--json")
    expected, got = _values(by_pipeline), _values(by_table)
    assert json.loads(told)["counts"] == {"row_count": len(got)}
    shared = sorted(expected.keys() & got.keys())
    assert len(shared) == len(got)
    assert sum(bool(got[key]) for key in shared) > 60
    for key in shared:
        known = {name: value for name, value in expected[key].items() if name in got[key]}
        assert known.keys() == got[key].keys(), key
        assert got[key] == pytest.approx(known), key
    with open_run(by_table) as connection:
        facts = read_facts(connection)
    assert (facts["recordings"], facts["map"]) == ("daily.csv", "lifesnaps_map.toml")
    assert facts["cohort_digest"].startswith("sha256:")


@pytest.mark.parametrize(
    ("table", "options", "says"),
    [
        ("id,date,n\na,2024-01-01,x\n", ["--map", "map.toml"], "row 2: a value does not fit"),
        (
            "id,date,n\na,2024-01-01,1\nb,2024-01-01,1\na,2024-01-01T08:00,\n",
            ["--map", "map.toml"],
            "table.csv, row 4: id and date are those of row 2;",
        ),
        ("id,date\na,2024-01-01\n", ["--map", "map.toml"], "no column n"),
        ("id,date,n\n", ["--map", "map.toml"], "a table without a line"),
        ("id,date,n\n", [], "--table and --map belong together"),
        ("id,date,n\n", ["--map", "none.toml"], "cannot be read"),
        ("id,date,n\n", ["--map", "table.csv"], "does not fit"),
        ("id,date,n\n", ["--map", "misspelt.toml"], "'step_cuont'; nearest: step_count"),
        ("id,date,n\n", ["--map", "map.toml", "people.jsonl"], "either recordings or --table"),
    ],
)
def test_bad_input_is_one_clear_line(
    table: str,
    options: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(table)
    for name, feature in (("map.toml", "step_count"), ("misspelt.toml", "step_cuont")):
        Path(name).write_text(f'user="id"\ndate="date"\n[day.{feature}]\ncolumn="n"\n')
    with pytest.raises(SystemExit, match="1"):
        main(["replay", "--table", "table.csv", "-o", "run.sqlite", *options])
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
