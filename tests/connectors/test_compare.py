"""Goal: differences between runs are complete and readable; method: change one thing at a time."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from connectors import compare as module
from connectors.compare import FieldChange, compare
from streams.cli import results
from streams.events import AnomalyState, Output, WindowKind
from tests.connectors.runs import (
    FIRST_DATE,
    alert,
    anomaly,
    feature_row,
    person,
    sleep_reason,
    write_run,
)


def _command_line() -> typer.Typer:
    app = typer.Typer()
    results.register(app)
    return app


def _base() -> list[Output]:
    row = feature_row(window=WindowKind.NIGHT, values={"sleep_duration_min": 400.0})
    return [*person("birch", days=20), row, alert(row, reasons=[sleep_reason()])]


def test_runs_with_the_same_settled_results_are_equal(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a.sqlite", _base(), facts={"code_version": "1"})
    b = write_run(tmp_path / "b.sqlite", reversed(_base()), facts={"code_version": "2"})
    comparison = compare(a, b)
    assert comparison.are_equal
    assert comparison.facts == [FieldChange("code_version", "1", "2")]


def test_changed_value_is_named_with_both_sides(tmp_path: Path) -> None:
    row = feature_row(window=WindowKind.NIGHT, values={"sleep_duration_min": 390.0})
    rang = alert(row, reasons=[sleep_reason(250.0)])
    a = write_run(tmp_path / "a.sqlite", _base())
    b = write_run(tmp_path / "b.sqlite", _base(), [msgspec.structs.replace(row, revision=1), rang])
    comparison = compare(a, b)
    (changed,) = comparison.features.changed
    assert changed.fields == (FieldChange("values.sleep_duration_min", 400.0, 390.0),)
    assert (changed.user_id, changed.what, changed.when) == ("alder", "night", "2024-01-01")
    assert [change.field for change in comparison.alerts.changed[0].fields] == ["reasons"]
    assert comparison.anomalies.count == 0


def test_rows_of_one_run_only_are_new_or_gone(tmp_path: Path) -> None:
    extra = feature_row("cedar", window=WindowKind.HOUR, hour=3)
    early = feature_row("aspen", date=FIRST_DATE - dt.timedelta(days=1))
    a = write_run(tmp_path / "a.sqlite", _base(), [early, anomaly(early, "step_count")])
    b = write_run(tmp_path / "b.sqlite", _base(), [extra, alert(extra, alert_id="second")])
    comparison = compare(a, b)
    assert [entry.user_id for entry in comparison.features.gone] == ["aspen"]
    assert [entry.what for entry in comparison.anomalies.gone] == ["day baseline step_count"]
    assert [entry.when for entry in comparison.features.new] == ["2024-01-01 03:00 UTC"]
    assert [entry.what for entry in comparison.alerts.new] == ["CLINICAL clinical_rule"]
    assert not comparison.are_equal


def test_many_differences_are_all_counted_and_some_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXAMPLES_MAX", 7)
    a = write_run(tmp_path / "a.sqlite", person("alder", days=40))
    b = write_run(tmp_path / "b.sqlite", person("alder", days=40, seed=1))
    difference = compare(a, b).features
    assert difference.changed_count == 70
    assert len(difference.changed) == 7


def test_command_exits_with_one_on_a_difference_and_says_how_many_more(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a.sqlite", person("alder", days=40))
    b = write_run(tmp_path / "b.sqlite", person("alder", days=40, seed=1))
    app, run = _command_line(), CliRunner().invoke
    shown = run(app, ["compare", str(a), str(b)])
    assert shown.exit_code == 1
    assert "0 new, 0 gone, 70 changed" in shown.stdout
    assert "and 50 more" in shown.stdout
    same = run(app, ["compare", str(a), str(a)])
    assert (same.exit_code, same.stdout) == (0, "No difference in settled results.\n")
    answer = run(app, ["compare", str(a), str(b), "--json"])
    assert answer.exit_code == 1
    decoded = msgspec.json.decode(answer.stdout)
    assert not decoded["equal"]
    assert decoded["features"]["changed_count"] == 70


def test_everything_can_be_read_on_a_screen_of_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    user_id = "621e323667b776a240f19134"
    row = feature_row(user_id, date=FIRST_DATE)
    unusual = anomaly(row, "sleep_duration_min", state=AnomalyState.ANOMALOUS, score=0.984)
    scored = msgspec.structs.replace(unusual, threshold=0.987, state=AnomalyState.NORMAL)
    a = write_run(tmp_path / "a.sqlite", [row, unusual, alert(row, reasons=[sleep_reason()])])
    b = write_run(tmp_path / "b.sqlite", [row, scored])
    shown = CliRunner().invoke(_command_line(), ["compare", str(a), str(b)]).stdout.splitlines()
    assert max(map(len, shown)) <= 80
    assert shown[:6] == [
        "",
        "alerts: 0 new, 1 gone, 0 changed",
        f"gone  {user_id}  2024-01-01  CLINICAL clinical_rule",
        "  because:",
        "    day 2024-01-01: baseline sleep_duration_min score 0.984 in both, threshold",
        "      0.9 -> 0.987, ANOMALOUS -> NORMAL",
    ]
    assert "    threshold: 0.9 → 0.987" in shown
