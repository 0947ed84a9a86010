"""Goal: Ctrl-C lets a command end in order. Method: signals to this process."""

import asyncio
import os
import signal

import pytest

from streams.cli.running import run_until_signal, until


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


def test_stopped_work_may_clean_up_and_failed_work_is_reported() -> None:
    async def main() -> list[str]:
        happened: list[str] = []
        stop = asyncio.Event()

        async def endless() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                happened.append("cleaned up")

        asyncio.get_running_loop().call_soon(stop.set)
        await until(stop, endless())

        async def failing() -> None:
            raise ValueError("failed")

        with pytest.raises(ValueError, match="failed"):
            await until(asyncio.Event(), failing())
        return happened

    assert asyncio.run(main()) == ["cleaned up"]
