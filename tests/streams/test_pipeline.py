"""Goal: bad input costs nobody else anything, and consent decides what is kept. Method: single
messages among good ones through one partition's pipeline; what is said and counted afterwards."""

import datetime as dt
import math
from collections import Counter
from importlib import import_module
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.cohort import load_cohort
from streams.config import PipelineConfig
from streams.decoding import decode
from streams.errors import PartitionsChanged
from streams.events import (
    ENVELOPE_BYTES_MAX,
    INGEST_TOPICS,
    TICK_KEY,
    ActivitySummary,
    Alert,
    AlertStatus,
    Consent,
    DeadLetter,
    FeatureRow,
    HeartRate,
    MinuteRows,
    MoodCheckIn,
    Output,
    Purpose,
    Source,
    Subject,
    SubjectStatus,
    encode_tick,
)
from streams.pipeline import PartitionPipeline
from tests.logs import HOUR_S, START_S, LogWriter, Message, pipeline_of, run, subject

CONFIG = PipelineConfig(partitions=1, lateness_s=6 * HOUR_S)
NOON_S = START_S + 12 * HOUR_S


def enrolled(**changes: Any) -> LogWriter:
    writer = LogWriter()
    writer.send(subject(**changes), received=START_S)
    writer.tick(START_S)
    writer.tick(NOON_S)
    return writer


def heart_rate(minute: int = 0, bpm: float = 60.0) -> HeartRate:
    return HeartRate(time=NOON_S + 60 * minute, heart_rate=bpm)


def finish(writer: LogWriter) -> tuple[list[Output], PartitionPipeline]:
    writer.settle_everything(NOON_S + HOUR_S, CONFIG.lateness_s)
    pipeline = pipeline_of(CONFIG)
    outputs: list[Output] = []
    for topic, log in writer.logs.items():
        outputs += pipeline.process(topic, log)
    return outputs, pipeline


