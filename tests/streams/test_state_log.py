"""Goal: records are read by whoever knows their version; method: what is packed, and what was."""

import hashlib

import pytest
import zstandard

from streams.errors import StateUnknown
from streams.packing import known_names
from streams.state_log import OLDEST_VERSION, STATE_VERSION, pack, unpack

NAMES_OF_VERSION = {2: "45da14898d2e6e22c759f20176de491e7f36188eca1aef442f27eb35bb6aa1f1"}
"""SHA-256 of the names with which a version compresses."""


def test_names_stay_those_of_the_version_since_its_records_are_read_with_them() -> None:
    assert hashlib.sha256(known_names()).hexdigest() == NAMES_OF_VERSION[STATE_VERSION]


def test_a_record_comes_back_and_one_that_was_cut_is_damaged() -> None:
    content = known_names()[:200] * 3 + bytes(range(256))
    assert unpack(pack(content)) == content
    with pytest.raises(ValueError, match="cannot be decompressed"):
        unpack(pack(content)[:-9])


def test_a_record_of_the_oldest_version_which_knew_no_names_is_read() -> None:
    content = b"heart_rate_mean_bpm" * 9
    old = bytes([OLDEST_VERSION]) + zstandard.ZstdCompressor(level=3).compress(content)
    assert unpack(old) == content
    with pytest.raises(StateUnknown, match="version 0"):
        unpack(bytes([0]) + old[1:])
