"""Goal: alerts, detectors, groups and curves are judged side by side.

Method: made-up runs whose findings can be counted by hand.
"""

import datetime as dt
from pathlib import Path

import pytest

from connectors.evaluation.evaluate import Evaluation, evaluate
from streams.errors import BadInput
from streams.events import AnomalyState, Output
from tests.connectors.runs import FIRST_DATE, alert, anomaly, feature_row, judged, write_run

DAYS = 60
WARM_UP = 14
CHANGED = range(40, 45)
WITHOUT_DATA = range(20, 25)
WATCHED_DAYS = DAYS - WARM_UP - len(WITHOUT_DATA)
PEOPLE = [f"p{index}" for index in range(8)]


def _date(day: int) -> dt.date:
    return FIRST_DATE + dt.timedelta(days=day)


def _person(user_id: str, *, found: bool, compared: bool = False) -> list[Output]:
    """Scores of 0.5, of 0.95 while something differs; the alert opens on its second day.

    A detector to compare with has no warm-up: it is alarmed on the first day already.
    """
    outputs: list[Output] = []
    for day in (day for day in range(DAYS) if day not in WITHOUT_DATA):
        row = feature_row(user_id, date=_date(day))
        is_high = found and day in CHANGED
        state = AnomalyState.ANOMALOUS if is_high else AnomalyState.NORMAL
        state = AnomalyState.LEARNING if day < WARM_UP else state
        score = 0.95 if is_high else 0.5
        outputs += [row, anomaly(row, "step_count", state=state, score=score)]
        outputs.append(judged(row, "level_shift", state=state, score=score))
        if compared:
            is_alarmed = is_high or day == 0
            state = AnomalyState.ANOMALOUS if is_alarmed else AnomalyState.NORMAL
            outputs.append(judged(row, "night_signal", state=state, score=0.9 * is_alarmed))
        if found and day == CHANGED.start + 1:
            outputs.append(alert(row, alert_id=f"{user_id}-alert"))
    return outputs


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    return _evaluated(tmp_path)


def _evaluated(tmp_path: Path, *, compared: bool = False) -> Evaluation:
    people = [
        _person(user_id, found=index < 6, compared=compared) for index, user_id in enumerate(PEOPLE)
    ]
    run = write_run(tmp_path / f"run-{compared}.sqlite", *people)
    labels, groups = tmp_path / "labels.csv", tmp_path / "groups.csv"
    lines = [f"{user_id},{_date(40)},{_date(44)},relapse" for user_id in PEOPLE]
    lines.append(f"p0,{_date(2)},{_date(4)},relapse")
    labels.write_text("\n".join(["userId,start,end,label", *lines, ""]))
    sexes = [f"{user_id},sex,{'F' if index < 5 else 'M'}" for index, user_id in enumerate(PEOPLE)]
    groups.write_text("\n".join(["userId,group,value", *sexes, ""]))
    return evaluate(run, labels, groups=groups)


def test_whole_and_detectors_have_their_own_openings(evaluation: Evaluation) -> None:
    assert evaluation.eligible.people == PEOPLE
    assert (evaluation.eligible.labels, evaluation.eligible.labels_not_watched) == (8, 1)
    assert (evaluation.first, evaluation.last) == (_date(WARM_UP), _date(DAYS - 1))
    assert evaluation.alerts.sensitivity.value == 0.75
    assert evaluation.alerts.opened_after_start_days.value == 1.0
    detector = evaluation.detectors["baseline"]
    assert (detector.labels_hit, detector.opened_after_start_days.value) == (6, 0.0)
    assert detector.person_months == pytest.approx(8 * WATCHED_DAYS / 30)


def test_watched_time_and_alerts_do_not_depend_on_what_is_compared(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    compared = _evaluated(tmp_path, compared=True)
    own = compared.detectors.pop("night_signal")
    assert compared.curves.pop("night_signal")
    assert compared == evaluation
    # Nor is it given more time, or alarms of learning days: all are judged side by side.
    assert (own.person_months, own.episodes) == (evaluation.alerts.person_months, 6)


def test_groups_of_fewer_than_five_people_are_hidden(evaluation: Evaluation) -> None:
    (shown,) = evaluation.groups
    assert (shown.group, shown.value, shown.figures.people) == ("sex", "F", 5)
    assert shown.figures.sensitivity.value == 1.0
    assert evaluation.hidden == 1


def test_curve_goes_through_what_each_threshold_would_find(evaluation: Evaluation) -> None:
    points = {point.threshold: point for point in evaluation.curves["baseline"]}
    high = points[max(points)]
    assert (high.threshold, high.sensitivity) == (0.95, 0.75)
    low = points[min(points)]
    assert (low.threshold, low.sensitivity) == (0.5, 0.0)


def test_a_run_in_which_everybody_is_learning_is_refused(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(f"userId,start,end,label\np0,{_date(1)},{_date(2)},x\n")
    row = feature_row("p0")
    learning = anomaly(row, "step_count", state=AnomalyState.LEARNING)
    compared = judged(row, "night_signal")
    run = write_run(tmp_path / "run.sqlite", [row, learning, compared])
    with pytest.raises(BadInput, match="nobody"):
        evaluate(run, labels)


def test_a_detector_that_scored_nothing_is_left_out(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(f"userId,start,end,label\np0,{_date(1)},{_date(2)},x\n")
    row = feature_row("p0")
    learning = anomaly(row, "step_count", state=AnomalyState.LEARNING)
    run = write_run(tmp_path / "run.sqlite", [row, learning, judged(row, "level_shift")])
    found = evaluate(run, labels)
    assert found.detectors.keys() == found.curves.keys() == {"level_shift"}
