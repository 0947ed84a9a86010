"""Goal: events land where any Kafka client would put them. Method: compare with aiokafka's own."""

from aiokafka.partitioner import DefaultPartitioner  # type: ignore[import-untyped]  # untyped
from hypothesis import given
from hypothesis import strategies as st

from streams.partitioning import partition_of


@given(st.text(min_size=1, max_size=64), st.integers(min_value=1, max_value=64))
def test_partition_equals_that_of_the_kafka_client(user_id: str, partitions: int) -> None:
    every = list(range(partitions))
    assert partition_of(user_id, partitions) == DefaultPartitioner()(user_id.encode(), every, every)


def test_partition_equals_figures_of_the_java_client() -> None:
    # Kafka's UtilsTest.testMurmur2: hash -973932308 of "21", -790332482 of "foobar".
    assert partition_of("21", 1_000) == (-973932308 & 0x7FFFFFFF) % 1_000
    assert partition_of("foobar", 1_000) == (-790332482 & 0x7FFFFFFF) % 1_000
