"""What happens to workers, broker and sink meanwhile: drawn from a seed, one after the other."""

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tests.chaos.watch import Watch, state_ends, surviving
from tests.chaos.workers import Crew
from tests.servers import KafkaServer

WORKERS_MAX = 4
SESSION_TIMEOUT_S = 6.0


Say = Callable[[str], None]
"""Takes a line for people."""


class Stage:
    """Everything there is to be broken.

    ``workers`` and ``results`` are the two crews; ``path`` is the file of the results.
    """

    def __init__(
        self, kafka: KafkaServer, watch: Watch, *, workers: Crew, results: Crew, path: Path
    ) -> None:
        self.kafka = kafka
        self.watch = watch
        self.workers = workers
        self.results = results
        self.path = path


class Faults:
    """Breaks one thing after the other, and mends it; ``kinds`` are names of `KINDS`.

    ``counts`` says what was done; ``say`` takes a line each time. While a worker was frozen,
    others took ``taken`` partitions over, and compaction ``compacted`` records away.
    """

    def __init__(self, stage: Stage, seed: int, say: Say, kinds: Sequence[str]) -> None:
        self.counts: Counter[str] = Counter()
        self.taken = self.compacted = 0
        self._stage = stage
        self._chance = random.Random(f"faults {seed}")
        self._say = say
        self._kinds = kinds

    async def run(self, stop: asyncio.Event) -> None:
        """Go round by round, until ``stop`` is set and all is mended.

        In each round everything is done once, in a new order.
        """
        while True:
            for name in self._chance.sample(self._kinds, len(self._kinds)):
                await asyncio.sleep(self._chance.uniform(1.0, 5.0))
                if stop.is_set():
                    return
                self.counts[name] += 1
                self._say(name)
                await KINDS[name](self)

    async def kill_worker(self) -> None:
        """``kill -9`` a worker; another one starts a little later."""
        crew = self._stage.workers
        if crew.awake:
            crew.kill(self._chance.choice(crew.awake))
        await asyncio.sleep(self._chance.uniform(0.0, 4.0))
        crew.add()

    async def add_worker(self) -> None:
        """Let one more worker join, if there are not too many."""
        crew = self._stage.workers
        if len(crew.members) < WORKERS_MAX:
            crew.add()
        await asyncio.sleep(self._chance.uniform(0.0, 5.0))

    async def remove_worker(self) -> None:
        """Let a worker leave in good order; the last one is replaced."""
        crew = self._stage.workers
        if crew.awake:
            await crew.stop(self._chance.choice(crew.awake))
        if not crew.members:
            crew.add()

    async def freeze_worker(self) -> None:
        """Freeze a worker until others own its partitions, and let it go on."""
        stage = self._stage
        if not stage.workers.awake:
            return
        worker = self._chance.choice(stage.workers.awake)
        if len(stage.workers.awake) == 1:
            stage.workers.add()
        address, before = stage.kafka.address, stage.watch.epochs
        worker.freeze()
        ends = await state_ends(address, len(before))
        records = await surviving(address, ends)
        await asyncio.sleep(SESSION_TIMEOUT_S + self._chance.uniform(2.0, 10.0))
        worker.thaw()
        taken = sum(stage.watch.epochs[number] > before[number] for number in before)
        await asyncio.sleep(self._chance.uniform(1.0, 5.0))
        compacted = records - await surviving(address, ends)
        self.taken += taken
        self.compacted += compacted
        self._say(f"  others took {taken} partitions over, compaction {compacted} records away")

    async def restart_broker(self) -> None:
        """Kill the broker, or stop it, and start it again after a while."""
        kafka = self._stage.kafka
        end = self._chance.choice([kafka.kill, kafka.stop])
        await asyncio.to_thread(end)
        await asyncio.sleep(self._chance.uniform(0.0, 8.0))
        await asyncio.to_thread(kafka.start)

    async def lock_sink(self) -> None:
        """Keep the file of the results for oneself for a while."""
        if not self._stage.path.exists():
            return
        connection = sqlite3.connect(self._stage.path, timeout=30.0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(self._chance.uniform(3.0, 12.0))
            connection.execute("ROLLBACK")
        finally:
            connection.close()

    async def stop_results(self) -> None:
        """Stop the app `results`, and start it again after a while."""
        crew = self._stage.results
        await crew.stop_all()
        await asyncio.sleep(self._chance.uniform(1.0, 8.0))
        crew.add()

    async def kill_results(self) -> None:
        """``kill -9`` the app `results`, and start it again after a while."""
        crew = self._stage.results
        crew.kill_all()
        await asyncio.sleep(self._chance.uniform(0.0, 4.0))
        crew.add()


KINDS: dict[str, Callable[[Faults], Awaitable[None]]] = {
    "kill a worker": Faults.kill_worker,
    "kill another worker": Faults.kill_worker,
    "add a worker": Faults.add_worker,
    "remove a worker": Faults.remove_worker,
    "freeze a worker": Faults.freeze_worker,
    "freeze another worker": Faults.freeze_worker,
    "restart the broker": Faults.restart_broker,
    "lock the sink": Faults.lock_sink,
    "stop the results": Faults.stop_results,
    "kill the results": Faults.kill_results,
}
"""What a round is made of."""
