"""Goal: memory stays bounded, and what is not remembered is read again; method: fill and ask."""

from connectors.influx.known import CellKey, Known, Minutes, Rows, Stored, minute_bit
from connectors.influx.lines import MINUTE_NS, Described

DESCRIBED = Described("study", "north", "unknown")


def _stored(epoch: int = 0, *, settled: bool = False, revision: int = 0) -> Stored:
    return Stored(epoch, settled, revision, DESCRIBED, frozenset({"settled"}))


def _key(number: int, subject: str = "alder") -> CellKey:
    return CellKey("hour", subject, number)


def test_only_what_is_not_later_than_all_that_is_stored_has_to_be_read() -> None:
    known = Known()
    assert known.unmet([_key(5), _key(9)]) == {_key(9)}
    known.met("hour", "alder", 7)
    assert known.unmet([_key(5)]) == set()
    assert known.missing([_key(5), _key(7), _key(8)]) == [_key(5), _key(7)]
    assert known.look(_key(8), Rows) is None
    known.cell(_key(8), Rows).stored = _stored()
    assert known.missing([_key(8)]) == []


def test_cells_not_needed_for_longest_go_first_and_are_read_again() -> None:
    known = Known(cells_max=3)
    known.met("hour", "alder")
    for number in range(5):
        known.cell(_key(number), Rows).stored = _stored()
    known.missing([_key(0)])  # is needed, and so goes last
    known.shrink()
    assert len(known) == 3
    assert known.missing([_key(number) for number in range(5)]) == [_key(1), _key(2)]


def test_forgotten_is_forgotten_whole_or_cell_by_cell() -> None:
    known = Known()
    known.met("hour", "alder")
    for number in (1, 2):
        known.cell(_key(number), Rows).stored = _stored()
    known.forget([_key(1), None])
    assert known.missing([_key(1), _key(2)]) == [_key(1)]
    known.forget()
    assert known.unmet([_key(2)]) == {_key(2)}
    assert len(known) == 0


def test_minutes_of_an_hour_are_kept_by_version() -> None:
    hour = Minutes()
    first, second = _stored(), _stored(1, settled=True, revision=3)
    hour.put(first, 0b1111)
    hour.put(second, 0b0110)
    assert hour.stored == {first: 0b1001, second: 0b0110}
    assert (hour.epoch, hour.is_settled) == (1, True)
    hour.put(first, 0b0110)
    assert hour.stored == {first: 0b1111}
    assert minute_bit(59 * MINUTE_NS) == 1 << 59
