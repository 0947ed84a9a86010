"""Goal: topics exist once, with one partition count. Method: create and check them for real."""

import pytest

from connectors.broker import EmbeddedBroker, free_port
from connectors.kafka import (
    ALL_TOPICS,
    KEPT_TOPICS,
    STATE_TOPIC,
    ensure_topics,
    partition_counts,
    require_partitions,
    topic_settings,
    wait_for_broker,
)
from streams.errors import BadInput, BrokerMismatch, BrokerUnavailable
from tests.broker_fixtures import run


@pytest.mark.broker
def test_topics_are_created_once_with_equal_partitions() -> None:
    async def main() -> None:
        async with EmbeddedBroker() as broker:
            assert await ensure_topics(broker.address, 3) == list(ALL_TOPICS)
            assert await ensure_topics(broker.address, 3) == []
            assert await partition_counts(broker.address, ALL_TOPICS) == dict.fromkeys(
                ALL_TOPICS, 3
            )

    run(main())


@pytest.mark.broker
def test_another_partition_count_is_refused_with_instructions() -> None:
    async def main() -> None:
        async with EmbeddedBroker() as broker:
            await ensure_topics(broker.address, 3)
            for refused in (
                ensure_topics(broker.address, 4),
                require_partitions(broker.address, ALL_TOPICS, 4),
            ):
                with pytest.raises(BrokerMismatch, match=r"every topic has 3.*--partitions"):
                    await refused

    run(main())


@pytest.mark.broker
def test_missing_topics_are_named_with_the_command_that_creates_them() -> None:
    async def main() -> None:
        async with EmbeddedBroker() as broker:
            with pytest.raises(BrokerMismatch, match=r"no topic sleep.*wakeline topics"):
                await require_partitions(broker.address, ["sleep"], 4)
            assert await partition_counts(broker.address, ["sleep"]) == {}

    run(main())


def test_history_that_a_rebuild_needs_is_kept_for_ever() -> None:
    assert {"subjects", "care-context", "alert-actions"} == KEPT_TOPICS
    for topic in {*ALL_TOPICS} - {STATE_TOPIC}:
        settings = topic_settings(topic)
        assert settings["cleanup.policy"] == "delete"
        assert (settings.get("retention.ms") == "-1") == (topic in KEPT_TOPICS)


def test_state_is_compacted_and_left_alone_for_as_long_as_owners_may_need() -> None:
    settings = topic_settings(STATE_TOPIC, compaction_lag_s=60.0)
    assert settings["cleanup.policy"] == "compact"
    assert settings["min.compaction.lag.ms"] == "60000"
    assert settings["max.compaction.lag.ms"] == "120000"


def test_absent_broker_is_one_clear_line_after_retries() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(BrokerUnavailable, match=f"no broker answers at {address}"):
        run(wait_for_broker(address, timeout_s=0.3))


@pytest.mark.parametrize("address", ["broker", "broker:", ":9092", "broker:http", ""])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="host:port"):
        run(wait_for_broker(address, timeout_s=0.1))
