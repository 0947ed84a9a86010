"""Errors by who has to act. Late is not bad, and a bad record is not an exception."""


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


class PartitionsChanged(WakelineError):
    """Raised when a log was written with another number of partitions than is configured."""


class StateUnknown(WakelineError):
    """Raised when saved state is of a version that this release does not know."""
