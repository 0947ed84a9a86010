"""Instants as bytes that compress well: steps between them, the bytes of like rank side by side.

Times in whole seconds, or at a pace of their own, differ in few of the eight bytes of a number.
"""

from array import array
from collections.abc import Iterable
from itertools import accumulate

import numpy as np

_BYTES = 8
_MASK = 2**64 - 1
_FEW = 24
"""Up to so many, plain slices are done before NumPy has begun."""


def instant_bytes(times: Iterable[float]) -> bytes:
    """Instants (s UTC) in their order as bytes."""
    numbers = np.frombuffer(array("d", times), dtype="<i8")
    steps = numbers.copy()
    steps[1:] -= numbers[:-1]
    return steps.view(np.uint8).reshape(-1, _BYTES).T.tobytes()


def instants_of(planes: bytes) -> "array[float]":
    """Instants as they were, exactly."""
    count = len(planes) // _BYTES
    if count > _FEW:
        steps = np.frombuffer(planes, dtype=np.uint8).reshape(_BYTES, -1).T
        return array("d", np.cumsum(np.ascontiguousarray(steps).view("<i8").ravel()).tobytes())
    few = array("Q", b"".join(planes[place::count] for place in range(count)))
    return array("d", array("Q", (total & _MASK for total in accumulate(few))).tobytes())
