"""Goal: ``wakeline import`` tells what it wrote. Method: run the command on a small table."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.recordings import inspect_recordings
from streams.cli import command_line, main


def _table(folder: Path) -> Path:
    path = folder / "screen.csv"
    path.write_text("time,screen_status\n1488346471.195,1\n1488346482.128,0\n")
    return path


def test_import_writes_a_recording_and_prints_its_figures(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl.zst"
    arguments = ["import", "aware", str(_table(tmp_path)), "-o", str(out)]
    result = CliRunner().invoke(command_line(), [*arguments, "--partitions", "2", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    found = inspect_recordings([out])
    assert figures["records"] == {"phone_interaction": 2}
    assert figures["envelopes"] + figures["ticks"] == found.messages
    assert found.partitions == 2
    result = CliRunner().invoke(command_line(), arguments)
    assert "phone_interaction 2" in result.stdout


def test_import_of_something_else_is_refused_by_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    for data_set in ("mmash", "lifesnaps-daily", "aware"):
        with pytest.raises(SystemExit, match="1"):
            main(["import", data_set, str(tmp_path), "-o", str(out)])
        error = capsys.readouterr().err
        assert error.startswith(f"wakeline: {tmp_path}: no ")
        assert error.count("\n") == 1
        assert not out.exists()
