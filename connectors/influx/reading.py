"""InfluxQL that reads what is stored of some cells, and its answers as cells: pure.

One statement serves all subjects that need the same span of time, as those of a tick do, and one
request holds many statements, so that a restart with thousands of subjects asks few questions.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from connectors.influx.known import (
    MINUTE,
    NEVER,
    AlertPoint,
    Alerts,
    Anomalies,
    AnomalyPoint,
    Cell,
    CellKey,
    Minutes,
    Rows,
    Stored,
    StoredAlert,
    minute_bit,
    new_cell,
)
from connectors.influx.lines import HOUR_NS, Described
from streams.events import AlertStatus

SUBJECTS_MAX = 100
"""Subjects in one statement."""

_SELECT_LATEST = 'SELECT last("settled") FROM "{}" WHERE {} GROUP BY "subject"'
_SELECT_CELLS = 'SELECT * FROM "{}" WHERE {} AND time >= {} AND time < {} GROUP BY *'

# Times of a subject further apart than this are asked for one by one, not all that lies between.
_GAP_NS = {MINUTE: 6 * HOUR_NS, "hour": 48 * HOUR_NS, "anomaly/hour": 48 * HOUR_NS}
_GAP_OF_DATES_NS = 31 * 24 * HOUR_NS

Series = dict[str, Any]
"""What InfluxQL answers: measurement, tags, columns and rows of values, times in ns."""


class Question(NamedTuple):
    """A statement, the database (bucket) it is for, and the kind of the cells it tells of."""

    bucket: str
    kind: str
    text: str


def latest_questions(needed: Iterable[tuple[CellKey, str]]) -> list[Question]:
    """Ask for the latest time at which anything is stored, by subject."""
    subjects: dict[tuple[str, str], set[str]] = {}
    for key, bucket in needed:
        subjects.setdefault((bucket, key.kind), set()).add(key.subject)
    return [
        Question(
            bucket,
            kind,
            _SELECT_LATEST.format(_measurement(kind), _condition(kind, some)),
        )
        for (bucket, kind), all_of in subjects.items()
        for some in _chunks(sorted(all_of))
    ]


def latest_times(series: Iterable[Series]) -> Iterator[tuple[str, int]]:
    """Read the answer: subject and time (ns)."""
    for one in series:
        yield one["tags"]["subject"], max(row[0] for row in one["values"])


def cell_questions(needed: Iterable[tuple[CellKey, str]]) -> list[Question]:
    """Ask for all points of some cells."""
    times: dict[tuple[str, str, str], list[int]] = {}
    for key, bucket in needed:
        times.setdefault((bucket, key.kind, key.subject), []).append(key.at_ns)
    subjects: dict[tuple[str, str, int, int], list[str]] = {}
    for (bucket, kind, subject), some in times.items():
        for first, last in _spans(sorted(some), _GAP_NS.get(kind, _GAP_OF_DATES_NS)):
            subjects.setdefault((bucket, kind, first, last), []).append(subject)
    return [
        Question(
            bucket,
            kind,
            _SELECT_CELLS.format(
                _measurement(kind), _condition(kind, chunk), first, last + _length_ns(kind)
            ),
        )
        for (bucket, kind, first, last), all_of in subjects.items()
        for chunk in _chunks(all_of)
    ]


class Reading:
    """The cells that were asked for, as answers fill them."""

    def __init__(self, keys: Iterable[CellKey]) -> None:
        self.cells: dict[CellKey, Cell] = {key: new_cell(key.kind) for key in keys}

    def take(self, question: Question, series: Iterable[Series]) -> None:
        """Take the answer to a question; what lies between the cells asked for is passed over."""
        for one in series:
            self._take_series(question, one["tags"], one["columns"], one["values"])

    def _take_series(
        self, question: Question, tags: dict[str, str], columns: list[str], rows: list[list[Any]]
    ) -> None:
        all_names = frozenset(columns) - {"time"}
        is_minute, subject = question.kind == MINUTE, tags["subject"]
        device_type = None if question.kind.startswith("anomaly/") else tags.get("device_type", "")
        described = Described(tags.get("site", ""), tags.get("team", ""), device_type)
        for row in rows:
            at_ns = row[0]
            key = CellKey(question.kind, subject, at_ns - at_ns % HOUR_NS if is_minute else at_ns)
            cell = self.cells.get(key)
            if cell is None:
                continue
            names = all_names
            if None in row:
                names = frozenset(n for n, v in zip(columns, row, strict=True) if v is not None)
                names -= {"time"}
            _put(cell, tags, _Point(dict(zip(columns, row, strict=True)), described, names))


class _Point(NamedTuple):
    values: dict[str, Any]
    described: Described
    names: frozenset[str]

    def stored(self) -> Stored:
        values = self.values
        return Stored(
            values["epoch"] or 0,
            bool(values["settled"]),
            values["revision"] or 0,
            self.described,
            self.names,
        )

    def stored_alert(self) -> StoredAlert:
        values = self.values
        return StoredAlert(
            values["epoch"] or 0,
            values["revision"] or 0,
            bool(values["settled"]),
            bool(values["confirmed"]),
            AlertStatus(values["status"]),
            str(values["alert_id"]),
            float(values["detected_at"] or 0.0),
            self.described,
            self.names,
        )


def _put(cell: Cell, tags: dict[str, str], point: _Point) -> None:
    match cell:
        case Minutes():
            version, bit = point.stored(), minute_bit(point.values["time"])
            for other, mask in [*cell.stored.items()]:
                if mask & bit:
                    version = _last(other, version)
            cell.put(version, bit)
        case Rows():
            cell.stored = _last(cell.stored, point.stored())
        case Anomalies():
            score = AnomalyPoint(tags["detector"], tags.get("feature", ""))
            cell.stored[score] = _last(cell.stored.get(score), point.stored())
        case Alerts():
            name = AlertPoint(tags["kind"], tags["rule"], tags.get("window", ""))
            alert, other_alert = point.stored_alert(), cell.stored.get(name)
            if other_alert is not None:
                alert = max(alert, other_alert, key=lambda one: one[:2])
                alert = alert._replace(described=_unlike(alert.described))
            cell.stored[name] = alert


def _last(one: Stored | None, other: Stored) -> Stored:
    """Give the last word of two; a worker that died between two steps can leave both behind."""
    if one is None:
        return other
    last = max(one, other, key=lambda version: version[:3])
    return last._replace(described=_unlike(last.described))


def _unlike(described: Described) -> Described:
    """Describe nobody, so that all of it goes once anything is written there."""
    return described._replace(team="")


def _measurement(kind: str) -> str:
    return kind.partition("/")[0]


def _condition(kind: str, subjects: Sequence[str]) -> str:
    names = " OR ".join(f'"subject" = {_quoted(subject)}' for subject in subjects)
    window = kind.partition("/")[2]
    and_window = f""" AND "window" = '{window}'""" if window else ""
    return f"({names}){and_window}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _length_ns(kind: str) -> int:
    """How much of time a cell covers."""
    return HOUR_NS if kind == MINUTE else 1


def _spans(times: Sequence[int], gap_ns: int) -> Iterator[tuple[int, int]]:
    """First and last of each run of ascending times without a larger gap."""
    first = last = NEVER
    for time in times:
        if first == NEVER:
            first = time
        elif time - last > gap_ns:
            yield first, last
            first = time
        last = time
    if first != NEVER:
        yield first, last


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + SUBJECTS_MAX] for start in range(0, len(names), SUBJECTS_MAX))
