"""Tables of daily features as settled rows, for studies that publish no raw data.

A map says which column is which feature. Rows go through the same detection as those of the
pipeline, each night before the day of its date.
"""

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Struct

from detectors.cohort import Cohort
from detectors.terms import DATED_WINDOWS
from streams.config import PipelineConfig
from streams.detection import Detection
from streams.events import (
    FeatureRow,
    LocalTime,
    Output,
    SubjectStatus,
    WindowKind,
    local_time_minutes,
)
from streams.feature_names import refuse_unknown_feature
from streams.features.base import Bounds
from streams.localtime import (
    OffsetLog,
    date_index,
    date_of_index,
    first_reached,
    is_time_zone,
    zone_offset_min,
)
from streams.windows import due_s

DAY_MIN = 1_440

Cells = Mapping[str, str]
"""Cells of one line of a table, by column."""

Values = dict[str, float]


class FeatureMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a feature comes from: ``column``, or the ``sum`` of those columns that have a value.

    ``per`` divides it by another column. The value is that times ``scale`` plus ``offset``, in the
    feature's unit; below ``min`` or above ``max`` it is absent, as it is where a cell is empty.
    """

    column: str | None = None
    sum: tuple[str, ...] = ()
    per: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    min: float = -math.inf
    max: float = math.inf

    def __post_init__(self) -> None:
        """Refuse a map that names no column, or both one and several to sum."""
        if (self.column is None) != bool(self.sum):
            raise ValueError("either column or sum is needed")

    @property
    def sources(self) -> tuple[str, ...]:
        """Columns whose values are summed."""
        return self.sum if self.column is None else (self.column,)


class TableMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a table is read.

    ``user`` and ``date`` (ISO, of a night its morning's) name columns. Local days are those of
    ``time_zone`` (IANA), nights begin at ``day_start``. ``project``, ``care_team`` and
    ``device_type`` are what the rows carry. ``night`` and ``day`` give the features of each
    window, by name.
    """

    user: str
    date: str
    time_zone: str = "UTC"
    day_start: LocalTime = "12:00"
    project: str = "table"
    care_team: str = "table"
    device_type: str | None = None
    night: dict[str, FeatureMap] = {}
    day: dict[str, FeatureMap] = {}

    def __post_init__(self) -> None:
        """Refuse a zone that is none, and a map without a feature, or of one that is not known."""
        if not is_time_zone(self.time_zone):
            raise ValueError(f"{self.time_zone!r} is not a time zone")
        if not (self.night or self.day):
            raise ValueError("a feature is needed, such as [night.sleep_duration_min]")
        for window, features in ((WindowKind.NIGHT, self.night), (WindowKind.DAY, self.day)):
            for name in features:
                refuse_unknown_feature(window, name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the table must have, each once."""
        maps = [*self.night.values(), *self.day.values()]
        named = [name for each in maps for name in (*each.sources, each.per) if name is not None]
        return tuple(dict.fromkeys((self.user, self.date, *named)))


class Line(Struct, frozen=True):
    """What a table says of one person on one date (days since the epoch)."""

    user_id: str
    date: int
    values: dict[WindowKind, Values]


def table_map(data: bytes) -> TableMap:
    """Decode a map (TOML).

    Raises
    ------
    ValueError
        When the bytes are no map: with what is wrong, and where.
    """
    return msgspec.toml.decode(data, type=TableMap)


def line_of(cells: Cells, mapped: TableMap) -> Line:
    """Read one line of a table.

    Raises
    ------
    ValueError
        When a cell is no number or no date.
    """
    return Line(
        cells[mapped.user],
        date_index(dt.date.fromisoformat(cells[mapped.date][:10])),
        {
            WindowKind.NIGHT: _values(cells, mapped.night),
            WindowKind.DAY: _values(cells, mapped.day),
        },
    )


def settled_rows(lines: Iterable[Line], mapped: TableMap) -> Iterator[FeatureRow]:
    """Rows of a table, person by person, in order of date, the night before the day.

    Between a person's first and last date, one without a line has rows without values. Each person
    and date has at most one line.
    """
    people: dict[str, dict[int, dict[WindowKind, Values]]] = {}
    for line in lines:
        people.setdefault(line.user_id, {})[line.date] = line.values
    for user_id, dates in sorted(people.items()):
        for date in range(min(dates), max(dates) + 1):
            for window in DATED_WINDOWS:
                values = dates[date][window] if date in dates else {}
                yield _row(user_id, date, mapped, window=window, values=values)


def detect(
    rows: Iterable[FeatureRow], config: PipelineConfig, cohort: Cohort
) -> Iterator[list[Output]]:
    """What the pipeline would say of settled rows: each one, its anomalies and its alerts.

    Parameters
    ----------
    rows
        As `settled_rows` gives them: all rows of a person one after the other.
    config, cohort
        What results are a function of, beside the rows.
    """
    user_id: str | None = None
    detection = Detection(config.detection, cohort, config.projects)
    for row in rows:
        if row.user_id != user_id:
            user_id = row.user_id
            detection = Detection(config.detection, cohort, config.projects)
        due = due_s(Bounds(row.window, 0, 0, date_index(row.local_date), ""), config.lateness_s)
        yield [row, *detection.settle(row, due, due)]


def _values(cells: Cells, features: Mapping[str, FeatureMap]) -> Values:
    found = {name: _value(cells, each) for name, each in features.items()}
    return {name: value for name, value in sorted(found.items()) if value is not None}


def _value(cells: Cells, feature: FeatureMap) -> float | None:
    known = [value for name in feature.sources if (value := _number(cells[name])) is not None]
    if not known:
        return None
    value = math.fsum(known)
    if feature.per is not None:
        divisor = _number(cells[feature.per])
        if not divisor:
            return None
        value /= divisor
    value = value * feature.scale + feature.offset
    return value if feature.min <= value <= feature.max else None


def _number(text: str) -> float | None:
    """A finite number, or None where the table has none."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _row(
    user_id: str, date: int, mapped: TableMap, *, window: WindowKind, values: Values
) -> FeatureRow:
    is_night = window is WindowKind.NIGHT
    clock_min = local_time_minutes(mapped.day_start) if is_night else 0
    first, last = (date - 1, date) if is_night else (date, date + 1)
    start, stop = (_reached(each, clock_min, mapped.time_zone) for each in (first, last))
    return FeatureRow(
        user_id=user_id,
        project_id=mapped.project,
        care_team=mapped.care_team,
        device_type=mapped.device_type,
        status=SubjectStatus.ENROLLED,
        window=window,
        start=start * 60.0,
        end=stop * 60.0,
        local_date=date_of_index(date),
        utc_offset=zone_offset_min(mapped.time_zone, stop // 15) * 60,
        values=values,
        coverage={},
        settled=True,
    )


def _reached(date: int, clock_min: int, zone: str) -> int:
    earliest = (date - 2) * DAY_MIN
    return first_reached(date, clock_min, not_before=earliest, log=OffsetLog(), zone=zone)
