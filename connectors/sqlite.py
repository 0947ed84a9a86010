"""Results in one SQLite file: the embedded default, and the ``RUN`` that a replay writes.

Each output lies as its wire JSON (``body``) beside the columns that make its key, so an export
gives back exactly what was said. Nights and days are keyed by local date, hours by start (s UTC).
"""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from connectors.base import Refuse
from connectors.run_files import open_for_writing, replace_run
from streams.errors import DiskFull, SinkUnavailable
from streams.events import (
    Alert,
    AlertStatus,
    Anomaly,
    DeadLetter,
    FeatureRow,
    MinuteRows,
    Operation,
    Output,
    WindowKind,
)

GAUGES = frozenset({"lag", "sink"})
"""Names of operations that say how a worker does; of passing worth, so not kept."""

CLOCK = "clock"
"""Name of the operation whose ``time`` is the minimum clock of a partition (s UTC)."""

# Exact types only, no enums nor booleans: the driver stores those several times faster.
Parameters = tuple[str | float | bytes | None, ...]

# The first of the two conditions keeps settled rows, and drops what a former owner still sends.
# Ties of the second go to the later arrival, so writing the same outputs again changes nothing.
_WRITE_FEATURE = """
INSERT INTO features AS kept (user_id, window, at, epoch, revision, settled, body)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision,
    settled = excluded.settled, body = excluded.body
WHERE excluded.epoch >= kept.epoch AND excluded.settled >= kept.settled
    AND (excluded.epoch, excluded.settled, excluded.revision)
        >= (kept.epoch, kept.settled, kept.revision)"""

_WRITE_ANOMALY = """
INSERT INTO anomalies AS kept
    (user_id, window, at, detector, feature, epoch, revision, settled, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision,
    settled = excluded.settled, body = excluded.body
WHERE excluded.epoch >= kept.epoch AND excluded.settled >= kept.settled
    AND (excluded.epoch, excluded.settled, excluded.revision)
        >= (kept.epoch, kept.settled, kept.revision)"""

# The last word is shown, so that a WATCH which new data make URGENT is seen at once; what has
# settled stays beside it for the export. `canonical` stays once a settled version rang.
_WRITE_ALERT = """
INSERT INTO alerts AS kept
    (alert_id, user_id, window, at, epoch, revision, settled, detected_at, pending, canonical,
     body, settled_body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision,
    settled = max(kept.settled, excluded.settled), detected_at = excluded.detected_at,
    pending = min(excluded.pending, 1 - kept.settled),
    canonical = max(kept.canonical, excluded.canonical), body = excluded.body,
    settled_body = coalesce(excluded.settled_body, kept.settled_body)
WHERE (excluded.epoch, excluded.revision) >= (kept.epoch, kept.revision)"""

_SETTLED_UNDER_PENDING_ALERTS = """
SELECT alerts.alert_id, alerts.body FROM alerts
JOIN features USING (user_id, window, at)
WHERE alerts.pending AND features.settled"""

_WITHDRAW_ALERT = "UPDATE alerts SET pending = 0, body = ? WHERE alert_id = ?"

# Beside what an earlier owner said, settled or not: the two may well be in one write.
_DROP_OTHER_MINUTES = """
DELETE FROM minutes WHERE user_id = ?1 AND start = ?2
AND (epoch, revision) != (?3, ?4) AND epoch <= ?3"""

# Provisional messages hold the changed minutes only, so each stays beside the earlier ones until
# the settled message, which holds them all, takes their place.
_WRITE_MINUTES = """
INSERT INTO minutes (user_id, start, epoch, revision, settled, body)
SELECT ?1, ?2, ?3, ?4, ?5, ?6
WHERE NOT EXISTS (SELECT 1 FROM minutes WHERE user_id = ?1 AND start = ?2
                  AND (epoch > ?3 OR settled > ?5))
ON CONFLICT DO UPDATE SET epoch = excluded.epoch, settled = excluded.settled, body = excluded.body
"""

_WRITE_CLOCK = """
INSERT INTO clocks (partition, time) VALUES (?, ?)
ON CONFLICT DO UPDATE SET time = max(clocks.time, excluded.time)"""

_WRITE_OPERATION = """
INSERT INTO operations (name, partition, user_id, time, epoch, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET epoch = excluded.epoch, body = excluded.body
WHERE excluded.epoch >= operations.epoch"""

_WRITE_DEAD_LETTER = """
INSERT OR REPLACE INTO dead_letters (topic, partition, "offset", "index", reason, key, value)
VALUES (?, ?, ?, ?, ?, ?, ?)"""


