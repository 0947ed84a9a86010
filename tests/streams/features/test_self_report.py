"""Goal: a day's score of an instrument is its last answer, as it was sent or as its items sum up.
Method: days of a few answers, known by hand."""

import pytest

from streams.events import MoodCheckIn
from streams.evidence import Evidence
from streams.features.self_report import self_report_scores
from tests.streams.features.phone_days import PHONE, SPARE, START_S, day_of, evidence_of, send


def answer(
    hour: float, instrument: str, items: list[int], score: float | None = None
) -> MoodCheckIn:
    named = {str(place): item for place, item in enumerate(items)}
    time = START_S + hour * 3_600.0
    return MoodCheckIn(time=time, instrument=instrument, items=named, score=score)


@pytest.mark.parametrize(
    ("instrument", "items"), [("PHQ-2", 2), ("PHQ-9", 9), ("GAD-2", 2), ("GAD-7", 7)]
)
def test_items_are_summed_when_all_of_them_are_answered(instrument: str, items: int) -> None:
    name = instrument.lower().replace("-", "_") + "_score"
    whole = answer(8, instrument, [2] * items)
    assert self_report_scores(day_of(evidence_of([whole]))) == {name: 2.0 * items}
    for count in (items - 1, items + 1):
        part = answer(8, instrument, [2] * count)
        assert self_report_scores(day_of(evidence_of([part]))) == {}


def test_the_last_answer_of_the_day_counts_and_a_score_that_was_sent_goes_before_its_items() -> (
    None
):
    answers = [
        answer(-1, "PHQ-2", [3, 3]),
        answer(0, "PHQ-2", [0, 1]),
        answer(8, "PHQ-2", [1, 2], score=5.0),
        answer(9, "PHQ-2", [1]),
        answer(24, "PHQ-2", [3, 3]),
        answer(10, "WHO 5 (a)", [1, 2]),
        answer(11, "WHO 5 (a)", [1, 2], score=40.0),
    ]
    evidence = evidence_of(answers)
    assert self_report_scores(day_of(evidence)) == {"phq_2_score": 5.0, "who_5_a_score": 40.0}


@pytest.mark.parametrize(("first", "second"), [(8, 9), (9, 8)])
def test_of_several_sources_the_one_that_goes_first_tells(first: float, second: float) -> None:
    evidence = Evidence()
    send(evidence, [answer(first, "PHQ-2", [1, 1])], PHONE)
    send(evidence, [answer(second, "PHQ-2", [2, 2])], SPARE)
    assert self_report_scores(day_of(evidence)) == {"phq_2_score": 2.0}
