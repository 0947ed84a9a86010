"""Goal: NightSignal's rule as published, but causal; method: the rule again over whole lists of
nights with the standard library's median, on real heart rates and on drawn ones.
"""

from pathlib import Path
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from detectors.base import DAY
from detectors.night_signal import RED_SCORE, YELLOW_SCORE, NightSignal, score_at
from tests.detectors.lifesnaps import resting_heart_rates

NAME = "heart_rate_resting_bpm"
Nights = list[tuple[int, float]]


def _published(nights: Nights) -> dict[int, str]:
    """Colour of each night, from the full series; a lone gap is like the night before it."""
    known = {night: int(bpm) for night, bpm in nights}
    for night in list(known):
        if night + 1 not in known and night + 2 in known:
            known[night + 1] = known[night]
    series = sorted(known)
    above = {n: known[n] - int(median(known[m] for m in series if m <= n)) for n in series}
    lower = {n: min(above[n], above.get(n - 1, 0)) for n, _ in nights}
    return {n: "red" if low >= 4 else "yellow" if low >= 3 else "" for n, low in lower.items()}


def _colours(nights: Nights) -> dict[int, str]:
    rule = NightSignal(NAME)
    colours = {}
    for night, bpm in nights:
        x = {NAME: bpm, DAY: float(night)}
        score = rule.score_one(x)
        colours[night] = "red" if score >= RED_SCORE else "yellow" if score >= YELLOW_SCORE else ""
        rule.learn_one(x)
    return colours


def test_colours_are_those_of_the_rule_on_real_heart_rates(shared_data: Path) -> None:
    assert shared_data.is_dir()
    seen: set[str] = set()
    for nights in list(resting_heart_rates())[:20]:
        colours = _colours(nights)
        assert colours == _published(nights)
        seen |= set(colours.values())
    assert seen == {"", "yellow", "red"}


@given(
    st.dictionaries(st.integers(1, 40), st.floats(50.0, 62.0), min_size=2, max_size=40),
)
def test_colours_are_those_of_the_rule_whatever_is_missing(by_night: dict[int, float]) -> None:
    nights = sorted(by_night.items())
    assert _colours(nights) == _published(nights)


def test_without_dates_a_row_without_the_feature_is_a_missing_night() -> None:
    rule = NightSignal(NAME)
    for bpm in (*[60.0] * 9, 64.0):
        rule.learn_one({NAME: bpm})
    rule.learn_one({"other": 1.0})
    assert rule.score_one({NAME: 64.0}) >= RED_SCORE
    rule.learn_one({"other": 1.0})
    assert rule.score_one({NAME: 64.0}) < score_at(1)


def test_heart_rates_beyond_what_a_heart_does_take_no_memory() -> None:
    rule = NightSignal()
    for i in range(2_000):
        rule.learn_one({"step_count": 1_000.0 * i})
    assert sum(rule.to_state()["nights"]["step_count"][3:]) == 2_000
