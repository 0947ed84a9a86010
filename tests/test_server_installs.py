"""Goal: servers are built once and whole, and what is missing is named or fails the run.

Method: builds that end in every way, in a cache folder of their own, with and without tools.
"""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.servers import InfluxServer, ServerFailed, ServerMissing, docker, installs
from tests.servers.fixtures import require
from tests.servers.installs import INFLUXDB, KAFKA, Recipe, find, install
from tests.servers.store import build_once, cache_folder, stored

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no Docker."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(docker, "engine_answers", lambda: False)
    return tmp_path / "wakeline" / "servers"


def recipe(**changes: object) -> Recipe:
    plain = Recipe("A server", "a-1", "a:1", {}, {}, lambda folder: (folder / "a").touch())
    return msgspec.structs.replace(plain, **changes)


def count_build(folder: Path) -> None:
    with (folder.parents[1] / "builds").open("a") as builds:
        builds.write("one\n")


def test_two_processes_build_once(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=build_once, args=("a-1", count_build), daemon=True) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (cache / "builds").read_text() == "one\n"


def test_build_that_fails_leaves_nothing_and_is_tried_anew(cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise installs.BuildFailed("out of disk")

    with pytest.raises(ServerMissing, match="A server could not be built: out of disk"):
        install(recipe(build=fail), lambda _line: None)
    assert stored("a-1") is None
    assert [path.name for path in cache.iterdir()] == ["a-1.lock"]
    folder = install(recipe(), lambda _line: None)
    assert folder == find(recipe()) == cache / "a-1"


def test_next_build_removes_what_a_killed_one_left(cache: Path) -> None:
    leftover = cache / ".a-1-killed" / "part"
    leftover.mkdir(parents=True)
    build_once("a-1", lambda _folder: None)
    assert not leftover.parent.exists()


@pytest.mark.parametrize("value", ["", "relative"])
def test_cache_is_in_the_home_folder_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder() == Path.home() / ".cache" / "wakeline" / "servers"


def test_step_that_fails_shows_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(installs.BuildFailed, match="no such module"):
        installs._run(tmp_path, "/bin/sh", "-c", "echo no such module >&2; exit 3")


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerMissing, match=r"Kafka .* needs Java and Maven, not found"):
        find(KAFKA)
    with pytest.raises(ServerMissing, match=r"needs Go and Rust \(cargo\) and a C compiler"):
        install(INFLUXDB, lambda _line: None)
    build_once(KAFKA.folder, lambda _folder: None)
    with pytest.raises(ServerMissing, match="needs Java, not found"):
        find(KAFKA)


def test_server_that_was_never_built_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="is not built yet: run `make servers`"):
        require(recipe())
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="is not built yet: run `make servers`"):
        require(recipe())


def test_program_that_is_not_there_is_reported() -> None:
    build_once(INFLUXDB.folder, lambda _folder: None)
    with pytest.raises(ServerFailed, match=r"cannot be started: (.|\n)*FileNotFoundError"):
        InfluxServer().start()


@pytest.mark.parametrize(
    ("arguments", "ci", "code"),
    [([], "", 1), (["--where-possible"], "", 0), (["--where-possible"], "true", 1)],
)
def test_command_fails_where_a_server_must_be_had(arguments: list[str], ci: str, code: int) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.servers", *arguments],
        cwd=ROOT,
        env=os.environ | {"PATH": "", "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = answer.stdout.splitlines()
    assert (answer.returncode, answer.stderr, len(lines)) == (code, "", 2)
    assert lines[0].startswith("Apache Kafka 4.3.1 needs Java and Maven, not found")
    assert all(line.endswith("are left out") is (code == 0) for line in lines)
