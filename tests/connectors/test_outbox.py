"""Goal: nothing that was handed over is lost while a broker is away; method: real Kafka, stopped
and started again under an outbox that waits, and under one that does not.
"""

import asyncio

import pytest

from connectors import outbox as outboxes
from connectors.kafka import ensure_topics
from connectors.outbox import Outbox
from streams.errors import BrokerUnavailable
from tests.broker_fixtures import PARTITIONS, eventually, numbered, read_all, run
from tests.servers import KafkaServer

TOPIC = "sleep"


@pytest.mark.kafka
def test_an_outbox_that_waits_outlasts_an_outage(
    empty_kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outboxes, "REQUEST_TIMEOUT_MS", 1_000)

    async def main() -> None:
        await ensure_topics(empty_kafka.address, PARTITIONS)
        async with Outbox(empty_kafka.address, waits=True) as outbox:
            await outbox.send(numbered(TOPIC, 0, range(10)))
            await asyncio.to_thread(empty_kafka.stop)
            sending = asyncio.ensure_future(outbox.send(numbered(TOPIC, 0, range(10, 20))))
            await eventually(lambda: outbox._is_waiting)
            assert not sending.done()
            await asyncio.to_thread(empty_kafka.start)
            await sending
            assert await outbox.append(numbered(TOPIC, 1, [7])[0]) == 0
        found = [
            int(message.value or b"") for message in await read_all(empty_kafka.address, [TOPIC])
        ]
        assert sorted(set(found)) == list(range(20))

    run(main())
    assert capsys.readouterr().out.count("waiting for the broker") == 1


@pytest.mark.kafka
def test_an_outbox_that_does_not_wait_says_so(
    empty_kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "REQUEST_TIMEOUT_MS", 1_000)

    async def main() -> None:
        await ensure_topics(empty_kafka.address, PARTITIONS)
        async with Outbox(empty_kafka.address) as outbox:
            await asyncio.to_thread(empty_kafka.stop)
            with pytest.raises(BrokerUnavailable, match="did not take messages"):
                await outbox.send(numbered(TOPIC, 0, range(10)))

    run(main())
