"""Docker's client, where an engine answers it: images in place of servers built here."""

import functools
import shutil
import subprocess

QUESTION_TIMEOUT_S = 10.0
PULL_TIMEOUT_S = 540.0


@functools.cache
def engine_answers() -> bool:
    """Whether Docker's client finds an engine on this machine."""
    return shutil.which("docker") is not None and _succeeds("info", timeout_s=QUESTION_TIMEOUT_S)


def has_image(image: str) -> bool:
    """Whether an engine answers that has the image already."""
    return engine_answers() and _succeeds("image", "inspect", image, timeout_s=QUESTION_TIMEOUT_S)


def pull(image: str) -> bool:
    """Fetch an image; False where that cannot be done."""
    return has_image(image) or (
        engine_answers() and _succeeds("pull", "--quiet", image, timeout_s=PULL_TIMEOUT_S)
    )


def container_pid(container: str) -> int:
    """Process id of a running container's first process, as the engine's machine counts."""
    answer = subprocess.run(
        ["docker", "inspect", "--format", "{{.State.Pid}}", container],
        capture_output=True,
        check=True,
        timeout=QUESTION_TIMEOUT_S,
    )
    return int(answer.stdout)


def _succeeds(*arguments: str, timeout_s: float) -> bool:
    try:
        answer = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
