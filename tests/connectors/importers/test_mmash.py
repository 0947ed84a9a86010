"""Goal: MMASH becomes the events that it stands for. Method: small tables with its oddities."""

import datetime as dt
from pathlib import Path

import pytest

from connectors.importers import mmash
from streams.errors import BadInput
from streams.events import HeartRate, InterBeatInterval, SleepEpisode, Steps, Subject, SubjectStatus
from tests.connectors.importers.imported import imported, records, write_table

SLEEP = (
    "In Bed Date,In Bed Time,Out Bed Date,Out Bed Time,Total Sleep Time (TST),"
    "Wake After Sleep Onset (WASO),Number of Awakenings"
)
MIDNIGHT_S = dt.datetime(2020, 1, 5, 23, tzinfo=dt.UTC).timestamp()
DAY_S = 86_400.0


def _person(folder: Path, name: str = "user_1") -> Path:
    actigraphy = [
        "0,1,68.0,1,22:59:58",
        "1,2,70.0,1,22:59:59",
        "2,0,7.0,1,23:00:00",
        "3,4,72.0,1,23:00:07",
        # The day after the 30th of a month is day -29.
        "4,5,60.0,-29,00:00:01",
    ]
    beats = ["1,0.258,1,23:00:01", "2,0.319,1,23:00:01", "3,14.8,1,23:00:09", "4,0.9,-29,00:00:02"]
    write_table(folder / name / "Actigraph.csv", ",Steps,HR,day,time", actigraphy)
    write_table(folder / name / "RR.csv", ",ibi_s,day,time", beats)
    # By its dates this night ends before it begins.
    write_table(folder / name / "sleep.csv", SLEEP, ["1,23:30,1,05:52,351,89,16"])
    write_table(folder / name / "user_info.csv", ",Gender,Age", ["0,M,29"])
    return folder


def test_seconds_become_envelopes_of_a_minute(tmp_path: Path) -> None:
    summary, envelopes = imported(mmash.load(_person(tmp_path)), tmp_path)
    minute = MIDNIGHT_S + 22 * 3_600 + 59 * 60
    assert [
        (sample.time - MIDNIGHT_S, sample.heart_rate)
        for sample in records(envelopes, HeartRate, "user_1")
    ] == [
        (22 * 3_600 + 59 * 60 + 58.0, 68.0),
        (22 * 3_600 + 59 * 60 + 59.0, 70.0),
        (23 * 3_600 + 7.0, 72.0),
        (DAY_S + 1.0, 60.0),
    ]
    assert [
        (count.time, count.duration, count.steps) for count in records(envelopes, Steps, "user_1")
    ] == [
        (minute, 60.0, 3),
        (minute + 60.0, 60.0, 4),
        (MIDNIGHT_S + DAY_S, 60.0, 5),
    ]
    assert sum(summary.left_out.values()) == 2
    assert summary.records["heart_rate"] == 4


def test_beats_keep_their_second_and_artefacts_are_left_out(tmp_path: Path) -> None:
    _, envelopes = imported(mmash.load(_person(tmp_path)), tmp_path)
    beats = records(envelopes, InterBeatInterval, "user_1")
    assert [beat.inter_beat_interval for beat in beats] == [0.258, 0.319, 0.9]
    seconds = [beat.time - MIDNIGHT_S for beat in beats]
    assert [second // 1 for second in seconds] == [82_801.0, 82_801.0, 86_402.0]
    assert seconds[1] - seconds[0] == pytest.approx(0.319, abs=1e-3)


def test_a_night_lasts_until_the_next_morning(tmp_path: Path) -> None:
    _, envelopes = imported(mmash.load(_person(tmp_path)), tmp_path)
    (night,) = records(envelopes, SleepEpisode, "user_1")
    assert night.time == MIDNIGHT_S + 23.5 * 3_600
    assert night.duration == (6 * 60 + 22) * 60.0
    assert (night.asleep_duration, night.awake_duration, night.awakenings) == (21_060, 5_340, 16)
    assert night.is_main_sleep is None


def test_everybody_is_enrolled_before_their_data_and_paused_after_all_data(tmp_path: Path) -> None:
    _person(tmp_path, "user_2")
    data = mmash.load(_person(tmp_path), first_day=dt.date(2021, 7, 25))
    _, envelopes = imported(data, tmp_path)
    for user_id in ("user_1", "user_2"):
        enrolled, paused = records(envelopes, Subject, user_id)
        assert (enrolled.status, paused.status) == (SubjectStatus.ENROLLED, SubjectStatus.PAUSED)
        assert enrolled.time_zone == "Europe/Rome"
        assert enrolled.groups == {"sex": "MALE", "ageBand": "<30"}
        assert {"heart_rate", "inter_beat_interval", "steps", "sleep_episode"} == set(
            enrolled.consent
        )
    assert [isinstance(envelope.records[0], Subject) for envelope in envelopes] == [
        True, True, *(False for _ in envelopes[4:]), True, True,
    ]  # fmt: skip


def test_people_can_be_chosen(tmp_path: Path) -> None:
    _person(tmp_path, "user_2")
    data = mmash.load(_person(tmp_path), people={"user_2"})
    assert [person.user_id for person in data.people] == ["user_2"]


def test_what_is_not_mmash_is_refused_by_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not MMASH"):
        mmash.load(tmp_path)
    with pytest.raises(BadInput, match="no such file or folder"):
        mmash.load(tmp_path / "missing")
    _person(tmp_path)
    write_table(tmp_path / "user_1" / "Actigraph.csv", "Steps,HR,day,time", ["1,fast,1,10:00:00"])
    with pytest.raises(BadInput, match=r"Actigraph.csv, row 2: a value") as caught:
        imported(mmash.load(tmp_path), tmp_path)
    assert "fast" not in str(caught.value)
