"""Try seeds: ``python -m tests.chaos [--first N] [--count N]``; every other one with live ticks."""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path

import stamina.instrumentation

from tests.chaos.faults import Say
from tests.chaos.recording import Plan
from tests.chaos.trial import Trial, Verdict, run

PEOPLE = 200
DAYS = 3
PARTITIONS = 4
# Times real speed: of live ticks as asked for, and of a recording that has its own.
LIVE_SPEED = 2_000.0
RECORDED_SPEED = 4_000.0


def main() -> int:
    """Run one trial per seed, print what came of each, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=10, help="how many seeds")
    parser.add_argument("--keep", type=Path, help="folder in which all files are kept")
    options = parser.parse_args()
    # What clients say of a broker that was taken away on purpose.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    stamina.instrumentation.set_on_retry_hooks([])
    good = 0
    for seed in range(options.first, options.first + options.count):
        with tempfile.TemporaryDirectory(prefix="wakeline-chaos-") as scratch:
            folder = Path(scratch) if options.keep is None else options.keep / str(seed)
            if options.keep is not None:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
            is_live = seed % 2 == 0
            trial = Trial(
                plan=Plan(seed, PEOPLE, DAYS, PARTITIONS),
                is_live=is_live,
                speed=LIVE_SPEED if is_live else RECORDED_SPEED,
                folder=folder,
            )
            tell(f"seed {seed}, {'live' if is_live else 'recorded'} ticks")
            good += attempt(trial)
    tell(f"{good} of {options.count} seeds are equal")
    return int(good < options.count)


def attempt(trial: Trial) -> bool:
    """Run a trial and print what came of it; whether it is good."""
    try:
        return report(asyncio.run(run(trial, timed())))
    except* Exception as errors:  # a trial that failed must not end the others
        tell(f"seed {trial.plan.seed}: FAILED: {errors.exceptions}")
    return False


def report(verdict: Verdict) -> bool:
    """Print what came of a trial; whether it is good."""
    done = ", ".join(f"{what} {count}" for what, count in sorted(verdict.done.items()))
    lines = ", ".join(f"{count} {what}" for what, count in verdict.lines.items())
    tell(f"  done: {done}")
    tell(f"  partitions restored {verdict.fences} times, commits looked at {verdict.looks} times")
    for line in verdict.lost:
        tell(f"  started again: {line}")
    for line in verdict.faults[:20]:
        tell(f"  FAULT: {line}")
    word = "DIFFERENT" if verdict.faults else "equal"
    tell(f"seed {verdict.seed}: {word} ({lines}; {verdict.digest}) in {verdict.seconds:.0f} s")
    return not verdict.faults


def timed() -> Say:
    """Something that prints lines with the seconds since now before them."""
    begun = time.monotonic()
    return lambda line: tell(f"  {time.monotonic() - begun:6.1f} s  {line}")


def tell(line: str) -> None:
    """Print a line of progress at once."""
    print(line, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
