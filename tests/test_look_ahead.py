"""Goal: nothing that was said depends on what came later. Method: cut a recording anywhere, and
what was said up to the cut is, output for output, what the whole of it said first.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.importers import lifesnaps
from connectors.importers.writer import Target, write_recording
from connectors.recordings import RecordingMessage, read_recording
from detectors.config import Compared, DetectionConfig
from streams.config import HOUR_S, PipelineConfig
from streams.events import Anomaly, Output
from tests.chaos.recording import LATENESS_H, Plan, recording
from tests.logs import pipeline_of

DETECTION = DetectionConfig(
    detectors=get_args(Compared), warm_up_days=2, persistence_days=1, persistence_hours=(1, 2)
)
EVERYTHING = {"baseline", "drift", "level_shift", *get_args(Compared)}


def _said(messages: Sequence[RecordingMessage], config: PipelineConfig) -> list[Output]:
    pipeline = pipeline_of(config)
    return [output for one in messages for output in pipeline.process(one.topic, [one])]


def _detectors(outputs: Sequence[Output]) -> set[str]:
    return {output.detector for output in outputs if isinstance(output, Anomaly)}


@pytest.fixture(scope="module")
def made_up() -> tuple[list[RecordingMessage], PipelineConfig, list[Output]]:
    """People with every channel over some days, late and revised data among them."""
    messages = recording(Plan(seed=3, people=3, days=3, partitions=1))
    config = PipelineConfig(partitions=1, lateness_s=LATENESS_H * HOUR_S, detection=DETECTION)
    return messages, config, _said(messages, config)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0.05, 0.95))
def test_a_cut_recording_says_what_the_whole_one_said_up_to_there(
    made_up: tuple[list[RecordingMessage], PipelineConfig, list[Output]], share: float
) -> None:
    messages, config, whole = made_up
    cut = _said(messages[: int(share * len(messages))], config)
    assert cut == whole[: len(cut)]


@pytest.mark.timeout(300)
def test_a_real_recording_cut_after_a_day_says_the_same_up_to_there(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "lifesnaps_daily"
    ids = sorted(person.user_id for person in lifesnaps.load(folder).people)[2:4]
    data = lifesnaps.load(folder, people=ids, days_max=80)
    data = msgspec.structs.replace(data, tick_every_s=12 * HOUR_S)
    target = Target(path=tmp_path / "people.jsonl", partitions=1)
    write_recording([data], target)
    messages = list(read_recording(target.path))
    config = PipelineConfig(partitions=1, detection=DETECTION)
    whole = _said(messages, config)
    assert _detectors(whole) == EVERYTHING
    for share in (0.5, 0.8):
        cut = _said(messages[: int(share * len(messages))], config)
        assert len(cut) > 100
        assert cut == whole[: len(cut)]
