"""Goal: whatever bytes come, the verdict is clear, is the same everywhere, and tells no content.

Method: single messages with one thing wrong, against the verdict that the contract gives.
"""

from collections.abc import Callable

import msgspec
import pytest

from streams.decoding import NESTING_MAX, BadRecord, Partial, Refused, decode
from streams.events import Envelope, Tick

MESSAGE = (
    b'{"schema":"heart_rate/1","projectId":"p","userId":"u1","sourceId":"watch",'
    b'"timeReceived":1000,"x":%s,"records":[{"time":1,"heartRate":60}]}'
)
TICK = b'{"schema":"tick/1","time":1,"partitions":1,"x":%s}'


def _arrays(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def _objects(levels: int) -> bytes:
    return b'{"":' * levels + b"0" + b"}" * levels


def _mixed(levels: int) -> bytes:
    """Objects and arrays by turns, of which none lies directly before another."""
    return b'{"a":{},"b":[0,' * (levels // 2) + b"0" + b"]}" * (levels // 2)


def _from_below(frames: int, value: bytes) -> object:
    return decode(value) if frames == 0 else _from_below(frames - 1, value)


@pytest.mark.parametrize("frames", [0, 400])
@pytest.mark.parametrize("nested", [_arrays, _objects, _mixed])
@pytest.mark.parametrize(("message", "kind"), [(MESSAGE, Envelope), (TICK, Tick)])
def test_nesting_is_judged_alike_however_deep_the_caller_is(
    message: bytes, kind: type, nested: Callable[[int], bytes], frames: int
) -> None:
    too_deep = Refused(f"nested too deeply: more than {NESTING_MAX} levels")
    assert isinstance(_from_below(frames, message % nested(NESTING_MAX - 2)), kind)
    for levels in (NESTING_MAX, 700, 2_000, 200_000):
        assert _from_below(frames, message % nested(levels)) == too_deep
    assert _from_below(frames, message.replace(b"1", b"?") % nested(2_000)) == too_deep


def test_brackets_in_texts_are_no_nesting() -> None:
    text = b'"' + b'[{\\"' * 1_000 + b'\\\\"'
    assert isinstance(decode(MESSAGE % text), Envelope)


SURROGATE = b'"\\ud800"'


def test_half_a_surrogate_pair_costs_its_record_alone() -> None:
    use = b'{"time":%d,"duration":1,"category":%s}'
    records = b",".join(use % (time, text) for time, text in enumerate((b'"a"', SURROGATE, b'"b"')))
    message = MESSAGE.replace(b"heart_rate/1", b"phone_app_usage/1") % SURROGATE
    decoded = decode(message.replace(b'{"time":1,"heartRate":60}', records))
    assert isinstance(decoded, Partial)
    assert decoded.bad == (BadRecord(1, "bad record: text that is not Unicode"),)
    assert decoded.envelope is not None
    assert [record.category for record in decoded.envelope.records] == ["a", "b"]
    assert msgspec.json.encode(decoded.envelope)


def test_half_a_surrogate_pair_for_one_of_several_values_is_told_alike() -> None:
    stage = b'{"time":1,"duration":1,"level":%s}' % SURROGATE
    message = (MESSAGE % b"0").replace(b"heart_rate/1", b"sleep_stage/1")
    decoded = decode(message.replace(b'{"time":1,"heartRate":60}', stage))
    assert isinstance(decoded, Partial)
    assert decoded.bad == (BadRecord(0, "bad record: text that is not Unicode"),)


def test_half_a_surrogate_pair_in_the_envelope_refuses_it() -> None:
    message = (MESSAGE % b"0").replace(b'"watch"', SURROGATE)
    assert decode(message) == Refused("bad envelope: text that is not Unicode")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
def test_no_encoding_but_utf_8_is_read(encoding: str) -> None:
    assert decode((MESSAGE % b"0").decode().encode(encoding)) == Refused("broken JSON")


@pytest.mark.parametrize("name", ["Jane Doe", "O'Neil", 'Jane "JD" O\'Neil\n', "Jane" * 1_000_000])
def test_a_reason_says_what_is_wrong_and_where_and_not_what_was_sent(name: str) -> None:
    told = msgspec.json.encode(name)
    message = MESSAGE.replace(b"heart_rate/1", b"sleep_stage/1").replace(b'"x":%s,', b"")
    stage = b'{"time":1,"duration":1,"level":%s}' % told
    decoded = decode(message.replace(b'{"time":1,"heartRate":60}', stage))
    assert isinstance(decoded, Partial)
    assert decoded.bad == (BadRecord(0, "bad record: Invalid enum value - at `$.level`"),)
    refused = decode((MESSAGE % b"0").replace(b'"u1"', told))
    assert isinstance(refused, Refused)
    assert refused.reason == "bad envelope: Expected `str` matching regex - at `$.userId`"


@pytest.mark.parametrize("field", ["userId", "projectId", "timeZone", "dayStart"])
def test_a_name_with_a_line_feed_at_its_end_is_another_one_and_refused(field: str) -> None:
    names = {"userId": "u1", "projectId": "p", "timeZone": "Europe/Rome", "dayStart": "12:00"}
    record = names | {"careTeam": "team"}
    head = {"schema": "subject/1", "sourceId": "registry", "timeReceived": 1_000}
    envelope = head | {"userId": "u1", "projectId": "p"}
    assert isinstance(decode(msgspec.json.encode(envelope | {"records": [record]})), Envelope)
    bad = record | {field: names[field] + "\n"}
    decoded = decode(msgspec.json.encode(envelope | {"records": [bad]}))
    assert isinstance(decoded, Partial)
    assert [fault.index for fault in decoded.bad] == [0]
    if field in envelope:
        line = envelope | {field: names[field] + "\n", "records": [record]}
        assert isinstance(decode(msgspec.json.encode(line)), Refused)
