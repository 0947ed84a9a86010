"""Points a second that one worker's results path writes into a real InfluxDB, beside its client.

Both write the same points of a site's days in the same batches into a database that was empty; the
worker decodes messages, decides what may replace what is stored, makes the lines and compresses
them, while the client of the library is handed ready lines.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]  # it has no py.typed

from bench.results import Goal, Progress, Result
from bench.sink_runs import SinkReport, SinkTask, write_batches
from bench.site_outputs import fetched, ready
from connectors.influx.client import Access
from connectors.influx.lines import (
    PIPELINE_BUCKET,
    alerts_bucket,
    features_bucket,
    minutes_bucket,
)
from streams.config import DAY_S
from tests.servers import InfluxServer

SITE = "bench"
SUBJECTS = 64
HOURS = 168
"""A week, so that the rows of its first days settle within it: a million points."""
SINK = "sink"
FORGETFUL = "sink, forgetting"
"""The sink with a memory so small that it reads anew what it replaces."""
FORGETFUL_CELLS = 1_000
PEERS = ("raw client", "raw client, gzip")
ROUNDS = 3
TIMEOUT_S = 600.0
GOAL = Goal(value_at_least=100_000.0)
MEMORY_GOAL = Goal(value_at_most=256.0)
SAVED_MAX = 0.001
MIB = 1_048_576

SHARD_DAYS = {minutes_bucket(SITE): 1, features_bucket(SITE): 7, alerts_bucket(SITE): 7}
"""Days a shard holds: InfluxDB's choice for the retention that these buckets are made with."""


def run(progress: Progress) -> list[Result]:
    """Let each contender write in a process of its own, in turn; the median counts."""
    reports: dict[str, list[SinkReport]] = {}
    with tempfile.TemporaryDirectory() as directory:
        messages, lines = Path(directory, "messages"), Path(directory, "lines")
        progress(f"making what is said of {SUBJECTS:,} subjects within {HOURS} hours")
        write_batches(messages, fetched(SUBJECTS, HOURS))
        write_batches(lines, ready(fetched(SUBJECTS, HOURS)))
        for _ in range(ROUNDS):
            for name in (SINK, FORGETFUL, *PEERS):
                batches = lines if name in PEERS else messages
                report = contend(name, batches)
                reports.setdefault(name, []).append(report)
                progress(said(name, report))
    return results_of(reports)


def contend(name: str, batches: Path) -> SinkReport:
    """Let a contender write into a fresh database."""
    report = batches.with_name("report.json")
    with InfluxServer() as influx:
        make_buckets(influx)
        task = SinkTask(
            contender=SINK if name == FORGETFUL else name,
            batches=str(batches),
            access=Access(url=influx.url, token=influx.token, org=influx.org),
            report=str(report),
        )
        if name == FORGETFUL:
            task = msgspec.structs.replace(task, cells_max=FORGETFUL_CELLS)
        arguments = msgspec.json.encode(task).decode()
        command = [sys.executable, "-m", "bench.sink_runs", arguments]
        started_s = cpu_s(influx)
        subprocess.run(command, check=True, timeout=TIMEOUT_S)
        influx_cpu_s = cpu_s(influx) - started_s
    found = msgspec.json.decode(report.read_bytes(), type=SinkReport)
    return msgspec.structs.replace(found, influx_cpu_s=influx_cpu_s)


def cpu_s(influx: InfluxServer) -> float:
    """Give the CPU time that InfluxDB has taken (s)."""
    times = psutil.Process(influx.pid).cpu_times()
    return float(times.user + times.system)


def make_buckets(influx: InfluxServer) -> None:
    """Make a site's buckets, with shards as in production, that keep the days of the recording."""
    (org,) = influx.request("GET", "/api/v2/orgs")["orgs"]
    for name, days in {**SHARD_DAYS, PIPELINE_BUCKET: 1}.items():
        rule = {"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": days * DAY_S}
        wishes = {"name": name, "orgID": org["id"], "retentionRules": [rule]}
        influx.request("POST", "/api/v2/buckets", json=wishes)


def said(name: str, report: SinkReport) -> str:
    """Give a line on a run."""
    memory = (report.memory_peak - report.memory_before) / MIB
    return (
        f"{name}: {report.points_per_s:,.0f} points/s, {report.points:,} points in "
        f"{report.elapsed_s:.1f} s, CPU {report.cpu_s:.1f} s and InfluxDB's "
        f"{report.influx_cpu_s:.1f} s, memory {memory:,.0f} MiB more"
    )


def results_of(reports: dict[str, list[SinkReport]]) -> list[Result]:
    """Give the figures; whoever wrote another number of points did another job.

    What is said twice within one write is written once, which saves the sink a few points.
    """
    counts = {name: {report.points for report in some} for name, some in reports.items()}
    found = set.union(*counts.values())
    if min(found) < (1.0 - SAVED_MAX) * max(found):
        raise RuntimeError(f"contenders wrote different numbers of points: {counts}")
    rates = {
        name: statistics.median(r.points_per_s for r in some) for name, some in reports.items()
    }
    value = rates.pop(SINK)
    grown = max(report.memory_peak - report.memory_before for report in reports[SINK])
    return [
        Result(
            name="sink",
            value=value,
            unit="points/s",
            peers=rates,
            ratio=value / max(rates[name] for name in PEERS),
            goal=GOAL,
        ),
        Result(name="sink, memory", value=grown / MIB, unit="MiB", goal=MEMORY_GOAL),
    ]
