"""Env files for docker compose, as `make secrets` writes them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def make_secrets(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--silent", "secrets", f"ENV_FILE={file}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assignments(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", maxsplit=1) for line in lines if not line.startswith("#"))
