"""Goal: the journal gives back what it was given, also after a crash. Method: files in a folder."""

from pathlib import Path

import pytest

from connectors.journal import Journal
from connectors.recordings import RecordingMessage
from streams.errors import BadInput


def message(offset: int, value: bytes = b"{}", *, topic: str = "sleep") -> RecordingMessage:
    return RecordingMessage(topic, 0, offset, 1_600_000_000_000, b"p01", value)


def keep(journal: Journal, *messages: RecordingMessage) -> Path:
    with journal.new_segment() as segment:
        for entry in messages:
            segment.write(entry)
    return segment.path


def test_segments_of_several_runs_are_one_log(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "folder")
    first = [message(0), message(0, b"\xff\xfe", topic="activity"), message(1)]
    second = [message(2), message(1, topic="activity")]
    keep(journal, *first)
    keep(journal, *second)
    assert journal.mend() == 0
    assert [*journal.messages()] == first + second


def test_line_that_a_crash_cut_is_dropped_and_all_before_it_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    path = keep(journal, message(0), message(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert journal.mend() == len(whole) // 2 - 7
    assert [*journal.messages()] == [message(0)]


def test_run_that_kept_nothing_leaves_no_segment_behind(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    keep(journal)
    assert journal.mend() == 0
    assert list(journal.segments) == []
    assert [*journal.messages()] == []


def test_message_that_is_missing_is_refused_since_offsets_would_change(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    keep(journal, message(0), message(2))
    with pytest.raises(BadInput, match=r"offset 2 of sleep\[0\] where 1 should follow"):
        list(journal.messages())


def test_what_is_flushed_is_in_the_file_while_the_segment_is_open(tmp_path: Path) -> None:
    with Journal(tmp_path).new_segment() as segment:
        segment.write(message(0))
        segment.flush()
        assert segment.path.read_bytes().endswith(b"}\n")


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be used"):
        Journal(tmp_path / "file")
