"""Goal: what differs behind an alert is named; method: two runs that differ in one thing each."""

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.alert_changes import AlertChanges, SettingChange
from connectors.compare import compare
from connectors.run_files import open_run
from detectors.drift import Drift
from detectors.level_shift import LevelShift
from detectors.policy import CHANGE_FROM_USUAL, SLOW_CHANGE
from streams.events import (
    Alert,
    AlertKind,
    Anomaly,
    AnomalyState,
    Evidence,
    FeatureRow,
    Reason,
    WindowKind,
)
from tests.connectors.runs import FIRST_DATE, alert, anomaly, feature_row, sleep_reason, write_run

NIGHT = feature_row(window=WindowKind.NIGHT, values={"sleep_duration_min": 212.0})
RANG = alert(NIGHT, reasons=[sleep_reason()])
SLEEP = anomaly(NIGHT, "sleep_duration_min", state=AnomalyState.ANOMALOUS, score=0.984)
OTHER = anomaly(NIGHT, "rmssd_ms", state=AnomalyState.ANOMALOUS, score=0.999)


def _run(path: Path, *, rang: Alert | None, scored: Anomaly | None, **facts: str) -> Path:
    said = [each for each in (rang, scored) if each is not None]
    return write_run(path, [NIGHT, OTHER, *said], facts=facts or {"wakeline": "1"})


def _because(
    tmp_path: Path,
    *,
    scored: Anomaly | None = SLEEP,
    facts: tuple[dict[str, str], dict[str, str]] = ({}, {}),
) -> tuple[str, ...]:
    """Why an alert is gone from the second run, of which ``scored`` and ``facts[1]`` are."""
    a = _run(tmp_path / "a.sqlite", rang=RANG, scored=SLEEP, **facts[0])
    b = _run(tmp_path / "b.sqlite", rang=None, scored=scored, **facts[1])
    (entry,) = compare(a, b).alerts.gone
    return entry.because


