"""Bring the servers onto this machine: ``python -m tests.servers [--where-possible]``."""

import argparse
import os
import sys

from tests.servers.installs import INFLUXDB, KAFKA, ServerMissing, install


def main() -> int:
    """Install both servers, say where they are, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument(
        "--where-possible",
        action="store_true",
        help="say what cannot be had and go on, but for continuous integration (CI=true)",
    )
    lenient = parser.parse_args().where_possible and os.environ.get("CI") != "true"
    failed = False
    for recipe in (KAFKA, INFLUXDB):
        try:
            place = install(recipe, tell)
        except ServerMissing as error:
            failed = True
            tell(f"{error}; tests that need it are left out" if lenient else str(error))
        else:
            tell(f"{recipe.title}: {place}")
    return int(failed and not lenient)


def tell(line: str) -> None:
    """Print a line of progress at once."""
    print(line, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
