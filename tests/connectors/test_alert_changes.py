"""Goal: what differs behind an alert is named; method: two runs that differ in one thing each."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.alert_changes import AlertChanges, SettingChange
from connectors.compare import compare
from connectors.run_files import open_run
from streams.events import Alert, Anomaly, AnomalyState, WindowKind
from tests.connectors.runs import alert, anomaly, feature_row, sleep_reason, write_run

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
        "threshold 0.9 -> 0.987",
        "baseline sleep_duration_min: score 0.984 in both",
        "baseline sleep_duration_min: ANOMALOUS -> NORMAL",
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": "2"}, "baseline 1 -> 2"),
        ({"score": 0.98}, "baseline sleep_duration_min: score 0.984 -> 0.98"),
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
        "baseline sleep_duration_min: no score in the second run, 0.984 in the other",
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
