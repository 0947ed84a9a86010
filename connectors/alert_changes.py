"""Why an alert is in one run and not, or differently, in another: what differs between the two.

Nothing is replayed here. What is said is what both runs hold: how they were made, and what the
detector that decides said in each of the rows on which the alert rests.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from connectors.export import Line
from connectors.run_files import read_facts

SHOWN_DIGITS = 4
"""Significant digits of scores and thresholds in words; more where two would look alike."""

_DECIDES = {"change_from_usual": "level_shift", "slow_change": "drift"}
"""Rule of a CLINICAL alert -> the detector of whole rows that decides, where it found something."""

_ANOMALOUS = "ANOMALOUS"
_DATED = frozenset({"night", "day"})

_IGNORED_SETTINGS = frozenset({"partitions"})
"""Settings on which no result depends."""


class SettingChange(Struct, frozen=True):
    """A setting of the configuration, such as ``detection.warm_up_days``, in both runs."""

    setting: str
    before: Any
    after: Any


class Scored(Struct, frozen=True, rename="camel"):
    """What a detector said of a feature of a row."""

    detector: str
    score: float
    threshold: float
    state: str
    version: str
    feature: str | None = None


class _Row(NamedTuple):
    """A row of a subject: its window, and its local date or start (s UTC)."""

    window: str
    at: str | float


class _Key(NamedTuple):
    """Who says something of a row, and of which feature."""

    detector: str
    feature: str | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, self))


class AlertChanges:
    """Explains alerts that differ from run ``a`` to run ``b``."""

    def __init__(self, a: sqlite3.Connection, b: sqlite3.Connection) -> None:
        self._runs = a, b
        facts_a, facts_b = read_facts(a), read_facts(b)
        self.settings = list(_setting_changes(facts_a, facts_b))
        self._made = [*_made_differently(facts_a, facts_b), *map(_setting, self.settings)]

    def because(self, before: Line | None, after: Line | None) -> tuple[str, ...]:
        """What differs, in words; the alert as it is in each run, None where it is in one only.

        First how the runs were made, then what the rows scored on which the alert rests.
        """
        alert = before or after
        assert alert is not None  # an alert that is in neither run is no difference
        said = [*_versions(before, after), *self._made]
        said += self._of_rows(after or alert, is_gone=after is None)
        return tuple(dict.fromkeys(said))

    def _of_rows(self, alert: Line, *, is_gone: bool) -> Iterator[str]:
        """What decided on the alert in both runs, in its row and those of its evidence."""
        if alert["kind"] != "CLINICAL":  # the others rest on no score
            return
        own = _scores(self._runs[0 if is_gone else 1], alert["userId"], _row_of(alert))
        deciding = _deciding(alert, own)
        looks = [(_row_of(alert), key) for key in deciding]
        if deciding and deciding[0].feature is None:
            looks += [(row, deciding[0]) for row in _evidence_rows(alert)]
        is_alike = True
        for number, (row, key) in enumerate(looks):
            before, after = (_scores(run, alert["userId"], row).get(key) for run in self._runs)
            if before != after or (number == 0 and before is not None):
                yield from _compared(f"{row.window} {when(row.at)}: {key}", before, after)
            is_alike = is_alike and before == after
        if looks and is_alike:
            yield "the row was judged alike in both: rows, alerts or settings before it differ"


def when(at: str | float) -> str:
    """When a row was: a local date as it is, a start (s UTC) to the minute."""
    if isinstance(at, str):
        return at
    return f"{dt.datetime.fromtimestamp(at, tz=dt.UTC):%Y-%m-%d %H:%M} UTC"


def _row_of(alert: Line) -> _Row:
    """The row on which an alert opened."""
    window = alert.get("window") or ""
    return _Row(window, alert["localDate"] if window in _DATED else alert["start"])


def _evidence_rows(alert: Line) -> list[_Row]:
    """Further nights and days that speak for an alert, in their order."""
    rows = {
        _Row(reason.get("window") or "", day["localDate"])
        for reason in alert.get("reasons", ())
        for day in reason.get("evidence", ())
    }
    # A night goes before the day of its date.
    return sorted(rows - {_row_of(alert)}, key=lambda row: (row.at, row.window != "night"))


def _deciding(alert: Line, own: Mapping[_Key, Scored]) -> list[_Key]:
    """Of whom the scores decided on an alert, the highest first.

    A detector of whole rows goes before the features on their own, which decide where it found
    nothing, so far from usual are they.
    """
    key = _Key(_DECIDES.get(alert["rule"], ""))
    whole = [key] if key in own else []
    features = {reason["feature"] for reason in alert.get("reasons", ())}
    named = sorted(
        (key for key in own if key.feature in features), key=lambda key: (-own[key].score, key)
    )
    for keys in (whole, named):
        unusual = [key for key in keys if own[key].state == _ANOMALOUS]
        if unusual:
            return unusual
    return whole or named[:1]


def _compared(name: str, before: Scored | None, after: Scored | None) -> Iterator[str]:
    """What was said of a row in both runs; not asked of one that neither scored."""
    if before is None or after is None:
        first, second = ("first", "second") if after is None else ("second", "first")
        known = before or after
        assert known is not None
        yield (
            f"{name} score {_number(known.score)}, threshold {_number(known.threshold)}, "
            f"{known.state} in the {first} run, not scored in the {second}"
        )
        return
    if before.version != after.version:
        yield f"{before.detector} {before.version} -> {after.version}"
    state = _change(before.state, after.state)
    score, threshold = (
        _both(before.score, after.score),
        _both(before.threshold, after.threshold),
    )
    yield f"{name} score {score}, threshold {threshold}, {state}"


def _scores(run: sqlite3.Connection, user_id: str, row: _Row) -> dict[_Key, Scored]:
    """Scores of a settled row, by detector and feature."""
    bodies = run.execute(
        "SELECT body FROM anomalies WHERE user_id = ? AND window = ? AND at = ? AND settled",
        (user_id, row.window, row.at),
    )
    scored = [msgspec.json.decode(body, type=Scored) for (body,) in bodies]
    return {_Key(each.detector, each.feature): each for each in scored}


def _versions(before: Line | None, after: Line | None) -> Iterator[str]:
    """Models that an alert names in both runs with different versions."""
    if before is None or after is None:
        return
    old, new = before.get("modelVersions", {}), after.get("modelVersions", {})
    for model in sorted(old.keys() & new.keys()):
        if old[model] != new[model]:
            yield f"{model} {old[model]} -> {new[model]}"


def _made_differently(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Code and cohort of the runs, where both say it."""
    for fact in ("wakeline", "cohort"):
        if fact in before and fact in after and before[fact] != after[fact]:
            yield f"{fact} {before[fact]} -> {after[fact]}"
    digests = before.get("cohort_digest"), after.get("cohort_digest")
    has_same_name = before.get("cohort") == after.get("cohort")
    if None not in digests and digests[0] != digests[1] and has_same_name:
        yield f"cohort {before.get('cohort')}: same name, other content"


