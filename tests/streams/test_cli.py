"""Goal: every command helps, starts quickly and fails in one clear line.

Method: the command line as a process would call it.
"""

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from connectors.broker import LOOPBACK, free_port
from streams import cli
from streams.errors import WakelineError

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(
    info.name or info.callback.__name__
    for info in cli.command_line().registered_commands
    if info.callback is not None
)


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code


def group_raising(error: BaseException) -> object:
    class Group:
        @staticmethod
        def register(app: typer.Typer) -> None:
            @app.command()
            def fail() -> None:
                raise error

            @app.command()
            def other() -> None:
                """Make it a group."""

    return Group


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_ends_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(command, "--help") == 0
    assert f"Example: wakeline {command}" in " ".join(capsys.readouterr().out.split())


def test_help_loads_nothing_slow() -> None:
    script = (
        "import sys\nfrom streams import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'faust', 'aiokafka', 'plotly', 'river', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_error_for_people_is_one_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = WakelineError("the file\nhas a fault")
    monkeypatch.setattr(cli, "GROUPS", (group_raising(error),))
    assert exit_code("fail") == 1
    captured = capsys.readouterr()
    assert captured.err == "wakeline: the file has a fault\n"
    assert captured.out == ""


def test_a_fault_of_the_program_says_where_it_is_and_never_what_it_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "GROUPS", (group_raising(ZeroDivisionError("about somebody")),))
    assert exit_code("fail") == cli.FAULT
    said = capsys.readouterr().err
    assert "ZeroDivisionError at" in said
    assert "test_cli.py:" in said
    assert "somebody" not in said


def test_interruption_ends_with_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "GROUPS", (group_raising(KeyboardInterrupt()),))
    assert exit_code("fail") == 130


@pytest.mark.parametrize("arguments", [("nonsense",), ("topics", "--nonsense"), ("publish",)])
def test_wrong_usage_has_its_own_exit_code(arguments: Sequence[str]) -> None:
    assert exit_code(*arguments) == 2


def wakeline(*arguments: str, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
    script = "from streams.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={"PATH": "", "HOME": str(Path.home()), "WAKELINE_CONNECT_TIMEOUT_S": "0.3"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.mark.parametrize("command", ["worker", "topics", "record"])
def test_no_broker_at_the_address_is_one_line_and_an_exit_code(
    command: str, tmp_path: Path
) -> None:
    address = f"{LOOPBACK}:{free_port()}"
    options = {"worker": ["--results", str(tmp_path / "r.sqlite")], "record": [str(tmp_path / "r")]}
    done = wakeline(command, "--broker", address, *options.get(command, []))
    assert done.returncode == 1
    # A worker's health page is there before its broker is.
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1
    assert said[0].startswith(f"wakeline: no broker answers at {address}")


def test_port_in_use_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = wakeline("up", "--port", port, "--folder", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"wakeline: port {port} is in use")
    assert len(done.stderr.splitlines()) == 1


def test_missing_recording_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    done = wakeline("publish", str(tmp_path / "none.jsonl"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "none.jsonl" in done.stderr
