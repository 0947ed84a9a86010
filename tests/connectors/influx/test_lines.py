"""Goal: what is written is what a reader of line protocol finds; what cannot be written is not.

Method: generated outputs with hostile labels and texts, read back by a parser of its own; and one
output of each kind with all it can have, held against the catalogue that the page is made from.
"""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.influx import lines
from connectors.influx.catalogue import MEASUREMENTS
from streams.events import (
    Alert,
    AlertStatus,
    Anomaly,
    FeatureRow,
    MinuteRows,
    MinuteValues,
    Operation,
    Output,
    WindowKind,
)
from tests.connectors.influx.protocol import Read, read_line
from tests.connectors.runs import (
    FIRST_DATE,
    alert,
    anomaly,
    feature_row,
    midnight_s,
    minute_rows,
    sleep_reason,
)

Change = msgspec.structs.replace
TEXTS = st.text(st.sampled_from(list("aä ,=\"\\'\n%s{}\t")), max_size=8)
NUMBERS = st.floats() | st.integers(-10, 10)
VALUES = st.dictionaries(st.sampled_from(["sdnn_ms", "a b", "c,d", "e=f", "%s"]), NUMBERS)


def _label(text: str | None) -> str:
    """What of a text can stand in a tag."""
    return " ".join((text or "").splitlines()).rstrip("\\") or "unknown"


def _finite(values: dict[str, float], prefix: str = "") -> dict[str, float]:
    return {prefix + name: value for name, value in values.items() if math.isfinite(value)}


def _alert_reads(one: Alert) -> list[Read]:
    tags, at_ns = lines.alert_tags(one), lines.row_time_ns(one)
    fields = lines.alert_field_texts(one, settled=True, confirmed=False)
    feed, feed_ns = lines.feed_field_texts(one), lines.feed_time_ns(one.detected_at, one.alert_id)
    texts = [
        lines.alert_line("alert", tags, fields, at_ns),
        lines.alert_line("alert_feed", tags, feed, feed_ns),
    ]
    return [read_line(text) for text in texts]


@settings(deadline=None)
@given(team=TEXTS, device=st.none() | TEXTS, values=VALUES, coverage=VALUES)
def test_row_is_read_back_as_it_was(
    team: str, device: str | None, values: dict[str, float], coverage: dict[str, float]
) -> None:
    row = Change(
        feature_row(window=WindowKind.NIGHT, values=values, coverage=coverage),
        care_team=team,
        device_type=device,
    )
    read = read_line(lines.row_line(row))
    numbers = _finite(values) | _finite(coverage, "coverage_")
    assert read.measurement == "night"
    assert read.tags == {
        "subject": "alder",
        "site": "study",
        "team": _label(team),
        "device_type": _label(device),
    }
    assert numbers.items() <= read.fields.items()
    assert read.fields.keys() == lines.row_fields(row)
    assert read.time == midnight_s(FIRST_DATE) * 1e9


@given(values=VALUES)
def test_minute_is_read_back_and_its_values_are_floats(values: dict[str, float]) -> None:
    rows = minute_rows({7: 60.0}, revision=3)
    minute = MinuteValues(start=rows.start + 420.0, values=values)
    (text,) = lines.minute_lines(rows, [minute])
    read = read_line(text)
    assert read.fields == _finite(values) | {"settled": True, "revision": 3, "epoch": 0}
    assert all(isinstance(read.fields[name], float) for name in _finite(values))
    assert read.fields.keys() == lines.minute_fields(values)
    assert read.time == (rows.start + 420.0) * 1e9


@settings(deadline=None)
@given(detector=TEXTS, feature=st.none() | TEXTS, version=TEXTS, value=st.none() | st.floats())
def test_anomaly_is_read_back_as_it_was(
    detector: str, feature: str | None, version: str, value: float | None
) -> None:
    found = Change(
        anomaly(feature_row(), "sdnn_ms"),
        detector=detector,
        feature=feature,
        version=version,
        value=value,
        usual_low=1.5,
    )
    read = read_line(lines.anomaly_line(found))
    assert read.tags["detector"] == _label(detector)
    assert read.tags.get("feature") == (None if feature is None else _label(feature))
    assert read.fields["version"] == version
    known = value is not None and math.isfinite(value)
    assert read.fields.get("value") == (value if known else None)
    assert read.fields.keys() == lines.anomaly_fields(found)


