"""Names known beforehand, and small pieces of state kept compressed with them in memory.

Of rows and single records there are hundreds for each person, of a few hundred bytes each, and much
the same names are in all of them. What is packed here never leaves the process.
"""

import zlib
from importlib.resources import files

import msgspec
import zstandard

_LEVEL = 1
_MEMORY = 6


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


def deflated(content: bytes, *, level: int, window: int) -> bytes:
    """The content, compressed by zlib; ``window`` as its ``wbits``, which `zlib` reads without.

    A piece lies within a few KiB: making ready for the most that zlib can do, a quarter of a MiB
    that is asked for and given back every time, takes ten times as long as compressing it.
    """
    packer = zlib.compressobj(level, zlib.DEFLATED, window, _MEMORY)
    return packer.compress(content) + packer.flush()


def pack_small(content: bytes) -> bytes:
    """The content, compressed; `unpack_small` gives it back."""
    # A copy takes its own size; what the library gives takes what it might have needed.
    return bytes(memoryview(_compress(content)))
