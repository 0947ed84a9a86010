"""Why an alert is in one run and not, or differently, in another: what differs between the two.

Nothing is replayed here. What is said is what both runs hold: how they were made, and what the row
on which the alert opened scored in each.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from connectors.export import Line
from connectors.run_files import read_facts

SHOWN_DIGITS = 4
"""Significant digits of scores and thresholds in words; more where two would look alike."""

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

    @property
    def name(self) -> str:
        """Detector, and feature if there is one."""
        return " ".join(filter(None, (self.detector, self.feature)))


class AlertChanges:
    """Explains alerts that differ from run ``a`` to run ``b``."""

    def __init__(self, a: sqlite3.Connection, b: sqlite3.Connection) -> None:
        self._runs = a, b
        facts_a, facts_b = read_facts(a), read_facts(b)
        self.settings = list(_setting_changes(facts_a, facts_b))
        self._made = [*_made_differently(facts_a, facts_b), *map(_setting, self.settings)]

    def because(self, before: Line | None, after: Line | None) -> tuple[str, ...]:
        """What differs, in words; the alert as it is in each run, None where it is in one only."""
        alert = before or after
        assert alert is not None  # an alert that is in neither run is no difference
        found = [*_versions(before, after), *self._of_row(alert, is_gone=after is None)]
        found += [said for said in self._made if said not in found]
        return tuple(found)

    def _of_row(self, alert: Line, *, is_gone: bool) -> Iterator[str]:
        """What the row on which the alert opened scored in both runs."""
        before, after = (_scores(run, alert) for run in self._runs)
        own = before if is_gone else after
        features = {reason["feature"] for reason in alert.get("reasons", ())}
        named = [each for each in own.values() if each.feature in features] or [*own.values()]
        if not named:
            return
        top = max(named, key=lambda each: (each.score, each.name))
        key = top.detector, top.feature
        yield from _compared(top.name, before.get(key), after.get(key))


def _compared(name: str, before: Scored | None, after: Scored | None) -> Iterator[str]:
    if before is None or after is None:
        run, known = ("second", before) if after is None else ("first", after)
        score = "" if known is None else f", {_number(known.score)} in the other"
        yield f"{name}: no score in the {run} run{score}"
        return
    if before.threshold != after.threshold:
        yield f"threshold {_both(before.threshold, after.threshold)}"
    if before.version != after.version:
        yield f"{before.detector} {before.version} -> {after.version}"
    if before.score != after.score:
        yield f"{name}: score {_both(before.score, after.score)}"
    else:
        yield f"{name}: score {_number(before.score)} in both"
    if before.state != after.state:
        yield f"{name}: {before.state} -> {after.state}"
    elif (before.threshold, before.score) == (after.threshold, after.score):
        yield "the row was judged alike in both: rows, alerts or settings before it differ"


def _scores(run: sqlite3.Connection, alert: Line) -> dict[tuple[str, str | None], Scored]:
    """Scores of the row on which an alert opened, by detector and feature."""
    window = alert.get("window")
    at = alert["localDate"] if window in {"night", "day"} else alert["start"]
    bodies = run.execute(
        "SELECT body FROM anomalies WHERE user_id = ? AND window = ? AND at = ? AND settled",
        (alert["userId"], window, at),
    )
    scored = [msgspec.json.decode(body, type=Scored) for (body,) in bodies]
    return {(each.detector, each.feature): each for each in scored}


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
    while digits < 16 and f"{before:.{digits}g}" == f"{after:.{digits}g}":
        digits += 1
    return f"{before:.{digits}g} -> {after:.{digits}g}"


def _number(value: float) -> str:
    return f"{value:.{SHOWN_DIGITS}g}"
