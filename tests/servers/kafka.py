"""A real Apache Kafka for tests and benchmarks: one node that is broker and controller (KRaft)."""

import asyncio
import base64
import os
import secrets
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]  # no py.typed
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # no py.typed

from tests.servers.installs import KAFKA, find
from tests.servers.server import LOOPBACK, POLL_S, Launch, NotReady, Server, free_port

CONTAINER_PORT = 9092
CONTROLLER_PORT = 9093
REQUEST_TIMEOUT_S = 10.0
CLEAR_TIMEOUT_S = 30.0
# Any name: asking for its coordinator makes Kafka create its topic of groups before tests begin.
READY_GROUP = "ready"

JVM_OPTIONS = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")

T = TypeVar("T")

SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # One node holds the only copy of everything.
    "offsets.topic.replication.factor": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    # Fifty partitions of Kafka's own topics cost time at every start and gain nothing here.
    "offsets.topic.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    # A broker that was killed comes back only when the controller has given up its last session.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "log.cleaner.dedupe.buffer.size": "16777216",
}


class KafkaServer(Server):
    """Apache Kafka on a free loopback port, without topics.

    Parameters
    ----------
    settings
        Further or other lines of ``server.properties``: ``{"log.cleaner.backoff.ms": "100"}``.
    jvm_options
        Of the server's Java machine; the heap is small.
    """

    title = KAFKA.title

    def __init__(
        self, settings: Mapping[str, str] | None = None, jvm_options: Sequence[str] = JVM_OPTIONS
    ) -> None:
        super().__init__()
        self._settings = {**SETTINGS, **(settings or {})}
        self._jvm_options = jvm_options

    def clear(self) -> None:
        """Remove all topics, with their data and what consumer groups had committed there."""
        deadline_s = time.monotonic() + CLEAR_TIMEOUT_S
        # The controller deletes them at once; the broker lists them for a moment longer.
        while _run(_delete_topics(self.address), REQUEST_TIMEOUT_S):
            assert time.monotonic() < deadline_s, "topics stay"
            time.sleep(POLL_S)

    def _plan(self, folder: Path) -> Launch:
        installation = find(KAFKA)
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if isinstance(installation, str):
            return self._plan_container(installation, cluster)
        controller = f"{LOOPBACK}:{free_port()}"
        settings = {
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(folder / "data"),
            **self._settings,
        }
        properties = folder / "server.properties"
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        properties.write_text("".join(lines), encoding="utf-8")
        # Native libraries are unpacked there, and would stay when the server is killed.
        java = ("java", *self._jvm_options, f"-Djava.io.tmpdir={folder}", "-Dlog4j2.level=WARN")
        java = (*java, "-cp", str(installation / "libs" / "*"))
        tool = (
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            "-c",
            str(properties),
        )
        return Launch(
            prepare=((*java, *tool),),
            run=(*java, "kafka.Kafka", str(properties)),
            discard=("true",),
            environment=dict(os.environ),
        )

    def _plan_container(self, image: str, cluster: str) -> Launch:
        name = f"wakeline-kafka-{secrets.token_hex(8)}"
        settings = {
            "listeners": f"PLAINTEXT://:{CONTAINER_PORT},CONTROLLER://:{CONTROLLER_PORT}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
            **self._settings,
        }
        variables = {f"KAFKA_{key.upper().replace('.', '_')}": settings[key] for key in settings}
        variables["CLUSTER_ID"] = cluster
        variables["KAFKA_HEAP_OPTS"] = " ".join(self._jvm_options)
        create = (
            *("docker", "create", f"--name={name}"),
            f"--publish={LOOPBACK}:{self.port}:{CONTAINER_PORT}",
            *(f"--env={key}={value}" for key, value in variables.items()),
        )
        return Launch(
            prepare=((*create, image),),
            run=("docker", "start", "--attach", name),
            discard=("docker", "rm", "--force", "--volumes", name),
            environment=dict(os.environ),
            container=name,
        )

    def _check(self) -> None:
        try:
            _run(_ask(self.address), REQUEST_TIMEOUT_S)
        except (KafkaError, OSError, TimeoutError) as error:
            raise NotReady(str(error) or type(error).__name__) from error

    def _set_up(self) -> None:
        """Need nothing: the storage was formatted before the start."""


def _run(work: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """Run a coroutine on a thread of its own, since the caller may be within an event loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, asyncio.wait_for(work, timeout_s)).result()


async def _ask(address: str) -> None:
    """Ask for what clients need first: the cluster, and who coordinates groups."""
    host, port = address.split(":")
    # The client would log an error for a refused connection; this does not.
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    await writer.wait_closed()
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    try:
        await admin.start()
        await admin.find_coordinator(READY_GROUP)
    finally:
        await admin.close()


async def _delete_topics(address: str) -> bool:
    """Ask for the removal of all topics but Kafka's own; False when there are none."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    try:
        await admin.start()
        topics = [name for name in await admin.list_topics() if not name.startswith("__")]
        if topics:
            await admin.delete_topics(topics)
    finally:
        await admin.close()
    return bool(topics)
