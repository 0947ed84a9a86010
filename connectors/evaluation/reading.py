"""What a run, a file of labels and a file of groups hold, as evaluation needs it."""

import csv
import datetime as dt
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from connectors.evaluation.figures import Label
from connectors.importers.tables import Table, columns_of
from connectors.recordings import inspect_recordings, read_recordings
from streams.errors import BadInput
from streams.events import (
    ENVELOPE_TYPES,
    SCHEMA_OF_TYPE,
    TOPIC_OF_SCHEMA,
    AlertKind,
    AnomalyState,
    Subject,
)

T = TypeVar("T")

GROUP_COLUMNS = ("userId", "group", "value")
"""Columns of a table of groups."""

WATCHES = "level_shift"
"""The detector that says of each night and day whether something past warm-up was told."""

Groups = dict[str, dict[str, str]]
"""User -> group, such as ``sex`` -> value."""


class Scored(Struct, frozen=True):
    """Highest score of a detector for a person on a date, and whether any was anomalous."""

    score: float
    is_anomalous: bool


class RunContent(Struct, frozen=True):
    """What a run says of people, by user and date (proleptic ordinal).

    ``watched`` are dates as a budget counts them: on which something was told of a feature that has
    warmed up, whichever detectors are compared. ``scores`` per detector, on watched dates and past
    its own warm-up; a detector without one is not in it.
    ``alerts`` are the dates on which CLINICAL alerts opened, one that continues another left out.
    """

    watched: dict[str, set[int]]
    scores: dict[str, dict[str, dict[int, Scored]]]
    alerts: dict[str, list[int]]


class _Judgement(Struct, rename="camel"):
    user_id: str
    local_date: dt.date
    detector: str
    state: AnomalyState
    score: float


class _Rang(Struct, rename="camel"):
    user_id: str
    local_date: dt.date
    kind: AlertKind
    continues: str | None = None


def read_run(connection: sqlite3.Connection) -> RunContent:
    """Read settled scores and clinical alerts of a run, withdrawn ones included."""
    scores: dict[str, dict[str, dict[int, Scored]]] = {}
    for judgement in _bodies(connection, "anomalies WHERE settled", _Judgement):
        if judgement.state is AnomalyState.LEARNING:
            continue
        dates = scores.setdefault(judgement.detector, {}).setdefault(judgement.user_id, {})
        date = judgement.local_date.toordinal()
        known = dates.get(date, Scored(0.0, is_anomalous=False))
        is_anomalous = judgement.state is AnomalyState.ANOMALOUS
        dates[date] = Scored(max(known.score, judgement.score), known.is_anomalous or is_anomalous)
    alerts: dict[str, list[int]] = defaultdict(list)
    for rang in _bodies(connection, "alerts", _Rang):
        if rang.kind is AlertKind.CLINICAL and rang.continues is None:
            alerts[rang.user_id].append(rang.local_date.toordinal())
    watched = {user_id: set(dates) for user_id, dates in scores.get(WATCHES, {}).items()}
    return RunContent(watched, _on_watched(scores, watched), dict(alerts))


def _on_watched(
    scores: Mapping[str, Mapping[str, Mapping[int, Scored]]], watched: Mapping[str, set[int]]
) -> dict[str, dict[str, dict[int, Scored]]]:
    """Scores on watched dates, by detector that has any, in order of name."""
    found: dict[str, dict[str, dict[int, Scored]]] = {}
    for name, people in sorted(scores.items()):
        for user_id, dates in people.items():
            own = {date: dates[date] for date in dates if date in watched.get(user_id, ())}
            if own:
                found.setdefault(name, {})[user_id] = own
    return found


def _bodies(connection: sqlite3.Connection, of: str, kind: type[T]) -> Iterable[T]:
    # The texts are those above and nobody's input.
    bodies = connection.execute(f"SELECT body FROM {of}")  # noqa: S608
    decode = msgspec.json.Decoder(kind).decode
    return (decode(body) for (body,) in bodies)


def read_labels(path: Path) -> list[Label]:
    """Read labels from a CSV with userId, start, end (local dates, both included) and label.

    Raises
    ------
    BadInput
        If the file cannot be read, has no label, or one ends before it starts.
    """
    table = Table(path, ("userId", "start", "end", "label"))
    labels: list[Label] = []
    with table.refusing():
        for user_id, start, end, label in table:
            first, last = (dt.date.fromisoformat(text).toordinal() for text in (start, end))
            if last < first:
                raise BadInput(f"{path}, row {len(labels) + 2}: a label ends before it starts")
            labels.append(Label(user_id=user_id, start=first, end=last, label=label))
    if not labels:
        raise BadInput(f"{path}: no label in it")
    return labels


def read_groups(path: Path) -> Groups:
    """Read groups from a CSV with userId, group and value, or from a recording's registry.

    Raises
    ------
    BadInput
        If it is neither, or has no groups.
    """
    groups = _groups_of_recording(path) if _is_recording(path) else _groups_of_table(path)
    if not any(groups.values()):
        raise BadInput(f"{path}: no groups in it")
    return groups


def _is_recording(path: Path) -> bool:
    """Whether a file is to be read as messages, not as a table."""
    try:
        columns = columns_of(path)
    except csv.Error:
        return True  # a message can be longer than a cell of a CSV
    return bool(columns) and columns[0].startswith("{")


def _groups_of_table(path: Path) -> Groups:
    if not set(GROUP_COLUMNS) <= set(columns_of(path)):
        raise BadInput(
            f"{path}: neither a CSV with the columns {', '.join(GROUP_COLUMNS)} nor a recording"
        )
    groups: Groups = defaultdict(dict)
    for user_id, group, value in Table(path, GROUP_COLUMNS):
        groups[user_id][group] = value
    return dict(groups)


def _groups_of_recording(path: Path) -> Groups:
    """What the registry says in the end; a message that is no registration is passed over."""
    schema = SCHEMA_OF_TYPE[Subject]
    decode = msgspec.json.Decoder(ENVELOPE_TYPES[schema]).decode
    groups: Groups = {}
    for message in read_recordings(inspect_recordings([path]).paths):
        if message.topic != TOPIC_OF_SCHEMA[schema] or message.value is None:
            continue
        try:
            records: list[Subject] = decode(message.value).records
        except msgspec.DecodeError:
            continue
        groups |= {record.user_id: record.groups for record in records}
    return groups
