"""Goal: equal data give equal bytes, and no data are refused. Method: a data set made by hand."""

import datetime as dt
from collections import Counter
from pathlib import Path

import pytest

from connectors.importers.dataset import DataSet, Person, Upload, local_midnight_s
from connectors.importers.writer import Target, write_recording
from streams.errors import BadInput
from streams.events import Steps

DATE = dt.date(2024, 3, 31)


def _data(*times: float) -> DataSet:
    person = Person(
        user_id="ada",
        project_id="p",
        care_team="t",
        time_zone="Europe/Rome",
        enrolled_on=DATE,
        record_types=(Steps,),
        sources=(),
    )
    uploads = [
        Upload(time, "ada", "watch", [Steps(time=time, duration=1.0, steps=1)]) for time in times
    ]
    return DataSet(people=(person,), uploads=uploads, left_out=Counter())


def test_equal_data_give_equal_bytes_and_progress_counts_every_message(tmp_path: Path) -> None:
    start = local_midnight_s(DATE, "Europe/Rome")
    assert start == dt.datetime(2024, 3, 30, 23, tzinfo=dt.UTC).timestamp()
    for suffix in (".gz", ".zst"):
        written, counts = [], []
        for name in ("a", "b"):
            path = tmp_path / f"{name}{suffix}"
            progress: list[int] = []
            data = _data(start + 60, start + 90_000)
            summary = write_recording([data], Target(path=path, partitions=2), progress.append)
            counts.append(sum(progress) - summary.envelopes - summary.ticks)
            written.append(path.read_bytes())
        assert written[0] == written[1]
        assert counts == [0, 0]


def test_a_data_set_without_data_is_refused_and_leaves_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with pytest.raises(BadInput, match="no data"):
        write_recording([_data()], Target(path=path))
    assert not path.exists()
