"""Goal: Ctrl-C lets a command end in order. Method: signals to this process."""

import asyncio
import os
import signal
from typing import cast

import pytest

from streams.app import Worker
from streams.cli.running import run_until_signal, work_until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_asks_the_work_to_stop(number: signal.Signals) -> None:
    async def work(stop: asyncio.Event) -> str:
        os.kill(os.getpid(), number)
        await stop.wait()
        return "ended in order"

    assert run_until_signal(work) == "ended in order"


def test_second_interruption_does_not_wait() -> None:
    async def work(stop: asyncio.Event) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        run_until_signal(work)


class Working:
    """A worker that leaves something behind when it is asked to stop, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.happened: list[str] = []
        self._error = error
        self._stop = asyncio.Event()

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        if self._error is not None:
            raise self._error
        await self._stop.wait()
        await asyncio.sleep(0)
        self.happened.append("checkpointed")


def test_a_stopped_worker_ends_by_itself_and_a_failed_one_is_reported() -> None:
    async def main() -> list[str]:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        worker = Working()
        await work_until(stop, cast(Worker, worker))
        with pytest.raises(ValueError, match="failed"):
            await work_until(asyncio.Event(), cast(Worker, Working(ValueError("failed"))))
        return worker.happened

    assert asyncio.run(main()) == ["checkpointed"]
