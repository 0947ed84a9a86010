"""What differs between two runs: alerts and settled rows that are new, gone or changed.

Both runs are read side by side in the order of the canonical export, so memory stays small however
long they are.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from connectors.alert_changes import AlertChanges, SettingChange, when
from connectors.export import Exported, Line, canonical_lines
from connectors.run_files import open_run, read_facts

EXAMPLES_MAX = 1_000
"""Most differences of one kind that are kept one by one; all are counted."""

WINDOW_ORDER = {"minute": 0, "hour": 1, "night": 2, "day": 3}

Key = tuple[str | float, ...]


class FieldChange(Struct, frozen=True):
    """One field of a row, such as ``values.step_count``, before and after; absent is None."""

    field: str
    before: Any
    after: Any


class Entry(Struct, frozen=True):
    """One row or alert that differs; ``fields`` only where it is in both runs.

    ``because`` says of an alert what differs between the runs, and what decided on it in both.
    """

    user_id: str
    what: str
    when: str
    fields: tuple[FieldChange, ...] = ()
    because: tuple[str, ...] = ()


class Difference(Struct, frozen=True):
    """Differences of one kind of result; the lists end at ``EXAMPLES_MAX``, the counts do not."""

    new_count: int
    gone_count: int
    changed_count: int
    new: list[Entry]
    gone: list[Entry]
    changed: list[Entry]

    @property
    def count(self) -> int:
        """Number of differences."""
        return self.new_count + self.gone_count + self.changed_count


class Comparison(Struct, frozen=True):
    """What differs from the first run to the second; ``facts``: how the runs were made.

    ``settings`` are those of the configuration that differ, one by one.
    """

    alerts: Difference
    features: Difference
    anomalies: Difference
    facts: list[FieldChange]
    settings: list[SettingChange] = []

    @property
    def are_equal(self) -> bool:
        """Whether all settled results are the same, however the runs were made."""
        return not (self.alerts.count or self.features.count or self.anomalies.count)


def compare(run_a: Path, run_b: Path) -> Comparison:
    """Compare the settled results of two runs, from ``run_a`` to ``run_b``.

    Raises
    ------
    BadInput
        When one of the files does not hold results of Wakeline.
    """
    with open_run(run_a) as a, open_run(run_b) as b:
        changes = AlertChanges(a, b)
        return Comparison(
            alerts=_difference(a, b, Exported.ALERTS, changes.because),
            features=_difference(a, b, Exported.FEATURES),
            anomalies=_difference(a, b, Exported.ANOMALIES),
            facts=list(_field_changes(read_facts(a), read_facts(b))),
            settings=changes.settings,
        )


def _difference(
    a: sqlite3.Connection,
    b: sqlite3.Connection,
    what: Exported,
    because: Callable[[Line | None, Line | None], tuple[str, ...]] = lambda _, __: (),
) -> Difference:
    new: list[Entry] = []
    gone: list[Entry] = []
    changed: list[Entry] = []
    counts = {"new": 0, "gone": 0, "changed": 0}
    for before, after in _side_by_side(canonical_lines(a, what), canonical_lines(b, what), what):
        if before is None and after is not None:
            name, entries, entry = "new", new, _entry(after)
        elif after is None and before is not None:
            name, entries, entry = "gone", gone, _entry(before)
        elif before is not None and after is not None and before != after:
            name, entries, entry = "changed", changed, _entry(after, before)
        else:
            continue
        counts[name] += 1
        if len(entries) < EXAMPLES_MAX:
            entries.append(replace(entry, because=because(before, after)))
    return Difference(
        new_count=counts["new"],
        gone_count=counts["gone"],
        changed_count=counts["changed"],
        new=new,
        gone=gone,
        changed=changed,
    )


def _side_by_side(
    lines_a: Iterator[Line], lines_b: Iterator[Line], what: Exported
) -> Iterator[tuple[Line | None, Line | None]]:
    """Pair the lines of equal key; both come in the order of their keys."""
    a, b = next(lines_a, None), next(lines_b, None)
    while a is not None or b is not None:
        key_a = None if a is None else _key(a, what)
        key_b = None if b is None else _key(b, what)
        takes_a = key_b is None or (key_a is not None and key_a <= key_b)
        takes_b = key_a is None or (key_b is not None and key_b <= key_a)
        yield (a if takes_a else None, b if takes_b else None)
        a = next(lines_a, None) if takes_a else a
        b = next(lines_b, None) if takes_b else b


def _key(line: Line, what: Exported) -> Key:
    if what is Exported.ALERTS:
        return (line["alertId"],)
    window = line["window"]
    # Nights and days by date, as they are stored, so that a moved start is a change of one row.
    at = line["localDate"] if window in {"night", "day"} else line["start"]
    key = (line["userId"], WINDOW_ORDER[window], at)
    if what is Exported.ANOMALIES:
        return (*key, line["detector"], line.get("feature") or "")
    return key


def _entry(line: Line, before: Line | None = None) -> Entry:
    return Entry(
        user_id=line["userId"],
        what=_what(line),
        when=_when(line),
        fields=() if before is None else tuple(_field_changes(_flat(before), _flat(line))),
    )


def _what(line: Line) -> str:
    if "alertId" in line:
        return f"{line['kind']} {line['rule']}"
    if "detector" in line:
        return " ".join(filter(None, (line["window"], line["detector"], line.get("feature"))))
    return str(line["window"])


def _when(line: Line) -> str:
    return when(line["localDate"] if line["window"] in {"night", "day"} else line["start"])


def _field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for field in sorted(before.keys() | after.keys()):
        if before.get(field) != after.get(field):
            yield FieldChange(field, before.get(field), after.get(field))


def _flat(line: Line, prefix: str = "") -> Line:
    """Flatten nested objects, so that a change names the very value; lists stay whole."""
    flat: Line = {}
    for name, value in line.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
