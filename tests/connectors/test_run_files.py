"""Goal: a run is there whole or not at all; method: files made, left and interrupted."""

from pathlib import Path

import pytest

from connectors.run_files import made_whole
from streams.errors import BadInput
from tests.connectors.runs import feature_row, write_run


def test_a_run_takes_the_place_of_an_earlier_one_when_it_is_done(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run.sqlite", [feature_row()])
    earlier = path.read_bytes()
    with made_whole(path) as part:
        write_run(part, [feature_row(revision=1)], [feature_row(revision=2)])
        assert path.read_bytes() == earlier
        made = part.read_bytes()
    assert path.read_bytes() == made != earlier
    assert list(tmp_path.iterdir()) == [path]


def _interrupted(path: Path) -> None:
    with made_whole(path) as part:
        write_run(part, [feature_row(revision=1)])
        raise KeyboardInterrupt


def test_of_an_interrupted_run_nothing_is_left_and_the_earlier_one_stays(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run.sqlite", [feature_row()])
    earlier = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        _interrupted(path)
    assert path.read_bytes() == earlier
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_run_is_never_replaced_and_a_missing_folder_is_named(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(BadInput, match="not results of Wakeline"), made_whole(notes):
        pass
    assert notes.read_text() == "mine"
    with pytest.raises(BadInput, match="there is no folder"), made_whole(tmp_path / "a" / "b"):
        pass
