"""Files of lines, plain or compressed by gzip or zstd: blocks of whole lines in, lines out.

Reading goes by the first bytes of a file, writing by its suffix. Both formats may hold several
members (frames) one after the other.
"""

import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, Self

import zstandard

from streams.errors import BadInput

PARTIAL_SUFFIX = ".partial"
"""Ends the name of a file that is being written, or whose writer was interrupted."""

LINE_BYTES_MAX = 64 * 1024 * 1024
"""Longest line taken in (bytes); what goes on without a line feed is not a file of lines."""

_READ_BYTES = 128 * 1024
_WRITE_BYTES = 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_BITS = 31  # zlib's window of 15 bits, + 16: with gzip's header and checksum


class _Decompressor(Protocol):
    """One member (gzip) or frame (zstd)."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Stored:
    """Leaves bytes as they are."""

    eof = False
    unused_data = b""

    def decompress(self, data: bytes, /) -> bytes:
        return data

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def read_line_blocks(path: Path) -> Iterator[bytes]:
    """Blocks of whole lines; the last line of a file may lack its line feed.

    A file that ends in the middle of a compressed member is refused, unless its name says that it
    is partial: such a file is read up to its last whole line.

    Raises
    ------
    BadInput
        If the file cannot be read, is damaged, or is cut off.
    """
    rest = b""
    is_partial = path.name.endswith(PARTIAL_SUFFIX)
    for chunk in _decompressed(path, may_end_early=is_partial):
        head, feed, tail = chunk.rpartition(b"\n")
        if feed:
            yield rest + head + feed
            rest = tail
        else:
            rest += tail
        if len(rest) > LINE_BYTES_MAX:
            raise BadInput(f"{path}: not a file of lines")
    if rest and not is_partial:
        yield rest


def _decompressed(path: Path, *, may_end_early: bool) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            new = _decompressor_for(file.peek(len(_ZSTD_MAGIC)))
            member = new()
            is_within = False
            while data := file.read(_READ_BYTES):
                while data:
                    is_within = True
                    yield member.decompress(data)
                    data = member.unused_data
                    if member.eof:
                        member, is_within = new(), False
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error
    except (zlib.error, zstandard.ZstdError) as error:
        raise BadInput(f"{path}: the compressed data are damaged") from error
    if is_within and not isinstance(member, _Stored) and not may_end_early:
        raise BadInput(f"{path}: the file is cut off in the middle of its compressed data")


def _decompressor_for(start: bytes) -> Callable[[], _Decompressor]:
    if start.startswith(_GZIP_MAGIC):
        return lambda: zlib.decompressobj(_GZIP_BITS)
    if start.startswith(_ZSTD_MAGIC):
        return lambda: zstandard.ZstdDecompressor().decompressobj()
    return _Stored


class LineFile:
    """A file that appears whole or not at all; used as ``with``.

    Lines go to ``<path>.partial``, which gets its name when the block ends well. When it ends by
    an exception the partial file stays, properly closed, with everything written until then; when
    the process is killed, it stays with what had been handed to the system.

    Parameters
    ----------
    path
        ``.gz`` is written with gzip, ``.zst`` with zstd, anything else as it is.
    level
        Level of compression; the format's usual one if absent.
    """

    def __init__(self, path: Path, level: int | None = None) -> None:
        self._path = path
        self._partial = path.with_name(path.name + PARTIAL_SUFFIX)
        self._compressor = _compressor_for(path.suffix, level)
        self._buffer = bytearray()
        self._file: io.BufferedWriter | None = None

    def __enter__(self) -> Self:
        """Create the partial file."""
        try:
            self._file = self._partial.open("wb")
        except OSError as error:
            raise BadInput(f"cannot write {self._path}: {error.strerror}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the file; give it its name if all went well."""
        assert self._file is not None, "used outside of its with block"
        try:
            self._drain()
            self._file.write(self._compressor.flush())
            self._file.close()
            if kind is None:
                self._partial.replace(self._path)
        except OSError as error:
            raise BadInput(f"cannot write {self._path}: {error.strerror}") from error

    def write(self, line: bytes) -> None:
        """Append a line, which ends with its line feed."""
        self._buffer += line
        if len(self._buffer) >= _WRITE_BYTES:
            self._drain()

    def _drain(self) -> None:
        assert self._file is not None, "used outside of its with block"
        try:
            self._file.write(self._compressor.compress(bytes(self._buffer)))
        except OSError as error:
            raise BadInput(f"cannot write {self._path}: {error.strerror}") from error
        self._buffer.clear()


def _compressor_for(suffix: str, level: int | None) -> _Compressor:
    if suffix == ".gz":
        # zlib writes no name and no time into the header, so that equal data give equal bytes.
        return zlib.compressobj(6 if level is None else level, zlib.DEFLATED, _GZIP_BITS)
    if suffix == ".zst":
        # A recording repeats itself over days: a long window pays.
        return zstandard.ZstdCompressor(level=3 if level is None else level).compressobj()
    return _Stored()
