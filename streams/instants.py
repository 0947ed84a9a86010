"""Instants as bytes that compress well: steps between them, the bytes of like rank side by side.

Times in whole seconds, or at a pace of their own, differ in few of the eight bytes of a number.
"""

from array import array
from collections.abc import Iterable
from itertools import accumulate

import numpy as np

_BYTES = 8
_MASK = 2**64 - 1


def instant_bytes(times: Iterable[float]) -> bytes:
    """Instants (s UTC) in their order as bytes."""
    numbers = np.frombuffer(array("d", times), dtype="<i8")
    steps = np.diff(numbers, prepend=np.int64(0)).view(np.uint8).reshape(-1, _BYTES)
    return steps.T.tobytes()


def instants_of(planes: bytes) -> "array[float]":
    """Instants as they were, exactly."""
    # Mostly a handful: plain slices are done before NumPy has begun.
    count = len(planes) // _BYTES
    steps = array("Q", b"".join(planes[place::count] for place in range(count)))
    return array("d", array("Q", (sum_ & _MASK for sum_ in accumulate(steps))).tobytes())
