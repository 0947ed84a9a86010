"""Fixtures over the real servers: one of each for all tests of a process, started when first asked.

A test that needs one is left out where the server is not installed, and fails in continuous
integration. `tests/conftest.py` makes them known.
"""

import os
from collections.abc import Iterator

import pytest

from tests.servers.influx import InfluxServer
from tests.servers.installs import INFLUXDB, KAFKA, Recipe, ServerMissing, find
from tests.servers.kafka import KafkaServer


def require(recipe: Recipe) -> None:
    """Leave the test out where the server is not installed; in continuous integration fail it."""
    try:
        find(recipe)
    except ServerMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """Apache Kafka, shared: it may hold what other tests left there."""
    require(KAFKA)
    with KafkaServer() as server:
        yield server


@pytest.fixture(scope="session")
def influx() -> Iterator[InfluxServer]:
    """InfluxDB, shared: it may hold what other tests left there."""
    require(INFLUXDB)
    with InfluxServer() as server:
        yield server


@pytest.fixture
def empty_kafka(kafka: KafkaServer) -> KafkaServer:
    """Apache Kafka without topics, running even if the test before left it stopped or frozen."""
    kafka.resume()
    kafka.start()
    kafka.clear()
    return kafka


@pytest.fixture
def empty_influx(influx: InfluxServer) -> InfluxServer:
    """InfluxDB without buckets, running even if the test before left it stopped or frozen."""
    influx.resume()
    influx.start()
    influx.clear()
    return influx
