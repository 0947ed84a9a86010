"""Tables of data sets: CSV files, plain or compressed, read column by name."""

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from connectors.compressed import read_line_blocks
from streams.errors import BadInput


class Table:
    """Some columns of a CSV file; iterate for the rows, as lists of text in order of ``columns``.

    Raises
    ------
    BadInput
        If the file cannot be read or lacks a column.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._columns = columns
        self._row_number = 1

    def __iter__(self) -> Iterator[list[str]]:
        """Rows of the file after its header."""
        rows = csv.reader(_text_lines(self._path))
        header = next(rows, [])
        missing = [column for column in self._columns if column not in header]
        if missing:
            raise BadInput(f"{self._path}: no column {', '.join(missing)}")
        places = [header.index(column) for column in self._columns]
        last = max(places)
        for row in rows:
            self._row_number += 1
            if len(row) <= last:
                raise BadInput(f"{self._path}, row {self._row_number}: too few columns")
            yield [row[place] for place in places]

    @property
    def row_number(self) -> int:
        """Number of the row that was read last; the header's is 1."""
        return self._row_number

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Turn a value that cannot be read into a refusal that names the row, not the value."""
        try:
            yield
        except ValueError as error:
            raise BadInput(
                f"{self._path}, row {self._row_number}: a value does not fit its column"
            ) from error


def columns_of(path: Path) -> list[str]:
    """Names of the columns of a CSV file; none if it is empty."""
    return next(csv.reader(_text_lines(path)), [])


def tables_in(path: Path, pattern: str = "*.csv") -> list[Path]:
    """CSV files (also compressed ones) in a folder and below, or the file itself, by name.

    Raises
    ------
    BadInput
        If there is no such file or folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadInput(f"{path}: no such file or folder")
    return sorted(found for end in ("", ".gz", ".zst") for found in path.rglob(pattern + end))


def number(text: str) -> float | None:
    """A number, or None where the table has none (empty or NaN).

    Raises
    ------
    ValueError
        If it is something else.
    """
    if not text:
        return None
    value = float(text)
    return None if math.isnan(value) else value


def _text_lines(path: Path) -> Iterator[str]:
    for block in read_line_blocks(path):
        try:
            yield from block.decode("utf-8-sig").splitlines(keepends=True)
        except UnicodeDecodeError as error:
            raise BadInput(f"{path}: not a table of text (UTF-8)") from error
