"""Goal: a deployment by Docker that is pinned, closed and holds no secret of its own.

Method: read the compose files, the Dockerfile and what `make secrets` writes, and hold them against
each other, against the settings and against the versions that the tests run; where a Docker client
with compose is installed, let it judge the files, too.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from connectors.broker import free_port
from grafana.definitions.names import GRAFANA_VERSION
from streams.health import HealthPlace, HealthServer
from streams.metrics import ResultFigures, WorkerFigures
from streams.settings import Settings
from tests.env_files import assignments, make_secrets
from tests.servers.installs import INFLUXDB_VERSION, KAFKA_VERSION

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker-compose.yml"
SECOND_SITE = ROOT / "deploy" / "second-site.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")

PINNED = re.compile(r"[a-z0-9/.-]+:\d+\.\d+\.\d+(-[a-z0-9-]+)?(@sha256:[0-9a-f]{64})?")
VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?")
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET")
ONE_SHOT = {"init", "second-init"}
DATA = {
    "kafka": {"/var/lib/kafka/data"},
    "influxdb": {"/var/lib/influxdb2", "/etc/influxdb2"},
    "grafana": {"/var/lib/grafana"},
    "second-grafana": {"/var/lib/grafana"},
}
SWITCHED_OFF = {
    "GF_AUTH_ANONYMOUS_ENABLED",
    "GF_USERS_ALLOW_SIGN_UP",
    "GF_USERS_ALLOW_ORG_CREATE",
    "GF_PUBLIC_DASHBOARDS_ENABLED",
    "GF_SNAPSHOTS_ENABLED",
    "GF_ANALYTICS_REPORTING_ENABLED",
    "GF_ANALYTICS_CHECK_FOR_UPDATES",
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
}


class _Loader(yaml.SafeLoader):
    """Reads compose's own tags, by which a file replaces what it would add to, or takes it away."""


def _replaced(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node)


def _taken_away(_loader: yaml.SafeLoader, _node: yaml.Node) -> None:
    return None


_Loader.add_constructor("!override", _replaced)
_Loader.add_constructor("!reset", _taken_away)


@cache
def _read(path: Path) -> dict[str, Any]:
    read = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
    assert isinstance(read, dict)
    return read


def _target(volume: str) -> str:
    return volume.split(":")[1]


def _services() -> dict[str, dict[str, Any]]:
    """All services; one that extends another shows what it adds or replaces."""
    both: dict[str, dict[str, Any]] = dict(_read(COMPOSE)["services"])
    for name, service in _read(SECOND_SITE)["services"].items():
        base = both[service["extends"]["service"]] if "extends" in service else both[name]
        merged = base | {key: value for key, value in service.items() if key != "environment"}
        merged["environment"] = base["environment"] | service.get("environment", {})
        merged["depends_on"] = base["depends_on"] | service.get("depends_on", {})
        targets = {_target(volume): volume for volume in base.get("volumes", [])}
        targets |= {_target(volume): volume for volume in service.get("volumes", [])}
        merged["volumes"] = list(targets.values())
        both[name] = merged
    return both


SERVICES = _services()
STORING = ResultFigures(assigned=frozenset({0}), lag_messages={}, retries=0, write_age_s=0.0)
LONG_RUNNING = {name: s for name, s in SERVICES.items() if name not in ONE_SHOT}


def _environment() -> Iterator[tuple[str, str, str]]:
    for name, service in SERVICES.items():
        for key, value in service["environment"].items():
            yield name, key, str(value)


