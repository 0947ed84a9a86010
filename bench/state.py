"""State at rest of a subject with every channel in use, and the time that restoring 10,000 takes.

A full checkpoint of subjects whose lateness is filled gives the bytes. Restored are these subjects
again and again under other names, each with bytes of its own, by one process: once from records in
memory, which is the work that cannot be saved, and once from a real Kafka, as a worker does. A
tenth of them is restored from a log that also holds what was written within an hour, one minute of
data after the other, which is what a worker finds that takes over from another.
"""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.memory import HOURS, KIB
from bench.results import Goal, Progress, Result
from bench.state_records import checkpoint_of, fill_state, value_bytes
from bench.state_runs import RestoreReport, RestoreTask, logs_of
from tests.servers import KafkaServer

MADE_SUBJECTS = 64
"""As many of each life."""
SUBJECTS = 10_000
PARTITIONS = 4
GROWN_SUBJECTS = 1_000
GROWN_CHECKPOINTS = 120
"""As many as a worker takes within an hour, which is how long the topic is not compacted."""
BYTES_GOAL = Goal(value_at_most=40.0)
RESTORE_GOAL = Goal(value_at_most=60.0)
GROWN_GOAL = Goal(value_at_most=6.0)
TIMEOUT_S = 1_200.0


def run(progress: Progress) -> list[Result]:
    """Make the state, weigh it, and restore it twice."""
    progress(f"state: making {MADE_SUBJECTS:,} subjects of {HOURS} hours")
    records = checkpoint_of(MADE_SUBJECTS, HOURS)
    per_subject = value_bytes(records) / MADE_SUBJECTS / KIB
    keys = sum(len(record.key) for record in records) / MADE_SUBJECTS / KIB
    progress(f"state: {per_subject:.1f} KiB a subject, and {keys:.1f} KiB of keys")
    with tempfile.TemporaryDirectory() as directory:
        task = RestoreTask(
            subjects=SUBJECTS,
            partitions=PARTITIONS,
            records=str(Path(directory, "records")),
            report=str(Path(directory, "report.json")),
        )
        Path(task.records).write_bytes(msgspec.msgpack.encode(records))
        from_memory = restored(task, progress)
        from_broker = restored_from_broker(task, progress)
        task = msgspec.structs.replace(
            task, subjects=GROWN_SUBJECTS, checkpoints_before=GROWN_CHECKPOINTS
        )
        from_grown = restored_from_broker(task, progress)
    return [
        Result(name="state at rest", value=per_subject, unit="KiB/subject", goal=BYTES_GOAL),
        Result(
            name=f"restore of {SUBJECTS:,} subjects",
            value=from_broker.elapsed_s,
            unit="s",
            peers={"from memory": from_memory.elapsed_s, "CPU time": from_broker.cpu_s},
            goal=RESTORE_GOAL,
        ),
        Result(
            name=f"restore of {GROWN_SUBJECTS:,}, an hour not compacted",
            value=from_grown.elapsed_s,
            unit="s",
            peers={"CPU time": from_grown.cpu_s},
            goal=GROWN_GOAL,
        ),
    ]


def restored_from_broker(task: RestoreTask, progress: Progress) -> RestoreReport:
    """Restore from a real Kafka, as a worker does that gets all partitions."""
    with KafkaServer() as kafka:
        asyncio.run(fill_state(kafka.address, logs_of(task)))
        return restored(msgspec.structs.replace(task, broker=kafka.address), progress)


def restored(task: RestoreTask, progress: Progress) -> RestoreReport:
    """Restore in a process of its own."""
    arguments = msgspec.json.encode(task).decode()
    command = [sys.executable, "-m", "bench.state_runs", arguments]
    subprocess.run(command, check=True, timeout=TIMEOUT_S)
    report = msgspec.json.decode(Path(task.report).read_bytes(), type=RestoreReport)
    source = "memory" if task.broker is None else "Kafka"
    progress(
        f"restore of {task.subjects:,} subjects from {source}, {task.checkpoints_before} further "
        f"checkpoints before: {report.elapsed_s:.1f} s ({report.cpu_s:.1f} s of CPU), "
        f"{report.memory / task.subjects / KIB:.0f} KiB each then"
    )
    return report
