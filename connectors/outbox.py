"""Sends messages to the broker in whole batches, and says when they are safe there."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import stamina
import structlog
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]  # it has no py.typed
from aiokafka.errors import (  # type: ignore[import-untyped]  # it has no py.typed
    KafkaError,
    KafkaTimeoutError,
)

from connectors.outputs import OutboundMessage
from streams.errors import BrokerUnavailable

# An envelope has up to 4 MiB; the rest is room for its key, headers and framing.
MESSAGE_BYTES_MAX = 5 * 1024 * 1024
BATCH_BYTES = 256 * 1024
REQUEST_TIMEOUT_MS = 30_000
STOP_TIMEOUT_S = 1.5

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Outbox:
    """A producer that packs many messages into few requests; used as ``async with``.

    Parameters
    ----------
    address
        The broker.
    waits
        Whether to wait for a broker that has gone for as long as it takes; else an error says so
        after half a minute.
    """

    def __init__(self, address: str, *, waits: bool = False) -> None:
        self._address = address
        self._waits = waits
        self._is_waiting = False
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises
        ------
        BrokerUnavailable
            If no broker answers.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=self._address,
            acks="all",
            max_batch_size=BATCH_BYTES,
            max_request_size=MESSAGE_BYTES_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise BrokerUnavailable(f"no broker answers at {self._address}") from error
        self._producer = producer
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect; whatever `send` returned for has been acknowledged already."""
        # Stopping waits for what is under way, which a broker that has gone never answers.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._producer.stop(), STOP_TIMEOUT_S)

    @property
    def is_waiting(self) -> bool:
        """Whether the broker does not take messages, and what is to be sent waits for it."""
        return self._is_waiting

    async def send(self, messages: Iterable[OutboundMessage]) -> None:
        """Send messages and return when the broker has acknowledged all of them.

        The order within a topic-partition is kept; after an outage some may be there twice.

        Raises
        ------
        BrokerUnavailable
            If the broker does not take them in time; some may have arrived.
        """
        lanes: dict[tuple[str, int], list[OutboundMessage]] = {}
        for message in messages:
            lanes.setdefault((message.topic, message.partition), []).append(message)
        if lanes:
            # Each topic-partition waits for its own batches only.
            await asyncio.gather(
                *(
                    self._persist(partial(self._send_lane, topic, number, lane))
                    for (topic, number), lane in lanes.items()
                )
            )

    async def append(self, message: OutboundMessage) -> int:
        """Send one message and give its offset, once the broker has acknowledged it.

        Raises
        ------
        BrokerUnavailable
            If the broker does not take it in time; it may have arrived.
        """
        metadata = await self._persist(
            partial(
                self._producer.send_and_wait,
                message.topic,
                message.value,
                key=message.key,
                partition=message.partition,
            )
        )
        return int(metadata.offset)

    async def _persist(self, send: Callable[[], Awaitable[T]]) -> T:
        """Send until the broker has it, or for as long as this outbox is to wait."""
        retries = stamina.retry_context(
            on=self._waits_for, attempts=None, timeout=None, wait_initial=0.2, wait_max=5.0
        )
        sent: T
        try:
            async for attempt in retries:
                with attempt:
                    sent = await send()
        except (KafkaError, OSError) as error:
            raise BrokerUnavailable(
                f"the broker at {self._address} did not take messages: {error}"
            ) from error
        if self._is_waiting:
            self._is_waiting = False
            log.info("the broker takes messages again")
        return sent

    def _waits_for(self, error: Exception) -> bool:
        """Whether to send again, since the error may pass; say so once."""
        may_pass = isinstance(error, OSError | KafkaTimeoutError) or (
            isinstance(error, KafkaError) and error.retriable
        )
        if not (self._waits and may_pass):
            return False
        if not self._is_waiting:
            self._is_waiting = True
            log.warning("waiting for the broker, which takes no messages")
        return True

    async def _send_lane(self, topic: str, partition: int, lane: list[OutboundMessage]) -> None:
        acknowledgements = []
        batch = self._producer.create_batch()
        for message in lane:
            if not _append(batch, message):
                acknowledgements.append(
                    await self._producer.send_batch(batch, topic, partition=partition)
                )
                batch = self._producer.create_batch()
                _append(batch, message)
        acknowledgements.append(await self._producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*acknowledgements)


def _append(batch: Any, message: OutboundMessage) -> bool:  # noqa: ANN401 - aiokafka is untyped
    """Add a message to a batch; a batch takes its first message whatever its size."""
    added = batch.append(
        key=message.key, value=message.value, timestamp=None, headers=list(message.headers)
    )
    return added is not None
