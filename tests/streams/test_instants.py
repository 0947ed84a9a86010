"""Goal: instants come back exactly as they were; method: any finite numbers, in any order."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from streams.instants import instant_bytes, instants_of


@given(st.lists(st.floats(allow_nan=False)))
def test_instants_come_back_bit_for_bit(times: list[float]) -> None:
    assert instants_of(instant_bytes(times)).tobytes() == array("d", times).tobytes()
