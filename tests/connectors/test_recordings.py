"""Goal: recordings keep logs byte for byte, and what is none is refused by one clear line.

Method: round trips of generated messages, files as kcat writes them, and damaged files.
"""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.recordings import (
    RecordingMessage,
    RecordingWriter,
    encode_line,
    inspect_recordings,
    read_recording,
    read_recordings,
)
from streams.errors import BadInput
from streams.events import INGEST_TOPICS, TICK_KEY, encode_tick

SECRET = "what-nobody-may-see"


def _message(
    offset: int, *, topic: str = "heart-rate", partition: int = 0, value: bytes | None = b"{}"
) -> RecordingMessage:
    return RecordingMessage(topic, partition, offset, 1_000 * offset, b"alder", value)


def _tick(offset: int, time: float, *, partitions: int, topic: str = "sleep") -> RecordingMessage:
    return RecordingMessage(topic, 0, offset, 0, TICK_KEY, encode_tick(time, partitions))


def _write(path: Path, messages: Sequence[RecordingMessage]) -> Path:
    with RecordingWriter(path) as writer:
        for message in messages:
            writer.write(message)
    return path


@st.composite
def _logs(draw: st.DrawFn) -> list[RecordingMessage]:
    places = st.tuples(st.sampled_from(INGEST_TOPICS), st.integers(0, 3))
    content = st.none() | st.binary(max_size=40) | st.text(max_size=20).map(str.encode)
    offsets: dict[tuple[str, int], int] = {}
    messages = []
    for place in draw(st.lists(places, min_size=1, max_size=30)):
        offset = offsets.get(place, -1) + draw(st.integers(1, 3))
        offsets[place] = offset
        time = draw(st.integers(0, 2**41))
        messages.append(RecordingMessage(*place, offset, time, draw(content), draw(content)))
    return messages


@settings(max_examples=60)
@given(_logs(), st.sampled_from(["", ".gz", ".zst"]))
def test_any_bytes_survive_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, messages: list[RecordingMessage], suffix: str
) -> None:
    path = _write(tmp_path_factory.mktemp("recording") / f"a.jsonl{suffix}", messages)
    assert list(read_recording(path)) == messages
    summary = inspect_recordings([path])
    assert summary.messages == len(messages)
    assert sum(range_.messages for range_ in summary.ranges) == len(messages)


def test_lines_of_kcat_are_read_as_it_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "kcat.jsonl"
    start = b'{"topic":"sleep","partition":1,"offset":'
    path.write_bytes(
        start + b'7,"tstype":"create","ts":12,"broker":0,"headers":["a",null],'
        b'"key":"alder","payload":"{\\"a\\":\\u0001\\n\xff\xc3\xa9}"}\n'
        + b"\n"
        + start
        + b'9,"tstype":"create","ts":13,"broker":0,"key":null,"payload":null}\n'
        + b'{"topic":"features","partition":1,"offset":1,"broker":0,"key":"","payload":""}\n'
    )
    assert list(read_recording(path)) == [
        RecordingMessage("sleep", 1, 7, 12, b"alder", b'{"a":\x01\n\xff\xc3\xa9}'),
        RecordingMessage("sleep", 1, 9, 13, None, None),
    ]
    summary = inspect_recordings([path])
    assert (summary.messages, summary.skipped, summary.partitions) == (2, 1, 2)
    assert not summary.has_ticks


def test_a_line_has_the_fields_of_kcat() -> None:
    assert json.loads(encode_line(_message(3))) == {
        "topic": "heart-rate",
        "partition": 0,
        "offset": 3,
        "tstype": "create",
        "ts": 3_000,
        "broker": -1,
        "key": "alder",
        "payload": "{}",
    }


def test_members_that_follow_each_other_are_one_file(tmp_path: Path) -> None:
    lines = [encode_line(_message(offset)) for offset in range(4)]
    for name, compress in (("a.gz", gzip.compress), ("a.zst", zstandard.compress)):
        path = tmp_path / name
        path.write_bytes(compress(lines[0]) + compress(b"".join(lines[1:3])) + compress(lines[3]))
        assert [message.offset for message in read_recording(path)] == [0, 1, 2, 3]


