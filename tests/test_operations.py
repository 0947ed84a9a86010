"""Goal: the operator's manual tells of what there is, and what it tells to do works.

Method: hold its words against rules, metrics, conditions, checks and settings, and follow its way
to delete the state on Apache Kafka.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition  # type: ignore[import-untyped]  # aiokafka has no py.typed
from aiokafka.admin import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    AIOKafkaAdminClient,
    RecordsToDelete,
)
from aiokafka.admin.config_resource import (  # type: ignore[import-untyped]  # no py.typed
    ConfigResource,
    ConfigResourceType,
)
from aiokafka.errors import (  # type: ignore[import-untyped]  # aiokafka has no py.typed
    PolicyViolationError,
)
from prometheus_client import generate_latest

from connectors.kafka import STATE_TOPIC, ensure_topics, topic_settings
from connectors.outbox import Outbox
from connectors.state import StateTopic
from grafana.definitions.rules import rule_groups
from streams.health import readiness
from streams.metrics import registry_of
from streams.settings import HEALTH_PORTS, Settings
from streams.state_log import fence_key
from tests.broker_fixtures import PARTITIONS, eventually, run
from tests.servers.kafka import KafkaServer
from tests.streams.test_health import READY

MANUAL = (Path(__file__).parents[1] / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")


def test_every_alert_of_the_pipeline_is_explained() -> None:
    groups: list[dict[str, Any]] = rule_groups()
    rules = [rule for group in groups for rule in group["rules"]]
    titles = [rule["title"] for rule in rules if rule["labels"]["severity"] == "pipeline"]
    assert len(titles) > 3
    assert [title for title in titles if f"| {title} |" not in MANUAL] == []


def test_every_metric_and_every_condition_is_explained() -> None:
    text = generate_latest(registry_of(lambda: READY)).decode()
    names = set(re.findall(r"^(wakeline_\w+)", text, flags=re.MULTILINE))
    told = set(re.findall(r"`(wakeline_\w+)", MANUAL))
    assert names == told
    conditions = readiness(READY, 1.0).conditions
    assert [name for name in conditions if f"`{name}`" not in MANUAL] == []


def test_settings_that_are_named_exist() -> None:
    known = {f"WAKELINE_{name.upper()}" for name in Settings.model_fields}
    # Of Grafana, which is told of it as GRAFANA.md says.
    known |= {"WAKELINE_OPERATIONS_EMAIL", "WAKELINE_"}
    assert set(re.findall(r"\bWAKELINE_\w*", MANUAL)) - known == set()
    assert f"from {HEALTH_PORTS[0]} to {HEALTH_PORTS[-1]}" in MANUAL


@pytest.mark.kafka
def test_deleting_the_records_of_the_state_leaves_epochs_growing(empty_kafka: KafkaServer) -> None:
    address = empty_kafka.address
    place = TopicPartition(STATE_TOPIC, 0)

    async def main() -> None:
        await ensure_topics(address, PARTITIONS)
        async with Outbox(address) as outbox:
            topic = StateTopic(address, outbox)
            before = await topic.fence(0, fence_key)
            await topic.write(0, [("somebody/head/0/1", b"state")])
            admin = AIOKafkaAdminClient(bootstrap_servers=address)
            await admin.start()

            async def configure(**changes: str) -> None:
                settings = topic_settings(STATE_TOPIC) | changes
                resource = ConfigResource(ConfigResourceType.TOPIC, STATE_TOPIC, settings)
                await admin.alter_configs([resource])

            async def are_deleted() -> bool:
                try:
                    await admin.delete_records({place: RecordsToDelete(before_offset=-1)})
                except PolicyViolationError:
                    return False
                return True

            try:
                assert not await are_deleted()
                await configure(**{"cleanup.policy": "delete", "retention.ms": "-1"})
                await eventually(are_deleted)
                await configure()
            finally:
                await admin.close()
            after = await topic.fence(0, fence_key)
            left = [entry async for entries in topic.read(0, after) for entry in entries]
        assert after > before + 1
        assert [offset for offset, _, _ in left] == [after]

    run(main())
