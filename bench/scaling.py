"""Subject-hours a second of one worker and of two, with a real Kafka on the same machine.

A subject-hour is an hour of every channel of one subject. Workers are in the group before the first
message is taken; without checkpoints, which `checkpoint` is about.
"""

import asyncio
import statistics

from bench import backlog
from bench.backlog import Backlog
from bench.results import Goal, Progress, Result
from bench.worker_runs import WorkerReport, WorkerTask
from tests.servers import KafkaServer

SUBJECTS = 320
HOURS = 24
ROUNDS = 3
JOIN_MS = 10_000
"""How long the broker waits for workers to join before it shares out the partitions (ms)."""
GOAL = Goal(ratio_at_least=1.4)


def run(progress: Progress) -> list[Result]:
    """Let one worker and two work off the same backlog, in turn; the median counts."""
    work = Backlog(SUBJECTS, 0, HOURS)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, some in rates.items():
            reports = reports_of(work, workers)
            some.append(work.subject_hours / backlog.elapsed_s(reports))
            cpu = " + ".join(f"{report.cpu_s:.1f}" for report in reports)
            progress(f"{workers} worker(s): {some[-1]:,.0f} subject-hours/s, {cpu} s of CPU")
    one, two = (statistics.median(some) for some in rates.values())
    return [
        Result(
            name="scaling, two workers",
            value=two,
            unit="subject-hours/s",
            peers={"one worker": one},
            ratio=two / one,
            goal=GOAL,
        )
    ]


def reports_of(work: Backlog, workers: int) -> list[WorkerReport]:
    """Let so many workers work on a fresh broker."""
    with KafkaServer({"group.initial.rebalance.delay.ms": str(JOIN_MS)}) as kafka:
        return asyncio.run(_reports(work, work.task(kafka.address), workers))


async def _reports(work: Backlog, task: WorkerTask, workers: int) -> list[WorkerReport]:
    await backlog.fill(work, task.broker)
    reports = await backlog.work_off(task, workers)
    await backlog.check(work, task.broker)
    if not all(report.ended for report in reports):
        raise RuntimeError("a worker had nothing to do")
    return reports
