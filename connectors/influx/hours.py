"""The minutes of one subject-hour within a write: what messages say of them, and what must go."""

from collections.abc import Iterator

from connectors.influx import lines
from connectors.influx.known import CellKey, Minutes, Stored, minute_bit
from connectors.influx.lines import MINUTE_NS
from connectors.influx.work import Deletion, Work
from streams.events import MinuteRows


class HourPlan:
    """Takes messages about one hour; ``cell`` is brought up to date with each.

    A provisional message holds changed minutes only, each of which takes the place of an earlier
    one. The settled message holds all minutes, and takes the place of all there are.
    """

    def __init__(self, key: CellKey, cell: Minutes) -> None:
        self._key = key
        self._cell = cell
        self._before = dict(cell.stored)
        self._messages: list[tuple[MinuteRows, int]] = []
        self._is_replaced = False

    def take(self, rows: MinuteRows) -> None:
        """Take a message; a former owner's and a provisional one after the settled say nothing."""
        cell = self._cell
        if cell.stored and (cell.epoch > rows.epoch or (cell.is_settled and not rows.settled)):
            return
        if rows.settled:
            self._is_replaced = True
            self._messages.clear()
            cell.stored = {}
        masks = _masks(rows)
        said = 0
        for version, mask in masks.items():
            lasting = mask & ~_later(cell, version)
            if lasting:
                cell.put(version, lasting)
                said |= lasting
        self._messages = [(earlier, kept & ~said) for earlier, kept in self._messages]
        if said:
            self._messages.append((rows, said))

    def add_to(self, work: Work) -> None:
        """Add what is to be done."""
        gone = self._gone()
        if gone:
            for deletion in self._deletions(gone):
                work.delete(deletion)
        for rows, mask in self._messages:
            minutes = rows.minutes
            if mask.bit_count() < len(minutes):
                minutes = [m for m in minutes if mask & minute_bit(lines.time_ns(m.start))]
            texts = lines.minute_lines(rows, minutes)
            work.write(lines.minutes_bucket(rows.project_id), texts, rows)

    def _gone(self) -> int:
        """Minutes of which something would stay behind."""
        gone = 0
        after = self._cell.stored
        for old, old_mask in self._before.items():
            if self._is_replaced:
                gone |= old_mask
                for new, mask in after.items():
                    if not old.leaves_behind(new):
                        gone &= ~(old_mask & mask)
            else:
                for new, mask in after.items():
                    if old_mask & mask and old.leaves_behind(new):
                        gone |= old_mask & mask
        return gone

    def _deletions(self, gone: int) -> Iterator[Deletion]:
        # What replaces the hour is written whole, so that all between may go with what must.
        runs = [_span(gone)] if self._is_replaced else [*_runs(gone)]
        for site in sorted({version.described.site for version in self._before}):
            bucket = lines.minutes_bucket(site)
            for first, last in runs:
                first_ns = self._key.at_ns + first * MINUTE_NS
                last_ns = self._key.at_ns + last * MINUTE_NS
                yield Deletion(bucket, "minute", self._key.subject, first_ns, last_ns)


def _masks(rows: MinuteRows) -> dict[Stored, int]:
    """Minutes of a message as bits, by the version that they are stored in."""
    by_names: dict[frozenset[str], int] = {}
    for minute in rows.minutes:
        names = lines.minute_fields(minute.values)
        by_names[names] = by_names.get(names, 0) | minute_bit(lines.time_ns(minute.start))
    described = lines.described(rows)
    return {
        Stored(rows.epoch, rows.settled, rows.revision, described, names): mask
        for names, mask in by_names.items()
    }


def _later(cell: Minutes, version: Stored) -> int:
    """Minutes of which a later word is there."""
    later = 0
    for other, mask in cell.stored.items():
        if other[:3] > version[:3]:
            later |= mask
    return later


def _span(mask: int) -> tuple[int, int]:
    """First and last bit."""
    return (mask & -mask).bit_length() - 1, mask.bit_length() - 1


def _runs(mask: int) -> Iterator[tuple[int, int]]:
    """Neighbouring bits as pairs of first and last."""
    while mask:
        first = (mask & -mask).bit_length() - 1
        length = (~(mask >> first) & ((mask >> first) + 1)).bit_length() - 1
        yield first, first + length - 1
        mask &= ~(((1 << length) - 1) << first)
