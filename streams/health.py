"""The health page of a worker: `/live`, `/ready` and `/metrics`, for machines that watch over it.

`/live` answers as long as the worker's event loop turns: if it does not, start the worker anew.
`/ready` says, with 200 or 503, whether results come now: a worker that restores or waits is alive,
and starting it anew would only make it begin again. Nothing here names a subject.
"""

import errno
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec
import structlog
from aiohttp import web
from msgspec import Struct
from prometheus_client.aiohttp import make_aiohttp_handler

from streams.errors import BadInput
from streams.metrics import (
    PartitionFigures,
    ProcessFigures,
    ResultFigures,
    Tell,
    WorkerFigures,
    registry_of,
)

WRITE_AGE_MAX_S = 30.0
"""A sink that has not taken a write for so long (s) is not well; the worker goes on trying."""

CHECKPOINT_INTERVALS_MAX = 10.0
"""Checkpoints that may be missed before a worker is not well."""

CHECKPOINT_AGE_MIN_S = 120.0
"""No checkpoint is too old before this (s), however short the interval is."""

STOP_TIMEOUT_S = 1.0

log = structlog.get_logger(__name__)


class Condition(Struct, frozen=True):
    """One thing that has to hold before a worker is ready, and what is the case."""

    ok: bool
    detail: str


class Readiness(Struct, frozen=True):
    """Answer of `/ready`."""

    ready: bool
    conditions: dict[str, Condition]


class HealthPlace(Struct, frozen=True):
    """Where the page is: the first of ``ports`` that is free; without any there is none."""

    host: str
    ports: Sequence[int]


class HealthServer:
    """Serves the health page of a worker; used as ``async with``.

    Parameters
    ----------
    tell
        Gives the worker's figures.
    place
        Where to listen.
    checkpoint_interval_s
        How often a checkpoint should begin (s).
    """

    def __init__(self, tell: Tell, place: HealthPlace, *, checkpoint_interval_s: float) -> None:
        self._tell = tell
        self._place = place
        self._checkpoint_age_max_s = checkpoint_age_max_s(checkpoint_interval_s)
        self._runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=STOP_TIMEOUT_S
        )
        self.url: str | None = None

    async def __aenter__(self) -> Self:
        """Begin to answer.

        Raises
        ------
        BadInput
            If none of the ports can be listened on.
        """
        if self._place.ports:
            await self._runner.setup()
            try:
                await self._listen()
            except BaseException:
                await self._runner.cleanup()
                raise
            log.info("health page", ready=f"{self.url}/ready", metrics=f"{self.url}/metrics")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Answer no more."""
        await self._runner.cleanup()

    async def _listen(self) -> None:
        host, ports = self._place.host, self._place.ports
        for port in ports:
            try:
                await web.TCPSite(self._runner, host, port).start()
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise BadInput(
                    f"no health page can be served at {host}:{port}: {error.strerror}: set "
                    "WAKELINE_HEALTH_HOST and WAKELINE_HEALTH_PORT"
                ) from error
            shown = f"[{host}]" if ":" in host else host
            self.url = f"http://{shown}:{port}"
            return
        tried = f"port {ports[0]} is" if len(ports) == 1 else f"ports {ports[0]}-{ports[-1]} are"
        raise BadInput(
            f"the health page's {tried} taken on {host}: set WAKELINE_HEALTH_PORT to another, or "
            "to 0 for no such page"
        )

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/live", self._live)
        application.router.add_get("/ready", self._ready)
        application.router.add_get("/metrics", make_aiohttp_handler(registry_of(self._tell)))
        return application

    async def _live(self, _: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _ready(self, _: web.Request) -> web.Response:
        answer = readiness(self._tell(), self._checkpoint_age_max_s)
        return web.Response(
            status=200 if answer.ready else 503,
            body=msgspec.json.encode(answer),
            content_type="application/json",
        )


def checkpoint_age_max_s(interval_s: float) -> float:
    """How old (s) a checkpoint may become that should be renewed every ``interval_s``."""
    return max(CHECKPOINT_INTERVALS_MAX * interval_s, CHECKPOINT_AGE_MIN_S)


def readiness(figures: WorkerFigures, checkpoint_age_max_s: float) -> Readiness:
    """Whether a worker is ready, condition by condition; those of an app that is not run hold."""
    process, results = figures.process, figures.results
    waits = figures.waits_for_broker
    broker = Condition(not waits, "takes no messages" if waits else "takes messages")
    conditions = {"broker": broker, "assigned": _is_assigned(process, results)}
    if process is not None:
        conditions["restored"] = _is_restored(process)
        conditions["checkpoint"] = _is_saved(process.partitions, checkpoint_age_max_s)
    if results is not None:
        conditions["sink"] = _takes_results(results)
    return Readiness(all(one.ok for one in conditions.values()), conditions)


def _is_assigned(process: ProcessFigures | None, results: ResultFigures | None) -> Condition:
    """A worker beyond the number of partitions has none, and stands by."""
    apps = {"process": process, "results": results}
    told = {name: app.assigned for name, app in apps.items() if app is not None}
    waiting = [name for name, assigned in told.items() if assigned is None]
    if waiting:
        return Condition(False, f"{' and '.join(waiting)}: waiting for the broker's group")
    texts = [f"{name}: {_numbers(assigned or ())}" for name, assigned in told.items()]
    return Condition(True, "; ".join(texts))


def _is_restored(process: ProcessFigures) -> Condition:
    there = {one.partition for one in process.partitions}
    missing = (process.assigned or frozenset()) - there
    if process.assigned is None or missing:
        return Condition(False, f"waiting for {_numbers(missing) if missing else 'partitions'}")
    slowest_s = max((one.restore_s for one in process.partitions), default=0.0)
    return Condition(True, f"took up to {slowest_s:.1f} s")


def _is_saved(partitions: Sequence[PartitionFigures], age_max_s: float) -> Condition:
    ages = [one.checkpoint_age_s for one in partitions if not one.is_saved]
    oldest_s = max(ages, default=0.0)
    text = f"the oldest that should be renewed is {oldest_s:.0f} s old" if ages else "all is saved"
    return Condition(oldest_s <= age_max_s, f"{text} (at most {age_max_s:.0f} s)")


def _takes_results(results: ResultFigures) -> Condition:
    if results.write_age_s > WRITE_AGE_MAX_S:
        return Condition(False, f"no write has succeeded for {results.write_age_s:.0f} s")
    return Condition(True, f"takes results; {results.retries} writes were tried again")


def _numbers(partitions: frozenset[int] | tuple[()]) -> str:
    if not partitions:
        return "no partition, standing by"
    return "partition " + ", ".join(map(str, sorted(partitions)))
