"""Dates of one subject in a row, each with the history of those before it, without a pipeline."""

import datetime as dt
import math
from collections.abc import Sequence

from streams.events import ENVELOPE_TYPES, SCHEMA_OF_TYPE, Record, WindowKind
from streams.evidence import Evidence
from streams.features import compute
from streams.features.base import Values, Window
from streams.features.digest import digest_of
from streams.history import History
from streams.localtime import date_index
from streams.windows import Windows
from tests.logs import subject

ABSENT = -(10**9)


def utc(text: str) -> float:
    """Instant (s UTC) of a date or of a date and time in UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


class Life:
    """Evidence of one subject, and the rows of its dates."""

    def __init__(self, zone: str = "Etc/UTC") -> None:
        self.evidence = Evidence()
        self.history = History()
        self._subject = subject(time_zone=zone)

    def add(
        self, records: Sequence[Record], *, source: str = "watch", utc_offset: int | None = None
    ) -> None:
        """Take in records of one type."""
        schema = SCHEMA_OF_TYPE[type(records[0])]
        envelope = ENVELOPE_TYPES[schema](
            project_id="p",
            user_id="u1",
            source_id=source,
            time_received=0.0,
            utc_offset=utc_offset,
            records=list(records),
        )
        self.evidence.add(schema, envelope, (1, source), -math.inf)

    def rows(self, kind: WindowKind, first: str, count: int) -> dict[str, Values]:
        """Values of the nights or days from a date on, by date, each settled after the other."""
        windows = Windows(self.evidence, 0.0)
        date = date_index(dt.date.fromisoformat(first))
        start = windows.of_date(kind, date - 1, ABSENT, self._subject).stop
        rows = {}
        for day in range(date, date + count):
            bounds = windows.of_date(kind, day, start, self._subject)
            start = bounds.stop
            window = Window(bounds, self.evidence, self.history.past(kind))
            name = (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()
            rows[name], _ = compute(window)
            digest = digest_of(window)
            if digest is not None:
                self.history.add(day, digest)
        return rows
