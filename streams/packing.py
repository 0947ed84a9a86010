"""Names known beforehand, and small pieces of state kept compressed with them in memory.

Of rows and single records there are hundreds for each person, of a few hundred bytes each, and much
the same names are in all of them. What is packed here never leaves the process.
"""

from importlib.resources import files

import msgspec
import zstandard

_LEVEL = 1


def known_names() -> bytes:
    """Names that compression need not learn anew from every record, encoded as records have them.

    They are part of the form of a version: what was compressed with them is read with no others.
    Names that came later are only missing among them.
    """
    names = files("streams").joinpath("state_names.txt").read_text(encoding="ascii").split()
    return b"".join(map(msgspec.msgpack.encode, names))


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
