"""Goal: what a run settles of phones and activity equals what the published files say. Method:
import each data set, replay it, and compare with computations straight from the CSV files.
"""

from collections.abc import Collection
from pathlib import Path

import pytest

from connectors.importers import aware, lifesnaps, mmash
from connectors.importers.dataset import DataSet
from streams.config import HOUR_S
from tests.oracles import activity, calls, screen
from tests.test_oracles import settled_features

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


def test_screen_episodes_and_times_of_use_are_those_of_the_aware_file(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "niimpy_screen"
    days = screen.screen_days(folder)
    found = days_of(aware.load(folder / screen.FILE), tmp_path, screen.FEATURES)
    assert len(days) == 31
    # Clock times of 2017 in binary seconds are exact to a quarter of a microsecond.
    assert found.keys() == {(aware.USER, date) for date in days}
    for date, values in days.items():
        assert found[aware.USER, date] == pytest.approx(values, rel=0, abs=1e-7), date


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
