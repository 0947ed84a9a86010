"""What the real servers of tests have in common: a port, data, and an end that is sure.

A server keeps its port and its data while it is stopped, so that a test can take it away and bring
it back. `close` removes the data; so does the server's guard when this process is killed.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import msgspec
import psutil  # type: ignore[import-untyped]  # its stubs are not in the lock file

from tests.servers import docker, guard

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.05

# Below what the kernel gives to outgoing connections: else one could take a stopped server's port,
# and a client that keeps trying a port of that range may in the end connect to itself.
PORTS = range(15_000, 32_000)


class ServerFailed(Exception):
    """Raised when a server does not come up; the message holds its last words."""


class NotReady(Exception):
    """Raised by a server's check while it does not answer yet."""


class Launch(msgspec.Struct, frozen=True):
    """The commands that make up a server's life."""

    # Once, before the first start.
    prepare: Sequence[Sequence[str]]
    # Stays in the foreground until the server has ended.
    run: Sequence[str]
    # Removes all data.
    discard: Sequence[str]
    # The whole environment of these commands.
    environment: Mapping[str, str]
    # The container's name, absent where the server is an ordinary process.
    container: str | None = None


def free_port() -> int:
    """A loopback TCP port that nobody listens on now; somebody may take it before its use."""
    for port in random.SystemRandom().sample(PORTS, k=len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise ServerFailed("no port is free")


class Server(ABC):
    """A real server on the loopback interface, stopped when its ``with`` block ends at the latest.

    However this process ends, a ``kill -9`` included, the server ends as well and its data is
    removed. Methods may be called in any state; none is for two threads at once.

    Raises
    ------
    ServerMissing
        On the first start, if it is not installed.
    ServerFailed
        On a start, if it does not come up.
    """

    title: ClassVar[str]

    def __init__(self) -> None:
        self.port = 0
        self._folder: Path | None = None
        self._launch: Launch | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``; the same after a restart."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether its process is there, paused or not."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the server itself, to measure it."""
        assert self.is_running, f"{self.title} is not running"
        return self._pid

    @property
    def log(self) -> str:
        """What it has printed so far, over all its starts."""
        path = None if self._folder is None else self._folder / "server.log"
        return path.read_text(errors="replace") if path is not None and path.exists() else ""

    def start(self) -> None:
        """Start it and wait until it answers; on a later start with its port and its data."""
        if self.is_running:
            return
        if self._launch is None:
            self._first_start()
        else:
            self._start(self._launch)

    def stop(self) -> None:
        """Let it shut down in good order, by force if it does not in time; it keeps its data."""
        if self.is_running:
            self.resume()
            self._signal(signal.SIGTERM)
            self._wait_for_end(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End it as a crash would; it keeps what it had written."""
        if self.is_running:
            self._wait_for_end(0.0)

    def restart(self) -> None:
        """Stop it and start it again, with its port and its data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it, so that it takes connections and never answers."""
        self._signal(signal.SIGSTOP)
        if self._launch is not None and self._launch.container is None:
            self._wait_until_stopped()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it for good and remove its data."""
        self.kill()
        launch, self._launch = self._launch, None
        if launch is not None:
            subprocess.run(launch.discard, capture_output=True, check=False)
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    @abstractmethod
    def _plan(self, folder: Path) -> Launch:
        """Say how to run it on ``port``, with its data in a folder."""

    @abstractmethod
    def _check(self) -> None:
        """Return when it serves requests, else raise `NotReady`."""

    @abstractmethod
    def _set_up(self) -> None:
        """Do what an empty server needs once, after its first start."""

    def _first_start(self) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="wakeline-server-"))
        try:
            launch = self._launch = self._plan(self._folder)
            for command in launch.prepare:
                self._prepare(command, launch.environment)
            self._start(launch)
            self._set_up()
        except BaseException:
            self.close()
            raise

    def _prepare(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        answer = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if answer.returncode != 0:
            words = (answer.stderr or answer.stdout).decode(errors="replace").strip()
            raise ServerFailed(f"{self.title} cannot be prepared: {words}")

    def _start(self, launch: Launch) -> None:
        assert self._folder is not None
        with (self._folder / "server.log").open("ab") as log:
            self._guard = subprocess.Popen(
                # Isolated and without site packages: up in a few milliseconds.
                [
                    *(sys.executable, "-I", "-S", guard.__file__),
                    *(json.dumps(self._removal(launch)), *launch.run),
                ],
                env=launch.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C in a terminal must not take the server away before its clients.
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        answer = self._guard.stdout.readline()
        if not answer:
            self._guard.wait()
            raise ServerFailed(f"{self.title} cannot be started: {self._words()}")
        self._pid = int(answer)
        try:
            self._wait_until_ready()
            if launch.container is not None:
                self._pid = docker.container_pid(launch.container)
        except BaseException:
            self.kill()
            raise

    def _removal(self, launch: Launch) -> list[str]:
        """One command for the guard that removes all that this server has on the machine."""
        script = '"$@"; rm -rf -- "$0"'
        return ["/bin/sh", "-c", script, str(self._folder), *launch.discard]

    def _wait_until_ready(self) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            if not self.is_running:
                raise ServerFailed(f"{self.title} ended while starting: {self._words()}")
            try:
                self._check()
            except NotReady as error:
                if time.monotonic() > deadline_s:
                    raise ServerFailed(
                        f"{self.title} did not come up within {START_TIMEOUT_S:.0f} s: {error}; "
                        f"its last words: {self._words()}"
                    ) from error
                time.sleep(POLL_S)
            else:
                return

    def _words(self) -> str:
        return "\n".join(self.log.strip().splitlines()[-20:]) or "none"

    def _signal(self, number: signal.Signals) -> None:
        if not self.is_running:
            return
        container = None if self._launch is None else self._launch.container
        if container is None:
            os.kill(self._pid, number)
        else:
            command = ["docker", "kill", f"--signal={number.name}", container]
            subprocess.run(command, capture_output=True, check=False)

    def _wait_until_stopped(self) -> None:
        """A signal is sent before it is followed: threads that run may still answer meanwhile."""
        process = psutil.Process(self._pid)
        for _ in range(int(STOP_TIMEOUT_S / POLL_S)):
            if process.status() == psutil.STATUS_STOPPED:
                return
            time.sleep(POLL_S)
        raise ServerFailed(f"{self.title} does not stop when it is told to")

    def _wait_for_end(self, patience_s: float) -> None:
        """Wait until the server and its guard are gone; by force when patience ends."""
        process = self._guard
        assert process is not None
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        self._guard = None
