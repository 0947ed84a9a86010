"""Keeps a server of tests no longer alive than the process that asked for it.

Run as a program of its own: ``python guard.py DISCARD COMMAND...``, where DISCARD is a JSON list,
the command that removes the server's data. It prints the server's process id. As with the embedded
broker's guard, the parent holds the other end of its standard input and never writes to it: however
the parent ends, a ``kill -9`` included, the guard reads the end of it, kills the server and runs
DISCARD. A server that ends otherwise keeps its data, since it may be started again.
It imports only the standard library, for it runs isolated from the environment's packages.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
IGNORED = (signal.SIGINT, signal.SIGTERM)


def prepare_child() -> None:
    """Ask Linux to kill the server when its guard ends, and give it its signals back."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # A JVM that starts with SIGTERM ignored would never shut down in good order.
    for number in IGNORED:
        signal.signal(number, signal.SIG_DFL)


def guard(command: Sequence[str], discard: Sequence[str]) -> int:
    """Run a server until it ends or standard input does, and return its exit code."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=prepare_child,  # noqa: PLW1509 - this process has one thread as yet
    )
    print(child.pid, flush=True)  # noqa: T201 - the answer to the parent
    orphaned = threading.Event()

    def kill_when_input_ends() -> None:
        # Not sys.stdin: its lock, held here, would hang the interpreter's end.
        while os.read(0, 1):
            pass
        orphaned.set()
        child.kill()

    threading.Thread(target=kill_when_input_ends, daemon=True).start()
    code = child.wait()
    if orphaned.is_set():
        subprocess.run(discard, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    return code


if __name__ == "__main__":
    # What ends the parent reaches the guard through its input, and in order.
    for ignored in IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    sys.exit(guard(sys.argv[2:], json.loads(sys.argv[1])) & 0xFF)
