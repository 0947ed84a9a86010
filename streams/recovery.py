"""From a state log back to a pipeline as it was at its last checkpoint."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from streams.checkpoint import PartitionHead, UserHead
from streams.pipeline import PartitionPipeline
from streams.state_log import HEAD, RestoredUser, StateLog, record_key, unpack

_decode_partition = msgspec.msgpack.Decoder(PartitionHead).decode
_decode_head = msgspec.msgpack.Decoder(UserHead).decode


class Restored(Struct, frozen=True):
    """What became of one subject: ``fault`` says why its state cannot be read, if so."""

    user_id: str
    fault: str | None = None


def recover(pipeline: PartitionPipeline, log: StateLog) -> Iterator[Restored]:
    """Bring a fresh pipeline to the last checkpoint that a state log holds, subject by subject.

    A subject whose records are damaged is quarantined; the others are as they were.

    Raises
    ------
    StateUnknown
        When a record is of a version that this release does not know.
    ValueError
        When the record of the partition itself is damaged, or subjects are missing.
    """
    if log.partition is None:
        return
    head = _decode_partition(unpack(log.partition[1]))
    if log.user_count < head.subjects:
        raise ValueError(f"it holds {log.user_count} of {head.subjects} subjects")
    pipeline.restore_head(head)
    used = set(log.seals)
    for user in log.users():
        fault = None
        try:
            used.update(_recover_user(pipeline, user))
        except (ValueError, msgspec.DecodeError) as error:
            # A library's message may quote what it read; only ours is sure not to.
            fault = str(error) if type(error) is ValueError else type(error).__name__
            pipeline.quarantine(user.user_id, "state cannot be read")
            # What is left of it stays, for whoever finds out what happened.
            used.update(
                record_key(user.user_id, part, own) for part, (own, _) in user.records.items()
            )
        yield Restored(user.user_id, fault)
    # Records that stay for somebody to look at need what they were written under.
    marks = [] if pipeline.quarantined else [*log.fences[:-1], *log.seals]
    pipeline.checkpoints.inherit(log.garbage(used), marks)


def _recover_user(pipeline: PartitionPipeline, user: RestoredUser) -> list[str]:
    """Restore one subject; give the keys of the records that hold it."""
    head_stamp, packed = user.records[HEAD]
    head = _decode_head(unpack(packed))
    # Known before anything else can fail, so that a care team can be told.
    pipeline.restore_registration(head)
    parts = {}
    for part, stamp in head.parts.items():
        found = user.records.get(part)
        if found is None or found[0] != stamp:
            raise ValueError(f"the record of {part} is missing")
        parts[part] = unpack(found[1])
    pipeline.restore_user(head, parts)
    pipeline.checkpoints.inherit_user(user.user_id, head_stamp, head.parts)
    stamps = {**head.parts, HEAD: head_stamp}
    return [record_key(user.user_id, part, stamp) for part, stamp in stamps.items()]
