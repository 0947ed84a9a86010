"""Requests to InfluxDB 2: batches, compression, waiting, and what it refuses.

A request that cannot be served now is tried again for as long as it takes, so that nothing is lost
and nobody has to restart anything: this is the one place where waiting for InfluxDB happens. What
waits is one write of a sink, which bounds memory. Only what a person must mend raises an error.
"""

import asyncio
import gzip
import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

import aiohttp
import msgspec
import stamina
import structlog
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

from streams.errors import BadInput

BATCH_LINES = 8_000
STATEMENTS_MAX = 50
"""InfluxQL statements in one request."""

# Level 1 takes 0.4 us a line and leaves a twentieth; the client's own level 9 takes eight times it.
GZIP_LEVEL = 1

CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 60.0
RETRY_WAIT_MAX_S = 15.0
RETRY_AFTER_MAX_S = 120.0

_FORM = "application/x-www-form-urlencoded"
_GZIPPED = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
# A line that cannot be read, a body too large, a field of another type: fewer lines may pass.
_REFUSALS = frozenset({400, 413, 422})
_OUTSIDE_RETENTION = re.compile(r"dropped (\d+) points outside retention|beyond retention policy")

log = structlog.get_logger(__name__)

Query = list[tuple[str, str]]
Series = dict[str, Any]
"""What InfluxQL answers: measurement, tags, columns and rows of values, times in ns."""


class Access(msgspec.Struct, frozen=True):
    """Where an InfluxDB is, and what opens it."""

    url: str
    token: str
    org: str


class BucketMissing(Exception):
    """Raised when a bucket is not there."""


class Refusal(NamedTuple):
    """A line that InfluxDB will never take, by its place, with InfluxDB's reason."""

    position: int
    reason: str


class Counts(msgspec.Struct):
    """What happened since the start."""

    lines: int = 0
    requests: int = 0
    retries: int = 0
    deletions: int = 0
    refused: int = 0
    expired: int = 0
    """Lines older than the retention of their bucket, which InfluxDB drops."""


class _Problem(Exception):
    """An answer that is none, with its status and what the server said."""

    def __init__(self, status: int, message: str, wait_s: float | None) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message
        self.wait_s = wait_s


