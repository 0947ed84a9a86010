"""Goal: a cohort is fitted from whom it should be, and a replay can be told to use it.

Method: the command on a table of made-up people, against medians taken by hand.
"""

import json
import statistics
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.importers.lifesnaps import load
from connectors.importers.writer import Target, write_recording
from connectors.run_files import open_run, read_facts
from detectors.cohort import load_cohort
from streams.cli import command_line, main

PEOPLE, DAYS = 12, 40
MAP = 'user="id"\ndate="date"\n[night.sleep_duration_min]\ncolumn="asleep"\n'


def _usual_min(person: int) -> float:
    return 380.0 + 10.0 * person


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = [
        f"p{person},2024-{1 + day // 28:02}-{1 + day % 28:02},{_usual_min(person) + day % 5}"
        for person in range(PEOPLE)
        for day in range(DAYS)
    ]
    Path("table.csv").write_text("\n".join(["id,date,asleep", *lines, ""]))
    Path("map.toml").write_text(MAP)
    return tmp_path


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(command_line(), list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


TABLE = ("--table", "table.csv", "--map", "map.toml")
NAMED = ("--version", "made-1", "--source", "made-up people")


@pytest.mark.usefixtures("folder")
def test_priors_come_from_the_people_who_are_taken_and_replays_carry_the_digest() -> None:
    Path("out.txt").write_text("p0\n\np1\n")
    figures = json.loads(
        _run("fit-cohort", *TABLE, *NAMED, "-o", "c.json", "--leave-out", "out.txt", "--json")
    )
    assert figures["people"] == PEOPLE - 2
    assert figures["priors_fitted"] == ["night.sleep_duration_min"]
    cohort = load_cohort(Path("c.json").read_bytes())
    prior = cohort.priors["night.sleep_duration_min"]
    middle = statistics.median(_usual_min(person) + 2.0 for person in range(2, PEOPLE))
    assert (cohort.version, prior.people) == ("made-1", PEOPLE - 2)
    assert prior.centre == pytest.approx(middle)
    facts = []
    for options in (["--cohort", "c.json"], []):
        _run("replay", *TABLE, "-o", "run.sqlite", *options)
        with open_run(Path("run.sqlite")) as connection:
            facts.append(read_facts(connection))
    assert facts[0]["cohort"] == "made-1"
    assert facts[1]["cohort"] == load_cohort().version
    assert facts[0]["cohort_digest"] != facts[1]["cohort_digest"]


def test_recordings_are_replayed_for_the_people_taken(folder: Path, shared_data: Path) -> None:
    every = load(shared_data / "lifesnaps_daily", days_max=25)
    people = [person.user_id for person in every.people[:3]]
    data = load(shared_data / "lifesnaps_daily", people=people, days_max=25)
    write_recording([data], Target(path=folder / "people.jsonl", partitions=2))
    Path("in.txt").write_text(f"{people[0]}\n{people[1]}\n")
    told = _run(
        *("fit-cohort", "people.jsonl", *NAMED, "-o", "c.json", "--people-from", "in.txt"),
        "--json",
    )
    assert json.loads(told)["people"] == 2
    assert json.loads(told)["rows"] >= 2 * 2 * 20


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (TABLE[:2], "belong together"),
        ((*TABLE, "--people-from", "none.txt"), "cannot be read as a list"),
        ((*TABLE, "--people-from", "map.toml"), "none of the people"),
        ((*TABLE, "--people-from", "map.toml", "--leave-out", "map.toml"), "either --people-from"),
        ((*TABLE, "--cohort", "map.toml"), "does not fit"),
        ((*TABLE, "--cohort", "none.json"), "cannot be read"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_input_is_one_clear_line(
    options: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["fit-cohort", *NAMED, "-o", "c.json", *options])
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
