"""Goal: what a run settles of weeks equals what the published files say. Method: import, replay,
and compare with computations straight from the files (``tests/oracles/rhythm.py``)."""

from pathlib import Path

import pytest

from connectors.importers import aware, lifesnaps
from streams.config import HOUR_S
from tests.oracles import rhythm as oracle
from tests.oracles.aware import FILE
from tests.oracles.lifesnaps import people_and_dates
from tests.test_oracles import settled_features

PEOPLE = 6


@pytest.mark.timeout(120)
def test_rhythm_and_rest_of_the_phone_are_those_of_the_aware_file(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "niimpy_screen"
    expected = oracle.phone_rhythm(folder)
    last = max(date for date, _ in expected)
    names = {name for _, name in expected}
    found = {
        (row["localDate"], name): value
        for row in settled_features(aware.load(folder / FILE), tmp_path)
        if row["window"] == "day" and row["localDate"] <= last
        for name, value in row["values"].items()
        if name in names
    }
    assert len(names) == 12
    assert found.keys() == expected.keys()
    assert len(found) > 250
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.timeout(120)
def test_variation_of_sleep_and_rmssd_is_that_of_the_lifesnaps_file(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "lifesnaps_daily"
    people = set(sorted({person for person, _ in people_and_dates(folder)})[:PEOPLE])
    expected = oracle.daily_variation(folder, people)
    kinds = {"sleep_duration_sd_min": "night", "rmssd_cv_percent": "day"}
    data = lifesnaps.load(folder, people=people)
    found = {
        (row["userId"], row["localDate"], name): row["values"][name]
        for row in settled_features(data, tmp_path, ticks_every_s=24 * HOUR_S)
        for name, kind in kinds.items()
        if row["window"] == kind and name in row["values"]
    }
    both = {key: value for key, value in found.items() if key in expected}
    assert len(expected) > 300
    assert both.keys() == expected.keys()
    assert both == pytest.approx(expected, rel=1e-9)
    # After a person's last date the days before it may still tell something, and only then.
    lasts = {(person, name): date for person, date, name in sorted(expected)}
    assert all(date > lasts[person, name] for person, date, name in found.keys() - expected.keys())
