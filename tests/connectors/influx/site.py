"""One site in a real InfluxDB: a sink, what it refused, and how many points there are."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from connectors.influx.sink import InfluxResults
from streams.events import DeadLetter, Output
from tests.broker_fixtures import run
from tests.connectors.influx.pictures import access_to
from tests.servers.influx import InfluxServer


class Site:
    """A sink on an empty database with the buckets of one site, and what it refused."""

    def __init__(self, influx: InfluxServer, token: str | None = None) -> None:
        self.influx = influx
        self.sink = InfluxResults(access_to(influx, token))
        self.letters: list[DeadLetter] = []
        self.sink.refuse_to(self._refuse)

    async def _refuse(self, letters: Sequence[DeadLetter]) -> None:
        self.letters.extend(letters)

    def run(self, work: Callable[[InfluxResults], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            try:
                await work(self.sink)
            finally:
                await self.sink.close()

        run(main())

    def write(self, *batches: Sequence[Output]) -> None:
        async def write(sink: InfluxResults) -> None:
            for batch in batches:
                await sink.write(batch)

        self.run(write)


def count_points(influx: InfluxServer, measurement: str, bucket: str) -> int:
    query = f'SELECT count("epoch") FROM "{measurement}"'  # noqa: S608 - a test's own name
    rows = influx.query(bucket, query)
    return int(rows[0]["count"]) if rows else 0