def _stages() -> list[list[str]]:
    """Instructions of the Dockerfile, stage by stage, without comments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    starts = [index for index, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("env") / "drawn.env"
    made = make_secrets(file, "SITE=ward-a")
    assert made.returncode == 0, made.stderr
    return file


def test_wakelines_image_is_built_here_once_and_never_fetched() -> None:
    own = {name: s for name, s in SERVICES.items() if s["image"].startswith("wakeline:")}
    assert {service["pull_policy"] for service in own.values()} == {"never"}
    assert [name for name, service in SERVICES.items() if service.get("build")] == ["init"]


def test_every_image_is_pinned_to_an_exact_version() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += [stage[0].split()[1] for stage in _stages()]
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_images_are_of_the_versions_that_the_tests_run() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wakeline = f"wakeline:{project['version']}"
    assert {name: service["image"] for name, service in SERVICES.items()} == {
        "kafka": f"apache/kafka:{KAFKA_VERSION}",
        "influxdb": f"influxdb:{INFLUXDB_VERSION}",
        "grafana": f"grafana/grafana:{GRAFANA_VERSION}",
        "second-grafana": f"grafana/grafana:{GRAFANA_VERSION}",
        "init": wakeline,
        "second-init": wakeline,
        "worker": wakeline,
    }


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_every_long_running_service_is_watched_and_started_again(name: str) -> None:
    service = LONG_RUNNING[name]
    command = service["healthcheck"]["test"]
    assert command[0] in {"CMD", "CMD-SHELL"}
    assert len(command) > 1
    assert {"interval", "timeout", "start_period"} <= set(service["healthcheck"])
    assert service["restart"] == "unless-stopped"
    assert "max-size" in service["logging"]["options"]


def test_a_workers_check_passes_only_when_it_is_ready() -> None:
    worker = SERVICES["worker"]
    port = worker["environment"]["WAKELINE_HEALTH_PORT"]
    kind, _, *arguments = worker["healthcheck"]["test"]
    assert kind == "CMD"
    assert f"http://127.0.0.1:{port}/ready" in arguments[-1]

    async def check(figures: WorkerFigures) -> int:
        place = HealthPlace("127.0.0.1", [free_port()])
        async with HealthServer(lambda: figures, place, checkpoint_interval_s=30.0) as server:
            script = arguments[-1].replace(f"http://127.0.0.1:{port}", str(server.url))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *arguments[:-1], script),
                # A proxy for the world outside must not come between.
                env={"http_proxy": "http://127.0.0.1:9"},
                stderr=subprocess.DEVNULL,
            )
            return await process.wait()

    assert asyncio.run(check(WorkerFigures(process=None, results=STORING))) == 0
    waiting = msgspec.structs.replace(STORING, assigned=None)
    assert asyncio.run(check(WorkerFigures(process=None, results=waiting))) == 1


def test_workers_find_the_broker_where_it_listens() -> None:
    port = SERVICES["worker"]["environment"]["WAKELINE_BROKER"].split(":")[1]
    assert f"INTERNAL://:{port}," in SERVICES["kafka"]["environment"]["KAFKA_LISTENERS"]


def test_services_wait_for_what_they_need() -> None:
    conditions = {
        (name, needed): wait["condition"]
        for name, service in SERVICES.items()
        for needed, wait in service.get("depends_on", {}).items()
    }
    for (_, needed), condition in conditions.items():
        done = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
        assert condition == done
    assert {("init", "kafka"), ("init", "influxdb"), ("worker", "init")} <= set(conditions)
    assert {("grafana", "init"), ("second-grafana", "second-init")} <= set(conditions)


def test_nothing_but_grafana_and_the_brokers_client_port_is_published_and_on_loopback() -> None:
    published = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert set(published) == {"kafka", "grafana", "second-grafana"}
    for ports in published.values():
        assert len(ports) == 1
        assert ports[0].startswith("${WAKELINE_BIND:-127.0.0.1}:${")
    assert [ports[0].rsplit(":", maxsplit=1)[1] for ports in published.values()] == [
        "9092",
        "3000",
        "3000",
    ]


def test_no_container_shares_the_network_or_the_rights_of_its_host() -> None:
    for name, service in SERVICES.items():
        assert not {"network_mode", "privileged", "pid", "ipc", "cap_add"} & set(service), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not any("docker.sock" in volume for volume in service.get("volumes", [])), name
    for name in ("init", "second-init", "worker"):
        assert SERVICES[name]["read_only"] is True
    # People reach Grafana, which must not reach the broker.
    assert SERVICES["grafana"]["networks"] == SERVICES["influxdb"]["networks"] == ["results"]
    assert SERVICES["kafka"]["networks"] == ["bus"]


def test_data_lies_on_named_volumes() -> None:
    declared = set(_read(COMPOSE)["volumes"]) | set(_read(SECOND_SITE)["volumes"])
    used: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, target = volume.split(":")[:2]
            used.setdefault(source, set()).add(target)
            assert source in declared or source.startswith("./"), name
            assert source in declared or volume.endswith(":ro"), name
            assert target not in DATA.get(name, set()) or source in declared, name
        assert DATA.get(name, set()) <= {_target(v) for v in service.get("volumes", [])}, name
    assert declared <= set(used)


def test_no_secret_is_written_down_and_none_has_a_default() -> None:
    # Drawn, or in a file on a volume, or a mail server's, which there may not be.
    allowed = re.compile(
        r"\$\{\w+:\?[^}]+\}|(\$\$__file\{)?/tokens/[^}]+\}?|\$\{WAKELINE_SMTP_\w+:-\}"
    )
    offenders = [
        f"{name}: {key}={value}"
        for name, key, value in _environment()
        if SECRET.search(key) and not allowed.fullmatch(value)
    ]
    assert offenders == []


def test_every_variable_has_a_default_or_is_drawn_or_says_what_to_do(drawn: Path) -> None:
    given = set(assignments(drawn))
    text = COMPOSE.read_text(encoding="utf-8") + SECOND_SITE.read_text(encoding="utf-8")
    found = VARIABLE.findall(text)
    assert found
    assert [name for name, rule in found if not rule and name not in given] == []
    used = {name for name, _ in found}
    assert given <= used, "a secret that nothing reads"


def test_the_env_file_stays_out_of_git_and_of_the_image() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in ignored if line and not line.startswith("#")]
    assert patterns[0] == "*"
    let_in = {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")}
    copied = [line.split()[1:-1] for line in _stages()[0] if line.startswith("COPY ")]
    assert let_in == {name for names in copied for name in names}


@pytest.mark.parametrize("name", ["worker", "init", "second-init"])
def test_wakelines_containers_are_given_settings_that_wakeline_knows(name: str) -> None:
    known = {f"WAKELINE_{field.upper()}" for field in Settings.model_fields}
    # The start command of `init` names the site itself.
    given = set(SERVICES[name]["environment"]) - {"WAKELINE_SITE"}
    assert given - known == set()


def test_the_image_is_built_from_the_lock_and_runs_as_nobody() -> None:
    build, final = _stages()
    assert build[0].split()[1] == final[0].split()[1]
    pip = [line for line in build if line.startswith("RUN") and " install " in line]
    assert all("--require-hashes" in line or "--no-deps --no-index" in line for line in pip)
    assert "--only-binary :all:" in pip[0]
    assert not any(re.search(r"\b(apt|apt-get|gcc|curl|wget)\b", line) for line in build + final)
    assert not any(line.startswith("ADD ") for line in build + final)
    assert [line for line in final if line.startswith("USER ")] == ["USER 10001:10001"]
    assert 'ENTRYPOINT ["wakeline"]' in final
    assert any("uninstall" in line and "pip setuptools wheel" in line for line in final)


def test_grafana_lets_nobody_in_unasked_and_calls_nobody() -> None:
    for name in ("grafana", "second-grafana"):
        environment = SERVICES[name]["environment"]
        assert {environment[key] for key in SWITCHED_OFF} == {"false"}
        assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
        assert "GF_SECURITY_SECRET_KEY" in environment


def test_a_grafana_holds_the_token_of_its_own_site_and_no_other() -> None:
    mounts = {
        name: {v.split(":")[0] for v in service.get("volumes", []) if "/tokens/" in v}
        for name, service in SERVICES.items()
    }
    assert mounts["grafana"] == {"site-token"}
    assert mounts["second-grafana"] == {"second-site-token"}
    assert mounts["worker"] == {"worker-token"}
    assert mounts["influxdb"] == mounts["kafka"] == set()
    file = SERVICES["worker"]["environment"]["WAKELINE_INFLUX_TOKEN_FILE"]
    assert file.startswith("/tokens/worker/")
    # Tokens can be read by the one user who writes them.
    assert SERVICES["grafana"]["user"].split(":")[0] == "10001"


def test_two_grafanas_on_one_host_differ_where_they_must() -> None:
    first, second = SERVICES["grafana"], SERVICES["second-grafana"]
    # Browsers send cookies to every port of a host.
    for key in (
        "WAKELINE_SITE",
        "GF_AUTH_LOGIN_COOKIE_NAME",
        "GF_SECURITY_ADMIN_PASSWORD",
        "GF_SECURITY_SECRET_KEY",
        "GF_SERVER_ROOT_URL",
    ):
        assert first["environment"].get(key) != second["environment"][key]
    assert first["ports"] != second["ports"]
    shared = set(first["volumes"]) & set(second["volumes"])
    assert all(volume.startswith("./grafana/") for volume in shared)


def test_grafana_is_given_every_variable_that_its_files_name() -> None:
    named = {
        name
        for path in (ROOT / "grafana" / "provisioning").rglob("*.yaml")
        for name in re.findall(r"\$\{?(WAKELINE_\w+)", path.read_text(encoding="utf-8"))
    }
    assert named - set(SERVICES["grafana"]["environment"]) == set()


def _compose_client() -> list[str]:
    """Command of a compose client; the test is left out where there is none."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        asked = subprocess.run([*command, "version"], capture_output=True, check=False, timeout=30)
        if asked.returncode == 0:
            return command
    pytest.skip("no Docker client with compose on this machine")


@pytest.mark.parametrize("files", [[COMPOSE], [COMPOSE, SECOND_SITE]], ids=["one", "two sites"])
def test_compose_itself_finds_the_files_valid(files: list[Path], drawn: Path) -> None:
    command = [*_compose_client(), "--env-file", str(drawn)]
    command += [part for file in files for part in ("--file", str(file))]
    clean = {name: value for name, value in os.environ.items() if "WAKELINE" not in name}
    checked = subprocess.run(
        [*command, "config", "--quiet"],
        cwd=ROOT,
        env=clean | {"WAKELINE_SECOND_SITE": "ward-b"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == ""
