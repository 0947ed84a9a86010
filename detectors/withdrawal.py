"""Alerts that are no longer supported, and why, in words that are true of their kind."""

from typing import Literal

import msgspec

from detectors import wording
from detectors.episodes import OURSELVES
from streams.events import Alert, AlertKind, AlertStatus

Because = Literal["data", "learned", "news", "paused", "subject"]
"""Why an alert is withdrawn: new data, what has been learned since, what staff said since, a pause
of the subject, or that the subject withdrew.
"""

_BECAUSE = {
    "data": wording.WITHDRAWN_DATA,
    "learned": wording.WITHDRAWN_LEARNED,
    "news": wording.WITHDRAWN_NEWS,
    "paused": wording.WITHDRAWN_PAUSED,
    "subject": wording.WITHDRAWN_SUBJECT,
}
_BECAUSE_OF_MISSING = _BECAUSE | {
    "data": wording.WITHDRAWN_DATA_CAME,
    "learned": wording.WITHDRAWN_GAP,
}
"""Of data that are missing, other words are true."""


def withdrawn(alert: Alert, because: Because, clock: float) -> Alert:
    """The alert as no longer supported, with the reason in words (clock: in-band, s UTC)."""
    texts = _BECAUSE_OF_MISSING if alert.kind is AlertKind.DATA else _BECAUSE
    return msgspec.structs.replace(
        alert,
        status=AlertStatus.WITHDRAWN,
        status_at=clock,
        status_by=OURSELVES,
        summary=wording.withdrawal(alert.summary, texts[because]),
    )
