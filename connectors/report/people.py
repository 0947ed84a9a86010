"""What a run holds of each person, read and put in order for the page."""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
from msgspec import Struct

from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    AnomalyState,
    FeatureRow,
    MinuteRows,
    MinuteValues,
    Severity,
    WindowKind,
)

MINUTES_SHOWN_S = 7 * 86_400.0
"""Time before a person's last heart-rate minute that is shown minute by minute (s)."""

HOURS_READ = 7 * 24
"""Hours of a person that are read to tell when they were last heard of."""

FRESH_DAYS = 3
"""Days within which there must be data before a page says that no change was found."""

ATTENTION_STATUSES = frozenset({AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED})
"""Statuses of alerts that are not closed."""

_KIND_RANKS = {
    AlertKind.LIMIT: 0,
    AlertKind.CLINICAL: 1,
    AlertKind.DATA: 2,
    AlertKind.OPERATIONAL: 3,
}


class State(StrEnum):
    """What can be said of a person without open alerts; never that they are well."""

    LEARNING = "learning"
    NOT_ENOUGH_DATA = "not enough data"
    NO_CHANGE_FOUND = "no change found"


class Span(Struct, frozen=True):
    """Local dates from ``first`` to ``last``, both included."""

    first: dt.date
    last: dt.date


class Person(Struct, frozen=True):
    """Rows, minutes and alerts of one person, in order of time; alerts by urgency.

    ``learning`` gives per (window, feature) the dates on which it was still being learned.
    ``last_data_at`` (s UTC) is when they were last heard of; None when they never were.
    ``utc_offset_s`` is that of the last minutes (s east of UTC).
    """

    user_id: str
    project_id: str
    care_team: str
    nights: list[FeatureRow]
    days: list[FeatureRow]
    minutes: list[MinuteValues]
    utc_offset_s: int
    alerts: list[Alert]
    learning: dict[tuple[WindowKind, str], list[Span]]
    state: State
    last_data_at: float | None

    @property
    def open_alerts(self) -> list[Alert]:
        """Alerts that are not closed, the most urgent first."""
        return [alert for alert in self.alerts if alert.status in ATTENTION_STATUSES]


class _Judgement(Struct, rename="camel"):
    """The part of an anomaly that tells whether its feature was still being learned."""

    window: WindowKind
    local_date: dt.date
    state: AnomalyState
    feature: str | None = None


def run_clock_s(connection: sqlite3.Connection) -> float:
    """Give the instant up to which the run has heard everything (s UTC); ages count from it."""
    (clock,) = connection.execute("SELECT min(time) FROM clocks").fetchone()
    if clock is None:
        bodies = connection.execute("SELECT body FROM features")
        clock = max((_row(body).end for (body,) in bodies), default=0.0)
    return float(clock)


def user_ids(connection: sqlite3.Connection) -> list[str]:
    """Give everybody of whom the run holds a row, minutes or an alert."""
    users = connection.execute(
        "SELECT user_id FROM features UNION SELECT user_id FROM minutes"
        " UNION SELECT user_id FROM alerts ORDER BY user_id"
    )
    return [user_id for (user_id,) in users]


def read_person(connection: sqlite3.Connection, user_id: str, now: float) -> Person:
    """Read one person as of ``now`` (s UTC), provisional rows included."""
    nights, days = (_rows(connection, user_id, kind) for kind in (WindowKind.NIGHT, WindowKind.DAY))
    judgements = _judgements(connection, user_id)
    alerts = _alerts(connection, user_id)
    rows = [*nights, *days, *_last_hours(connection, user_id)]
    last_data_at = max(_last_data(rows), default=None)
    told: list[FeatureRow | Alert] = [*rows, *alerts]
    places = [(each.project_id, each.care_team) for each in told]
    project_id, care_team = places[0] if places else ("", "")
    hours = _minutes(connection, user_id)
    # Of provisional messages the later revision of a minute stays.
    minutes = {minute.start: minute for hour in hours for minute in hour.minutes}
    return Person(
        user_id=user_id,
        project_id=project_id,
        care_team=care_team,
        nights=nights,
        days=days,
        minutes=[minutes[start] for start in sorted(minutes)],
        utc_offset_s=hours[-1].utc_offset if hours else 0,
        alerts=sorted(alerts, key=urgency),
        learning=_learning(judgements),
        state=_state(judgements, last_data_at, now),
        last_data_at=last_data_at,
    )