def minute_means(outputs: list[Output]) -> dict[int, float]:
    return {
        int((minute.start - NOON_S) // 60): minute.values["heart_rate_mean_bpm"]
        for rows in outputs
        if isinstance(rows, MinuteRows) and rows.settled
        for minute in rows.minutes
    }


def letters(outputs: list[Output]) -> list[DeadLetter]:
    return [output for output in outputs if isinstance(output, DeadLetter)]


GOOD = (
    b'{"schema":"heart_rate/1","projectId":"p","userId":"u1","sourceId":"watch",'
    b'"timeReceived":%d,"records":[%s]}'
)


def raw(records: bytes) -> bytes:
    return GOOD % (int(NOON_S + HOUR_S), records)


RECORD = b'{"time":%d,"heartRate":61}' % int(NOON_S + 60)

STRUCTURAL = {
    "broken JSON": (b"u1", raw(RECORD)[:-2]),
    "not a JSON object": (b"u1", b"[1]"),
    "unknown schema or version": (b"u1", raw(RECORD).replace(b"heart_rate/1", b"heart_rate/2")),
    "schema does not belong to this topic": (
        b"u1",
        raw(RECORD).replace(b"heart_rate/1", b"device_status/1").replace(b',"heartRate":61', b""),
    ),
    "key is not the envelope's userId": (b"u2", raw(RECORD)),
    "empty envelope: no records": (b"u1", raw(b"")),
    "empty message": (b"u1", b""),
    "oversized message": (b"u1", raw(RECORD) + b" " * ENVELOPE_BYTES_MAX),
    "oversized envelope": (b"u1", raw(b",".join([RECORD] * 10_001))),
    "nested too deeply": (b"u1", raw(RECORD)[:-1] + b',"x":' + b"[" * 2_000 + b"]" * 2_000 + b"}"),
    "bad envelope": (b"u1", raw(RECORD).replace(b'"projectId":"p"', b'"projectId":"not ok"')),
}


@pytest.mark.parametrize("reason", STRUCTURAL)
def test_a_structural_fault_refuses_its_envelope_and_no_other(reason: str) -> None:
    writer = enrolled()
    writer.send(heart_rate(0), received=NOON_S + 60)
    writer.put("heart-rate", *STRUCTURAL[reason])
    writer.send(heart_rate(2), received=NOON_S + 180)
    outputs, _ = finish(writer)
    (letter,) = letters(outputs)
    assert letter.reason.startswith(reason)
    assert (letter.topic, letter.offset, letter.index) == ("heart-rate", 3, None)
    assert letter.value == STRUCTURAL[reason][1]
    assert minute_means(outputs) == {0: 60.0, 2: 60.0}


BAD_RECORDS = {
    "NaN": b'{"time":%d,"heartRate":NaN}',
    "out of range": b'{"time":%d,"heartRate":301}',
    "not a number": b'{"time":%d,"heartRate":"fast"}',
    "no time": b'{"heartRate":60,"x":%d}',
}


@pytest.mark.parametrize("fault", BAD_RECORDS)
def test_a_bad_record_is_set_aside_alone(fault: str) -> None:
    writer = enrolled()
    good = b'{"time":%d,"heartRate":70}'
    bad = BAD_RECORDS[fault] % int(NOON_S)
    writer.put("heart-rate", b"u1", raw(b",".join([good % NOON_S, bad, good % (NOON_S + 120)])))
    outputs, _ = finish(writer)
    assert [letter.index for letter in letters(outputs)] == [1]
    assert minute_means(outputs) == {0: 70.0, 2: 70.0}


def test_a_record_from_the_future_is_set_aside_alone() -> None:
    writer = enrolled()
    writer.send(heart_rate(0), heart_rate(20), received=NOON_S + 60)
    outputs, _ = finish(writer)
    assert [letter.index for letter in letters(outputs)] == [1]
    assert minute_means(outputs) == {0: 60.0}


def test_of_the_letters_about_one_message_only_the_first_carries_it() -> None:
    writer = enrolled()
    zero = b'{"time":%d,"heartRate":0}'
    value = raw(b",".join([RECORD, *(zero % (NOON_S + second) for second in range(99))]))
    writer.put("heart-rate", b"u1", value)
    stranger = msgspec.json.encode(subject("u2", time_zone="No/Where"))
    enrolments = b'{"schema":"subject/1","projectId":"p","userId":"u2","sourceId":"s",'
    enrolments += b'"timeReceived":%d,"records":[%s]}' % (START_S, b",".join([stranger] * 3))
    writer.put("subjects", b"u2", enrolments)
    outputs, pipeline = finish(writer)
    by_topic = {topic: [o for o in letters(outputs) if o.topic == topic] for topic in writer.logs}
    for first, *others in (by_topic["heart-rate"], by_topic["subjects"]):
        assert first.value is not None
        assert first.key is not None
        assert {(other.key, other.value, other.offset) for other in others} == {
            (None, None, first.offset)
        }
    assert [letter.index for letter in by_topic["heart-rate"]] == list(range(1, 100))
    assert pipeline.counts["dead_letter_count"] == 99 + 3
    assert minute_means(outputs) == {1: 61.0}


def test_null_in_a_series_is_absence_and_no_fault() -> None:
    writer = enrolled()
    absent = b'{"time":%d,"heartRate":null}' % int(NOON_S)
    writer.put("heart-rate", b"u1", raw(absent + b"," + RECORD))
    outputs, pipeline = finish(writer)
    assert letters(outputs) == []
    assert pipeline.counts["absent_count"] == 1
    assert minute_means(outputs) == {1: 61.0}


def test_a_message_in_the_wrong_partition_is_refused_without_its_payload() -> None:
    writer = enrolled()
    writer.send(heart_rate(0), received=NOON_S + 60, user_id="stranger")
    pipeline = PartitionPipeline(
        0,
        CONFIG,
        partition_of=lambda user: int(user == "stranger"),
        cohort=load_cohort(),
    )
    outputs = [o for topic, log in writer.logs.items() for o in pipeline.process(topic, log)]
    writer.tick(NOON_S + HOUR_S)
    for topic, log in writer.logs.items():
        outputs += pipeline.process(topic, log[-1:])
    (letter,) = letters(outputs)
    assert letter.reason == "wrong partition for this userId"
    assert letter.value is None


NO_CONSENT: dict[str, Consent | None] = {
    "none": None,
    "research only": Consent(purposes=[Purpose.RESEARCH], from_=0.0, version="1"),
    "ended": Consent(purposes=[Purpose.CARE], from_=0.0, until=NOON_S, version="1"),
    "later": Consent(purposes=[Purpose.CARE], from_=NOON_S + HOUR_S, version="1"),
}


@pytest.mark.parametrize("case", NO_CONSENT)
def test_without_consent_nothing_of_the_payload_is_kept_anywhere(case: str) -> None:
    terms = NO_CONSENT[case]
    consent = {} if terms is None else {"heart_rate": terms}
    writer = enrolled(consent=consent)
    writer.put("heart-rate", b"u1", raw(b'{"time":%d,"heartRate":123.4}' % int(NOON_S)))
    writer.put("heart-rate", b"u1", raw(b'{"time":%d,"heartRate":1234}' % int(NOON_S)))
    outputs, pipeline = finish(writer)
    assert pipeline.counts["no_consent_count"] == 1
    assert b"123" not in b"".join(msgspec.json.encode(output) for output in outputs)
    assert minute_means(outputs) == {}


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_a_date_before_all_consent_is_refused_and_counted(zone: str) -> None:
    writer = enrolled(time_zone=zone)
    days = [ActivitySummary(date=dt.date(year, 1, 1), steps=5) for year in (1, 1969)]
    writer.send(*days, received=NOON_S + 60)
    outputs, pipeline = finish(writer)
    assert pipeline.counts["no_consent_count"] == 2
    assert not pipeline.quarantined
    assert letters(outputs) == []


def test_a_message_that_the_code_fails_to_read_is_set_aside_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(value: bytes | None) -> Any:
        if b"poison" in (value or b""):
            raise RuntimeError("Jane Doe")
        return decode(value)

    monkeypatch.setattr("streams.gate.decode", failing)
    writer = enrolled()
    writer.send(heart_rate(0), received=NOON_S + 60)
    for topic, key in (("heart-rate", b"u1"), ("heart-rate", TICK_KEY), ("subjects", b"u1")):
        writer.put(topic, key, b"poison")
    writer.send(heart_rate(2), received=NOON_S + 180)
    outputs, pipeline = finish(writer)
    reasons = Counter(letter.reason.partition(",")[0] for letter in letters(outputs))
    failed = "the code failed: RuntimeError in test_pipeline.py"
    assert reasons == {failed: 2, "not a tick under the key of ticks": 1}
    assert minute_means(outputs) == {0: 60.0, 2: 60.0}
    assert not pipeline.quarantined


@pytest.mark.parametrize("place", ["registry._enrolment", "people.SubjectState"])
def test_a_registration_on_which_the_code_fails_quarantines_its_subject_alone(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(someone: Subject, *rest: Any) -> Any:
        if someone.care_team == "poison":
            raise RuntimeError("Jane Doe")
        return real(someone, *rest)

    module, name = place.split(".")
    real = getattr(import_module(f"streams.{module}"), name)
    monkeypatch.setattr(f"streams.{place}", failing)
    writer = enrolled()
    for team in ("team", "poison"):
        writer.send(subject("u2", care_team=team), received=NOON_S, user_id="u2")
    writer.send(heart_rate(0), received=NOON_S + 60)
    writer.tick(NOON_S + 60)
    # What is said of the subject later gives it no new state, whose silence would count.
    writer.send(subject("u2"), received=NOON_S + 120, user_id="u2")
    outputs, pipeline = finish(writer)
    assert set(pipeline.quarantined) == {"u2"}
    assert {output.user_id for output in outputs if isinstance(output, FeatureRow)} == {"u1"}
    assert minute_means(outputs) == {0: 60.0}
    reasons = [letter.reason.partition(",")[0] for letter in letters(outputs)]
    failed = "the code failed: RuntimeError in test_pipeline.py"
    assert reasons == ([failed] if module == "registry" else [])


def test_an_unknown_subject_is_refused_and_counted() -> None:
    writer = enrolled()
    writer.send(heart_rate(0), received=NOON_S + 60, user_id="unknown")
    outputs, pipeline = finish(writer)
    assert pipeline.counts["not_enrolled_count"] == 1
    assert not any(getattr(output, "user_id", None) == "unknown" for output in outputs)


def test_a_source_that_was_given_back_is_refused() -> None:
    writer = enrolled(sources=[Source(source_id="watch", priority=1, until=NOON_S)])
    writer.send(heart_rate(0), received=NOON_S + 60)
    outputs, _ = finish(writer)
    assert minute_means(outputs) == {}


def test_a_late_record_changes_nothing_and_is_counted() -> None:
    writer = enrolled()
    before = run(writer.logs, CONFIG, None)
    writer.send(HeartRate(time=NOON_S - CONFIG.lateness_s - 1, heart_rate=60), received=NOON_S + 60)
    assert run(writer.logs, CONFIG, None) == before
    outputs, pipeline = finish(writer)
    assert pipeline.counts["late_count"] == 1
    assert minute_means(outputs) == {}


def test_a_limit_on_a_check_in_rings_however_late_it_comes() -> None:
    writer = enrolled()
    late = MoodCheckIn(time=START_S - 99 * HOUR_S, instrument="PHQ-9", items={"9": 2})
    writer.send(late, received=NOON_S + 60)
    outputs, _ = finish(writer)
    (alert,) = [o for o in outputs if isinstance(o, Alert) and o.kind == "LIMIT"]
    assert (alert.opened_at, alert.severity, alert.settled) == (late.time, "URGENT", True)


def test_another_number_of_partitions_is_refused_with_instructions() -> None:
    pipeline = pipeline_of(CONFIG)
    with pytest.raises(PartitionsChanged, match="written with 3 partitions"):
        pipeline.process("sleep", [Message(0, TICK_KEY, encode_tick(START_S, 3))])


def test_withdrawal_settles_what_was_due_and_drops_the_rest() -> None:
    writer = enrolled()
    writer.send(heart_rate(0), received=NOON_S + 60)
    writer.tick(NOON_S + HOUR_S)
    writer.send(subject(status=SubjectStatus.WITHDRAWN), received=NOON_S + 2 * HOUR_S)
    writer.tick(NOON_S + 2 * HOUR_S)
    writer.send(heart_rate(30), received=NOON_S + 3 * HOUR_S)
    outputs, pipeline = finish(writer)
    assert pipeline.counts["not_enrolled_count"] == 1
    assert minute_means(outputs) == {}
    assert not [o for o in outputs if isinstance(o, FeatureRow) and o.settled and o.end > NOON_S]
    standing = {o.alert_id: o.status for o in outputs if isinstance(o, Alert)}
    assert set(standing.values()) <= {AlertStatus.WITHDRAWN}


def test_what_waits_is_not_passed_and_its_topic_is_to_be_paused() -> None:
    pipeline = pipeline_of(CONFIG)
    writer = enrolled()
    writer.send(heart_rate(0), received=NOON_S + 60)
    log = writer.logs["heart-rate"]
    pipeline.process("heart-rate", log)
    # Two ticks, and an event that no tick of `subjects` has followed yet.
    assert pipeline.safe_offset("heart-rate") == 1
    assert "heart-rate" in pipeline.blocked
    for topic in writer.logs:
        if topic != "heart-rate":
            pipeline.process(topic, writer.logs[topic])
    assert pipeline.safe_offset("heart-rate") == 2
    pipeline.process("subjects", [Message(9, TICK_KEY, encode_tick(NOON_S + HOUR_S, 1))])
    assert pipeline.safe_offset("heart-rate") == 3
    assert pipeline.clock < math.inf


@settings(deadline=None)
@given(st.lists(st.integers(0, 12 * 60) | st.just(int(NOON_S // 60)), min_size=1, max_size=9))
def test_before_a_first_tick_the_clock_is_when_the_gateway_received(minutes_ago: list[int]) -> None:
    counts = []
    for has_tick in (False, True):
        writer = LogWriter()
        writer.send(subject(), received=START_S)
        writer.tick(NOON_S if has_tick else START_S, INGEST_TOPICS if has_tick else ["subjects"])
        writer.tick(NOON_S + HOUR_S, ["subjects"])
        writer.send(*(heart_rate(-minutes) for minutes in minutes_ago), received=NOON_S)
        pipeline = pipeline_of(CONFIG)
        for topic, log in writer.logs.items():
            pipeline.process(topic, log)
        counts.append(pipeline.counts)
    assert counts[0] == counts[1]
    assert counts[0]["record_count"] + counts[0]["late_count"] == len(minutes_ago)
    assert counts[0]["late_count"] == sum(minutes > 6 * 60 for minutes in minutes_ago)
