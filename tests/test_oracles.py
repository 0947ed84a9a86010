"""Goal: what a run settles equals what the published files say. Method: import each data set,
replay it, and compare with computations straight from the CSV files (``tests/oracles``).
"""

import asyncio
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.export import Exported, canonical_lines
from connectors.importers import lifesnaps, mmash
from connectors.importers.dataset import DataSet
from connectors.importers.writer import Target, write_recording
from connectors.recordings import RecordingMessage, read_recording
from connectors.run_files import open_run
from connectors.sqlite import SqliteResults
from detectors.cohort import load_cohort
from streams.config import HOUR_S, PipelineConfig
from streams.events import TICK_KEY, HeartRate, Record, SleepEpisode, Steps, Tick, WindowKind
from streams.evidence import Evidence
from streams.replay import replay
from tests.oracles import lifesnaps as lifesnaps_oracle
from tests.oracles import mmash as mmash_oracle
from tests.oracles import witting
from tests.streams.features import worlds
from tests.streams.features.dates import Life, utc
from tests.streams.features.worlds import add

PARTITIONS = 2

DAILY = {
    "heart_rate_waking_bpm",
    "heart_rate_dip_percent",
    "heart_rate_mesor_bpm",
    "heart_rate_amplitude_bpm",
    "heart_rate_acrophase_min",
}

RHYTHM = re.compile("(heart_rate|activity)_(interdaily|intradaily|relative|l5|m10)_")


def settled_features(
    data: DataSet, folder: Path, *, ticks_every_s: float = HOUR_S
) -> Iterator[dict[str, Any]]:
    """Settled rows of a data set that is imported and replayed, as in the canonical export."""
    recording, run = folder / "recording.jsonl.zst", folder / "run.sqlite"
    write_recording([data], Target(path=recording, partitions=PARTITIONS))
    messages = _thinned(read_recording(recording), ticks_every_s)

    async def replayed() -> None:
        sink = SqliteResults(run, run={})
        config = PipelineConfig(partitions=PARTITIONS)
        await replay(messages, sink, config=config, cohort=load_cohort())
        await sink.close()

    asyncio.run(replayed())
    with open_run(run) as connection:
        yield from canonical_lines(connection, Exported.FEATURES)


def _thinned(messages: Iterable[RecordingMessage], every_s: float) -> Iterator[RecordingMessage]:
    """Fewer ticks, which change nothing that is settled and save time."""
    decoder = msgspec.json.Decoder(Tick)
    for message in messages:
        if message.key != TICK_KEY or decoder.decode(message.value or b"").time % every_s == 0:
            yield message


@pytest.fixture(scope="module")
def mmash_people(shared_data: Path) -> dict[str, mmash_oracle.Person]:
    """What MMASH's files hold."""
    return mmash_oracle.people(shared_data / "mmash")