def test_threshold_and_score_of_the_row_are_told(tmp_path: Path) -> None:
    scored = msgspec.structs.replace(SLEEP, threshold=0.987, state=AnomalyState.NORMAL)
    assert _because(tmp_path, scored=scored) == (
        (
            "night 2024-01-01: baseline sleep_duration_min score 0.984 in both, "
            "threshold 0.9 -> 0.987, ANOMALOUS -> NORMAL"
        ),
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": "2"}, "baseline 1 -> 2"),
        ({"score": 0.98}, "baseline sleep_duration_min score 0.984 -> 0.98,"),
        ({"score": 0.98400001}, "score 0.984 -> 0.98400001"),
        ({"state": AnomalyState.LEARNING}, "ANOMALOUS -> LEARNING"),
        ({}, "the row was judged alike in both"),
    ],
)
def test_each_thing_that_differs_is_named(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    scored = msgspec.structs.replace(SLEEP, **changes)
    assert says in "; ".join(_because(tmp_path, scored=scored))


def test_a_row_that_was_not_scored_in_the_other_run_is_said(tmp_path: Path) -> None:
    assert _because(tmp_path, scored=None) == (
        (
            "night 2024-01-01: baseline sleep_duration_min score 0.984, threshold 0.9, ANOMALOUS "
            "in the first run, not scored in the second"
        ),
    )


def test_settings_cohort_and_code_are_named_one_by_one(tmp_path: Path) -> None:
    def facts(version: str, persistence: list[int], partitions: int) -> dict[str, str]:
        detection: dict[str, Any] = {
            "persistence_days": persistence,
            "concerns": {},
            "threshold": None,
        }
        configuration = {"partitions": partitions, "detection": detection}
        return {
            "configuration": msgspec.json.encode(configuration).decode(),
            "cohort": version,
            "cohort_digest": f"sha256:{version}",
        }

    made = facts("lifesnaps-1", [2, 3], 4), facts("ward-1", [3, 4], 8)
    said = _because(tmp_path, facts=made)
    assert "cohort lifesnaps-1 -> ward-1" in said
    assert "setting persistence_days (2, 3) -> (3, 4)" in said
    with open_run(tmp_path / "a.sqlite") as a, open_run(tmp_path / "b.sqlite") as b:
        assert AlertChanges(a, b).settings == [
            SettingChange("detection.persistence_days", [2, 3], [3, 4])
        ]


def test_a_cohort_of_the_same_name_with_other_content_is_noticed(tmp_path: Path) -> None:
    made = {"cohort": "c", "cohort_digest": "1"}, {"cohort": "c", "cohort_digest": "2"}
    assert "cohort c: same name, other content" in _because(tmp_path, facts=made)


def test_changed_alert_names_the_models_of_both_runs(tmp_path: Path) -> None:
    newer = msgspec.structs.replace(RANG, model_versions={"baseline": "2"})
    a = _run(tmp_path / "a.sqlite", rang=RANG, scored=SLEEP)
    b = _run(tmp_path / "b.sqlite", rang=newer, scored=SLEEP)
    (entry,) = compare(a, b).alerts.changed
    assert entry.because[0] == "baseline 1 -> 2"
    assert entry.fields


DAY = feature_row(date=FIRST_DATE + dt.timedelta(days=1))
BETWEEN = feature_row(window=WindowKind.NIGHT, date=DAY.local_date)


def _of_row(row: FeatureRow, detector: str, **said: Any) -> Anomaly:
    """What a detector of whole rows says."""
    found = anomaly(row, "", state=AnomalyState.NORMAL, score=0.9951)
    return msgspec.structs.replace(found, detector=detector, feature=None, **said)


def _of_whole(
    tmp_path: Path, rule: str, a: list[Anomaly], b: list[Anomaly], *, reason: Reason
) -> tuple[str, ...]:
    """Why an alert of a day is in the first run only, of which ``a`` are the scores."""
    rang = msgspec.structs.replace(alert(DAY, reasons=[reason]), rule=rule)
    rows = [NIGHT, BETWEEN, DAY]
    facts = [
        {"configuration": msgspec.json.encode({"detection": {"budget_per_month": each}}).decode()}
        for each in (1.0, 0.5)
    ]
    one = write_run(tmp_path / "a.sqlite", [*rows, *a, rang], facts=facts[0])
    two = write_run(tmp_path / "b.sqlite", [*rows, *b], facts=facts[1])
    (entry,) = compare(one, two).alerts.gone
    return entry.because


def test_a_shift_is_told_by_its_detector_on_every_day_that_speaks_for_it(tmp_path: Path) -> None:
    told = [(NIGHT, 0.993, "NORMAL"), (BETWEEN, 0.994, "NORMAL"), (DAY, 0.994, "ANOMALOUS")]
    a, b = (
        [
            _of_row(row, LevelShift.name, threshold=limit + more, state=AnomalyState(state))
            for row, limit, state in told
        ]
        for more in (0.0, 0.005)
    )
    b[2] = msgspec.structs.replace(b[2], state=AnomalyState.NORMAL)
    # Of a feature on its own, and of a detector that rings nothing, the scores are higher.
    beside = [anomaly(DAY, "sleep_duration_min", score=0.999), _of_row(DAY, "mean_sd", score=1.0)]
    nights = [NIGHT.local_date, DAY.local_date]
    reason = msgspec.structs.replace(
        sleep_reason(),
        window=WindowKind.NIGHT,
        evidence=[Evidence(local_date=date, value=212.0) for date in nights],
    )
    said = _of_whole(tmp_path, CHANGE_FROM_USUAL, [*a, *beside], [*b, *beside], reason=reason)
    score = "level_shift score 0.9951 in both, threshold"
    assert said == (
        "setting budget_per_month 1.0 -> 0.5",
        f"day 2024-01-02: {score} 0.994 -> 0.999, ANOMALOUS -> NORMAL",
        f"night 2024-01-01: {score} 0.993 -> 0.998, NORMAL in both",
        f"night 2024-01-02: {score} 0.994 -> 0.999, NORMAL in both",
    )


def test_days_of_a_shift_that_were_judged_alike_are_left_out(tmp_path: Path) -> None:
    scores = [_of_row(DAY, LevelShift.name, state=AnomalyState.ANOMALOUS)]
    scores.append(_of_row(NIGHT, LevelShift.name))
    evidence = [Evidence(local_date=NIGHT.local_date, value=212.0)]
    reason = msgspec.structs.replace(sleep_reason(), window=WindowKind.NIGHT, evidence=evidence)
    said = _of_whole(tmp_path, CHANGE_FROM_USUAL, scores, scores, reason=reason)
    assert said[1:] == (
        (
            "day 2024-01-02: level_shift score 0.9951 in both, threshold 0.9 in both, "
            "ANOMALOUS in both"
        ),
        "the row was judged alike in both: rows, alerts or settings before it differ",
    )


def test_a_slow_change_is_told_by_its_detector(tmp_path: Path) -> None:
    a = _of_row(DAY, Drift.name, score=1.0, threshold=1.0, state=AnomalyState.ANOMALOUS)
    b = msgspec.structs.replace(a, score=0.8, state=AnomalyState.NORMAL, version="2")
    beside = _of_row(DAY, LevelShift.name, score=0.99999)
    reason = msgspec.structs.replace(sleep_reason(), window=WindowKind.DAY)
    said = _of_whole(tmp_path, SLOW_CHANGE, [a, beside], [b, beside], reason=reason)
    assert said[1:] == (
        "drift 1 -> 2",
        "day 2024-01-02: drift score 1 -> 0.8, threshold 1 in both, ANOMALOUS -> NORMAL",
    )


def test_where_no_shift_was_found_the_far_features_decided(tmp_path: Path) -> None:
    whole = _of_row(DAY, LevelShift.name)
    far = anomaly(DAY, "sleep_duration_min", state=AnomalyState.ANOMALOUS, score=1.0)
    other = msgspec.structs.replace(far, state=AnomalyState.LEARNING)
    said = _of_whole(
        tmp_path, CHANGE_FROM_USUAL, [whole, far], [whole, other], reason=sleep_reason()
    )
    assert said[1:] == (
        (
            "day 2024-01-02: baseline sleep_duration_min score 1 in both, threshold 0.9 in both, "
            "ANOMALOUS -> LEARNING"
        ),
    )


def test_a_limit_rests_on_no_score(tmp_path: Path) -> None:
    rang = alert(NIGHT, reasons=[sleep_reason()], kind=AlertKind.LIMIT)
    a = _run(tmp_path / "a.sqlite", rang=rang, scored=SLEEP)
    b = _run(tmp_path / "b.sqlite", rang=None, scored=SLEEP)
    assert compare(a, b).alerts.gone[0].because == ()
