"""Goal: nothing is lost and nothing twice, whatever happens to workers, broker and sink.

Method: the short form of ``make chaos``: one seed of `tests.chaos` on a real Kafka.
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.recording import Plan
from tests.chaos.trial import Trial, run
from tests.servers.fixtures import require
from tests.servers.installs import KAFKA

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def _quiet_client() -> Iterator[None]:
    """Leave out what the client says of a broker that was taken away on purpose."""
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)


@pytest.mark.timeout(400)
def test_workers_that_are_killed_frozen_and_moved_settle_what_a_replay_settles(
    tmp_path: Path,
) -> None:
    require(KAFKA)
    trial = Trial(
        plan=Plan(seed=11, people=40, days=1, partitions=4),
        is_live=True,
        speed=4_000.0,
        folder=tmp_path,
        faults=("kill a worker", "freeze a worker", "restart the broker", "kill the results"),
    )
    verdict = asyncio.run(run(trial, logging.getLogger(__name__).info))
    assert verdict.faults == []
    assert set(trial.faults) <= verdict.done.keys()
    assert min(verdict.lines.values()) > 0
    assert verdict.done["taken over"] > 0
    assert verdict.done["compacted"] > 0
    assert verdict.looks > 10
