"""Where `wakeline setup influx` keeps the tokens it makes: an env file, or a folder of files.

InfluxDB shows a token only when it is made, so what is lost here has to be made anew. All files
can be read by their owner alone.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from streams.errors import BadInput

WORKER = "worker"
"""Name of the workers' token; a site's token has the name of the site behind ``SITE``."""

SITE = "site/"
WORKER_VARIABLE = "WAKELINE_INFLUX_TOKEN"
SITE_VARIABLE = "WAKELINE_INFLUX_READ_TOKEN_"

_LINE = re.compile(r"^(?:export )?([A-Z0-9_]+)=(.*)$")
_TOKEN_FILE = "influx.token"  # noqa: S105 - the name of a file


class TokenStore(Protocol):
    """Keeps tokens by name."""

    def read(self) -> dict[str, str]:
        """Give the tokens that are there."""

    def write(self, tokens: Mapping[str, str]) -> None:
        """Keep tokens; others that are there stay."""


class EnvFile:
    """Tokens as lines of an env file, beside whatever else stands in it."""

    def __init__(self, path: Path, sites: list[str]) -> None:
        self._path = path
        of_sites = {f"{SITE}{site}": site_variable(site) for site in sites}
        self._variables = {WORKER: WORKER_VARIABLE, **of_sites}
        if len({*of_sites.values()}) < len(of_sites):
            raise BadInput("two of the sites would share a variable: set them up in two files")

    def read(self) -> dict[str, str]:
        """Give the tokens that are there."""
        matches = filter(None, map(_LINE.match, self._lines()))
        found: dict[str, str] = {match[1]: match[2] for match in matches}
        return {name: found[v] for name, v in self._variables.items() if found.get(v)}

    def write(self, tokens: Mapping[str, str]) -> None:
        """Keep tokens; all other lines stay as they are."""
        values = {self._variables[name]: token for name, token in tokens.items()}
        kept = [line for line in self._lines() if not _sets(line, values)]
        _write(self._path, [*kept, *(f"{name}={token}" for name, token in values.items())])

    def _lines(self) -> list[str]:
        return _text(self._path).splitlines()


class TokenFolder:
    """Tokens of workers and of one site as files: ``worker/influx.token``, ``site/influx.token``.

    Containers mount the one or the other.
    """

    def __init__(self, folder: Path, sites: list[str]) -> None:
        if len(sites) != 1:
            raise BadInput(f"{folder} is a folder, which takes the token of one --site")
        worker, site = folder / "worker" / _TOKEN_FILE, folder / "site" / _TOKEN_FILE
        self._paths = {WORKER: worker, f"{SITE}{sites[0]}": site}

    def read(self) -> dict[str, str]:
        """Give the tokens that are there."""
        found = {name: _text(path).strip() for name, path in self._paths.items()}
        return {name: token for name, token in found.items() if token}

    def write(self, tokens: Mapping[str, str]) -> None:
        """Keep tokens."""
        for name, token in tokens.items():
            _write(self._paths[name], [token])


def token_store(path: Path, sites: list[str]) -> TokenStore:
    """Give the store at a path: a folder that is there, else an env file.

    Raises
    ------
    BadInput
        If it cannot tell the sites apart.
    """
    return TokenFolder(path, sites) if path.is_dir() else EnvFile(path, sites)


def site_variable(site: str) -> str:
    """Name of the variable with the read token of a site."""
    return SITE_VARIABLE + re.sub(r"[^A-Z0-9]", "_", site.upper())


def _sets(line: str, values: Mapping[str, str]) -> bool:
    match = _LINE.match(line)
    return match is not None and match.group(1) in values


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error


def _write(path: Path, lines: list[str]) -> None:
    """Replace a file whole, so that nobody ever sees half a token or one that others may read."""
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
