"""What tests of commands share: logs as they were before a command sent them elsewhere."""

import logging
from collections.abc import Iterator

import pytest
import stamina.instrumentation
import structlog


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Give logs back what was set before; a command's own standard error ends with its test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    stamina.instrumentation.set_on_retry_hooks(None)
