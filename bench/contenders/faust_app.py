"""The stock Faust app of the Faust contenders, and how it is run to its last message."""

import asyncio

import faust

from bench.contenders.task import Task


def build_app(task: Task, *, scheme: str = "aiokafka", buffer_size: int = 65_536) -> faust.App:
    """Build an app, on Faust's own aiokafka transport unless told otherwise.

    ``buffer_size``: with Faust's default of 4,096 the fetcher, which sleeps a second when all
    partitions are buffered, bounds the throughput.
    """
    return faust.App(
        task.group,
        broker=f"{scheme}://{task.broker}",
        datadir=task.directory,
        store="memory://",
        stream_buffer_maxsize=buffer_size,
        stream_wait_empty=False,
        broker_rebalance_timeout=10.0,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


def run_app(app: faust.App, done: asyncio.Event) -> None:
    """Run the app until its agent has said that it is done, and all results have arrived."""
    asyncio.run(_until(done, app))


async def _until(done: asyncio.Event, app: faust.App) -> None:
    app.finalize()
    await app.start()
    await done.wait()
    await app.producer.flush()
    await app.stop()
