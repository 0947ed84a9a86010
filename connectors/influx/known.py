"""What is known to be stored, as far as decisions need it: versions of points, not their values.

Points that share subject, kind and time form a cell; the minutes of a subject-hour form one. What
a cell holds comes from what was written, or from reading the database. Memory is bounded: cells
that were not needed for longest are forgotten, and read again should they be needed.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from connectors.influx.lines import HOUR_NS, MINUTE_NS, Described
from streams.events import AlertStatus

CELLS_MAX = 100_000
"""Cells that are remembered, of 600 to 1,200 bytes: some 100 MB at most."""

NEVER = -1
"""Before all times, for subjects of whom nothing is stored (ns)."""

MINUTE = "minute"
ALERT = "alert"


class Stored(NamedTuple):
    """Version of the stored point of a row, an anomaly or a minute."""

    epoch: int
    settled: bool
    revision: int
    described: Described
    fields: frozenset[str]

    def yields_to(self, other: "Stored") -> bool:
        """Whether ``other`` may take its place; ties go to what comes later."""
        if other.epoch < self.epoch or other.settled < self.settled:
            return False
        return other[:3] >= self[:3]

    def leaves_behind(self, other: "Stored") -> bool:
        """Whether something of it stays when ``other`` is merely written over it."""
        return self.described != other.described or not self.fields <= other.fields


class StoredAlert(NamedTuple):
    """Version of the stored point of an alert; ``settled`` and ``confirmed`` once so are so."""

    epoch: int
    revision: int
    settled: bool
    confirmed: bool
    status: AlertStatus
    alert_id: str
    detected_at: float
    described: Described
    fields: frozenset[str]

    @property
    def is_pending(self) -> bool:
        """Whether it still needs its window to settle."""
        return not self.settled and self.status is not AlertStatus.WITHDRAWN

    def leaves_behind(self, other: "StoredAlert") -> bool:
        """Whether something of it stays when ``other`` is merely written over it."""
        return self.described != other.described or not self.fields <= other.fields


class CellKey(NamedTuple):
    """Names a cell. ``kind`` is a measurement, for anomalies with that of their row."""

    kind: str
    subject: str
    at_ns: int


class AnomalyPoint(NamedTuple):
    """Names an anomaly within its cell; ``feature`` is empty where it is about the whole row."""

    detector: str
    feature: str


class AlertPoint(NamedTuple):
    """Names an alert within its cell; ``window`` is empty where it is about none."""

    kind: str
    rule: str
    window: str


class Rows:
    """Cell of a row: one point at most."""

    __slots__ = ("stored",)

    def __init__(self, stored: Stored | None = None) -> None:
        self.stored = stored


class Anomalies:
    """Cell of the anomalies of a row."""

    __slots__ = ("stored",)

    def __init__(self) -> None:
        self.stored: dict[AnomalyPoint, Stored] = {}


class Alerts:
    """Cell of the alerts of one time."""

    __slots__ = ("stored",)

    def __init__(self) -> None:
        self.stored: dict[AlertPoint, StoredAlert] = {}


class Minutes:
    """Cell of a subject-hour: which minutes (as bits) are stored in which version."""

    __slots__ = ("stored",)

    def __init__(self) -> None:
        self.stored: dict[Stored, int] = {}

    @property
    def epoch(self) -> int:
        """Largest epoch in the hour."""
        return max((version.epoch for version in self.stored), default=0)

    @property
    def is_settled(self) -> bool:
        """Whether the hour has settled."""
        return any(version.settled for version in self.stored)

    def put(self, version: Stored, mask: int) -> None:
        """Let ``version`` take the place of whatever these minutes had."""
        for other, kept in [*self.stored.items()]:
            self._keep(other, kept & ~mask)
        self.stored[version] = self.stored.get(version, 0) | mask

    def _keep(self, version: Stored, mask: int) -> None:
        if mask:
            self.stored[version] = mask
        else:
            del self.stored[version]


Cell = Rows | Anomalies | Alerts | Minutes
C = TypeVar("C", Rows, Anomalies, Alerts, Minutes)


def new_cell(kind: str) -> Cell:
    """Make an empty cell."""
    if kind == MINUTE:
        return Minutes()
    if kind == ALERT:
        return Alerts()
    return Anomalies() if kind.startswith("anomaly/") else Rows()


def minute_bit(at_ns: int) -> int:
    """Bit of a minute within its hour."""
    return 1 << (at_ns % HOUR_NS // MINUTE_NS)


class Known:
    """Cells by key, and per subject and kind the latest time at which anything is stored.

    Parameters
    ----------
    cells_max
        How many cells are remembered once `shrink` was called.
    """

    def __init__(self, cells_max: int = CELLS_MAX) -> None:
        self._cells_max = cells_max
        self._cells: OrderedDict[CellKey, Cell] = OrderedDict()
        self._latest: OrderedDict[tuple[str, str], int] = OrderedDict()

    def emptied(self) -> "Known":
        """Give another one that knows nothing, of the same size."""
        return Known(self._cells_max)

    def __len__(self) -> int:
        return len(self._cells)

    def cell(self, key: CellKey, kind: type[C]) -> C:
        """Give a cell in order to change it; a new one is empty."""
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = kind()
            pair = key[:2]
            self._latest[pair] = max(self._latest.get(pair, NEVER), key.at_ns)
        assert isinstance(found, kind)
        return found

    def look(self, key: CellKey, kind: type[C]) -> C | None:
        """Give a cell in order to look at it; None if nothing is stored there."""
        found = self._cells.get(key)
        assert found is None or isinstance(found, kind)
        return found

    def unmet(self, keys: Iterable[CellKey]) -> set[CellKey]:
        """Of subjects and kinds whose latest time is not known, one key each."""
        found = {key[:2]: key for key in keys if key[:2] not in self._latest}
        return {*found.values()}

    def met(self, kind: str, subject: str, latest_ns: int = NEVER) -> None:
        """Note the latest time at which anything is stored."""
        self._latest[kind, subject] = latest_ns

    def missing(self, keys: Iterable[CellKey]) -> list[CellKey]:
        """Cells that must be read; at times later than all that is stored there is nothing."""
        found = []
        for key in keys:
            if key in self._cells:
                self._cells.move_to_end(key)
            else:
                pair = key[:2]
                self._latest.move_to_end(pair)
                if key.at_ns <= self._latest[pair]:
                    found.append(key)
        return found

    def add(self, key: CellKey, cell: Cell) -> None:
        """Remember a cell that was read."""
        self._cells[key] = cell

    def shrink(self) -> None:
        """Forget the cells that were not needed for longest, down to the number allowed."""
        while len(self._cells) > self._cells_max:
            self._cells.popitem(last=False)
        while len(self._latest) > self._cells_max:
            self._latest.popitem(last=False)

    def forget(self, keys: Iterable[CellKey | None] | None = None) -> None:
        """Forget some cells, or all that is known."""
        if keys is None:
            self._cells.clear()
            self._latest.clear()
            return
        for key in keys:
            if key is not None:
                self._cells.pop(key, None)
