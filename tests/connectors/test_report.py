"""Goal: the page shows who needs attention, and missing data as missing; method: parse the page.

Series are compared with plain computations, and the page is read as a browser would find it.
"""

import datetime as dt
import json
import re
import statistics
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from connectors.report import series, words, write_report
from connectors.report.marks import KIND_MARKERS
from connectors.report.people import State, read_person
from connectors.report.plots import plots_of
from connectors.run_files import open_run
from streams.cli import command_line
from streams.errors import BadInput
from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    Direction,
    Evidence,
    Output,
    Reason,
    Severity,
    WindowKind,
)
from tests.connectors.runs import (
    DAY_S,
    FIRST_DATE,
    alert,
    clock,
    feature_row,
    midnight_s,
    minute_rows,
    person,
    sleep_reason,
    write_run,
)

DAYS = 60
END_S = midnight_s(FIRST_DATE) + DAYS * DAY_S


def _on_day(user_id: str, day: int, **changes: Any) -> Alert:
    date = FIRST_DATE + dt.timedelta(days=day)
    kind = changes.get("kind", AlertKind.CLINICAL)
    window = WindowKind.DAY if kind is AlertKind.DATA else WindowKind.NIGHT
    row = feature_row(user_id, window=window, date=date)
    return alert(row, alert_id=f"{user_id}-{day}-{kind}", **changes)


def _run(tmp_path: Path, *outputs: Output) -> Path:
    people = [*person("alder"), *person("birch", seed=1), *person("cedar", days=5)]
    return write_run(tmp_path / "run.sqlite", people, outputs, [clock(END_S)])


def _page(tmp_path: Path, *outputs: Output) -> str:
    run, page = _run(tmp_path, *outputs), tmp_path / "report.html"
    write_report(run, page)
    return page.read_text(encoding="utf-8").replace(_library(), "")


def _library() -> str:
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly has no types

    return str(get_plotlyjs())


def _figures(page: str, user_id: str) -> list[dict[str, Any]]:
    section = page[page.index(f'id="person-{user_id}"') :]
    found = re.search(r'<script type="application/json">(.*?)</script>', section, re.DOTALL)
    assert found is not None
    figures: list[dict[str, Any]] = msgspec.json.decode(found[1])
    return figures


def _titles(page: str, user_id: str) -> list[str]:
    section = page[page.index(f'id="person-{user_id}"') :].split("<script", 1)[0]
    return re.findall(r"<h3>(.*?)</h3>", section)


def test_people_with_urgent_alerts_come_first_then_limits_changes_and_missing_data(
    tmp_path: Path,
) -> None:
    page = _page(
        tmp_path,
        _on_day("alder", 58, reasons=[sleep_reason()]),
        _on_day("birch", 57, kind=AlertKind.LIMIT, severity=Severity.URGENT),
        _on_day("cedar", 20, kind=AlertKind.DATA, summary="No data since 5 January."),
        _on_day("elm", 32, kind=AlertKind.DATA, summary="No data since 31 January."),
    )
    overview = page[: page.index("How to read this page")]
    assert re.findall(r'href="#person-(\w+)"', overview) == ["birch", "alder", "elm", "cedar"]
    assert "<strong>4</strong> of 4 people have open alerts, <strong>1</strong>" in overview
    assert "not an emergency service" in overview


def test_reasons_are_in_words_with_what_is_usual_and_what_was_missing(tmp_path: Path) -> None:
    page = _page(tmp_path, _on_day("alder", 58, reasons=[sleep_reason()]))
    assert (
        "Time asleep 3 h 32 min, lower than the usual 7 h 05 min (6 h 20 min to 7 h 50 min), "
        "learned from 31 days" in page
    )
    assert "Not available for this: phone." in page


def test_closed_alerts_do_not_ask_for_attention_and_say_why_they_are_closed(
    tmp_path: Path,
) -> None:
    withdrawn = msgspec.structs.replace(_on_day("alder", 40), status=AlertStatus.WITHDRAWN)
    page = _page(tmp_path, withdrawn)
    assert "No open alerts among 3 people." in page
    assert "withdrawn" in page
    assert "new data no longer support this" not in page


def test_page_never_calls_anybody_well_and_names_the_three_other_states(tmp_path: Path) -> None:
    learner = person("elm", days=DAYS)[-40:]
    page = _page(tmp_path, *learner)
    shown = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r"\bnormal\b|back to|healthy|\bfine\b", shown)
    assert re.findall(r"\bwell\b", shown) == ["well"]  # only in: never says that somebody is well
    assert "no change found" in shown
    assert "not enough data" in shown


@pytest.mark.parametrize(
    ("days", "now_s", "state"),
    [
        (60, END_S, State.NO_CHANGE_FOUND),
        (60, END_S + 5 * DAY_S, State.NOT_ENOUGH_DATA),
        (10, midnight_s(FIRST_DATE) + 10 * DAY_S, State.LEARNING),
    ],
)
def test_state_says_what_can_be_told(tmp_path: Path, days: int, now_s: float, state: State) -> None:
    run = write_run(tmp_path / "run.sqlite", person("alder", days=days))
    with open_run(run) as connection:
        assert read_person(connection, "alder", now_s).state is state