@pytest.fixture(scope="module")
def mmash_rows(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """Settled rows of a run of MMASH, by kind of window."""
    rows: dict[str, list[dict[str, Any]]] = {}
    data = mmash.load(shared_data / "mmash")
    folder = tmp_path_factory.mktemp("mmash")
    for row in settled_features(data, folder, ticks_every_s=6 * HOUR_S):
        rows.setdefault(row["window"], []).append(row)
    return rows


@pytest.mark.timeout(400)
def test_minutes_and_hours_are_those_of_the_mmash_files(
    mmash_people: dict[str, mmash_oracle.Person], mmash_rows: dict[str, list[dict[str, Any]]]
) -> None:
    for kind, figures, count in (
        ("minute", mmash_oracle.minute_figures, 14_895),
        ("hour", mmash_oracle.hour_figures, 269),
    ):
        told = {name: figures(person) for name, person in mmash_people.items()}
        expected = {(name, start): told[name][start] for name in told for start in told[name]}
        names = {name for values in expected.values() for name in values}
        found = {
            (row["userId"], int(row["start"])): values
            for row in mmash_rows[kind]
            if (values := {n: v for n, v in row["values"].items() if n in names})
        }
        assert len(names) == 3
        assert len(expected) == count
        assert found.keys() == expected.keys()
        for key, values in expected.items():
            assert found[key] == pytest.approx(values, rel=0, abs=1e-9), key


@pytest.mark.timeout(400)
def test_coverage_of_hours_and_yield_and_rest_of_days_are_those_of_the_mmash_files(
    mmash_people: dict[str, mmash_oracle.Person], mmash_rows: dict[str, list[dict[str, Any]]]
) -> None:
    coverage = {name: mmash_oracle.hour_coverage(one) for name, one in mmash_people.items()}
    silent = {"heart_rate": 0.0, "inter_beat_interval": 0.0, "steps": 0.0, "sleep": 0.0}
    for row in mmash_rows["hour"]:
        expected = coverage[row["userId"]].get(int(row["start"]), silent)
        assert row["coverage"] == pytest.approx(expected, rel=1e-9), row["userId"]
    days = 0
    for row in mmash_rows["day"]:
        if row["localDate"] in mmash_oracle.DATES:
            person = mmash_people[row["userId"]]
            expected = mmash_oracle.date_figures(person, row["localDate"])
            names = {*expected, "heart_rate_resting_bpm"}
            found = {name: value for name, value in row["values"].items() if name in names}
            assert found == pytest.approx(expected, rel=1e-9), row["userId"]
            days += 1
    assert days == 2 * len(mmash_people)


@pytest.mark.timeout(400)
def test_nights_are_those_of_the_mmash_files(
    mmash_people: dict[str, mmash_oracle.Person], mmash_rows: dict[str, list[dict[str, Any]]]
) -> None:
    nights = [row for row in mmash_rows["night"] if row["localDate"] == mmash_oracle.NIGHT]
    found = {row["userId"]: row["values"] for row in nights}
    assert found.keys() == mmash_people.keys()
    for name, person in mmash_people.items():
        expected = mmash_oracle.night_figures(person)
        values = found[name]
        assert values == pytest.approx(expected, rel=1e-9), name
        if person.main is not None:
            # As the actigraph's own software gives it, to two decimals.
            published = person.main.efficiency_percent
            assert values["sleep_efficiency_percent"] == pytest.approx(published, abs=0.005)


def test_dip_and_rhythm_of_a_real_day_are_those_of_the_mmash_files(
    mmash_people: dict[str, mmash_oracle.Person],
) -> None:
    told: set[str] = set()
    for name, person in mmash_people.items():
        # Samples are kept to 0.1 beats/min.
        first = min(person.heart_bpm)
        whole_day = {m: bpm for m, bpm in person.heart_bpm.items() if m < first + 1_440}
        minutes = {minute: round(bpm, 1) for minute, bpm in whole_day.items()}
        evidence = Evidence()
        add(evidence, *(HeartRate(time=_moved(m, first), heart_rate=minutes[m]) for m in minutes))
        for row in person.in_bed:
            length_s = float(row.stop_s - row.start_s)
            add(evidence, SleepEpisode(time=_moved(row.start_s // 60, first), duration=length_s))
        expected = mmash_oracle.day_figures(person._replace(heart_bpm=minutes))
        values = {key: value for key, value in worlds.day(evidence).items() if key in DAILY}
        assert values == pytest.approx(expected, abs=1e-9), name
        told |= values.keys()
    assert told == DAILY


def test_rhythms_of_weeks_of_real_days_are_those_of_their_hours(
    mmash_people: dict[str, mmash_oracle.Person],
) -> None:
    """The people's days are those of one life, and the first ones come again."""
    people = [mmash_oracle.first_day(person) for person in mmash_people.values()]
    people += people[:5]
    life, hours = Life(), list[tuple[witting.Hours, witting.Hours]]()
    for day, person in enumerate(people):
        midnight_s = utc("2024-01-09") + day * 86_400.0
        for records in _on_date(person, midnight_s):
            life.add(records)
        hours.append(mmash_oracle.hours_of_day(person))
    told: set[str] = set()
    for day, values in enumerate(life.rows(WindowKind.DAY, "2024-01-09", len(people)).values()):
        rates, steps = ([both[channel] for both in hours[: day + 1]] for channel in (0, 1))
        expected = witting.rhythm(rates, "heart_rate", "bpm", 0.1)
        expected |= witting.rhythm(steps, "activity", "steps_per_h")
        found = {name: value for name, value in values.items() if RHYTHM.match(name)}
        assert found == pytest.approx(expected, rel=1e-9), day
        told |= expected.keys()
    assert len(told) == 14


def _on_date(person: mmash_oracle.Person, midnight_s: float) -> Iterator[list[Record]]:
    """A recording's minutes on one date, at their local time of the clock in Rome."""
    at = {m: midnight_s + (m + 60) % 1_440 * 60.0 for m in {*person.heart_bpm, *person.steps}}
    yield [HeartRate(time=at[m], heart_rate=bpm) for m, bpm in person.heart_bpm.items()]
    yield [Steps(time=at[m], duration=60.0, steps=count) for m, count in person.steps.items()]


def _moved(minute: int, first: int) -> float:
    """A minute's instant (s UTC) when the first is at midnight."""
    return worlds.MIDNIGHT_S + (minute - first) * 60.0


@pytest.mark.timeout(400)
def test_days_and_nights_are_those_of_the_lifesnaps_file(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "lifesnaps_daily"
    expected = lifesnaps_oracle.daily_figures(folder)
    days = lifesnaps_oracle.people_and_dates(folder)
    found: lifesnaps_oracle.Figures = {}
    dates = set()
    for row in settled_features(lifesnaps.load(folder), tmp_path, ticks_every_s=24 * HOUR_S):
        if row["window"] == "day":
            dates.add((row["userId"], row["localDate"]))
        for feature in lifesnaps_oracle.FEATURES.get(row["window"], ()):
            if feature in row["values"]:
                key = row["userId"], row["localDate"], row["window"], feature
                found[key] = row["values"][feature]
    assert len(days) == 7_410
    assert days <= dates
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-12)
