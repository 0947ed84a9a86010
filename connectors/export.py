"""Canonical export: what is settled, in one order and one form, so equal runs give equal bytes.

Fields that depend on the run or on staff (``OPERATIONAL_FIELDS``) are left out, and so is what was
said above the final minimum clock. An alert does not name its partition; hence the clock that
counts is the smallest over all partitions. An alert is in when a settled version of it rang,
whatever became of its status later.
"""

import csv
import io
import sqlite3
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from connectors.run_files import open_run
from streams.events import OPERATIONAL_FIELDS, FeatureRow, MinuteRows, WindowKind

Line = dict[str, Any]
"""One line of the export, by wire names."""

MINUTE_S = 60.0


class Exported(StrEnum):
    """What can be exported."""

    FEATURES = "features"
    ANOMALIES = "anomalies"
    ALERTS = "alerts"


class ExportFormat(StrEnum):
    """Form of an export."""

    JSONL = "jsonl"
    CSV = "csv"


def export(path: Path, what: Exported, fmt: ExportFormat = ExportFormat.JSONL) -> Iterator[bytes]:
    """Give the canonical export of a run, line by line with line ends.

    JSON lines are the wire's objects, keys sorted; a minute is a row of window ``minute``. In CSV,
    features are long, one line per number (``kind`` is ``value`` or ``coverage``), so the columns
    are the same for every run and ``DataFrame.pivot`` gives any table; anomalies and alerts have a
    line each, with an alert's reasons as JSON.

    Raises
    ------
    BadInput
        When ``path`` does not hold results of Wakeline.
    """
    with open_run(path) as connection:
        lines = canonical_lines(connection, what)
        if fmt is ExportFormat.JSONL:
            yield from map(_json_line, lines)
        else:
            yield from _csv_lines(lines, what)


def canonical_lines(connection: sqlite3.Connection, what: Exported) -> Iterator[Line]:
    """Give the lines of the export in their order.

    Features go by (user, window, start) with windows in the order minute, hour, night, day;
    anomalies by (user, window, start, detector, feature); alerts by id.
    """
    match what:
        case Exported.FEATURES:
            return _features(connection)
        case Exported.ANOMALIES:
            return _anomalies(connection)
        case Exported.ALERTS:
            return _alerts(connection)


def minute_lines(rows: MinuteRows) -> Iterator[FeatureRow]:
    """Give the minutes of a subject-hour as feature rows; they have no coverage of their own."""
    for minute in rows.minutes:
        yield FeatureRow(
            user_id=rows.user_id,
            project_id=rows.project_id,
            care_team=rows.care_team,
            status=rows.status,
            window=WindowKind.MINUTE,
            start=minute.start,
            end=minute.start + MINUTE_S,
            local_date=rows.local_date,
            utc_offset=rows.utc_offset,
            values=minute.values,
            coverage={},
            revision=rows.revision,
            settled=rows.settled,
            epoch=rows.epoch,
        )


def _features(connection: sqlite3.Connection) -> Iterator[Line]:
    # Reading one person and window at a time follows the primary key: nothing has to be sorted.
    for user_id in _users(connection):
        yield from _minutes(connection, user_id)
        for window in (WindowKind.HOUR, WindowKind.NIGHT, WindowKind.DAY):
            bodies = connection.execute(
                "SELECT body FROM features WHERE user_id = ? AND window = ? AND settled"
                " ORDER BY at",
                (user_id, window.value),
            )
            yield from (_canonical(msgspec.json.decode(body)) for (body,) in bodies)


def _users(connection: sqlite3.Connection) -> list[str]:
    users = connection.execute(
        "SELECT user_id FROM features UNION SELECT user_id FROM minutes"
        " UNION SELECT user_id FROM anomalies ORDER BY user_id"
    )
    return [user_id for (user_id,) in users]


def _minutes(connection: sqlite3.Connection, user_id: str) -> Iterator[Line]:
    decode = msgspec.json.Decoder(MinuteRows).decode
    bodies = connection.execute(
        "SELECT body FROM minutes WHERE user_id = ? AND settled ORDER BY start", (user_id,)
    )
    for (body,) in bodies:
        for row in sorted(minute_lines(decode(body)), key=lambda row: row.start):
            yield _canonical(msgspec.to_builtins(row))


def _anomalies(connection: sqlite3.Connection) -> Iterator[Line]:
    for user_id in _users(connection):
        for window in WindowKind:
            bodies = connection.execute(
                "SELECT body FROM anomalies WHERE user_id = ? AND window = ? AND settled"
                " ORDER BY at, detector, feature",
                (user_id, window.value),
            )
            yield from (_canonical(msgspec.json.decode(body)) for (body,) in bodies)


def _alerts(connection: sqlite3.Connection) -> Iterator[Line]:
    (clock,) = connection.execute("SELECT min(time) FROM clocks").fetchone()
    bodies = connection.execute(
        "SELECT settled_body FROM alerts WHERE canonical AND (?1 IS NULL OR detected_at <= ?1)"
        " ORDER BY alert_id",
        (clock,),
    )
    return (_canonical(msgspec.json.decode(body)) for (body,) in bodies)


def _canonical(line: Line) -> Line:
    return {name: value for name, value in line.items() if name not in OPERATIONAL_FIELDS}


def _json_line(line: Line) -> bytes:
    return msgspec.json.encode(line, order="sorted") + b"\n"


_COLUMNS: dict[Exported, tuple[str, ...]] = {
    Exported.FEATURES: (
        *("projectId", "userId", "careTeam", "window", "start", "end", "localDate", "utcOffset"),
        *("kind", "name", "value"),
    ),
    Exported.ANOMALIES: (
        *("projectId", "userId", "careTeam", "window", "start", "end", "localDate"),
        *("detector", "feature", "score", "threshold", "state", "version"),
    ),
    Exported.ALERTS: (
        *("projectId", "userId", "careTeam", "alertId", "kind", "rule", "severity", "window"),
        *("start", "end", "localDate", "openedAt", "score", "threshold"),
        *("summary", "reasons", "missing", "modelVersions"),
    ),
}
"""Columns of the CSV form, by wire names."""


def _csv_lines(lines: Iterator[Line], what: Exported) -> Iterator[bytes]:
    columns = _COLUMNS[what]
    rows = chain.from_iterable(map(_numbers, lines)) if what is Exported.FEATURES else lines
    yield _csv_line(columns)
    for row in rows:
        yield _csv_line(_cell(row.get(column)) for column in columns)


def _numbers(line: Line) -> Iterator[Line]:
    """Give one row per value and per coverage of a feature row, by name."""
    for kind, numbers in (("value", line["values"]), ("coverage", line["coverage"])):
        for name, number in sorted(numbers.items()):
            yield line | {"kind": kind, "name": name, "value": number}


def _cell(value: object) -> object:
    if isinstance(value, list | dict):
        return msgspec.json.encode(value, order="sorted").decode()
    return value


def _csv_line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
