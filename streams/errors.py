"""Errors by who has to act. Late is not bad, and a bad record is not an exception."""

import traceback
from pathlib import Path


class WakelineError(Exception):
    """Base of all errors that Wakeline raises for people to act on; shown as one clear line."""


class BadInput(WakelineError):
    """Raised when a file or an argument is not what the command needs."""


class BrokerUnavailable(WakelineError):
    """Raised when no broker answers at the configured address in time."""


class BrokerMismatch(WakelineError):
    """Raised when topics or partitions on the broker do not fit the configuration."""


class SinkUnavailable(WakelineError):
    """Raised when results cannot be stored now, and may be later."""


class DiskFull(WakelineError):
    """Raised when a disk is full: somebody has to make room, waiting does not."""


class PartitionsChanged(WakelineError):
    """Raised when a log was written with another number of partitions than is configured."""


class StateUnknown(WakelineError):
    """Raised when saved state is of a version that this release does not know."""


def fault_trace(error: BaseException) -> str:
    """Kind of an unforeseen error and the way to it; never its message, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)
    way = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {way}"


def fault_place(error: BaseException) -> str:
    """Kind of an unforeseen error and where it arose; never its message, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
