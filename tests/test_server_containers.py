"""Goal: where Docker's engine answers, a pinned image serves as the built server would.

Method: a stand-in for Docker's client, which runs the container's program as a plain process.
"""

import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not in the lock file
import pytest

from tests.servers import InfluxServer, docker
from tests.servers.fixtures import require
from tests.servers.installs import INFLUXDB, KAFKA, find, install
from tests.servers.kafka import KafkaServer
from tests.servers.server import Launch

GONE_TIMEOUT_S = 10.0

STAND_IN = """#!{python}
import os, pathlib, shutil, signal, sys

containers = pathlib.Path({containers!r})
command, *arguments = sys.argv[1:]
name = arguments[-1]
pid = containers / name / "pid"
if command == "create":
    (option,) = [each for each in arguments if each.startswith("--name=")]
    folder = containers / option.removeprefix("--name=")
    folder.mkdir()
    (folder / "create").write_text("\\n".join(arguments))
elif command == "start":
    folder = containers / name
    arguments = (folder / "create").read_text().splitlines()
    (published,) = [each for each in arguments if each.startswith("--publish=")]
    host, port, _ = published.removeprefix("--publish=").split(":")
    program = {program!r}
    options = arguments[arguments.index("influxd") + 1 :]
    options += [f"--http-bind-address={{host}}:{{port}}", f"--engine-path={{folder / 'engine'}}"]
    options += [f"--{{each}}-path={{folder / each}}" for each in ("bolt", "sqlite")]
    pid.write_text(str(os.getpid()))
    os.execv(program, [program, *options])
elif command == "inspect":
    print(pid.read_text())
elif command == "kill":
    number = signal.Signals[arguments[0].removeprefix("--signal=")]
    os.kill(int(pid.read_text()), number)
elif command == "rm":
    shutil.rmtree(containers / name)
"""


@pytest.fixture
def containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder in which the stand-in for Docker's client, now on the path, keeps its containers."""
    require(INFLUXDB)
    installation = find(INFLUXDB)
    if isinstance(installation, str):
        pytest.skip("Docker's engine answers, so that every test of the servers shows this")
    folder = tmp_path / "containers"
    folder.mkdir()
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        STAND_IN.format(
            python=sys.executable, containers=str(folder), program=str(installation / "influxd")
        )
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr(docker, "engine_answers", lambda: True)
    return folder


@pytest.mark.influx
def test_container_is_stopped_brought_back_and_removed(containers: Path) -> None:
    assert install(INFLUXDB, print) == "influxdb:2.9.1"
    with InfluxServer() as influx:
        (container,) = containers.iterdir()
        create = (container / "create").read_text().splitlines()
        assert f"--publish=127.0.0.1:{influx.port}:8086" in create
        assert "influxdb:2.9.1" in create
        process = psutil.Process(influx.pid)
        assert process.name() == "influxd"
        influx.restart()
        assert not process.is_running()
        influx.pause()
        assert psutil.Process(influx.pid).status() == psutil.STATUS_STOPPED
        influx.resume()
        # Its operator's token is among what it kept.
        assert influx.request("GET", "/api/v2/orgs")["orgs"][0]["name"] == "wakeline"
        influx.kill()
        influx.start()
        last = psutil.Process(influx.pid)
    assert not last.is_running()
    assert list(containers.iterdir()) == []


def test_container_of_kafka_has_its_settings_and_a_loopback_port(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docker, "has_image", lambda image: image == KAFKA.image)
    server = KafkaServer({"log.cleaner.backoff.ms": "100"})
    server.port = 20_000
    launch: Launch = server._plan(tmp_path)
    (create,) = launch.prepare
    assert create[-1] == "apache/kafka:4.3.1"
    assert "--publish=127.0.0.1:20000:9092" in create
    assert "--env=KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:20000" in create
    assert "--env=KAFKA_LOG_CLEANER_BACKOFF_MS=100" in create
    assert launch.discard == ("docker", "rm", "--force", "--volumes", launch.container)
