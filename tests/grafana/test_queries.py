"""Goal: every query that Grafana would send runs on the real database and finds what is there.

Method: a ward written with the sink's own lines, and all queries of the written files.
"""

from collections.abc import Iterator

import msgspec
import pytest

from connectors.influx import lines
from streams.events import AlertKind, AlertStatus, Severity
from tests.grafana import database as ward
from tests.grafana.database import NOW, Database
from tests.grafana.queries import Query, all_queries
from tests.servers import InfluxServer

pytestmark = pytest.mark.influx


@pytest.fixture(scope="module")
def database(influx: InfluxServer) -> Iterator[Database]:
    # The server is shared: a test before may have left it stopped or frozen, and not empty.
    influx.resume()
    influx.start()
    influx.clear()
    database = Database(influx)
    database.create()
    ward.fill(database)
    ward.write_alerts(
        database,
        ward.an_alert("a01", severity=Severity.URGENT),
        ward.an_alert("a01", "step_count"),
        ward.answered("a02", AlertStatus.ACKNOWLEDGED),
        ward.silence("b01"),
        ward.an_alert("b02", "not_worn", kind=AlertKind.DATA),
    )
    yield database
    influx.clear()


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.place)
def test_a_query_runs_and_finds_what_the_ward_has(database: Database, query: Query) -> None:
    assert database.values_of(query, now=NOW, subject="a01")


def test_a_person_is_found_under_any_name(database: Database) -> None:
    names = ["a.b", "a+b", "Anna (2)", "x/y", "q$1", "a b"]
    (row, *_) = ward._rows("a01")
    named = [msgspec.structs.replace(row, user_id=name) for name in names]
    database.write("wakeline-features", map(lines.row_line, named))
    (silence,) = [q for q in all_queries() if "last day seen" in q.place]
    for name in names:
        assert database.values_of(silence, now=NOW, subject=name) == [1.0], name
