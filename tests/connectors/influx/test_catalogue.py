"""Goal: docs/RESULTS.md says what the catalogue says; method: generate it, ask its queries."""

import re
from pathlib import Path

import pytest

from connectors.influx.catalogue import (
    BEGIN_TABLES,
    END_TABLES,
    MEASUREMENTS,
    TAGS,
)
from streams.cli.contract import schema, with_current_results
from streams.errors import BadInput
from streams.settings import Settings
from tests.connectors.influx.pictures import make_buckets
from tests.servers.influx import InfluxServer

PAGE = Path(__file__).resolve().parents[3] / "docs" / "RESULTS.md"


def test_the_page_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_current_results(page), "run `make contract`"


def test_every_tag_has_a_meaning_and_every_setting_exists() -> None:
    assert {tag for measurement in MEASUREMENTS.values() for tag in measurement.tags} == set(TAGS)
    named = re.findall(r"`WAKELINE_(INFLUX_[A-Z_]+)`", PAGE.read_text(encoding="utf-8"))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_the_command_brings_the_page_up_to_date_and_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text(f"# Mine\n{BEGIN_TABLES}\nold\n{END_TABLES}\nend\n", encoding="utf-8")
    schema(page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Mine\n")
    assert text.endswith("\nend\n")
    assert "### `alert_feed`" in text
    assert "\nold\n" not in text
    page.write_text(f"{BEGIN_TABLES} without an end", encoding="utf-8")
    with pytest.raises(BadInput, match="lacks the comments"):
        schema(page)


@pytest.mark.influx
def test_the_queries_on_the_page_run(empty_influx: InfluxServer) -> None:
    make_buckets(empty_influx, "ward-a")
    found = re.findall(r"```sql\n-- (\S+)\n(.*?)\n```", PAGE.read_text(encoding="utf-8"))
    assert len(found) == 3
    for bucket, query in found:
        empty_influx.query(bucket, query)