def urgency(alert: Alert) -> tuple[bool, int, float]:
    """Order alerts: URGENT first, then limits, changes, missing data, and the newest first."""
    is_watch = alert.severity is not Severity.URGENT
    return (is_watch, _KIND_RANKS[alert.kind], -alert.opened_at)


def by_attention(people: Iterable[Person]) -> list[Person]:
    """Order the people who have open alerts by their most urgent one."""
    waiting = [person for person in people if person.open_alerts]
    return sorted(waiting, key=lambda person: (urgency(person.open_alerts[0]), person.user_id))


def _row(body: bytes) -> FeatureRow:
    return msgspec.json.decode(body, type=FeatureRow)


def _rows(connection: sqlite3.Connection, user_id: str, window: WindowKind) -> list[FeatureRow]:
    bodies = connection.execute(
        "SELECT body FROM features WHERE user_id = ? AND window = ? ORDER BY at",
        (user_id, window.value),
    )
    decode = msgspec.json.Decoder(FeatureRow).decode
    return [decode(body) for (body,) in bodies]


def _last_hours(connection: sqlite3.Connection, user_id: str) -> list[FeatureRow]:
    bodies = connection.execute(
        "SELECT body FROM features WHERE user_id = ? AND window = 'hour' ORDER BY at DESC LIMIT ?",
        (user_id, HOURS_READ),
    )
    return [_row(body) for (body,) in bodies]


def _minutes(connection: sqlite3.Connection, user_id: str) -> list[MinuteRows]:
    bodies = connection.execute(
        "SELECT body FROM minutes WHERE user_id = ?1 AND start >= -?2 +"
        " (SELECT max(start) FROM minutes WHERE user_id = ?1) ORDER BY start, revision",
        (user_id, MINUTES_SHOWN_S),
    )
    decode = msgspec.json.Decoder(MinuteRows).decode
    return [decode(body) for (body,) in bodies]


def _alerts(connection: sqlite3.Connection, user_id: str) -> list[Alert]:
    bodies = connection.execute("SELECT body FROM alerts WHERE user_id = ?", (user_id,))
    decode = msgspec.json.Decoder(Alert).decode
    return [decode(body) for (body,) in bodies]


def _judgements(connection: sqlite3.Connection, user_id: str) -> list[_Judgement]:
    bodies = connection.execute(
        "SELECT body FROM anomalies WHERE user_id = ? AND window IN ('night', 'day') ORDER BY at",
        (user_id,),
    )
    decode = msgspec.json.Decoder(_Judgement).decode
    return [decode(body) for (body,) in bodies]


def _learning(judgements: Iterable[_Judgement]) -> dict[tuple[WindowKind, str], list[Span]]:
    # A date counts as learning only when no detector had an opinion on the feature yet.
    is_learning: dict[tuple[WindowKind, str], dict[dt.date, bool]] = {}
    for judgement in judgements:
        if judgement.feature is None:
            continue
        dates = is_learning.setdefault((judgement.window, judgement.feature), {})
        learning = judgement.state is AnomalyState.LEARNING
        dates[judgement.local_date] = dates.get(judgement.local_date, True) and learning
    return {key: list(_spans(dates)) for key, dates in is_learning.items()}


def _spans(is_learning: dict[dt.date, bool]) -> Iterator[Span]:
    run: list[dt.date] = []
    for date in sorted(is_learning):
        if is_learning[date]:
            run.append(date)
        elif run:
            yield Span(run[0], run[-1])
            run = []
    if run:
        yield Span(run[0], run[-1])


def _last_data(rows: Iterable[FeatureRow]) -> Iterator[float]:
    """Give when each row last heard of the person, as exactly as the row can tell (s UTC)."""
    for row in rows:
        silence_h = row.values.get("silence_h")
        if silence_h is not None:
            yield row.end - silence_h * 3_600.0
        elif any(share > 0 for share in row.coverage.values()) or row.values:
            yield row.end


def _state(judgements: list[_Judgement], last_data_at: float | None, now: float) -> State:
    if last_data_at is None or now - last_data_at > (FRESH_DAYS + 1) * 86_400.0:
        return State.NOT_ENOUGH_DATA
    if not judgements:
        return State.LEARNING
    last = max(judgement.local_date for judgement in judgements)
    recent = [each for each in judgements if (last - each.local_date).days < FRESH_DAYS]
    if all(judgement.state is AnomalyState.LEARNING for judgement in recent):
        return State.LEARNING
    return State.NO_CHANGE_FOUND
