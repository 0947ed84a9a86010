"""Goal: whose settings judge somebody moves with settled rows, and is kept. Method: rows of one
made-up person in two projects, with a restart before each row and without."""

import msgspec

from detectors.cohort import load_cohort
from detectors.config import Concern
from streams.detection import Detection
from streams.detection_state import DetectionState
from streams.events import Alert
from tests.detectors.people import Person, features_of
from tests.detectors.rows import CONFIG, DAY_S

COHORT = load_cohort()
FASTER = {"heart_rate_sleeping_bpm": 5.0, "heart_rate_resting_bpm": 5.0}
CALM = {"north": msgspec.structs.replace(CONFIG, concerns=dict.fromkeys(FASTER, Concern.NONE))}
"""In one of two projects, a heart that beats faster is of no concern."""


def _restarted(detection: Detection) -> Detection:
    kept = msgspec.msgpack.encode(detection.to_state())
    state = msgspec.msgpack.decode(kept, type=DetectionState)
    return Detection.from_state(state, CONFIG, COHORT, CALM)


def test_a_project_s_own_settings_hold_from_its_first_row_on_and_after_a_restart() -> None:
    person, stays = Person(seed=2), Detection(CONFIG, COHORT, CALM)
    for row in (one for _ in range(60) for one in person.rows()):
        stays.settle(row, row.end + 3.0 * DAY_S, row.end + 3.0 * DAY_S)
    moves, again = _restarted(stays), _restarted(stays)
    told: list[list[Alert]] = [[], [], []]
    for row in (one for _ in range(10) for one in person.rows(**FASTER)):
        due = row.end + 3.0 * DAY_S
        north = msgspec.structs.replace(row, project_id="north")
        again = _restarted(again)
        for place, (detection, one) in enumerate(((stays, row), (moves, north), (again, north))):
            said = detection.settle(one, due, due)
            told[place] += [output for output in said if isinstance(output, Alert)]
        assert again.to_state() == moves.to_state()
    assert [bool(FASTER.keys() & features_of(alerts)) for alerts in told] == [True, False, False]


def test_settings_of_a_project_hold_from_the_beginning_where_it_has_any() -> None:
    assert Detection(CONFIG, COHORT, CALM, "north").to_state().project == "north"
    assert Detection(CONFIG, COHORT, CALM, "south").to_state().project is None
