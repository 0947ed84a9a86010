"""Goal: a planted change is found and told with who was eligible; method: the commands in a row."""

import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import command_line, main

PEOPLE, DAYS = 6, 60
FIRST = dt.date(2024, 1, 1)
CHANGED = range(40, 46)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table in which half of the people sleep three hours less for six nights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    lines = [
        f"p{person},{FIRST + dt.timedelta(days=day)},"
        f"{430 + 7 * (day % 5) - 180 * (person % 2 and day in CHANGED)}"
        for person in range(PEOPLE)
        for day in range(DAYS)
    ]
    Path("table.csv").write_text("\n".join(["id,date,asleep", *lines, ""]))
    Path("map.toml").write_text(
        'user="id"\ndate="date"\n[night.sleep_duration_min]\ncolumn="asleep"\n'
    )
    span = f"{FIRST + dt.timedelta(days=40)},{FIRST + dt.timedelta(days=45)}"
    labels = [f"p{person},{span},short" for person in range(PEOPLE)]
    Path("labels.csv").write_text("\n".join(["userId,start,end,label", *labels, ""]))
    return tmp_path


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(command_line(), list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("folder")
def test_labels_found_and_people_eligible_are_told_in_all_forms() -> None:
    _run("replay", "--table", "table.csv", "--map", "map.toml", "-o", "run.sqlite")
    arguments = ("evaluate", "run.sqlite", "--labels", "labels.csv")
    told = json.loads(_run(*arguments, "--json", "-o", "page.html"))
    assert told["eligible"]["people"] == [f"p{person}" for person in range(PEOPLE)]
    assert (told["alerts"]["labels"], told["alerts"]["labels_hit"]) == (PEOPLE, PEOPLE // 2)
    assert told["alerts"]["episodes"] == told["alerts"]["episodes_in_label"] == PEOPLE // 2
    assert "3 of 6" in _run(*arguments)
    page = Path("page.html").read_text()
    assert "3 of 6" in page
    assert "from table.csv" in page


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["none.sqlite", "--labels", "labels.csv"], "no such file"),
        (["table.csv", "--labels", "labels.csv"], "not results of Wakeline"),
        (["none.sqlite", "--labels", "none.csv"], "none.csv"),
        (["run.sqlite", "--labels", "labels.csv", "-o", "labels.csv"], "a file that is read"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_input_is_one_clear_line(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["evaluate", *options])
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("wakeline: ")
    assert says in error
