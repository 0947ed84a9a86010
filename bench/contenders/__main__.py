"""Run one contender: ``python -m bench.contenders TASK`` (a task as JSON)."""

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from bench.contenders.task import Report, Task

MODULES = {
    "wakeline": "bench.contenders.wakeline_agent",
    "wakeline, whole worker": "bench.contenders.wakeline_worker",
    "faust, raw bytes": "bench.contenders.faust_raw",
    "faust, Record": "bench.contenders.faust_record",
    "quix, apply": "bench.contenders.quix_apply",
    "quix, window": "bench.contenders.quix_window",
    "quix, state": "bench.contenders.quix_state",
    "aiokafka loop": "bench.contenders.aiokafka_loop",
}
"""Contender -> its module, whose ``run`` does the task."""


def main() -> None:
    """Do the task and write its report."""
    logging.basicConfig(level=logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    task = msgspec.json.decode(sys.argv[1], type=Task)
    run: Callable[[Task], Report] = importlib.import_module(MODULES[task.contender]).run
    Path(task.report).write_bytes(msgspec.json.encode(run(task)))


if __name__ == "__main__":
    main()
