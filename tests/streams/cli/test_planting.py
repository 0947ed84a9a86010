"""Goal: what is planted in a recording shows in settled rows, there alone and in its size.

Method: real people's daily figures, replayed with and without the change, row against row.
"""

import csv
import datetime as dt
import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.importers import lifesnaps
from connectors.importers.dataset import DataSet, Person, Upload
from connectors.importers.writer import Target, write_recording
from connectors.recordings import read_recording
from connectors.run_files import open_run
from streams.cli import command_line, main
from streams.events import Source, Steps

PEOPLE = 2
SIZES = {"heart_rate_resting_bpm": 3.0, "sleep_duration_min": -60.0}
SHARES = {"rmssd_ms": 0.85, "step_count": 0.7, "active_reported_min": 0.7}
# What follows from the changed figures of the same date, and of the weeks before.
FOLLOWS = {"sleep_efficiency_percent", "sedentary_reported_min", "time_in_bed_min"}
FOLLOWS_LATER = {"sleep_duration_sd_min", "rmssd_cv_percent"}
Rows = dict[tuple[str, str, str], dict[str, float]]


def _recording(folder: Path, shared_data: Path) -> Path:
    path = folder / "people.jsonl"
    every = lifesnaps.load(shared_data / "lifesnaps_daily", days_max=45)
    chosen = {person.user_id for person in every.people[:PEOPLE]}
    data = lifesnaps.load(shared_data / "lifesnaps_daily", people=chosen, days_max=45)
    write_recording([data], Target(path=path, partitions=1))
    return path


def _rows(recording: Path) -> Rows:
    run = recording.with_suffix(".sqlite")
    result = CliRunner().invoke(command_line(), ["replay", str(recording), "-o", str(run)])
    assert result.exit_code == 0, result.output
    with open_run(run) as connection:
        bodies = connection.execute("SELECT body FROM features WHERE settled").fetchall()
    rows = [json.loads(body) for (body,) in bodies]
    return {(row["userId"], row["window"], row["localDate"]): row["values"] for row in rows}


def _is_inside(date: str, label: dict[str, str]) -> bool:
    return label["start"] <= date <= label["end"]


def test_planted_change_shows_in_the_rows_of_its_dates_and_in_no_other(
    tmp_path: Path, shared_data: Path
) -> None:
    before, after = _recording(tmp_path, shared_data), tmp_path / "planted.jsonl"
    labels = tmp_path / "labels.csv"
    arguments = [str(before), "-o", str(after), "--labels", str(labels), "--change", "compound"]
    result = CliRunner().invoke(
        command_line(), ["plant", *arguments, "--first-day", "15", "--json"]
    )
    assert result.exit_code == 0, result.output
    with labels.open() as file:
        planted = {label["userId"]: label for label in csv.DictReader(file)}
    assert json.loads(result.stdout)["stretches"] == len(planted) == PEOPLE
    messages = zip(read_recording(before), read_recording(after), strict=True)
    assert all(one.key == two.key and one.offset == two.offset for one, two in messages)
    old, new = _rows(before), _rows(after)
    assert old.keys() == new.keys()
    seen = set()
    for (user_id, _, date), values in old.items():
        for name, value in values.items():
            wanted = value
            if _is_inside(date, planted[user_id]) and name in SIZES | SHARES:
                wanted = value * SHARES.get(name, 1.0) + SIZES.get(name, 0.0)
                seen.add(name)
            elif (name in FOLLOWS and _is_inside(date, planted[user_id])) or name in FOLLOWS_LATER:
                continue
            got = new[user_id, _, date][name]
            assert got == pytest.approx(wanted, abs=0.51 if name == "step_count" else 1e-6), name
    assert seen == SIZES.keys() | SHARES.keys()
    label = planted[min(planted)]
    span = dt.date.fromisoformat(label["end"]) - dt.date.fromisoformat(label["start"])
    assert (span.days, label["label"]) == (4, "compound")


def test_where_nobody_has_a_place_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person(
        user_id="alder",
        project_id="study",
        care_team="north",
        time_zone="UTC",
        enrolled_on=dt.date(2024, 1, 1),
        record_types=(Steps,),
        sources=(Source(source_id="watch"),),
    )
    time = 1_704_100_000.0
    uploads = [Upload(time + 60.0, "alder", "watch", [Steps(time=time, duration=60.0, steps=3)])]
    recording = tmp_path / "people.jsonl"
    data = DataSet(people=(person,), uploads=uploads, left_out=Counter())
    write_recording([data], Target(path=recording, partitions=1))
    output, labels = tmp_path / "planted.jsonl", tmp_path / "labels.csv"
    options = ["-o", str(output), "--labels", str(labels), "--change", "compound", "--json"]
    with pytest.raises(SystemExit, match="1"):
        main(["plant", str(recording), *options])
    told = capsys.readouterr()
    assert "nobody has a place for compound" in told.err.splitlines()[-1]
    assert told.out == ""
    assert [*tmp_path.iterdir()] == [recording]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--change", "sadness"], "no change 'sadness'"),
        (["--change", "compound", "--size", "sleep_min=much"], "a size is name=number"),
        (["--change", "compound", "--size", "sleep=-3"], "a size does not fit"),
        (["--change", "short_sleep", "--size", "sleep_min=0"], "nothing to plant"),
        (["--change", "compound", "-o", "people.jsonl"], "three files"),
        (["--change", "compound"], "No such file"),
    ],
)
def test_bad_input_is_one_clear_line(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["plant", "people.jsonl", "-o", "out.jsonl", "--labels", "labels.csv", *options])
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
