"""Goal: the health page says what is the case, to nobody who was not asked, on a port it can have.

Method: a real server on the loopback interface, asked as Docker and Prometheus ask it, over figures
made by hand.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from connectors.broker import free_port
from streams.errors import BadInput
from streams.health import HealthPlace, HealthServer, readiness
from streams.metrics import PartitionFigures, ProcessFigures, ResultFigures, WorkerFigures
from streams.pipeline import COUNTS
from tests.broker_fixtures import run

LOOPBACK = "127.0.0.1"
AGE_MAX_S = 300.0


def partition(number: int = 0, **changes: Any) -> PartitionFigures:
    base = PartitionFigures(
        partition=number,
        counts=dict.fromkeys(COUNTS, 0),
        quarantined_subjects=0,
        lag_messages=0,
        clock_age_s=2.0,
        clock_skew_s=0.5,
        checkpoint_age_s=10.0,
        checkpoint_bytes=0,
        is_saved=False,
        restore_s=1.5,
    )
    return msgspec.structs.replace(base, **changes)


def worker(
    *partitions: PartitionFigures,
    assigned: frozenset[int] | None = frozenset({0}),
    write_age_s: float = 0.0,
) -> WorkerFigures:
    return WorkerFigures(
        process=ProcessFigures(assigned=assigned, partitions=partitions),
        results=ResultFigures(
            assigned=assigned, lag_messages={0: 3}, retries=4, write_age_s=write_age_s
        ),
    )


READY = worker(partition())


def unmet(figures: WorkerFigures) -> list[str]:
    answer = readiness(figures, AGE_MAX_S)
    failing = [name for name, condition in answer.conditions.items() if not condition.ok]
    assert answer.ready == (not failing)
    return failing


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (READY, []),
        (worker(partition(), assigned=None), ["assigned", "restored"]),
        (worker(partition(), assigned=frozenset({0, 1})), ["restored"]),
        (worker(assigned=frozenset()), []),  # one worker more than there are partitions
        (worker(partition(checkpoint_age_s=301.0)), ["checkpoint"]),
        (worker(partition(checkpoint_age_s=301.0, is_saved=True)), []),
        (worker(partition(), write_age_s=29.0), []),
        (worker(partition(), write_age_s=31.0), ["sink"]),
        (msgspec.structs.replace(READY, waits_for_broker=True), ["broker"]),
        (WorkerFigures(process=None, results=READY.results), []),
        (WorkerFigures(process=READY.process, results=None), []),
    ],
)
def test_worker_is_ready_when_all_that_it_runs_does_its_work(
    figures: WorkerFigures, expected: list[str]
) -> None:
    assert unmet(figures) == expected


async def ask(
    figures: Callable[[], WorkerFigures],
    use: Callable[[aiohttp.ClientSession, str], Awaitable[None]],
) -> None:
    place = HealthPlace(LOOPBACK, [free_port()])
    async with (
        HealthServer(figures, place, checkpoint_interval_s=30.0) as server,
        aiohttp.ClientSession() as session,
    ):
        await use(session, str(server.url))


def test_page_answers_as_long_as_the_loop_turns_and_tells_readiness_by_its_status() -> None:
    now = [worker(assigned=None)]

    async def use(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(f"{url}/live") as live:
            assert live.status == 200
        async with session.get(f"{url}/ready") as response:
            assert response.status == 503
            answer = await response.json()
        assert answer["ready"] is False
        assert answer["conditions"]["assigned"] == {
            "ok": False,
            "detail": "process and results: waiting for the broker's group",
        }
        now[0] = READY
        async with session.get(f"{url}/ready") as response:
            assert response.status == 200
            assert (await response.json())["ready"] is True
        async with session.get(f"{url}/metrics") as response:
            assert response.content_type == "text/plain"
            assert 'wakeline_lag_messages{partition="0"} 0.0' in await response.text()
        async with session.post(f"{url}/ready") as response:
            assert response.status == 405

    run(ask(lambda: now[0], use))


def test_page_is_gone_when_the_worker_has_ended() -> None:
    async def main() -> None:
        port = free_port()
        async with HealthServer(
            lambda: READY, HealthPlace(LOOPBACK, [port]), checkpoint_interval_s=30.0
        ):
            pass
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, port)

    run(main())


def test_second_worker_of_a_machine_takes_the_next_port() -> None:
    async def main() -> None:
        first, second = sorted((free_port(), free_port()))
        place = HealthPlace(LOOPBACK, [first, second])
        async with (
            HealthServer(lambda: READY, place, checkpoint_interval_s=30.0) as one,
            HealthServer(lambda: READY, place, checkpoint_interval_s=30.0) as other,
        ):
            assert one.url == f"http://127.0.0.1:{first}"
            assert other.url == f"http://127.0.0.1:{second}"

    run(main())


@pytest.mark.parametrize(
    ("host", "reason"),
    [(LOOPBACK, "taken on 127.0.0.1: set WAKELINE_HEALTH_PORT"), ("192.0.2.1", "HEALTH_HOST")],
)
def test_port_that_cannot_be_had_is_one_clear_line(host: str, reason: str) -> None:
    async def main() -> None:
        with socket.create_server((LOOPBACK, 0)) as taken:
            place = HealthPlace(host, [taken.getsockname()[1]])
            with pytest.raises(BadInput, match=reason):
                async with HealthServer(lambda: READY, place, checkpoint_interval_s=30.0):
                    pass

    run(main())


def test_without_ports_nothing_listens() -> None:
    async def main() -> None:
        async with HealthServer(
            lambda: READY, HealthPlace(LOOPBACK, []), checkpoint_interval_s=30.0
        ) as server:
            assert server.url is None

    run(main())
