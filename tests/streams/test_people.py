"""Goal: a fault of the code on one subject stays with that subject, and its care team is told.
Method: features and detectors that raise for one of three subjects.
"""

from collections.abc import Callable
from typing import Any

import pytest

from streams.detection import Detection
from streams.events import (
    Alert,
    AlertKind,
    DeadLetter,
    FeatureRow,
    HeartRate,
    Output,
    SubjectStatus,
)
from streams.subject import SubjectState
from tests.logs import HOUR_S, START_S, LogWriter, in_turns, pipeline_of, subject
from tests.test_determinism import CONFIG

VICTIM = "u1"
HOURS = 30


def _logs() -> LogWriter:
    writer = LogWriter()
    users = ("u0", VICTIM, "u2")
    for user_id in users:
        writer.send(subject(user_id), received=START_S, user_id=user_id)
    writer.tick(START_S)
    for hour in range(1, HOURS):
        now = START_S + hour * HOUR_S
        for user_id in users:
            beats = [HeartRate(time=now - 60 * k, heart_rate=60 + k) for k in range(30)]
            writer.send(*beats, received=now, user_id=user_id)
        writer.tick(now)
    writer.settle_everything(START_S + HOURS * HOUR_S, CONFIG.lateness_s)
    return writer


def _outputs() -> tuple[list[Output], dict[str, str], dict[str, int]]:
    pipeline = pipeline_of(CONFIG)
    outputs = [o for topic, batch in in_turns(_logs().logs) for o in pipeline.process(topic, batch)]
    return outputs, pipeline.quarantined, dict(pipeline.counts)


def _settled(outputs: list[Output], user_id: str) -> list[FeatureRow]:
    rows = [o for o in outputs if isinstance(o, FeatureRow) and o.settled]
    return [row for row in rows if row.user_id == user_id]


def _raising(original: Callable[..., Any], after: int) -> Callable[..., Any]:
    calls = {"count": 0}

    def call(self: SubjectState, *arguments: Any, **options: Any) -> Any:
        if self.user_id == VICTIM:
            calls["count"] += 1
            if calls["count"] > after:
                raise ZeroDivisionError("a value of somebody")
        return original(self, *arguments, **options)

    return call


@pytest.mark.parametrize("step", ["advance", "add"])
def test_a_fault_on_one_subject_changes_nothing_for_the_others(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    expected, quarantined, _ = _outputs()
    assert not quarantined
    monkeypatch.setattr(SubjectState, step, _raising(getattr(SubjectState, step), after=5))
    outputs, quarantined, counts = _outputs()
    for user_id in ("u0", "u2"):
        assert _settled(outputs, user_id) == _settled(expected, user_id)
    assert not _settled(outputs, VICTIM)
    assert quarantined[VICTIM].startswith("ZeroDivisionError in test_people.py")
    alerts = [o for o in outputs if isinstance(o, Alert)]
    (alert,) = [alert for alert in alerts if alert.kind is AlertKind.OPERATIONAL]
    assert (alert.rule, alert.user_id) == ("not_watched", VICTIM)
    assert "nothing can be told" in alert.summary.lower()
    assert counts["quarantined_count"] > 0


def test_the_event_on_which_the_code_failed_is_a_dead_letter_with_its_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SubjectState, "add", _raising(SubjectState.add, after=5))
    outputs, _, _ = _outputs()
    (letter,) = [o for o in outputs if isinstance(o, DeadLetter)]
    assert letter.key == VICTIM.encode()
    assert letter.value is not None
    assert letter.reason.startswith("the code failed: ZeroDivisionError in test_people.py")
    assert "somebody" not in letter.reason


def test_a_detector_that_raises_quarantines_whom_it_was_working_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = Detection.settle

    def settle(
        self: Detection, row: FeatureRow, due: float, clock: float, *, was_said: bool
    ) -> list[Output]:
        if row.user_id == VICTIM:
            raise ValueError("no such score")
        return original(self, row, due, clock, was_said=was_said)

    monkeypatch.setattr(Detection, "settle", settle)
    outputs, quarantined, _ = _outputs()
    assert set(quarantined) == {VICTIM}
    assert _settled(outputs, "u0")


def test_a_fault_in_one_enrolment_quarantines_another_of_the_same_subject_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SubjectState, "advance", _raising(SubjectState.advance, after=1))
    writer = LogWriter()
    writer.send(subject(VICTIM), received=START_S, user_id=VICTIM)
    writer.tick(START_S)
    statuses = [SubjectStatus.WITHDRAWN, SubjectStatus.ENROLLED, SubjectStatus.PAUSED]
    for number, status in enumerate(statuses, start=1):
        record = subject(VICTIM, status=status)
        writer.send(record, received=START_S, user_id=VICTIM)
        writer.tick(START_S + HOUR_S + number * 60, ["subjects"])
    beats = [HeartRate(time=START_S - 1_800, heart_rate=60)]
    writer.send(*beats, received=START_S, user_id=VICTIM)
    others = [topic for topic in writer.logs if topic != "subjects"]
    writer.tick(START_S + HOUR_S / 2, others)
    pipeline = pipeline_of(CONFIG)
    for topic, log in writer.logs.items():
        pipeline.process(topic, log)
    assert pipeline.clock == START_S + HOUR_S / 2
    assert set(pipeline.quarantined) == {VICTIM}
