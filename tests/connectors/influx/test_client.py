"""Goal: requests wait as the server asks and are cut until they fit.

Method: a server of the test's own, which answers as told and notes what it is sent.
"""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from aiohttp import web

from connectors.influx import client as influx_client
from connectors.influx.client import Access, BucketMissing, Counts, InfluxClient, Refusal
from streams.errors import BadInput
from tests.broker_fixtures import run

Answer = Callable[[str], web.Response]


def refusal(status: int, message: str, **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response({"message": message}, status=status, headers=named)


STORED = web.Response


class Served:
    """A client, and the lines that the server took, request by request."""

    def __init__(self, client: InfluxClient, counts: Counts) -> None:
        self.client = client
        self.counts = counts
        self.stored: list[str] = []


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[Served]:
    async def handle(request: web.Request) -> web.Response:
        body = gzip.decompress(await request.read()).decode()
        response = answer(body)
        if response.status < 300:
            stored.extend(body.split("\n"))
        return response

    stored: list[str] = []
    app = web.Application()
    app.router.add_post("/api/v2/write", handle)
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    counts = Counts()
    client = InfluxClient(Access(url=f"http://{host}:{port}", token="t", org="o"), counts)
    found = Served(client, counts)
    found.stored = stored
    try:
        yield found
    finally:
        await client.close()
        await runner.cleanup()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_server_is_asked_again_after_the_time_it_names(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_client, "RETRY_AFTER_MAX_S", 0.05)
    asked: list[float] = []

    def answer(_: str) -> web.Response:
        asked.append(time.monotonic())
        return STORED(status=204) if len(asked) == 3 else refusal(status, "busy", Retry_After="9")

    async def main() -> None:
        async with served(answer) as server:
            assert await server.client.write("b", ["m v=1 1"]) == []
            assert server.counts.retries == 2
            assert server.stored == ["m v=1 1"]

    run(main())
    # It names nine seconds, of which it gets as much as the client allows.
    assert all(0.05 <= later - sooner < 5.0 for sooner, later in pairwise(asked))


def test_bad_lines_are_found_among_good_ones_which_are_stored() -> None:
    texts = [f"m v={number} {number}" for number in range(100)]
    bad = {17, 18, 99}

    def answer(body: str) -> web.Response:
        some = {int(line.rsplit(" ", 1)[1]) for line in body.split("\n")}
        return refusal(400, "unable to parse") if some & bad else STORED(status=204)

    async def main() -> None:
        async with served(answer) as server:
            refused = await server.client.write("b", texts)
            assert refused == [Refusal(number, "unable to parse") for number in sorted(bad)]
            assert sorted(server.stored) == sorted(t for n, t in enumerate(texts) if n not in bad)
            assert server.counts.refused == 3

    run(main())


def test_body_that_is_too_large_goes_in_parts() -> None:
    def answer(body: str) -> web.Response:
        return refusal(413, "too large") if body.count("\n") >= 10 else STORED(status=204)

    async def main() -> None:
        async with served(answer) as server:
            texts = [f"m v={number} {number}" for number in range(100)]
            assert await server.client.write("b", texts) == []
            assert sorted(server.stored) == sorted(texts)

    run(main())


@pytest.mark.parametrize(
    ("status", "message", "error", "match"),
    [
        (401, "unauthorized access", BadInput, "WAKELINE_INFLUX_TOKEN"),
        (403, "insufficient permissions for write", BadInput, "WAKELINE_INFLUX_TOKEN"),
        (404, 'organization name "o" not found', BadInput, "WAKELINE_INFLUX_ORG"),
        (404, 'bucket "b" not found', BucketMissing, "^b$"),
        (404, "", BadInput, "refuses a request"),
    ],
)
def test_what_a_person_must_mend_is_raised_at_once(
    status: int, message: str, error: type[Exception], match: str
) -> None:
    async def main() -> None:
        async with served(lambda _: refusal(status, message)) as server:
            with pytest.raises(error, match=match):
                await asyncio.wait_for(server.client.write("b", ["m v=1 1"] * 50), 10.0)
            assert server.counts.requests == 1

    run(main())


def test_points_beyond_retention_are_counted_by_the_servers_word() -> None:
    said = "partial write: dropped 7 points outside retention policy of duration 1h dropped=7"

    async def main() -> None:
        async with served(lambda _: refusal(422, said)) as server:
            assert await server.client.write("b", ["m v=1 1"] * 50) == []
            assert (server.counts.expired, server.counts.requests) == (7, 1)

    run(main())
