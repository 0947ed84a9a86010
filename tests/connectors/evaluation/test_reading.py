"""Goal: a run, labels and groups are read as they are meant; method: small files by hand."""

import datetime as dt
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from connectors.evaluation.figures import Label
from connectors.evaluation.reading import Scored, read_groups, read_labels, read_run
from connectors.importers.dataset import DataSet, Person, Upload
from connectors.importers.writer import Target, write_recording
from connectors.run_files import open_run
from detectors.cohort import load_cohort
from detectors.config import DetectionConfig
from detectors.fitting import watched_days
from detectors.models import SubjectModels
from detectors.scores import Scores
from streams.errors import BadInput
from streams.events import AlertKind, AnomalyState, FeatureRow, Output, Source, Steps, WindowKind
from tests.connectors.runs import FIRST_DATE, alert, anomaly, feature_row, judged, write_run
from tests.detectors.people import Person as People

DAY = FIRST_DATE.toordinal()


def test_run_gives_scores_past_warm_up_and_clinical_alerts_that_rang(
    tmp_path: Path,
) -> None:
    next_date = FIRST_DATE + dt.timedelta(days=1)
    night = feature_row(window=WindowKind.NIGHT)
    day = feature_row(date=next_date)
    shown = feature_row(date=next_date + dt.timedelta(days=1), settled=False)
    withdrawn = alert(shown, alert_id="withdrawn")
    outputs: list[Output] = [
        night,
        day,
        shown,
        anomaly(night, "sleep_duration_min", state=AnomalyState.NORMAL, score=0.6),
        anomaly(night, "rmssd_ms", state=AnomalyState.ANOMALOUS, score=0.95),
        judged(night, "level_shift", score=0.4),
        anomaly(day, "step_count", state=AnomalyState.LEARNING, score=1.0),
        judged(day, "level_shift", state=AnomalyState.LEARNING),
        judged(day, "night_signal", state=AnomalyState.ANOMALOUS, score=1.0),
        anomaly(shown, "step_count", state=AnomalyState.ANOMALOUS, score=1.0),
        alert(night, alert_id="rang"),
        alert(night, alert_id="data", kind=AlertKind.DATA),
        withdrawn,
        msgspec.structs.replace(withdrawn, alert_id="same", continues="withdrawn"),
    ]
    with open_run(write_run(tmp_path / "run.sqlite", outputs)) as connection:
        content = read_run(connection)
    assert content.watched == {"alder": {DAY}}
    assert content.scores == {
        "baseline": {"alder": {DAY: Scored(0.95, is_anomalous=True)}},
        "level_shift": {"alder": {DAY: Scored(0.4, is_anomalous=False)}},
    }
    assert sorted(content.alerts["alder"]) == [DAY, DAY + 2]


def test_watched_dates_are_those_of_a_budget(tmp_path: Path) -> None:
    config = DetectionConfig(detectors=("night_signal",))
    models, person = SubjectModels(config, load_cohort()), People(seed=3)
    outputs: list[Output] = []
    scored: list[tuple[FeatureRow, Scores]] = []
    for day in range(40):
        for row in person.rows():
            told = row if day % 6 else msgspec.structs.replace(row, values={})
            scores = models.score(told)
            models.learn(told, scores)
            scored.append((told, scores))
            outputs += [told, *scores]
    with open_run(write_run(tmp_path / "run.sqlite", outputs)) as connection:
        (watched,) = read_run(connection).watched.values()
    assert 0 < len(watched) == watched_days(scored) < 40 - config.warm_up_days


def test_labels_are_dates_both_included(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("label,userId,start,end\nrelapse,alder,2024-01-01,2024-01-03\n")
    assert read_labels(path) == [Label(user_id="alder", start=DAY, end=DAY + 2, label="relapse")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("userId,start,end,label\n", "no label"),
        ("userId,start,end\na,2024-01-01,2024-01-02\n", "no column label"),
        ("userId,start,end,label\na,2024-01-02,2024-01-01,x\n", "row 2: a label ends before"),
        ("userId,start,end,label\na,soon,2024-01-01,x\n", "row 2: a value does not fit"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        read_labels(path)


def test_groups_come_from_a_table_or_from_the_registry_of_a_recording(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("userId,group,value\nalder,sex,FEMALE\nalder,ageBand,<30\n")
    groups = {"alder": {"sex": "FEMALE", "ageBand": "<30"}}
    person = Person(
        user_id="alder",
        project_id="study",
        care_team="north",
        time_zone="UTC",
        enrolled_on=FIRST_DATE,
        record_types=(Steps,),
        sources=(Source(source_id="watch"),),
        groups=groups["alder"],
    )
    time = 1_704_100_000.0
    uploads = [Upload(time + 60.0, "alder", "watch", [Steps(time=time, duration=60.0, steps=3)])]
    recording = tmp_path / "people.jsonl"
    data = DataSet(people=(person,), uploads=uploads, left_out=Counter())
    write_recording([data], Target(path=recording, partitions=1))
    assert read_groups(table) == read_groups(recording) == groups


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("who,what\n", "a CSV with the columns userId, group, value nor a recording"),
        ("userId,group\nalder,sex\n", "columns userId, group, value"),
        ("userId,group,value\n", "no groups in it"),
        ('{"topic": 3}\n', "not a recording"),
        ("", "columns userId, group, value"),
    ],
)
def test_groups_that_do_not_fit_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        read_groups(path)