class SqliteResults:
    """Results in a SQLite file; a ``ResultSink`` with one transaction per write.

    Parameters
    ----------
    path
        The file. Nobody else may write to it at the same time; reading is free.
    run
        With ``run``, the file is a fresh ``RUN`` that carries these facts about how it was made
        (such as code version and configuration); it replaces an earlier Wakeline file at ``path``
        and no other. Such a file can be made again from its recording, so it does without the
        waiting for the disk. Without ``run``, results that are there are continued, and a write
        has reached the disk when it returns.

    Raises
    ------
    BadInput
        When ``path`` holds something else, or results of another schema version.
    """

    def __init__(self, path: Path, *, run: Mapping[str, str] | None = None) -> None:
        if run is None:
            self._connection = open_for_writing(path)
        else:
            self._connection = replace_run(path, run)
        self._encoder = msgspec.json.Encoder()
        self._decode_alert = msgspec.json.Decoder(Alert).decode
        self._lock = threading.Lock()

    async def write(self, outputs: Sequence[Output]) -> None:
        """Store ``outputs`` in one transaction; see ``ResultSink``.

        Raises
        ------
        SinkUnavailable
            When the file is locked. It is as it was before.
        DiskFull
            When the disk is full. The file is as it was before.
        """
        await asyncio.to_thread(self._write, outputs)

    def refuse_to(self, refuse: Refuse) -> None:
        """Nothing is ever refused here."""

    def figures(self) -> dict[str, float]:
        """A file is there or it is not: nothing is counted."""
        return {}

    def forget(self) -> None:
        """Do nothing: all that is known is in the file."""

    async def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _write(self, outputs: Sequence[Output]) -> None:
        with self._lock, self._transaction():
            self._store(_by_table(outputs, self._encoder))
            self._withdraw_unsupported()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                # SQLite itself rolls back on some errors, such as a full disk.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise DiskFull(
                    "the disk that takes the results is full: make room, then start again; "
                    "nothing is lost"
                ) from error
            raise SinkUnavailable(f"results cannot be stored: {error}") from error

    def _store(self, tables: "_Tables") -> None:
        many = self._connection.executemany
        many(_WRITE_FEATURE, tables.features)
        many(_WRITE_MINUTES, tables.provisional_minutes)
        many(_WRITE_MINUTES, tables.settled_minutes)
        many(_DROP_OTHER_MINUTES, [row[:4] for row in tables.settled_minutes])
        many(_WRITE_ANOMALY, tables.anomalies)
        many(_WRITE_ALERT, tables.alerts)
        many(_WRITE_CLOCK, tables.clocks)
        many(_WRITE_OPERATION, tables.operations)
        many(_WRITE_DEAD_LETTER, tables.dead_letters)

    def _withdraw_unsupported(self) -> None:
        unsupported = self._connection.execute(_SETTLED_UNDER_PENDING_ALERTS).fetchall()
        withdrawn = [
            (self._encoder.encode(self._withdraw(body)), alert_id) for alert_id, body in unsupported
        ]
        self._connection.executemany(_WITHDRAW_ALERT, withdrawn)

    def _withdraw(self, body: bytes) -> Alert:
        return msgspec.structs.replace(self._decode_alert(body), status=AlertStatus.WITHDRAWN)


class _Tables(NamedTuple):
    """Rows to store, by table, in order of arrival."""

    features: list[Parameters]
    provisional_minutes: list[Parameters]
    settled_minutes: list[Parameters]
    anomalies: list[Parameters]
    alerts: list[Parameters]
    clocks: list[Parameters]
    operations: list[Parameters]
    dead_letters: list[Parameters]


def _by_table(outputs: Sequence[Output], encoder: msgspec.json.Encoder) -> _Tables:
    tables = _Tables([], [], [], [], [], [], [], [])
    encode = encoder.encode
    for output in outputs:
        match output:
            case FeatureRow():
                tables.features.append(_feature(output, encode(output)))
            case MinuteRows():
                rows = tables.settled_minutes if output.settled else tables.provisional_minutes
                rows.append(_minutes(output, encode(output)))
            case Anomaly():
                tables.anomalies.append(_anomaly(output, encode(output)))
            case Alert():
                tables.alerts.append(_alert(output, encode(output)))
            case Operation(name=name) if name == CLOCK:
                tables.clocks.append((output.partition, output.time))
            case Operation(name=name) if name not in GAUGES:
                tables.operations.append(_operation(output, encode(output)))
            case DeadLetter():
                tables.dead_letters.append(_dead_letter(output))
    return tables


def _at(row: FeatureRow | Anomaly | Alert) -> str | float:
    """What names the window among those of its kind: nights and days must survive travel."""
    if row.window is WindowKind.NIGHT or row.window is WindowKind.DAY:
        return row.local_date.isoformat()
    return row.start


def _feature(row: FeatureRow, body: bytes) -> Parameters:
    window = row.window.value
    return (row.user_id, window, _at(row), row.epoch, row.revision, int(row.settled), body)


def _minutes(rows: MinuteRows, body: bytes) -> Parameters:
    return (rows.user_id, rows.start, rows.epoch, rows.revision, int(rows.settled), body)


def _anomaly(anomaly: Anomaly, body: bytes) -> Parameters:
    return (
        anomaly.user_id,
        anomaly.window.value,
        _at(anomaly),
        anomaly.detector,
        anomaly.feature or "",
        anomaly.epoch,
        anomaly.revision,
        int(anomaly.settled),
        body,
    )


def _alert(alert: Alert, body: bytes) -> Parameters:
    is_withdrawn = alert.status is AlertStatus.WITHDRAWN
    return (
        alert.alert_id,
        alert.user_id,
        "" if alert.window is None else alert.window.value,
        _at(alert),
        alert.epoch,
        alert.revision,
        int(alert.settled),
        alert.detected_at,
        int(not alert.settled and not is_withdrawn),
        int(alert.settled and not is_withdrawn),
        body,
        body if alert.settled else None,
    )


def _operation(operation: Operation, body: bytes) -> Parameters:
    user_id = operation.user_id or ""
    return (operation.name, operation.partition, user_id, operation.time, operation.epoch, body)


def _dead_letter(letter: DeadLetter) -> Parameters:
    index = -1 if letter.index is None else letter.index
    where = (letter.topic, letter.partition, letter.offset, index)
    return (*where, letter.reason, letter.key, letter.value)