def test_days_without_data_are_gaps_in_the_plot_and_white_in_the_strip(tmp_path: Path) -> None:
    page = _page(tmp_path)
    titles = _titles(page, "alder")
    assert titles[:3] == ["Resting heart rate", "Nights", "Time asleep"]
    figure = _figures(page, "alder")[titles.index("Steps")]
    value = next(trace for trace in figure["data"] if trace.get("name") == "value")
    strip = next(trace for trace in figure["data"] if trace["type"] == "heatmap")
    assert value["x0"] == strip["x0"] == FIRST_DATE.isoformat()
    assert value["y"][29] is not None
    assert value["y"][30:35] == [None] * 5
    assert strip["z"][0][29:36] == [2, 0, 0, 0, 0, 0, 2]
    assert 0 not in value["y"]


def test_learning_is_shaded_up_to_its_last_day(tmp_path: Path) -> None:
    page = _page(tmp_path)
    layout = _figures(page, "alder")[0]["layout"]
    assert layout["annotations"][0]["text"] == "learning"
    assert [(shape["x0"], shape["x1"]) for shape in layout["shapes"]] == [
        ("2023-12-31 12:00", "2024-01-14 12:00")
    ]


def test_alert_is_marked_at_its_value_by_a_shape_of_its_kind(tmp_path: Path) -> None:
    page = _page(
        tmp_path,
        _on_day("alder", 58, reasons=[sleep_reason(212.0)]),
        _on_day("alder", 32, kind=AlertKind.DATA),
    )
    figure = _figures(page, "alder")[_titles(page, "alder").index("Time asleep")]
    change, missing = (
        next(trace for trace in figure["data"] if trace.get("name") == f"alert: {name}")
        for name in ("change", "data missing")
    )
    assert (change["x"], change["y"]) == (["2024-02-28"], [3.53])
    assert change["text"][0].startswith("<b>◆ Change</b><br>28 Feb 2024<br>Time asleep")
    assert missing["yaxis"] == "y2"
    assert len(set(KIND_MARKERS.values())) == len(set(words.KIND_SYMBOLS.values())) == 4


def test_usual_band_of_a_day_rests_on_the_28_values_before_it_alone() -> None:
    dates = series.dates_between(FIRST_DATE, FIRST_DATE + dt.timedelta(days=59))
    numbers = [float((7 * day) % 31) for day in range(60)]
    rows = [
        feature_row(date=date, values={"step_count": number})
        for date, number in zip(dates, numbers, strict=True)
        if number != 3.0
    ]
    band = series.usual_band(rows, "step_count", dates)
    assert band is not None
    start = dates.index(band.first)
    assert start == 7
    for index, date in enumerate(dates[start:]):
        earlier = [row.values["step_count"] for row in rows if row.local_date < date][-28:]
        assert band.middle[index] == statistics.median(earlier)
        deciles = statistics.quantiles(earlier, n=10, method="inclusive")
        assert band.low[index] == pytest.approx(deciles[0])
        assert band.high[index] == pytest.approx(deciles[-1])


def test_provisional_values_are_marked_and_leave_the_band_as_it_is() -> None:
    dates = series.dates_between(FIRST_DATE, FIRST_DATE + dt.timedelta(days=9))
    settled = [feature_row(date=date, values={"step_count": 5.0}) for date in dates[:8]]
    wild = feature_row(date=dates[8], values={"step_count": 900.0}, settled=False)
    assert series.usual_band([*settled, wild], "step_count", dates) == series.usual_band(
        settled, "step_count", dates
    )


def test_minutes_keep_their_gaps_and_lie_on_the_local_clock(tmp_path: Path) -> None:
    date = FIRST_DATE + dt.timedelta(days=59)
    rows = minute_rows({0: 60.0, 1: 62.0, 10: 80.0}, hour=5, date=date)
    page = _page(tmp_path, msgspec.structs.replace(rows, utc_offset=7_200))
    spread, mean = _figures(page, "alder")[0]["data"]
    assert mean["x0"] == "2024-02-29 07:00"
    assert mean["y"] == [60.0, 62.0, *[None] * 8, 80.0]
    assert spread["base"][0] == 56.0
    assert spread["y"][:3] == [9.0, 9.0, None]


def test_long_stretches_of_minutes_are_summed_up_to_a_bounded_number_of_points(
    tmp_path: Path,
) -> None:
    minutes = [
        minute_rows(
            dict.fromkeys(range(60), 60.0 + hour),
            hour=hour,
            date=FIRST_DATE + dt.timedelta(days=day),
        )
        for day in range(9)
        for hour in range(24)
    ]
    run = write_run(tmp_path / "run.sqlite", minutes)
    with open_run(run) as connection:
        buckets = series.minute_buckets(read_person(connection, "alder", END_S).minutes)
    assert buckets is not None
    assert buckets.length_s == 600.0
    assert len(buckets.mean) <= series.BUCKETS_MAX
    assert buckets.mean[-1] == 83.0


