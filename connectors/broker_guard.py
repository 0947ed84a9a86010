"""Keeps an embedded broker no longer alive than the process that asked for it.

Run as a program of its own: ``python broker_guard.py COMMAND...``. The parent holds the other end
of the guard's standard input and never writes to it. However the parent ends, a ``kill -9``
included, the kernel closes that pipe; the guard reads the end of it and kills the broker. Should
the guard itself be killed, Linux kills the broker (``PR_SET_PDEATHSIG``). It imports only the
standard library, for it runs isolated from the environment's packages.
"""

import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def guard(command: Sequence[str]) -> int:
    """Run a command until it ends or standard input does, and return its exit code."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - this process has one thread as yet
    )

    def kill_when_input_ends() -> None:
        sys.stdin.buffer.read()
        # The broker holds its data in memory only: there is nothing that it could save.
        child.kill()

    threading.Thread(target=kill_when_input_ends, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    # What ends the parent reaches the guard through its input, and in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(guard(sys.argv[1:]) & 0xFF)
