"""Goal: what a run settles of phones and activity equals what the published files say. Method:
import each data set, replay it, and compare with computations straight from the CSV files.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from connectors.importers import aware, lifesnaps, mmash
from connectors.importers.dataset import DataSet
from streams.config import HOUR_S
from tests.oracles import activity, calls, hearing, screen
from tests.oracles import aware as aware_oracle
from tests.test_oracles import settled_features

Rows = dict[str, list[dict[str, Any]]]
"""Kind of window -> settled rows."""
Oracle = Callable[[Path], dict[str, aware_oracle.PhoneDay]]

REPORTED = ("active_reported_min", "sedentary_reported_min")


def days_of(
    data: DataSet, folder: Path, features: Collection[str], *, ticks_every_s: float = HOUR_S
) -> dict[tuple[str, str], dict[str, float]]:
    """(person, local date) -> those of the features that its settled row has, if any."""
    days = {}
    for row in settled_features(data, folder, ticks_every_s=ticks_every_s):
        values = {name: row["values"][name] for name in features if name in row["values"]}
        if row["window"] == "day" and values:
            days[row["userId"], row["localDate"]] = values
    return days


def assert_same(found: dict[tuple[str, str], dict[str, float]], expected: activity.Figures) -> None:
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, rel=0, abs=1e-9), key


@pytest.fixture(scope="module")
def screen_rows(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Settled rows of a run of the screen's events alone."""
    data = aware.load(shared_data / "niimpy_screen" / screen.FILE)
    return by_window(settled_features(data, tmp_path_factory.mktemp("screen")))


@pytest.fixture(scope="module")
def phone_rows(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Settled rows of the same phone in a run of all of AWARE's tables, with signs of life."""
    data = aware.load(shared_data / "niimpy_screen")
    rows = settled_features(data, tmp_path_factory.mktemp("phone"))
    return by_window(row for row in rows if row["userId"] == aware.USER)


def by_window(rows: Iterable[dict[str, Any]]) -> Rows:
    found: Rows = {}
    for row in rows:
        found.setdefault(row["window"], []).append(row)
    return found


def chosen(rows: list[dict[str, Any]], names: Collection[str]) -> dict[str, dict[str, float]]:
    """Local date -> those of the named values that its row has, if any."""
    found = {
        row["localDate"]: {n: v for n, v in row["values"].items() if n in names} for row in rows
    }
    return {date: values for date, values in found.items() if values}


@pytest.mark.parametrize(
    ("window", "oracle", "count"),
    [("day", aware_oracle.phone_days, 31), ("night", aware_oracle.phone_nights, 32)],
)
def test_unlocks_and_screen_minutes_are_those_of_the_aware_file(
    shared_data: Path, screen_rows: Rows, window: str, oracle: Oracle, count: int
) -> None:
    expected = {
        date: {"unlock_count": use.unlocks, "screen_min": use.screen_min}
        for date, use in oracle(shared_data / "niimpy_screen").items()
        if window == "night" or use.screen_min or use.unlocks
    }
    found = chosen(screen_rows[window], ("unlock_count", "screen_min"))
    assert len(expected) == count
    assert found.keys() == expected.keys()
    for date, use in expected.items():
        assert found[date] == pytest.approx(use, rel=1e-9, abs=1e-9), date


def test_screen_episodes_and_times_of_use_are_those_of_the_aware_file(
    shared_data: Path, screen_rows: Rows
) -> None:
    expected = screen.screen_days(shared_data / "niimpy_screen")
    found = chosen(screen_rows["day"], screen.FEATURES)
    assert len(expected) == 31
    # Clock times of 2017 in binary seconds are exact to a quarter of a microsecond.
    assert found.keys() == expected.keys()
    for date, values in expected.items():
        assert found[date] == pytest.approx(values, rel=0, abs=1e-7), date


def test_silence_and_usual_gaps_are_those_of_the_aware_file(
    shared_data: Path, screen_rows: Rows
) -> None:
    folder = shared_data / "niimpy_screen"
    for window in ("hour", "day"):
        silences = {row["end"]: row["values"]["silence_h"] for row in screen_rows[window]}
        assert len({*silences.values()}) > 5
        told = hearing.silence_h(folder, {*silences})
        assert len(told) >= len(silences) - 1
        assert {end_s: silences[end_s] for end_s in told} == told
    expected = hearing.usual_gaps(folder)
    found = chosen(screen_rows["day"], {"sync_gap_usual_h"})
    assert len({*expected.values()}) > 1
    assert {date: found[date]["sync_gap_usual_h"] for date in expected} == expected
    # Before a week there is none, and after the last date it stays.
    assert min(found) == min(expected)


def test_yield_and_coverage_of_days_are_those_of_the_aware_file(
    shared_data: Path, phone_rows: Rows
) -> None:
    folder = shared_data / "niimpy_screen"
    expected = hearing.phone_yield(folder)
    names = {name for values in expected.values() for name in values}
    found = chosen(phone_rows["day"], names)
    assert len(expected) == 32
    for date, values in expected.items():
        assert found[date] == pytest.approx(values, rel=1e-9), date
    covered = {row["localDate"]: row["coverage"].get("phone", 0.0) for row in phone_rows["day"]}
    ratios = {date: values["valid_minute_ratio"] for date, values in expected.items()}
    assert {date: covered[date] for date in ratios} == pytest.approx(ratios, rel=1e-9)
    # With signs of life use is told on days that are told, used or not.
    lived = {date for date, values in expected.items() if values["valid_minute_ratio"] >= 0.6}
    use = chosen(phone_rows["day"], {"screen_min"})
    assert use.keys() == lived
    days = aware_oracle.phone_days(folder)
    told = {date: {"screen_min": days[date].screen_min} for date in lived}
    assert len(told) == 31
    for date, values in told.items():
        assert use[date] == pytest.approx(values, rel=1e-9, abs=1e-9), date


def test_calls_are_those_of_the_aware_file(shared_data: Path, tmp_path: Path) -> None:
    expected = calls.call_days(shared_data / "niimpy_screen")
    features = {name for values in expected.values() for name in values}
    data = aware.load(shared_data / "niimpy_screen" / calls.FILE)
    found = days_of(data, tmp_path, {*features, "call_contact_count"})
    assert sum(sum(v for k, v in day.items() if "count" in k) for day in expected.values()) == 38
    assert_same(found, expected)


@pytest.mark.timeout(300)
def test_minutes_of_activity_are_those_of_the_mmash_files(
    shared_data: Path, tmp_path: Path
) -> None:
    expected = activity.mmash_days(shared_data / "mmash")
    assert sum("sedentary_min" in values for values in expected.values()) > 0
    found = days_of(mmash.load(shared_data / "mmash"), tmp_path, activity.MMASH_FEATURES)
    assert_same(found, expected)


@pytest.mark.timeout(400)
def test_reported_activity_is_that_of_the_lifesnaps_file(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "lifesnaps_daily"
    days = activity.reported_days(folder)
    people = set(sorted({person for person, _ in days})[:20])
    expected = {key: values for key, values in days.items() if key[0] in people}
    assert len(expected) > 1_000
    data = lifesnaps.load(folder, people=people)
    assert_same(days_of(data, tmp_path, REPORTED, ticks_every_s=24 * HOUR_S), expected)
