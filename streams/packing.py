"""Small pieces of a subject's state, kept compressed in memory: rows, single records.

There are hundreds for each person, of a few hundred bytes, and much the same names are in all of
them. They never leave the process.
"""

import zstandard

from streams.state_log import known_names

_LEVEL = 1

_names = zstandard.ZstdCompressionDict(known_names(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_names.precompute_compress(level=_LEVEL)

_compress = zstandard.ZstdCompressor(
    level=_LEVEL, dict_data=_names, write_checksum=False, write_dict_id=False
).compress
unpack_small = zstandard.ZstdDecompressor(dict_data=_names).decompress


def pack_small(content: bytes) -> bytes:
    """The content, compressed; `unpack_small` gives it back."""
    # A copy takes its own size; what the library gives takes what it might have needed.
    return bytes(memoryview(_compress(content)))
