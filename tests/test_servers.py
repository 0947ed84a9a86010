"""Goal: real servers come up, keep what they are given, and never outlive their owner.

Method: start them for real, take them away and bring them back, end their owner in every way, and
look for their processes, their ports and their data.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # its stubs are not in the lock file
import pytest
import urllib3
from aiokafka import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaConsumer,
    AIOKafkaProducer,
)
from aiokafka.admin import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaAdminClient,
    NewTopic,
)

from tests.broker_fixtures import run
from tests.servers import InfluxServer, KafkaServer, ServerFailed
from tests.servers.fixtures import require
from tests.servers.influx import RefusedRequest
from tests.servers.installs import INFLUXDB, KAFKA, Recipe
from tests.servers.server import LOOPBACK, Server

ROOT = Path(__file__).resolve().parents[1]
GONE_TIMEOUT_S = 10.0
TOPIC = "heart-rate"
BUCKET = "wakeline-a-features"

OWNER = """
import signal, sys
from tests import servers

with getattr(servers, sys.argv[1])() as server:
    print(server.pid, server.port, server._folder, flush=True)
    signal.pause()
"""


def takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


async def put(address: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        await producer.send_and_wait(TOPIC, value)


async def create_topic(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def take(address: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=address, auto_offset_reset="earliest", group_id="readers"
    )
    async with consumer:
        values = [(await consumer.getone()).value for _ in range(count)]
        await consumer.commit()
    return values


def create_bucket(influx: InfluxServer) -> None:
    (org,) = influx.request("GET", "/api/v2/orgs")["orgs"]
    wishes = {"name": BUCKET, "orgID": org["id"], "retentionRules": []}
    influx.request("POST", "/api/v2/buckets", json=wishes)


def write(influx: InfluxServer, line: str) -> None:
    fields = f"bucket={BUCKET}&org={influx.org}&precision=s"
    influx.request("POST", f"/api/v2/write?{fields}", body=line.encode())


@pytest.mark.kafka
def test_kafka_gives_back_what_it_took_after_a_restart_and_after_a_crash(
    empty_kafka: KafkaServer,
) -> None:
    address = empty_kafka.address
    run(create_topic(address))
    run(put(address, b"before"))
    empty_kafka.restart()
    run(put(address, b"between"))
    crashed = empty_kafka.pid
    empty_kafka.kill()
    assert not empty_kafka.is_running
    assert not takes_connections(empty_kafka.port)
    empty_kafka.start()
    assert (empty_kafka.address, empty_kafka.pid != crashed) == (address, True)
    assert run(take(address, 2)) == [b"before", b"between"]


@pytest.mark.kafka
def test_kafka_cleared_holds_neither_messages_nor_commits(empty_kafka: KafkaServer) -> None:
    address = empty_kafka.address
    for value in (b"first life", b"second life"):
        run(create_topic(address))
        run(put(address, value))
        # From the start of the topic, for what this group had committed is gone.
        assert run(take(address, 1)) == [value]
        empty_kafka.clear()


@pytest.mark.kafka
def test_settings_of_kafka_can_be_overridden_and_a_wrong_one_is_told() -> None:
    require(KAFKA)
    wrong = KafkaServer({"log.segment.bytes": "many"})
    with pytest.raises(ServerFailed, match=r"log\.segment\.bytes"):
        wrong.start()
    assert not wrong.is_running


@pytest.mark.influx
def test_influxdb_gives_back_what_it_took_after_a_restart_and_after_a_crash(
    empty_influx: InfluxServer,
) -> None:
    create_bucket(empty_influx)
    write(empty_influx, "hour,subject=a steps=1 3600")
    url = empty_influx.url
    empty_influx.restart()
    write(empty_influx, "hour,subject=b steps=2 7200")
    empty_influx.kill()
    assert not takes_connections(empty_influx.port)
    empty_influx.start()
    assert empty_influx.url == url
    assert empty_influx.query(BUCKET, 'SELECT "steps" FROM "hour" GROUP BY "subject"') == [
        {"time": 3600, "subject": "a", "steps": 1},
        {"time": 7200, "subject": "b", "steps": 2},
    ]


@pytest.mark.influx
def test_influxdb_cleared_holds_no_bucket_and_no_further_token(empty_influx: InfluxServer) -> None:
    create_bucket(empty_influx)
    with pytest.raises(RefusedRequest, match="422"):
        create_bucket(empty_influx)
    empty_influx.clear()
    create_bucket(empty_influx)
    assert len(empty_influx.request("GET", "/api/v2/authorizations")["authorizations"]) == 1


@pytest.mark.influx
def test_frozen_server_takes_connections_and_answers_when_it_goes_on(
    empty_influx: InfluxServer,
) -> None:
    empty_influx.pause()
    assert takes_connections(empty_influx.port)
    with pytest.raises(urllib3.exceptions.TimeoutError):
        urllib3.request("GET", f"{empty_influx.url}/health", timeout=0.3, retries=False)
    empty_influx.resume()
    assert empty_influx.request("GET", "/health")["status"] == "pass"


@pytest.mark.influx
def test_server_that_ends_at_once_is_reported_with_its_last_words() -> None:
    require(INFLUXDB)
    with pytest.raises(ServerFailed, match="unknown flag: --flood-gates"):
        InfluxServer({"flood-gates": "open"}).start()


@pytest.mark.influx
def test_closed_server_is_gone_with_its_data() -> None:
    require(INFLUXDB)
    with InfluxServer() as influx:
        process = psutil.Process(influx.pid)
        processes = [process, process.parent()]
        folder = influx._folder
    assert not any(process.is_running() for process in processes)
    assert not takes_connections(influx.port)
    assert folder is not None
    assert not folder.exists()


@pytest.mark.parametrize(
    ("kind", "recipe", "number"),
    [
        pytest.param(KafkaServer, KAFKA, signal.SIGKILL, marks=pytest.mark.kafka),
        pytest.param(InfluxServer, INFLUXDB, signal.SIGKILL, marks=pytest.mark.influx),
        pytest.param(InfluxServer, INFLUXDB, signal.SIGTERM, marks=pytest.mark.influx),
    ],
)
def test_server_is_for_this_machine_only_and_goes_with_its_data_however_its_owner_ends(
    kind: type[Server], recipe: Recipe, number: signal.Signals
) -> None:
    require(recipe)
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, kind.__name__], cwd=ROOT, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        pid, port, folder = owner.stdout.readline().decode().split()
        server = psutil.Process(int(pid))
        processes = [server, server.parent()]
        addresses = {
            # Java's sockets speak both versions of IP.
            connection.laddr.ip.removeprefix("::ffff:")
            for connection in server.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        owner.send_signal(number)
        _, alive = psutil.wait_procs(processes, timeout=GONE_TIMEOUT_S)
    assert addresses == {LOOPBACK}
    assert alive == []
    assert not takes_connections(int(port))
    assert not Path(folder).exists()


@pytest.mark.influx
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_server_ends_when_its_guard_is_killed() -> None:
    require(INFLUXDB)
    with InfluxServer() as influx:
        server = psutil.Process(influx.pid)
        os.kill(server.ppid(), signal.SIGKILL)
        assert psutil.wait_procs([server], timeout=GONE_TIMEOUT_S)[1] == []
