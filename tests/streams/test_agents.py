"""Goal: nothing is acknowledged before it is safe, and nothing waits for ever.

Method: the agent `results` with stand-ins for Faust and the sink, which note what happens.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
import stamina

from connectors.base import Refuse
from connectors.outputs import output_message
from streams.agents import ResultsWriter, Stream, run_guarded
from streams.errors import SinkUnavailable
from streams.events import Operation, Output
from streams.transport import Batch
from tests.broker_fixtures import run


class FakeApp:
    """A Faust app as far as the agent knows one."""

    def __init__(self) -> None:
        self.consumer_generation_id = 1
        self.consumer = SimpleNamespace(highwater=lambda _: 100)
        self.happened: list[str] = []

    def event(self, batch: Batch) -> Any:
        name = f"{batch.topic}[{batch.partition}]..{batch.next_offset}"
        return SimpleNamespace(value=batch, ack=lambda: self.happened.append(f"ack {name}"))


def stream_of(*events: Any) -> Stream:
    async def iterate() -> AsyncIterator[Any]:
        for event in events:
            yield event

    return cast(Stream, SimpleNamespace(noack=lambda: SimpleNamespace(events=iterate)))


def test_failed_agent_reports_and_is_held_so_that_nothing_behind_it_is_taken() -> None:
    async def main() -> None:
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def failing(_: Stream) -> None:
            raise ValueError("broken invariant")

        agent = asyncio.ensure_future(run_guarded(failing, stream_of(), failure))
        with pytest.raises(ValueError, match="broken invariant"):
            await failure
        assert not agent.done()
        agent.cancel()

    run(main())


class FakeSink:
    """Unavailable for the first writes, then keeps what it gets."""

    def __init__(self, app: FakeApp, failures: int) -> None:
        self.outputs: list[Output] = []
        self.forgotten = 0
        self._app = app
        self._failures = failures

    async def write(self, outputs: Sequence[Output]) -> None:
        if self._failures:
            self._failures -= 1
            raise SinkUnavailable("down")
        self.outputs.extend(outputs)
        # Before the first results the store is asked whether it lets us in.
        self._app.happened.append("stored" if "asked" in self._app.happened else "asked")

    def refuse_to(self, refuse: Refuse) -> None:
        pass

    def figures(self) -> dict[str, float]:
        return {}

    def forget(self) -> None:
        self.forgotten += 1

    async def close(self) -> None:
        pass


def result_batch(*values: bytes | None) -> Batch:
    records: list[Any] = [
        SimpleNamespace(offset=offset, key=None, value=value, headers=())
        for offset, value in enumerate(values)
    ]
    return Batch(
        topic="operations",
        partition=0,
        first_offset=0,
        next_offset=len(records),
        records=records,
        restarted=True,
    )


def test_results_wait_for_their_sink_and_are_acknowledged_when_stored() -> None:
    app = FakeApp()
    sink = FakeSink(app, failures=2)
    output = Operation(name="clock", partition=0, time=5.0, values={"late_count": 1.0})
    value = output_message(output, 0, "1.0").value
    with stamina.set_testing(True, attempts=5):
        writer = ResultsWriter(cast(faust.App, app), sink)
        # A message of another program lies between: it is passed over, and nothing is lost.
        batch = result_batch(value, b"not ours", None, value)
        run(writer.run(stream_of(app.event(batch))))
    assert sink.outputs == [output, output]
    assert app.happened == ["asked", "stored", "ack operations[0]..4"]


def test_how_far_behind_the_sink_is_is_said_now_and_then() -> None:
    app = FakeApp()
    sink = FakeSink(app, failures=0)
    times = iter([0.0, 5.0, 20.0, 21.0])
    writer = ResultsWriter(cast(faust.App, app), sink, clock=lambda: next(times))
    batches = [result_batch(None), result_batch(None, None), result_batch(None)]
    for batch in batches:
        run(writer.run(stream_of(app.event(batch))))
    (gauge,) = sink.outputs
    assert isinstance(gauge, Operation)
    assert (gauge.name, gauge.time, gauge.values) == ("sink", 20.0, {"lag_messages": 98.0})


def test_results_of_a_revoked_partition_are_stored_but_not_acknowledged() -> None:
    app = FakeApp()
    writer = ResultsWriter(cast(faust.App, app), FakeSink(app, failures=0))

    class Revoking(FakeSink):
        async def write(self, outputs: Sequence[Output]) -> None:
            await super().write(outputs)
            writer.on_revoked(set())

    writer._sink = Revoking(app, failures=0)
    run(writer.run(stream_of(app.event(result_batch()))))
    assert app.happened == ["asked", "stored"]


def test_sink_trusts_nothing_it_remembers_after_a_new_assignment() -> None:
    app = FakeApp()
    sink = FakeSink(app, failures=0)
    writer = ResultsWriter(cast(faust.App, app), sink)
    run(writer.run(stream_of(app.event(result_batch()))))
    assert sink.forgotten == 1
    writer.on_revoked(set())
    app.consumer_generation_id = 2
    run(writer.run(stream_of(app.event(result_batch()))))
    assert sink.forgotten == 2
