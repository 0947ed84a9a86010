"""What checkpoints cost a worker that has a backlog: throughput and pauses, with them and without.

The worker begins with subjects whose lateness is filled, restored from the state topic, and works
off the hours that follow: so as much of the state changes, settles and is written anew as in a
deployment that has run for a while. With checkpoints it takes them as often as it does unless told
otherwise.
"""

import asyncio
import statistics

import msgspec

from bench import backlog
from bench.backlog import Backlog
from bench.memory import HOURS
from bench.results import Goal, Progress, Result
from bench.state_records import checkpoint_of, fill_state, log_of, users_of
from bench.worker_runs import WorkerReport, WorkerTask
from connectors.broker import EmbeddedBroker
from streams.config import CheckpointPolicy
from streams.state_log import StateRecord

MADE_SUBJECTS = 16
SUBJECTS = 1_000
"""As many as a worker of the benchmark `memory` has."""
BACKLOG_HOURS = 32
"""Enough for a minute and more, in which several checkpoints are taken."""
ROUNDS = 2
GOAL = Goal(ratio_at_least=0.9)


def run(progress: Progress) -> list[Result]:
    """Let a worker work off the same backlog with and without checkpoints, in turn."""
    progress(f"checkpoint: making {MADE_SUBJECTS} subjects of {HOURS} hours")
    records = checkpoint_of(MADE_SUBJECTS, HOURS)
    work = Backlog(SUBJECTS, HOURS, HOURS + BACKLOG_HOURS)
    policy = CheckpointPolicy()
    with_: list[WorkerReport] = []
    without: list[WorkerReport] = []
    for _ in range(ROUNDS):
        task = work.task("")
        without.append(asyncio.run(_worked(work, task, records)))
        progress(_said("without", work, without[-1]))
        task = msgspec.structs.replace(
            task,
            checkpoint_interval_s=policy.interval_s,
            checkpoint_messages=policy.messages,
        )
        with_.append(asyncio.run(_worked(work, task, records)))
        progress(_said("with", work, with_[-1]))
    return _results(work, with_, without)


async def _worked(work: Backlog, task: WorkerTask, records: list[StateRecord]) -> WorkerReport:
    """Let a worker work on a fresh broker."""
    async with EmbeddedBroker() as broker:
        users = [
            users_of(SUBJECTS, number, backlog.PARTITIONS) for number in range(backlog.PARTITIONS)
        ]
        await fill_state(broker.address, (log_of(records, some) for some in users))
        await backlog.fill(work, broker.address)
        task = msgspec.structs.replace(task, broker=broker.address)
        (report,) = await backlog.work_off(task, 1)
        await backlog.check(work, broker.address)
    return report


def _said(name: str, work: Backlog, report: WorkerReport) -> str:
    rate = work.subject_hours / backlog.elapsed_s([report])
    return (
        f"{name} checkpoints: {rate:,.0f} subject-hours/s ({report.cpu_s:.1f} s of CPU), longest "
        f"pause {report.pause_s * 1e3:,.0f} ms; {report.checkpoints_s:.1f} s in checkpoints, the "
        f"longest bit {report.step_s * 1e3:,.0f} ms, {report.checkpoint_bytes / 1e6:,.0f} MB"
    )


def _results(work: Backlog, with_: list[WorkerReport], without: list[WorkerReport]) -> list[Result]:
    def rate(reports: list[WorkerReport]) -> float:
        return statistics.median(work.subject_hours / backlog.elapsed_s([r]) for r in reports)

    def longest_ms(reports: list[WorkerReport]) -> float:
        return 1e3 * statistics.median(report.pause_s for report in reports)

    step_ms = 1e3 * max(report.step_s for report in with_)
    return [
        Result(
            name="checkpoint, throughput",
            value=rate(with_),
            unit="subject-hours/s",
            peers={"without": rate(without)},
            ratio=rate(with_) / rate(without),
            goal=GOAL,
        ),
        Result(
            name="checkpoint, longest pause",
            value=longest_ms(with_),
            unit="ms",
            peers={"without": longest_ms(without), "one bit of a checkpoint": step_ms},
        ),
    ]
