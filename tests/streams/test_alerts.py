"""Goal: a silence is withdrawn for its true cause; method: one silent day, looked at again."""

from typing import Any

import msgspec
import pytest

from detectors import wording
from detectors.cohort import load_cohort
from streams.detection import Detection
from streams.events import Alert, AlertKind, FeatureRow, SubjectStatus, WindowKind
from streams.unsettled import UnsettledRow
from tests.detectors.rows import CONFIG, row


@pytest.mark.parametrize(
    ("changes", "is_revised", "told"),
    [
        ({"status": SubjectStatus.PAUSED}, False, wording.WITHDRAWN_PAUSED),
        ({"values": {"silence_h": 1.0}}, True, wording.WITHDRAWN_DATA_CAME),
        ({"values": {"silence_h": 1.0}}, False, wording.WITHDRAWN_GAP),
    ],
)
def test_a_silence_is_withdrawn_for_its_own_causes(
    changes: dict[str, Any], told: str, *, is_revised: bool
) -> None:
    detection = Detection(CONFIG, load_cohort())
    silent = row(WindowKind.DAY, 40, {"silence_h": 200.0})
    (stopped,) = _seen(detection, silent, is_revised=False)
    assert stopped.kind is AlertKind.DATA
    (gone,) = _seen(detection, msgspec.structs.replace(silent, **changes), is_revised=is_revised)
    assert gone.alert_id == stopped.alert_id
    assert gone.summary == f"{told} It had said: {stopped.summary}"


def _seen(detection: Detection, day: FeatureRow, *, is_revised: bool) -> list[Alert]:
    outputs = detection.view([UnsettledRow(day, day.end)], day.end, is_revised=is_revised)
    return [output for output in outputs if isinstance(output, Alert)]
