"""Rows of windows that have not settled, as detection is told of them."""

from collections.abc import Callable, Container, Iterable, Mapping
from enum import Enum, IntFlag

from msgspec import Struct

from detectors.terms import DATED_WINDOWS, SCORED_WINDOWS
from streams.events import FeatureRow, Output, WindowKind


class UnsettledRow(Struct, frozen=True):
    """A row that may still change, and the clock (s UTC) when it was last said.

    ``is_news``: that was just now.
    """

    row: FeatureRow
    said_s: float
    is_news: bool = True

    @property
    def is_dated(self) -> bool:
        """Whether it is of a night or day."""
        return self.row.window in DATED_WINDOWS


class Place(Enum):
    """Where a row lies among those of hours, or of nights and days, that were said before."""

    AFTER = "after all of them"
    LAST = "it is the last of them"
    WITHIN = "others follow"


UnsettledOf = Callable[[Container[WindowKind]], Iterable[UnsettledRow]]
"""Kinds of window -> all unsettled rows of these, in the order in which they will settle."""


class Reach(IntFlag):
    """What of the unsettled rows has to be looked at anew, beside those that were just said.

    Hours and dates (nights and days) change nothing of what the others tell.
    """

    NEWS = 0
    HOURS = 1
    DATES = 2
    ALL = 3


KINDS_OF: Mapping[Reach, Container[WindowKind]] = {
    Reach.NEWS: (),
    Reach.HOURS: (WindowKind.HOUR,),
    Reach.DATES: DATED_WINDOWS,
    Reach.ALL: SCORED_WINDOWS,
}


class Said(Struct):
    """What was just said of unsettled windows: all of it, and its rows.

    ``reach``: what else may read otherwise now. ``is_revised``: a row was said before with other
    values; ``retakes``: the last of all nights and days was.
    """

    outputs: list[Output] = []
    rows: list[UnsettledRow] = []
    reach: Reach = Reach.NEWS
    is_revised: bool = False
    retakes: bool = False

    def add(self, unsettled: UnsettledRow, place: Place) -> None:
        """Say a row that has its place among those that were said before."""
        self.outputs.append(unsettled.row)
        self.rows.append(unsettled)
        if place is Place.LAST and unsettled.is_dated:
            self.retakes = True
        elif place is not Place.AFTER:
            self.reach |= Reach.DATES if unsettled.is_dated else Reach.HOURS
