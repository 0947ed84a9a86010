"""Rows of windows that have not settled, as detection is told of them."""

from collections.abc import Callable, Container, Iterable
from enum import IntEnum

from msgspec import Struct

from detectors.terms import DATED_WINDOWS
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


UnsettledOf = Callable[[Container[WindowKind]], Iterable[UnsettledRow]]
"""Kinds of window -> all unsettled rows of these, in the order in which they will settle."""


class Reach(IntEnum):
    """How much of what is unsettled has to be looked at: what was just said, and what beside it."""

    NEWS = 0
    DATES = 1
    ALL = 2


class Said(Struct):
    """What was just said of unsettled windows: all of it, and its rows.

    ``reach``: what else may read otherwise now; just the rows where each is of a window after all
    of its kind that were said before. ``is_revised``: a row was said before with other values.
    """

    outputs: list[Output] = []
    rows: list[UnsettledRow] = []
    reach: Reach = Reach.NEWS
    is_revised: bool = False

    def add(self, unsettled: UnsettledRow, *, follows: bool) -> None:
        """Say a row."""
        self.outputs.append(unsettled.row)
        self.rows.append(unsettled)
        if not follows:
            self.reach = max(self.reach, Reach.DATES if unsettled.is_dated else Reach.ALL)
