"""Goal: outputs survive the topics unchanged. Method: there and back, over drawn values."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.outputs import output_message, output_of
from streams.errors import BadInput
from streams.events import DeadLetter, FeatureRow, Operation, Output, SubjectStatus, WindowKind

LETTERS = st.builds(
    DeadLetter,
    topic=st.sampled_from(["sleep", "heart-rate"]),
    partition=st.integers(0, 10),
    offset=st.integers(0, 2**60),
    reason=st.text(max_size=50),
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=50),
    index=st.none() | st.integers(0, 9_999),
)
OPERATIONS = st.builds(
    Operation,
    name=st.text(max_size=10),
    partition=st.integers(0, 10),
    time=st.floats(0, 4e9),
    values=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False)),
    user_id=st.none() | st.just("p01"),
)
ROW = FeatureRow(
    user_id="p01",
    project_id="x",
    care_team="t",
    status=SubjectStatus.ENROLLED,
    window=WindowKind.NIGHT,
    start=1.0,
    end=2.0,
    local_date=dt.date(2020, 2, 29),
    values={"sleep_duration_min": 0.1 + 0.2},
    coverage={"sleep": 1.0},
)


@given(LETTERS | OPERATIONS | st.just(ROW))
def test_output_comes_back_as_it_was(output: Output) -> None:
    message = output_message(output, 3, "1.0")
    assert message.partition == 3
    assert output_of(message.topic, message.key, message.value, message.headers) == output


def test_outputs_are_keyed_by_subject_and_dead_letters_keep_key_and_bytes() -> None:
    assert output_message(ROW, 0, "1.0").key == b"p01"
    letter = DeadLetter(
        topic="sleep", partition=1, offset=7, reason="broken", key=b"k\xff", value=b"\xfe{"
    )
    message = output_message(letter, 1, "1.2.3")
    assert (message.topic, message.key, message.value) == ("dead-letter", b"k\xff", b"\xfe{")
    assert dict(message.headers) == {
        "origin-topic": b"sleep",
        "origin-partition": b"1",
        "origin-offset": b"7",
        "reason": b"broken",
        "code-version": b"1.2.3",
    }


@pytest.mark.parametrize(
    ("topic", "value"),
    [("alerts", b"{"), ("alerts", None), ("features", b"[]"), ("dead-letter", b"x")],
)
def test_message_of_another_program_is_bad_input(topic: str, value: bytes | None) -> None:
    with pytest.raises(BadInput, match=f"a message on {topic}"):
        output_of(topic, b"k", value, [])
