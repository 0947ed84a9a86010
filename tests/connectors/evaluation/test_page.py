"""Goal: the page opens offline, holds the figures and claims nothing; method: read it as text."""

import datetime as dt
import html
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.evaluation.evaluate import CurvePoint, Eligible, Evaluation, GroupFigures
from connectors.evaluation.figures import Label, Person, figures
from connectors.evaluation.page import row_in_words, write_page
from streams.errors import BadInput

PEOPLE = [
    Person(user_id=f"p{index}", first=0, last=60, days=61, opened=(11,)) for index in range(5)
]
LABELS = [Label(user_id="p0", start=10, end=14, label="relapse")]
FOUND = figures(PEOPLE, LABELS, slack_days=1)
EVALUATION = Evaluation(
    slack_days=1,
    first=dt.date(2024, 1, 1),
    last=dt.date(2024, 3, 1),
    eligible=Eligible([person.user_id for person in PEOPLE], 1, 2),
    alerts=FOUND,
    detectors={"baseline<b>": FOUND},
    by_label={},
    groups=[GroupFigures("sex", "F", FOUND)],
    hidden=3,
    curves={"baseline<b>": [CurvePoint(0.9, 1.0, 0.5), CurvePoint(0.99, None, 0.0)]},
)


@pytest.fixture
def page(tmp_path: Path) -> str:
    output = tmp_path / "evaluation.html"
    size = write_page(EVALUATION, output, facts={"wakeline": "0.1.0"})
    assert size == output.stat().st_size
    return output.read_text()


def _figures(page: str) -> list[dict[str, Any]]:
    found = re.search(r'id="figures">(.*?)</script>', page)
    assert found is not None
    figures_of_page: list[dict[str, Any]] = msgspec.json.decode(found[1])
    return figures_of_page


def test_tables_hold_the_figures_with_their_intervals_and_counts(page: str) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", " ", page.split("<footer>", maxsplit=1)[0]))
    assert "100% (100% to 100%), 1 of 1" in text
    assert "20% (0% to 60%), 1 of 5" in text
    assert "sex: F" in text
    assert "3 group values with fewer than 5 people are not shown" in text
    assert "2 outside of them, which do not count" in text


def test_curve_has_a_line_per_detector_and_the_alerts_as_they_rang(page: str) -> None:
    curves, leads = _figures(page)
    line, point = curves["data"]
    assert (line["name"], line["x"], line["y"]) == ("baseline<b>", [0.5], [1.0])
    assert point["y"] == [1.0]
    assert leads["data"][0]["x"] == [1]


def test_page_calls_nobody_and_claims_no_diagnosis(page: str) -> None:
    own = page.replace(page.split("<script>")[1], "")
    assert not re.search(r"(?:src|href)=", own)
    assert "<b>" not in own
    assert not re.search(r"diagnos|healthy|back to normal|accuracy", own, re.IGNORECASE)
    assert "not about people" in own


def test_what_cannot_be_told_is_said_and_never_a_zero() -> None:
    row = row_in_words("nobody", figures([], [], slack_days=1))
    assert {row.sensitivity, row.precision, row.load, row.lead, row.busiest} == {"none"}


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot write"):
        write_page(EVALUATION, tmp_path, facts={})