class InfluxClient:
    """One InfluxDB, reached from within a running event loop."""

    def __init__(self, access: Access, counts: Counts) -> None:
        self.counts = counts
        self._access = access
        self._waiting_since: float | None = None
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
        # The library is not typed.
        self._client: Any = InfluxDBClientAsync(
            url=access.url, token=access.token, org=access.org, timeout=timeout
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def write(self, bucket: str, texts: Sequence[str]) -> list[Refusal]:
        """Write lines; return those that InfluxDB refuses, once all others are stored.

        Raises
        ------
        BucketMissing
            If there is no such bucket, or the token may not see it.
        BadInput
            If the token or the organisation is wrong.
        """
        self.counts.lines += len(texts)
        return await self._write(bucket, texts, 0)

    async def _write(self, bucket: str, texts: Sequence[str], offset: int) -> list[Refusal]:
        body = await asyncio.to_thread(_compressed, texts)
        query = [("org", self._access.org), ("bucket", bucket), ("precision", "ns")]
        try:
            await self._patiently("/api/v2/write", query, _GZIPPED, body=body)
        except _Problem as problem:
            return await self._after_refusal(bucket, texts, offset, problem)
        return []

    async def _after_refusal(
        self, bucket: str, texts: Sequence[str], offset: int, problem: _Problem
    ) -> list[Refusal]:
        if problem.status == 404 and "bucket" in problem.message:
            raise BucketMissing(bucket) from None
        expired = _OUTSIDE_RETENTION.search(problem.message)
        if expired:
            # All other lines are stored.
            self.counts.expired += int(expired.group(1) or 1)
            return []
        if problem.status not in _REFUSALS:
            raise self._unexpected(problem) from None
        if len(texts) == 1:
            self.counts.refused += 1
            return [Refusal(offset, problem.message)]
        middle = len(texts) // 2
        return [
            *await self._write(bucket, texts[:middle], offset),
            *await self._write(bucket, texts[middle:], offset + middle),
        ]

    async def delete(
        self, bucket: str, *, first_ns: int, last_ns: int, tags: Sequence[tuple[str, str]]
    ) -> None:
        """Delete points with all of some tags (``_measurement`` among them), both times included.

        A bucket that is not there has no such points. Raises as `write` does.
        """
        self.counts.deletions += 1
        predicate = " AND ".join(f"{name}={_quoted(value)}" for name, value in tags if value)
        body = {"start": _rfc3339(first_ns), "stop": _rfc3339(last_ns), "predicate": predicate}
        query = [("org", self._access.org), ("bucket", bucket)]
        try:
            await self._patiently("/api/v2/delete", query, {}, body=body)
        except _Problem as problem:
            if problem.status != 404:
                raise self._unexpected(problem) from None

    async def query(self, bucket: str, statements: Sequence[str]) -> list[list[Series]]:
        """Ask InfluxQL statements; return the series of each.

        A bucket or a measurement that is not there has none. Raises as `write` does.
        """
        answers: list[list[Series]] = []
        query, headers = [("db", bucket), ("epoch", "ns")], {"Content-Type": _FORM}
        for start in range(0, len(statements), STATEMENTS_MAX):
            some = statements[start : start + STATEMENTS_MAX]
            try:
                answer = await self._patiently(
                    "/query", query, headers, post_params=[("q", "; ".join(some))]
                )
            except _Problem as problem:
                raise self._unexpected(problem) from None
            found = [self._series(result) for result in msgspec.json.decode(answer)["results"]]
            # Where the bucket is missing, only the first statement is answered.
            answers += found + [[] for _ in some[len(found) :]]
        return answers

    def _series(self, result: Series) -> list[Series]:
        error = str(result.get("error", ""))
        if error and "not found" not in error:
            raise self._unexpected(_Problem(200, error, None))
        series: list[Series] = result.get("series", [])
        return series

    async def _patiently(
        self, path: str, query: Query, headers: dict[str, str], **content: object
    ) -> bytes:
        """Make a request until it is served, however long that takes; return the answer."""
        answer = b""
        attempts = stamina.retry_context(
            on=self._backoff,
            attempts=None,
            timeout=None,
            wait_initial=0.2,
            wait_max=RETRY_WAIT_MAX_S,
        )
        async for attempt in attempts:
            with attempt:
                self.counts.requests += 1
                answer = await self._post(path, query, dict(headers), **content)
        self._go_on()
        return answer

    async def _post(
        self, path: str, query: Query, headers: dict[str, str], **content: object
    ) -> bytes:
        try:
            response = await self._client.api_client.call_api(
                path,
                "POST",
                query_params=query,
                header_params=headers,
                _preload_content=False,
                **content,
            )
        except aiohttp.InvalidURL:
            raise BadInput(f"{self._access.url} (WAKELINE_INFLUX_URL) is not an address") from None
        answer: bytes = await response.read()
        if response.status >= 300:
            self._fail(_Problem(response.status, _message(answer), _wait_s(response.headers)))
        return answer

    def _fail(self, problem: _Problem) -> NoReturn:
        if problem.status in {401, 403}:
            raise BadInput(
                f"InfluxDB at {self._access.url} refuses the token ({problem.message}): set "
                "WAKELINE_INFLUX_TOKEN to the one that `wakeline setup influx` wrote"
            )
        if problem.status == 404 and "organization" in problem.message:
            raise BadInput(
                f"InfluxDB at {self._access.url} has no organisation {self._access.org!r}: "
                "set WAKELINE_INFLUX_ORG"
            )
        raise problem

    def _backoff(self, error: Exception) -> bool | float:
        """Whether to try again, and after how long (s) if the server says so."""
        wait_s: float | None = None
        if isinstance(error, _Problem):
            if error.status not in {408, 429} and error.status < 500:
                return False
            wait_s = error.wait_s
        elif not isinstance(error, aiohttp.ClientError | TimeoutError | OSError):
            return False
        self.counts.retries += 1
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
            reason = f"{type(error).__name__} {error}".strip()
            log.warning("waiting for InfluxDB", url=self._access.url, reason=reason)
        return True if wait_s is None else min(wait_s, RETRY_AFTER_MAX_S)

    def _go_on(self) -> None:
        if self._waiting_since is not None:
            waited_s = round(time.monotonic() - self._waiting_since, 1)
            self._waiting_since = None
            log.info("InfluxDB takes results again", waited_s=waited_s)

    def _unexpected(self, problem: _Problem) -> BadInput:
        return BadInput(f"InfluxDB at {self._access.url} refuses a request: {problem.message}")


def _compressed(texts: Sequence[str]) -> bytes:
    return gzip.compress("\n".join(texts).encode(), GZIP_LEVEL)


def _message(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return body[:200].decode(errors="replace")
    return str(answer.get("message") or answer.get("error") or "")


def _wait_s(headers: Any) -> float | None:  # noqa: ANN401 - the library has no type for it
    text = "" if headers is None else headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _rfc3339(at_ns: int) -> str:
    seconds, rest = divmod(at_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
