"""Instants as bytes that compress well: steps between them, the bytes of like rank side by side.

Times in whole seconds, or at a pace of their own, differ in few of the eight bytes of a number.
"""

from array import array
from collections.abc import Iterable

import numpy as np

_BYTES = 8


def instant_bytes(times: Iterable[float]) -> bytes:
    """Instants (s UTC) in their order as bytes."""
    numbers = np.frombuffer(array("d", times), dtype="<i8")
    steps = np.diff(numbers, prepend=np.int64(0)).view(np.uint8).reshape(-1, _BYTES)
    return steps.T.tobytes()


def instants_of(planes: bytes) -> "array[float]":
    """Instants as they were, exactly."""
    steps = np.frombuffer(planes, dtype=np.uint8).reshape(_BYTES, -1).T
    numbers = np.cumsum(np.ascontiguousarray(steps).view("<i8").ravel())
    return array("d", numbers.tobytes())