@settings(deadline=None)
@given(rule=TEXTS, summary=TEXTS, owner=st.none() | TEXTS, missing=st.lists(TEXTS, max_size=2))
def test_alert_is_read_back_as_it_was_in_both_measurements(
    rule: str, summary: str, owner: str | None, missing: list[str]
) -> None:
    one = Change(
        alert(feature_row(), reasons=[sleep_reason()]),
        rule=rule,
        summary=summary,
        owner=owner,
        missing=missing,
    )
    point, feed = _alert_reads(one)
    assert point.tags == feed.tags
    assert point.tags["rule"] == _label(rule)
    assert point.fields.items() >= feed.fields.items()
    assert (point.fields["summary"], point.fields.get("owner")) == (summary, owner)
    assert point.fields["missing"] == "; ".join(missing)
    assert msgspec.json.decode(point.fields["reasons"]) == msgspec.to_builtins(one.reasons)
    assert feed.time // 1_000_000_000 == int(one.detected_at)


@pytest.mark.parametrize(
    ("status", "stands"),
    [
        (AlertStatus.OPEN, 1),
        (AlertStatus.ACKNOWLEDGED, 1),
        (AlertStatus.SNOOZED, 1),
        (AlertStatus.RESOLVED, 0),
        (AlertStatus.WITHDRAWN, 0),
    ],
)
def test_alert_says_by_a_number_whether_it_stands(status: AlertStatus, stands: int) -> None:
    for read in _alert_reads(Change(alert(feature_row()), status=status)):
        assert (read.fields["status"], read.fields["open"]) == (status.value, stands)


def test_alert_without_a_window_has_no_such_tag_and_the_time_it_is_about() -> None:
    one = Change(alert(feature_row()), window=None, start=1_704_067_200.25)
    point, feed = _alert_reads(one)
    assert "window" not in point.tags | feed.tags
    assert point.time == 1_704_067_200_250_000_000


def _type_of(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "float", str: "string"}
    return names[type(value)]


def _full() -> list[tuple[Output, set[str]]]:
    """One output of each kind with all that it can have, and the names of its values."""
    row: FeatureRow = Change(feature_row(), device_type="Watch 3")
    hour, night = (
        Change(feature_row(window=window), device_type="Watch 3")
        for window in (WindowKind.HOUR, WindowKind.NIGHT)
    )
    scored: Anomaly = Change(
        anomaly(row, "sdnn_ms"), value=1.0, usual_low=1.0, usual_median=2.0, usual_high=3.0
    )
    rang: Alert = Change(
        alert(row, reasons=[sleep_reason()]),
        owner="a",
        status_by="b",
        status_at=1.0,
        due_at=2.0,
        continues="c",
    )
    lag = Operation(name="lag", partition=1, time=1.0, values={"lag_messages": 1.0})
    quality = Change(lag, values={"late_count": 1.0}, user_id="alder", project_id="study")
    values = {"step_count", "coverage_steps"}
    bpm = {f"heart_rate_{kind}_bpm" for kind in ("mean", "min", "max")}
    return [
        (minute_rows({1: 60.0}), bpm),
        *((one, values) for one in (hour, night, row)),
        (scored, set()),
        (rang, set()),
        (quality, {"late_count"}),
        (lag, {"lag_messages"}),
    ]


def _reads(output: Output) -> list[Read]:
    match output:
        case FeatureRow():
            return [read_line(lines.row_line(output))]
        case Anomaly():
            return [read_line(lines.anomaly_line(output))]
        case Alert():
            return _alert_reads(output)
        case Operation():
            return [read_line(lines.operation_line(output))]
        case MinuteRows():
            return [read_line(text) for text in lines.minute_lines(output, output.minutes)]
        case _:
            return []


def test_catalogue_names_every_tag_and_field_with_its_type_and_no_other() -> None:
    seen = set()
    for output, values in _full():
        for read in _reads(output):
            named = MEASUREMENTS[read.measurement]
            seen.add(read.measurement)
            assert tuple(read.tags) == named.tags, read.measurement
            assert bool(values) == (named.values is not None), read.measurement
            fixed = {name: value for name, value in read.fields.items() if name not in values}
            types = {name: field.type for name, field in named.fields.items()}
            assert {name: _type_of(value) for name, value in fixed.items()} == types
            assert all(isinstance(read.fields[name], float) for name in values)
    assert seen == set(MEASUREMENTS)