def test_an_interrupted_writer_leaves_a_readable_partial_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"

    def record() -> None:
        with RecordingWriter(path) as writer:
            writer.write(_message(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record()
    partial = tmp_path / "a.jsonl.gz.partial"
    assert [file.name for file in tmp_path.iterdir()] == [partial.name]
    assert list(read_recording(partial)) == [_message(0)]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_partial_file_that_is_cut_off_is_read_up_to_its_last_whole_line(
    tmp_path: Path, suffix: str
) -> None:
    messages = [_message(offset, value=bytes(range(32, 127)) * 9) for offset in range(2_000)]
    whole = _write(tmp_path / f"a.jsonl{suffix}", messages).read_bytes()
    cut = tmp_path / f"a.jsonl{suffix}.partial"
    cut.write_bytes(whole[: int(len(whole) * 0.9)])
    read = list(read_recording(cut))
    assert 0 < len(read) < len(messages)
    assert read == messages[: len(read)]


LINE = encode_line(_message(0))
BAD_FILES = {
    "truncated gzip": (gzip.compress(LINE)[:-9], "cut off"),
    "truncated zstd": (zstandard.compress(LINE)[:-2], "cut off"),
    "damaged gzip": (gzip.compress(LINE)[:-8] + bytes(8), "damaged"),
    "empty": (b"", "without a message"),
    "foreign topics only": (LINE.replace(b"heart-rate", b"features"), "without a message"),
    "another program": (LINE + b'{"t": "what-nobody-may-see"}\n', "line 2: not a recording"),
    "a table": (b"time,value\n1,what-nobody-may-see\n", "line 1: not a recording"),
    "deep nesting": (b"[" * 200_000, "line 1: not a recording"),
    "binary": (b"\x00\xff\xfe" * 50, "line 1: not a recording"),
    "cut line": (LINE + LINE.replace(b":0,", b":1,")[:-9], "line 2: not a recording"),
    "negative offset": (LINE.replace(b'"offset":0', b'"offset":-1'), "line 1: not a recording"),
    "offsets that go back": (LINE + LINE, r"line 2: offset 0 of heart-rate\[0\] comes after 0"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_by_one_line_that_names_it_and_no_payload(
    tmp_path: Path, case: str
) -> None:
    content, reason = BAD_FILES[case]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    for read in (lambda: list(read_recording(path)), lambda: inspect_recordings([path])):
        with pytest.raises(BadInput, match=reason) as caught:
            read()
        message = str(caught.value)
        assert str(path) in message
        assert "\n" not in message
        assert SECRET not in message


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(BadInput, match=str(path)):
            list(read_recording(path))
    with pytest.raises(BadInput, match="cannot write"), RecordingWriter(tmp_path / "no" / "a"):
        pass


def test_files_that_hold_the_same_offsets_are_refused(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", [_message(0), _message(5)])
    two = _write(tmp_path / "two", [_message(5), _message(6)])
    for paths in ([one, two], [two, one], [one, one]):
        with pytest.raises(BadInput, match=r"overlap: both hold offset \d of heart-rate\[0\]"):
            inspect_recordings(paths)
        with pytest.raises(BadInput, match="overlap"):
            list(read_recordings(paths))


def test_files_in_any_order_give_each_log_in_order(tmp_path: Path) -> None:
    paths = [
        _write(tmp_path / "later", [_message(5), _message(6)]),
        _write(tmp_path / "earlier", [_message(0), _message(1)]),
        _write(tmp_path / "beside", [_message(o, topic="sleep") for o in range(0, 9, 2)]),
    ]
    names = [path.name for path in inspect_recordings(paths).paths]
    assert names.index("earlier") < names.index("later")
    read = [(message.topic, message.offset) for message in read_recordings(paths)]
    assert [offset for topic, offset in read if topic == "heart-rate"] == [0, 1, 5, 6]
    # Kafka's timestamps merge what shares no log.
    assert read.index(("sleep", 4)) < read.index(("heart-rate", 5))


def test_files_that_contradict_each_other_in_order_are_refused(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", [_message(0), _message(1, topic="sleep")])
    two = _write(tmp_path / "two", [_message(1), _message(0, topic="sleep")])
    with pytest.raises(BadInput, match="which file comes first"):
        inspect_recordings([one, two])


def test_ticks_tell_the_number_of_partitions_and_the_time(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "a", [_message(0), _tick(0, 60.0, partitions=2), _tick(1, 90.0, partitions=2)]
    )
    summary = inspect_recordings([path])
    assert summary.partitions == 2
    assert summary.has_ticks
    assert (summary.first_time, summary.last_time) == (60.0, 90.0)
    assert len(summary.unticked) == 2 * len(INGEST_TOPICS) - 1
    assert ("sleep", 0) not in summary.unticked


def test_ticks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a", [_tick(0, 1.0, partitions=2), _tick(1, 2.0, partitions=4)])
    with pytest.raises(BadInput, match="2 and 4 partitions"):
        inspect_recordings([path])
    path = _write(tmp_path / "b", [_tick(0, 1.0, partitions=1), _message(0, partition=1)])
    with pytest.raises(BadInput, match="messages in partition 1"):
        inspect_recordings([path])
