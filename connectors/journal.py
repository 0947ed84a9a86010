"""Keeps what goes through a broker that has no disk, and gives it back at the next start.

The journal is a folder of recordings, one segment for each run. Because the broker starts empty
and the segments are published in order, every message gets the offset it had, which is checked.
"""

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from connectors.recorder import Place
from connectors.recordings import RecordingMessage, encode_line, read_recording
from streams.errors import BadInput

_PATTERN = "journal-*.jsonl"


class Segment:
    """The part of the journal that this run writes; used as ``with``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Create the file; it must not be there yet."""
        self._file = self.path.open("xb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write everything to disk and close the file."""
        self.flush()
        self._open_file.close()

    def write(self, message: RecordingMessage) -> None:
        """Append a message; it survives a crash once `flush` returned."""
        self._open_file.write(encode_line(message))

    def flush(self) -> None:
        """Bring what was written to disk."""
        self._open_file.flush()
        os.fsync(self._open_file.fileno())

    @property
    def _open_file(self) -> IO[bytes]:
        assert self._file is not None, "used outside of its with block"
        return self._file


class Journal:
    """The segments in a folder, which is created if need be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"the folder {folder} cannot be used: {error.strerror}") from error

    @property
    def segments(self) -> Sequence[Path]:
        """Segments of earlier runs, oldest first."""
        return sorted(self._folder.glob(_PATTERN))

    def mend(self) -> int:
        """Cut off a last line that a crash left incomplete; return the number of bytes lost."""
        lost = 0
        for path in self.segments:
            size, whole = path.stat().st_size, _whole_lines_bytes(path)
            lost += size - whole
            if whole == 0:
                path.unlink()
            elif whole < size:
                os.truncate(path, whole)
        return lost

    def messages(self) -> Iterator[RecordingMessage]:
        """Everything kept so far, in the order of each log.

        Raises
        ------
        BadInput
            If a message is missing in between, so that offsets would change.
        """
        offsets: dict[Place, int] = {}
        for path in self.segments:
            for message in read_recording(path):
                place = message.topic, message.partition
                expected = offsets.get(place, 0)
                if message.offset != expected:
                    raise BadInput(
                        f"{path} has offset {message.offset} of {place[0]}[{place[1]}] where "
                        f"{expected} should follow: move the folder away to start anew"
                    )
                offsets[place] = expected + 1
                yield message

    def new_segment(self) -> Segment:
        """The segment for this run; it is created when entered."""
        number = len(self.segments) + 1
        while (path := self._folder / f"journal-{number:05d}.jsonl").exists():
            number += 1
        return Segment(path)


def _whole_lines_bytes(path: Path) -> int:
    """Length of a file up to and including its last line feed."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return 0
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.rfind(b"\n") + 1
