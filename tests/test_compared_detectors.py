"""Goal: whichever detector a site names to compare with, it says something and rings nothing more.

Method: rows of a made-up person, and real people through the whole pipeline, with the usual
warm-up and each detector named alone.
"""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from connectors.importers import lifesnaps
from connectors.importers.writer import Target, write_recording
from connectors.recordings import RecordingMessage, read_recording
from detectors.cohort import load_cohort
from detectors.config import Compared, DetectionConfig
from detectors.models import SubjectModels
from streams.config import HOUR_S, PipelineConfig
from streams.events import Anomaly, Output
from tests.detectors.people import Person
from tests.logs import pipeline_of, settled

every_detector = pytest.mark.parametrize("name", get_args(Compared))


@every_detector
def test_a_detector_learns_from_the_first_row_of_a_person_on(name: Compared) -> None:
    models = SubjectModels(DetectionConfig(detectors=(name,)), load_cohort())
    person = Person(seed=4)
    said = []
    for _ in range(60):
        for row in person.rows():
            scores = models.score(row)
            said += [one.score for one in scores if one.detector == name]
            models.learn(row, scores)
    assert len(said) == 60
    assert max(said) > 0.0


@pytest.fixture(scope="module")
def real(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[RecordingMessage], list[Output]]:
    """Real people over some weeks, and what is said of them without any detector named."""
    folder = shared_data / "lifesnaps_daily"
    ids = sorted(person.user_id for person in lifesnaps.load(folder).people)[2:4]
    data = lifesnaps.load(folder, people=ids, days_max=60)
    data = msgspec.structs.replace(data, tick_every_s=12 * HOUR_S)
    target = Target(path=tmp_path_factory.mktemp("real") / "people.jsonl", partitions=1)
    write_recording([data], target)
    messages = list(read_recording(target.path))
    return messages, _said(messages, ())


@pytest.mark.timeout(300)
@every_detector
def test_real_people_are_watched_as_they_are_without_it(
    name: Compared, real: tuple[list[RecordingMessage], list[Output]]
) -> None:
    messages, without = real
    said = _said(messages, (name,))
    others = [one for one in said if not (isinstance(one, Anomaly) and one.detector == name)]
    own = [one.score for one in said if isinstance(one, Anomaly) and one.detector == name]
    assert settled(others) == settled(without)
    assert max(own) > 0.0


def _said(messages: list[RecordingMessage], names: tuple[Compared, ...]) -> list[Output]:
    config = PipelineConfig(partitions=1, detection=DetectionConfig(detectors=names))
    pipeline = pipeline_of(config)
    said = [output for one in messages for output in pipeline.process(one.topic, [one])]
    assert not pipeline.quarantined
    return said
