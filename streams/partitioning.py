"""Which partition a subject's events live in: Kafka's own partitioner of keys."""

from functools import lru_cache

from aiokafka.partitioner import murmur2  # type: ignore[import-untyped]  # ships no types

_POSITIVE = 0x7FFFFFFF


@lru_cache(maxsize=65_536)
def partition_of(user_id: str, partitions: int) -> int:
    """Partition of the key ``user_id`` among ``partitions``, as every Kafka client computes it.

    Source: Kafka's ``BuiltInPartitioner.partitionForKey``, murmur2 of the key's bytes (UTF-8).

    >>> partition_of("p01", 4)
    3
    """
    return int((murmur2(user_id.encode()) & _POSITIVE) % partitions)
