"""Logs of the commands: structured, on standard error, without payload and without subject ids."""

import logging
import math
import sys
import time
from collections.abc import Callable

import stamina.instrumentation
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# Libraries that tell of every step; what they say at ERROR is worth a line.
_TALKATIVE = ("aiokafka", "asyncio", "faust", "mode", "streams.transport")


# A broker that is away makes its client say so, in the same words, many times a second.
REPEAT_S = 30.0


class SaidBefore(logging.Filter):
    """Lets a library's message through once in a while; what varies in it does not count."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message was not said lately."""
        key, now = (record.name, str(record.msg)), self._now()
        if now - self._said_at.get(key, -math.inf) < REPEAT_S:
            return False
        self._said_at[key] = now
        return True


def configure_logs(level: int = logging.INFO) -> None:
    """Send all logs to standard error, one line each: for people on a terminal, else JSON."""
    stamina.instrumentation.set_on_retry_hooks([])
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _one_line_error,
    ]
    renderer: Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(SaidBefore())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)


def _one_line_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name an error instead of showing where it came from."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    event["event"] = str(event["event"]).splitlines()[0] if event.get("event") else ""
    return event
