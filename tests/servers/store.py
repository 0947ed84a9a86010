"""Where the servers of tests are kept between runs: whole ones only, each built once.

A server is built into a temporary folder and renamed when it is complete, under a file lock, so
that neither an interrupted build nor two at once leave half of one.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Folder in the user's cache directory that holds the servers."""
    # An empty variable counts as unset, and a relative one as none (XDG base directories).
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return (root if root.is_absolute() else Path.home() / ".cache") / "wakeline" / "servers"


def stored(name: str) -> Path | None:
    """Folder of a server that was built, absent when it was not."""
    folder = cache_folder() / name
    return folder if folder.is_dir() else None


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """Folder of a server, built now unless it is there.

    Parameters
    ----------
    name
        Its folder's name, versions included.
    build
        Fills an empty folder; what it raises leaves nothing behind.
    """
    if (folder := stored(name)) is not None:
        return folder
    root = cache_folder()
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{name}.lock"):
        # Another process may have built it while this one waited.
        if (folder := stored(name)) is not None:
            return folder
        prefix = f".{name}-"
        # Whoever holds the lock is the only builder: what is here belongs to a killed one.
        for leftover in root.glob(f"{prefix}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=root) as temporary:
            part = Path(temporary) / "part"
            part.mkdir()
            build(part)
            return part.rename(root / name)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        # The kernel lets go of it when the file is closed, by a kill too.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
