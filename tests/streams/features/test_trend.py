"""Goal: the trend of a self-report is the Theil-Sen slope. Method: SciPy's over the same
answers."""

import pytest
from scipy import stats  # type: ignore[import-untyped]  # it has no py.typed

from streams.events import MoodCheckIn, WindowKind
from tests.streams.features.dates import Life, utc

FIRST = "2024-01-09"
NAME = "vas_mood_trend_score_per_week"


def rows_of(answers: dict[int, float]) -> list[float | None]:
    life = Life()
    for day, score in answers.items():
        time = utc(FIRST) + day * 86_400.0 + 3_600.0
        life.add([MoodCheckIn(time=time, instrument="VAS-mood", items={}, score=score)])
    rows = life.rows(WindowKind.DAY, FIRST, max(answers) + 1)
    return [values.get(NAME) for values in rows.values()]


def test_the_trend_is_the_slope_of_theil_and_sen_given_on_days_with_an_answer() -> None:
    answers = {0: 40.0, 1: 20.0, 2: 95.0, 3: 42.0, 4: 90.0, 9: 47.5, 15: 44.0, 29: 60.0}
    given = rows_of(answers)
    assert [day for day, slope in enumerate(given) if slope is not None] == [9, 15, 29]
    for day in (9, 15, 29):
        seen = {d: score for d, score in answers.items() if day - 28 < d <= day}
        slope = stats.theilslopes(list(seen.values()), list(seen)).slope
        assert given[day] == pytest.approx(7.0 * slope, rel=1e-12)


def test_answers_of_a_few_days_make_no_trend() -> None:
    assert rows_of({0: 1.0, 2: 2.0, 4: 3.0, 6: 4.0})[-1] is None
    assert rows_of({0: 1.0, 2: 2.0, 7: 3.0})[-1] is None
    assert rows_of({0: 1.0, 2: 2.0, 4: 3.0, 7: 4.5})[-1] == pytest.approx(3.5, rel=1e-9)
