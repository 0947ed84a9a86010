"""Goal: a table that cannot be used is refused by one line. Method: damaged tables."""

import gzip
from pathlib import Path

import pytest

from connectors.importers.tables import Table, number
from streams.errors import BadInput


def test_columns_are_found_by_name_in_plain_and_compressed_tables(tmp_path: Path) -> None:
    content = '\ufeffa,b,c\r\n1,"2, or\n3",\r\n4,5,6\r\n'.encode()
    for name, written in (("t.csv", content), ("t.csv.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(written)
        assert list(Table(tmp_path / name, ("c", "b"))) == [["", "2, or\n3"], ["6", "5"]]


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for content, reason in (
        (b"a\n1\n", "no column b"),
        (b"", "no column a, b"),
        (b"a,b\n1\n", "row 2: too few columns"),
        (b"a,b\n\xff,\xfe\n", "not a table of text"),
        (gzip.compress(b"a,b\n1,2\n")[:-4], "cut off"),
    ):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=reason):
            list(Table(path, ("a", "b")))


def test_empty_cells_and_nan_are_no_numbers() -> None:
    assert [number(text) for text in ("", "nan", "0.0", "-2")] == [None, None, 0.0, -2.0]