def test_what_a_person_or_a_rule_is_called_cannot_end_a_script_or_add_markup(
    tmp_path: Path,
) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    reason = Reason(feature="sleep_duration_min", direction=Direction.UP, value=1.0, unit=evil)
    page = _page(tmp_path, _on_day("alder", 50, reasons=[reason], summary=evil))
    assert evil not in page
    assert "<img" not in page
    assert any("alert: change" in str(figure) for figure in _figures(page, "alder"))


def _days_told(*values: float, usual: float = 7_826.0, carries: int) -> Reason:
    days = [
        Evidence(local_date=dt.date(2024, 2, 26 + i), value=value, carries=i < carries)
        for i, value in enumerate(values)
    ]
    return Reason(
        feature="step_count",
        direction=Direction.UP,
        value=sum(values[:carries]) / carries,
        unit="steps",
        usual_median=usual,
        evidence=days,
    )


def test_a_reason_tells_the_days_that_carry_it_and_the_side_on_which_they_lie() -> None:
    several = _days_told(16_341.0, 20_627.0, 18_757.0, 2_784.0, carries=3)
    assert words.reason_in_words(several) == (
        "Steps 18,575 on average on 26 Feb, 27 Feb and 28 Feb, higher than the usual 7,826"
    )
    assert words.reason_in_words(_days_told(9_000.0, 2_784.0, carries=1)) == (
        "Steps 9,000 on 26 Feb, higher than the usual 7,826"
    )
    lower = _days_told(7_000.0, carries=1)
    assert words.reason_in_words(lower) == "Steps 7,000 on 26 Feb, lower than the usual 7,826"
    assert "about the usual" in words.reason_in_words(_days_told(7_826.0, carries=1))


def test_page_is_one_file_that_asks_the_network_for_nothing(tmp_path: Path) -> None:
    page = _page(tmp_path, _on_day("alder", 58, reasons=[sleep_reason()]))
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=\"?(?:https?:)?//", page)
    assert "@import" not in page
    assert "url(" not in page


@pytest.mark.parametrize(
    ("settings", "link"),
    [
        ({}, None),
        (
            {"detection": {"link_template": "https://example.org/a/{userId}?x"}},
            "https://example.org/a/al%2Fder?x",
        ),
        (
            {
                "detection": {"link_template": "https://example.org/a/{userId}"},
                "projects": {"study": {"link_template": "https://example.org/b/{userId}"}},
            },
            "https://example.org/b/al%2Fder",
        ),
        (
            {"detection": {"link_template": "x"}, "projects": {"study": {"link_template": None}}},
            None,
        ),
    ],
)
def test_a_person_has_a_link_to_the_team_s_own_record_where_the_site_tells(
    tmp_path: Path, settings: dict[str, Any], link: str | None
) -> None:
    facts = {"configuration": json.dumps(settings)}
    run = write_run(tmp_path / "run.sqlite", [feature_row("al/der")], facts=facts)
    write_report(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8").replace(_library(), "")
    assert re.findall(r'href="(https?:[^"]*)"', page) == ([] if link is None else [link])


def test_empty_run_and_person_without_values_give_a_page(tmp_path: Path) -> None:
    empty = write_run(tmp_path / "empty.sqlite")
    assert write_report(empty, tmp_path / "empty.html").people == 0
    silent = feature_row("alder", values={}, coverage={"steps": 0.0})
    run = write_run(tmp_path / "silent.sqlite", [silent])
    with open_run(run) as connection:
        assert plots_of(read_person(connection, "alder", END_S)) == []
    assert write_report(run, tmp_path / "silent.html").people == 1


def test_command_prints_figures_and_refuses_to_write_over_the_run(tmp_path: Path) -> None:
    run = _run(tmp_path, _on_day("alder", 58, severity=Severity.URGENT))
    page = tmp_path / "report.html"
    invoke = CliRunner().invoke
    result = invoke(command_line(), ["report", str(run), "-o", str(page), "--json"])
    assert result.exit_code == 0
    figures = msgspec.json.decode(result.stdout)
    assert figures["people"] == 3
    assert figures["alerts_urgent"] == 1
    assert figures["size_bytes"] == page.stat().st_size
    refused = invoke(command_line(), ["report", str(run), "-o", str(run)])
    assert isinstance(refused.exception, BadInput)
    with open_run(run):
        pass


@pytest.mark.parametrize(
    ("value", "feature", "unit", "expected"),
    [
        (-50.0, "sleep_onset_min", "min", "23:10"),
        (425.0, "sleep_duration_min", "min", "7 h 05 min"),
        (58.4, "heart_rate_resting_bpm", "beats/min", "58 bpm"),
        (7_200.0, "step_count", "steps", "7,200"),
        (52.0, "silence_h", "h", "52 h"),
        (100.0, "silence_h", "h", "4 days"),
        (3.25, "phq_9_score", "points", "3.2"),
    ],
)
def test_values_read_as_people_say_them(
    value: float, feature: str, unit: str, expected: str
) -> None:
    assert words.value_in_words(value, feature, unit) == expected
