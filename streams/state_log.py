"""The log of a partition number's state: keys, stamps, fences, and what of it counts.

A key names what a record holds, the epoch of its writer (the offset of the writer's fence in this
log) and the number of the checkpoint. A record counts if its epoch is the largest fence before it
and a record of the partition has sealed its checkpoint. So an owner who was frozen and wakes up
writes nothing that counts, and takes nobody's key.
"""

from collections.abc import Iterator

import zstandard
from msgspec import Struct

from streams.errors import StateUnknown
from streams.packing import known_names

STATE_VERSION = 2
"""Version of the form of all records; the first byte of each."""

OLDEST_VERSION = 1
"""The oldest version that is read, and brought into today's form where it differs.

Version 1 had no history of a subject's dates; read by this release, it begins empty. It knew no
names beforehand, and kept cells and single records less small.
"""

_FENCE = "~fence/"
HEAD = "head"
_PARTITION = "~partition"

Stamp = tuple[int, int]
"""Epoch of the writer, and number of its checkpoint."""

_LEVEL = 6
"""Beyond it, compression takes twice the time and saves a hundredth."""


_names = zstandard.ZstdCompressionDict(known_names(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_names.precompute_compress(level=_LEVEL)
_compress = zstandard.ZstdCompressor(level=_LEVEL, dict_data=_names).compress
_decompress = zstandard.ZstdDecompressor(dict_data=_names).decompress


class StateRecord(Struct, frozen=True):
    """A record of the state topic; ``value`` None takes the one of the same key back."""

    key: str
    value: bytes | None


class RestoredUser(Struct, frozen=True):
    """The packed records of one subject: head and parts, each with its stamp."""

    user_id: str
    records: dict[str, tuple[Stamp, bytes]]


def fence_key(token: str) -> str:
    """Key of a fence; ``token`` makes it one's own, or compaction would take older fences away."""
    return f"{_FENCE}{token}"


def is_fence(key: str) -> bool:
    """Whether a key is a fence's."""
    return key.startswith(_FENCE)


def record_key(user_id: str, part: str, stamp: Stamp) -> str:
    """Key of a part of a subject; neither ``~`` nor ``/`` can be in a ``userId``."""
    return f"{user_id}/{part}/{stamp[0]}/{stamp[1]}"


def partition_key(stamp: Stamp) -> str:
    """Key of the record that seals a checkpoint."""
    return f"{_PARTITION}/{stamp[0]}/{stamp[1]}"


def pack(content: bytes) -> bytes:
    """A record's value: the version, then the content, compressed."""
    return bytes([STATE_VERSION]) + _compress(content)


def unpack(value: bytes) -> bytes:
    """The content of a record's value.

    Raises
    ------
    StateUnknown
        When the record is of a version that this code does not know.
    ValueError
        When the record is damaged.
    """
    if not value:
        raise ValueError("an empty record")
    if not OLDEST_VERSION <= value[0] <= STATE_VERSION:
        raise StateUnknown(
            f"the state topic holds records of version {value[0]}, and this release knows versions "
            f"{OLDEST_VERSION} to {STATE_VERSION}: run the release that wrote them, or a newer one"
        )
    try:
        return _decompress(value[1:])
    except zstandard.ZstdError as error:
        raise ValueError("a record that cannot be decompressed") from error


class StateLog:
    """Reads a state log in its order and keeps what counts of it.

    Memory is that of one checkpoint and what was written after it. ``partition``: the last record
    that sealed one; ``fences``: keys of all fences, the reader's own being the last; ``seals``:
    of every owner the last record that sealed a checkpoint, without which none of its records
    counts.
    """

    def __init__(self) -> None:
        self._epoch = -1
        self._sealed: dict[str, dict[str, tuple[Stamp, bytes]]] = {}
        self._pending: dict[str, dict[str, tuple[Stamp, bytes]]] = {}
        self._keys: set[str] = set()
        self.partition: tuple[Stamp, bytes] | None = None
        self.fences: list[str] = []
        self._seals: dict[int, Stamp] = {}

    @property
    def seals(self) -> list[str]:
        """Keys of the records that sealed the last checkpoint of each owner, in their order."""
        return [partition_key(stamp) for stamp in self._seals.values()]

    @property
    def user_count(self) -> int:
        """How many subjects the last checkpoint holds that were not given yet."""
        return len(self._sealed)

    def read(self, offset: int, key: str, value: bytes | None) -> None:
        """Take the next record of the log; ``value`` None: the key was taken back."""
        if value is None:
            # It may come from an owner who no longer is one, so it takes nothing from us.
            self._keys.discard(key)
            return
        if is_fence(key):
            # What was not sealed before another owner came never will be.
            self._epoch = offset
            self._pending.clear()
            self.fences.append(key)
            return
        self._keys.add(key)
        name, epoch, number = key.rsplit("/", 2)
        stamp = int(epoch), int(number)
        if stamp[0] != self._epoch:
            return
        if name == _PARTITION:
            self._seal(stamp, value)
        else:
            user_id, _, part = name.partition("/")
            self._pending.setdefault(user_id, {})[part] = (stamp, value)

    def users(self) -> Iterator[RestoredUser]:
        """Every subject of the last checkpoint, each given once and then forgotten here."""
        while self._sealed:
            user_id, records = self._sealed.popitem()
            yield RestoredUser(user_id, records)

    def garbage(self, used: set[str]) -> list[str]:
        """Keys in the log that nothing refers to, given those in use."""
        return sorted(self._keys - used)

    def _seal(self, stamp: Stamp, value: bytes) -> None:
        self.partition = stamp, value
        self._seals[stamp[0]] = stamp
        for user_id, records in self._pending.items():
            self._sealed.setdefault(user_id, {}).update(records)
        self._pending.clear()
