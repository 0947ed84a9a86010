"""Goal: equal settled results give equal bytes; method: write them in different ways, export."""

import csv
import datetime as dt
import io
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from connectors.export import Exported, ExportFormat, export
from streams.cli import command_line
from streams.errors import BadInput
from streams.events import (
    OPERATIONAL_FIELDS,
    AlertStatus,
    FeatureRow,
    Output,
    WindowKind,
)
from tests.connectors.runs import (
    FIRST_DATE,
    alert,
    anomaly,
    clock,
    feature_row,
    minute_rows,
    person,
    sleep_reason,
    write_run,
)

CLOCK_S = 1_800_000_000.0


def _bytes(path: Path, what: Exported, fmt: ExportFormat = ExportFormat.JSONL) -> bytes:
    return b"".join(export(path, what, fmt))


def _as_provisional(output: Output) -> list[Output]:
    if isinstance(output, FeatureRow):
        return [msgspec.structs.replace(output, settled=False, values={"step_count": 1.0})]
    return []


@pytest.mark.parametrize("what", list(Exported))
def test_order_batches_and_provisional_history_leave_the_same_bytes(
    tmp_path: Path, what: Exported
) -> None:
    rows = [feature_row(name) for name in ("birch", "alder")]
    settled: list[Output] = [*person("alder", days=5), *person("birch", days=5)]
    settled += [alert(row, alert_id=f"id-{row.user_id}", reasons=[sleep_reason()]) for row in rows]
    settled += [minute_rows({3: 60.5, 1: 61.0}), clock(CLOCK_S)]
    one = write_run(tmp_path / "one.sqlite", settled)
    provisional = [early for output in settled for early in _as_provisional(output)]
    provisional.append(alert(feature_row(settled=False), alert_id="passing"))
    restless = [
        msgspec.structs.replace(output, epoch=3, revision=8)
        if isinstance(output, FeatureRow)
        else output
        for output in reversed(settled)
    ]
    other = write_run(tmp_path / "other.sqlite", provisional, *([each] for each in restless))
    assert _bytes(one, what) == _bytes(other, what) != b""


def test_lines_go_by_user_window_and_start_without_what_depends_on_the_run(tmp_path: Path) -> None:
    next_date = FIRST_DATE + dt.timedelta(days=1)
    batch: list[Output] = [
        feature_row("birch", window=WindowKind.HOUR, hour=1),
        feature_row("alder", date=next_date),
        feature_row("alder"),
        feature_row("alder", window=WindowKind.NIGHT),
        feature_row("alder", window=WindowKind.HOUR, hour=10),
        feature_row("alder", window=WindowKind.HOUR, hour=9),
        minute_rows({5: 60.0, 4: 61.0}, user_id="alder", hour=9),
    ]
    path = write_run(tmp_path / "run.sqlite", batch)
    lines = _bytes(path, Exported.FEATURES).splitlines()
    status = {"status": "ENROLLED"}
    rows = [msgspec.convert(msgspec.json.decode(line) | status, FeatureRow) for line in lines]
    windows = [(row.user_id, row.window.value) for row in rows]
    assert windows == [
        *[("alder", "minute")] * 2,
        *[("alder", "hour")] * 2,
        ("alder", "night"),
        *[("alder", "day")] * 2,
        ("birch", "hour"),
    ]
    starts = [row.start for row in rows]
    assert starts[0] < starts[1] < starts[3] == starts[2] + 3_600.0
    assert starts[5] < starts[6]
    assert rows[0].end - rows[0].start == 60.0
    assert rows[0].values["heart_rate_mean_bpm"] == 61.0
    for line in lines:
        fields = msgspec.json.decode(line)
        assert not OPERATIONAL_FIELDS & fields.keys()
        assert list(fields) == sorted(fields)


def test_only_alerts_that_rang_on_settled_rows_are_exported(tmp_path: Path) -> None:
    row = feature_row()
    withdrawn = msgspec.structs.replace(
        alert(row, alert_id="never-rang"), status=AlertStatus.WITHDRAWN
    )
    left = alert(row, alert_id="left-the-project")
    left_later = msgspec.structs.replace(left, status=AlertStatus.WITHDRAWN, revision=1)
    above = msgspec.structs.replace(alert(row, alert_id="above"), detected_at=CLOCK_S + 1)
    unsettled = alert(feature_row("birch", settled=False), alert_id="unsettled")
    batch: list[Output] = [row, withdrawn, left, left_later, above, unsettled]
    batch += [clock(CLOCK_S, partition=0), clock(CLOCK_S + 900, partition=1)]
    path = write_run(tmp_path / "run.sqlite", batch)
    exported = [msgspec.json.decode(line) for line in export(path, Exported.ALERTS)]
    assert [line["alertId"] for line in exported] == ["left-the-project"]


def test_csv_gives_one_line_per_number_with_columns_that_never_change(tmp_path: Path) -> None:
    row = feature_row(values={"step_count": 12.5}, coverage={"steps": 0.5})
    silent = feature_row(date=FIRST_DATE + dt.timedelta(days=1), values={}, coverage={"steps": 0.0})
    path = write_run(tmp_path / "run.sqlite", [row, silent, anomaly(row, "step_count")])
    text = _bytes(path, Exported.FEATURES, ExportFormat.CSV).decode()
    table = list(csv.DictReader(io.StringIO(text)))
    numbers = [(line["localDate"], line["kind"], line["name"], line["value"]) for line in table]
    assert numbers == [
        ("2024-01-01", "value", "step_count", "12.5"),
        ("2024-01-01", "coverage", "steps", "0.5"),
        ("2024-01-02", "coverage", "steps", "0.0"),
    ]
    empty = write_run(tmp_path / "empty.sqlite")
    for what in Exported:
        header = _bytes(path, what, ExportFormat.CSV).splitlines()[0]
        assert _bytes(empty, what, ExportFormat.CSV).splitlines() == [header]


def test_csv_keeps_the_reasons_of_an_alert_as_json(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run.sqlite", [alert(feature_row(), reasons=[sleep_reason()])])
    text = _bytes(path, Exported.ALERTS, ExportFormat.CSV).decode()
    (line,) = csv.DictReader(io.StringIO(text))
    assert msgspec.json.decode(line["reasons"])[0]["usualMedian"] == 425.0
    assert line["summary"] == "Slept less than usual on two of three nights."


def test_command_writes_the_same_bytes_to_a_file_and_never_over_the_run(tmp_path: Path) -> None:
    run, table = write_run(tmp_path / "run.sqlite", person("alder", days=3)), tmp_path / "out.csv"
    invoke = CliRunner().invoke
    arguments = ["export", str(run), "features", "--format", "csv"]
    shown = invoke(command_line(), arguments)
    assert shown.exit_code == 0
    assert shown.stdout_bytes == _bytes(run, Exported.FEATURES, ExportFormat.CSV)
    assert invoke(command_line(), [*arguments, "-o", str(table)]).exit_code == 0
    assert table.read_bytes() == shown.stdout_bytes
    refused = invoke(command_line(), [*arguments, "-o", str(run)])
    assert isinstance(refused.exception, BadInput)
    assert _bytes(run, Exported.FEATURES, ExportFormat.CSV) == shown.stdout_bytes
