"""What every sink of results promises, whatever stores them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from streams.events import DeadLetter, Output

Refuse = Callable[[Sequence[DeadLetter]], Awaitable[None]]
"""Takes what a store refuses for good, and returns once it is safe."""


class ResultSink(Protocol):
    """Stores results, each under the key of what it is about.

    Delivery is at least once: after a crash, outputs are written again. A sink makes that
    effectively once, because it is idempotent by key. A row is replaced only by one of the same or
    a larger epoch, a settled row never by a provisional one, and within an epoch the higher
    revision stays. A row that replaces another does so wholly, so that a value which a revision
    took back is gone. When the settled row of a window is there, alerts of that window which are
    still unsettled are marked WITHDRAWN, in whichever order the two arrive.
    """

    async def write(self, outputs: Sequence[Output]) -> None:
        """Store ``outputs`` and return when they are durable; all of them or, on an error, none.

        Raises
        ------
        SinkUnavailable
            When the results cannot be stored now. Nothing is lost: write the same outputs again.
            A sink over a network rather waits by itself, for it knows how far it has come.
        DiskFull
            When somebody has to make room first.
        """

    def forget(self) -> None:
        """Trust nothing that is remembered of what is stored: somebody else may have written."""

    def refuse_to(self, refuse: Refuse) -> None:
        """Say where outputs go that the store refuses for good; all others are stored."""

    def figures(self) -> dict[str, float]:
        """Counters since the start that tell how well the store is reached, by name."""

    async def close(self) -> None:
        """Release what the sink holds; writing afterwards is an error of the caller."""
