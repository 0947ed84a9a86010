"""Checkpoints of one partition number: what to write of it, piece by piece, without a pause.

A checkpoint is the state at one instant. Taking it is spread: of the subjects that changed since
the last one, each is written when its turn comes, or just before it changes again. The record of
the partition, written last, makes all of them valid together; until then the checkpoint before
stays whole, since no record ever takes another's key.
"""

from collections.abc import Callable
from itertools import islice

import msgspec
from msgspec import Struct

from streams.people import PersonHead
from streams.registry import RegistryState
from streams.state_log import HEAD, Stamp, StateRecord, pack, partition_key, record_key


class PartitionHead(Struct, array_like=True):
    """What a partition number holds beside its subjects.

    ``clocks`` by topic (s UTC), ``offsets``: the first of each topic that is not part of the state.
    ``subjects`` is how many the checkpoint holds at least.
    """

    clocks: dict[str, float]
    offsets: dict[str, int]
    counts: dict[str, int]
    subjects: int = 0


class UserHead(Struct, array_like=True):
    """What is held of one subject, and the stamps of the records that hold the rest of it.

    ``quarantined``: why nothing more is taken in of it, if so.
    """

    user_id: str
    registry: RegistryState
    people: list[PersonHead]
    parts: dict[str, Stamp]
    quarantined: str | None = None


class Look(Struct, frozen=True):
    """A subject as it is now: part -> sign, which differs whenever the part's content does.

    ``encode`` gives the content of a part.
    """

    registry: RegistryState
    people: list[PersonHead]
    signs: dict[str, int]
    encode: Callable[[str], bytes]
    quarantined: str | None


class _Kept(Struct, frozen=True):
    """What was last written of a part."""

    sign: int
    stamp: Stamp


class Checkpoints:
    """Takes one checkpoint after the other of a pipeline's subjects.

    Parameters
    ----------
    look
        Gives a subject as it is now.
    epoch
        Offset of this owner's fence.

    ``written`` counts the subjects of the running checkpoint that are written.
    """

    def __init__(self, look: Callable[[str], Look], epoch: int) -> None:
        self._look = look
        self._stamp: Stamp = (epoch, 0)
        self._head = b""
        self._kept: dict[str, dict[str, _Kept]] = {}
        self._partition: Stamp | None = None
        self._changed: set[str] = set()
        self._waiting: set[str] = set()
        self._records: list[StateRecord] = []
        self.written = 0
        self._replaced: list[str] = []
        self._foreign: list[str] = []
        self._marks: list[str] = []

    @property
    def epoch(self) -> int:
        """Offset of this owner's fence."""
        return self._stamp[0]

    @property
    def is_complete(self) -> bool:
        """Whether every subject of the running checkpoint is written."""
        return not self._waiting

    @property
    def foreign_count(self) -> int:
        """Restored subjects that no checkpoint of this owner's was told to write anew yet."""
        return len(self._foreign)

    def touch(self, user_id: str) -> None:
        """Say that a subject is about to change."""
        if user_id in self._waiting:
            self._write(user_id)
        self._changed.add(user_id)

    def begin(self, head: PartitionHead, rewrite: int = 0) -> None:
        """Begin a checkpoint of the state as it is now.

        ``rewrite``: how many subjects that another owner wrote are to be written anew beside those
        that changed.
        """
        epoch, number = self._stamp
        self._stamp = epoch, number + 1
        self.written = 0
        self._waiting, self._changed = self._changed, set()
        head.subjects = len(self._kept.keys() | self._waiting)
        self._head = msgspec.msgpack.encode(head)
        self._waiting.update(self._foreign[:rewrite])
        del self._foreign[:rewrite]

    def take(self, limit: int) -> list[StateRecord]:
        """Write up to ``limit`` of the waiting subjects; give all records not given yet."""
        for user_id in list(islice(self._waiting, limit)):
            self._write(user_id)
        records, self._records = self._records, []
        return records

    def seal(self) -> StateRecord:
        """The record that makes the checkpoint valid; for when all others are safe."""
        return StateRecord(partition_key(self._stamp), pack(self._head))

    def committed(self) -> list[StateRecord]:
        """What the checkpoint replaced, to be taken back now that it is valid."""
        if self._partition is not None:
            self._replaced.append(partition_key(self._partition))
        self._partition = self._stamp
        if not self._foreign:
            # Nothing is left that former owners wrote, so nothing needs their marks any more.
            self._replaced += self._marks
            self._marks = []
        replaced, self._replaced = self._replaced, []
        return [StateRecord(key, None) for key in replaced]

    def inherit(self, garbage: list[str], marks: list[str]) -> None:
        """Take over the last checkpoint of another owner, once all its subjects are.

        ``garbage``: keys that nothing refers to; ``marks``: keys of the fences and seals of former
        owners, without which no record of theirs counts.
        """
        self._replaced += garbage
        self._marks = marks
        # What is oldest is written anew first: however soon owners follow one another, it goes on.
        self._foreign.sort(key=self._oldest)

    def inherit_user(self, user_id: str, stamp: Stamp, parts: dict[str, Stamp]) -> None:
        """Take over a subject whose records are another owner's; ``stamp`` is its head's."""
        self._kept[user_id] = {
            part: _Kept(0, stamp) for part, stamp in (*parts.items(), (HEAD, stamp))
        }
        self._foreign.append(user_id)

    def _oldest(self, user_id: str) -> Stamp:
        return min(kept.stamp for kept in self._kept[user_id].values())

    def _write(self, user_id: str) -> None:
        """Write what differs from the last time; another owner's records in any case."""
        self._waiting.discard(user_id)
        self.written += 1
        look = self._look(user_id)
        old = self._kept.get(user_id, {})
        new = {part: self._renewed(old.get(part), sign) for part, sign in look.signs.items()}
        stamps = {part: kept.stamp for part, kept in new.items()}
        head = msgspec.msgpack.encode(
            UserHead(user_id, look.registry, look.people, stamps, look.quarantined)
        )
        new[HEAD] = self._renewed(old.get(HEAD), hash(head))
        for part, kept in new.items():
            if kept.stamp == self._stamp:
                content = head if part == HEAD else look.encode(part)
                self._records.append(
                    StateRecord(record_key(user_id, part, kept.stamp), pack(content))
                )
        self._replaced += [
            record_key(user_id, part, kept.stamp)
            for part, kept in old.items()
            if part not in new or new[part].stamp != kept.stamp
        ]
        self._kept[user_id] = new

    def _renewed(self, kept: _Kept | None, sign: int) -> _Kept:
        is_same = kept is not None and kept.sign == sign and kept.stamp[0] == self._stamp[0]
        return kept if kept is not None and is_same else _Kept(sign, self._stamp)
