"""Runs what a command does until it is done, or until Ctrl-C or SIGTERM asks it to stop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from streams.app import Worker

T = TypeVar("T")


def run_until_signal(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that ends soon after the event it is given is set.

    The first Ctrl-C or SIGTERM sets the event, and is the normal way to end; a second one
    interrupts.
    """
    return asyncio.run(_with_signals(work))


async def _with_signals(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def ask_to_stop() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, ask_to_stop)
    return await work(stop)


async def work_until(stop: asyncio.Event, worker: "Worker") -> None:
    """Let a worker run until it ends or ``stop`` is set; then it checkpoints and ends by itself."""
    working = asyncio.ensure_future(worker.run())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    stopping.cancel()
    await working