def _setting_changes(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[SettingChange]:
    if "configuration" not in before or "configuration" not in after:
        return
    old, new = (_flat(msgspec.json.decode(each["configuration"])) for each in (before, after))
    for name in sorted((old.keys() | new.keys()) - _IGNORED_SETTINGS):
        if old.get(name) != new.get(name):
            yield SettingChange(name, old.get(name), new.get(name))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted name; lists stay whole."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _setting(change: SettingChange) -> str:
    name = change.setting.removeprefix("detection.")
    return f"setting {name} {_said(change.before)} -> {_said(change.after)}"


def _said(value: object) -> str:
    if isinstance(value, list) and all(isinstance(each, int | float) for each in value):
        return f"({', '.join(map(str, value))})"
    return "none" if value is None else msgspec.json.encode(value).decode()


def _both(before: float, after: float) -> str:
    digits = SHOWN_DIGITS
    while digits < 16 and before != after and f"{before:.{digits}g}" == f"{after:.{digits}g}":
        digits += 1
    return _change(f"{before:.{digits}g}", f"{after:.{digits}g}")


def _change(before: str, after: str) -> str:
    return f"{before} in both" if before == after else f"{before} -> {after}"


def _number(value: float) -> str:
    return f"{value:.{SHOWN_DIGITS}g}"
