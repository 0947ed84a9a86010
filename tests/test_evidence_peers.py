"""Goal: rules to compare with are swept where episodes end; method: made-up scores, every level."""

import datetime as dt
import random

from bench.evidence.peers import Series, opened, threshold_at

FIRST = dt.date(2024, 1, 1)


def _series(scores: list[float]) -> Series:
    return [(FIRST + dt.timedelta(days=day), score) for day, score in enumerate(scores)]


def _people(count: int = 8, days: int = 90) -> dict[str, Series]:
    """Scores that creep up, so that a low threshold is passed for good, with peaks on them."""
    draw = random.Random(7)
    return {
        f"p{person}": _series(
            [
                0.2 + 0.001 * day + 0.0001 * person + (draw.random() if day % 10 == person else 0.0)
                for day in range(days)
            ]
        )
        for person in range(count)
    }


def _rate(people: dict[str, Series], threshold: float) -> float:
    count = sum(len(opened(own, threshold)) for own in people.values())
    return 30.0 * count / sum(map(len, people.values()))


def test_the_threshold_is_the_lowest_that_fits_where_the_rate_falls() -> None:
    people = _people()
    levels = sorted({score for own in people.values() for _, score in own})
    rates = [_rate(people, level) for level in levels]
    most = max(range(len(levels)), key=lambda place: rates[place])
    assert rates[0] < 0.5 < rates[most]  # below, everybody is always in alarm
    for rate in (0.5, 1.0, 2.0, 2.5):
        fitting = (level for level, own in zip(levels, rates, strict=True) if own <= rate)
        expected = next(level for level in fitting if level >= levels[most])
        assert threshold_at(people, rate) == expected


def test_a_rule_that_never_rings_so_often_is_taken_where_it_rings_most() -> None:
    people = _people()
    most = max(_rate(people, score) for own in people.values() for _, score in own)
    assert _rate(people, threshold_at(people, most + 1.0)) == most


def test_a_rule_whose_highest_score_is_too_frequent_never_rings() -> None:
    people = {"p": _series([0.0, 1.0] * 45)}
    threshold = threshold_at(people, 0.1)
    assert _rate(people, threshold) == 0.0
