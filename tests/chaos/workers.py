"""Workers as processes of the operating system, kept alive, and troubled by their signals."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.servers import guard

WAKELINE = Path(sys.executable).with_name("wakeline")
STOP_TIMEOUT_S = 20.0
# A worker that ended by itself is started again after so long.
RESTART_S = 1.0


class Worker:
    """One `wakeline worker`; its guard ends it when this process ends, however it does."""

    def __init__(self, name: str, log: Path, environment: Mapping[str, str], only: str) -> None:
        self.name = name
        self.is_wanted = True
        self.is_frozen = False
        self._log = log
        with log.open("ab") as errors:
            self._guard = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", guard.__file__, json.dumps(["true"])),
                    *(str(WAKELINE), "worker", "--only", only),
                ],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        self._pid = int(self._guard.stdout.readline())

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._guard.poll()

    @property
    def has_lost(self) -> bool:
        """Whether it ended although it should run."""
        return self.is_wanted and self.exit_code is not None

    @property
    def last_words(self) -> str:
        """The last line that it logged."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing"

    def kill(self) -> None:
        """End it as a crash would."""
        self.is_wanted = False
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it stand still where it is."""
        self.is_frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if no time had passed."""
        self._signal(signal.SIGCONT)
        self.is_frozen = False

    async def stop(self) -> bool:
        """Ask it to end, and wait; False if it had to be forced."""
        self.is_wanted = False
        self._signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self._guard.wait, STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            await asyncio.to_thread(self._guard.wait)
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        if self.exit_code is None:
            os.kill(self._pid, number)


class Crew:
    """All workers of one kind that run now; those that end by themselves are started again.

    Parameters
    ----------
    only
        The app they run.
    folder
        Where their logs go.
    environment
        Gives the environment of a worker that starts now.
    """

    def __init__(self, only: str, folder: Path, environment: "Environment") -> None:
        self.members: list[Worker] = []
        self.lost: list[str] = []
        self._only = only
        self._folder = folder
        self._environment = environment
        self._numbers = itertools.count(1)

    @property
    def awake(self) -> list[Worker]:
        """Those that are not frozen."""
        return [worker for worker in self.members if not worker.is_frozen]

    def add(self) -> Worker:
        """Start one more."""
        name = f"{self._only}-{next(self._numbers)}"
        log = self._folder / f"{name}.log"
        self.members.append(Worker(name, log, self._environment(), self._only))
        return self.members[-1]

    def kill(self, worker: Worker) -> None:
        """End one as a crash would."""
        self.members.remove(worker)
        worker.kill()

    async def stop(self, worker: Worker) -> None:
        """Let one go in good order."""
        self.members.remove(worker)
        if not await worker.stop():
            self.lost.append(f"{worker.name} did not stop in time: {worker.last_words}")

    async def stop_all(self) -> None:
        """Let all go in good order."""
        await asyncio.gather(*(self.stop(worker) for worker in list(self.members)))

    def kill_all(self) -> None:
        """End all at once."""
        for worker in list(self.members):
            self.kill(worker)

    async def keep_alive(self) -> None:
        """Start those again that end by themselves, until cancelled."""
        while True:
            for worker in [worker for worker in self.members if worker.has_lost]:
                self.members.remove(worker)
                self.lost.append(f"{worker.name} ended: {worker.last_words}")
                await asyncio.sleep(RESTART_S)
                self.add()
            await asyncio.sleep(0.2)


class Environment:
    """Environment of the workers: theirs, the harness's own, and ticks of one common clock.

    Parameters
    ----------
    settings
        WAKELINE_... settings.
    first_s, speed
        Where the tick clock of all workers starts (s UTC), and how fast it runs; a speed of None
        means that ticks are recorded.
    """

    def __init__(self, settings: Mapping[str, str], first_s: float, speed: float | None) -> None:
        self._settings = settings
        self._first_s = first_s
        self._begun = time.monotonic()
        self.speed = speed

    def __call__(self) -> dict[str, str]:
        """For a worker that starts now."""
        ticks = "recorded"
        if self.speed is not None:
            now_s = self._first_s + (time.monotonic() - self._begun) * self.speed
            ticks = f"{now_s:.0f}:{self.speed:.0f}"
        own = {key: os.environ[key] for key in os.environ if not key.startswith("WAKELINE_")}
        return {**own, **self._settings, "WAKELINE_TICKS": ticks}
