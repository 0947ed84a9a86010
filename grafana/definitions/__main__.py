"""Write all files of Grafana anew: ``python -m grafana.definitions``; ``--help`` has more."""

import argparse
import sys
from pathlib import Path

import msgspec

from grafana.definitions.files import all_files, read_record
from grafana.definitions.site import read_site

FOLDER = Path(__file__).resolve().parent.parent


def main() -> int:
    """Write the files, name them, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m grafana.definitions", description=__doc__)
    parser.add_argument("--site", type=Path, default=FOLDER / "site.toml", help="settings (TOML)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write into")
    options = parser.parse_args()
    try:
        site = read_site(options.site)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        sys.stderr.write(f"{options.site}: {error}\n")
        return 2
    for name, text in all_files(site, read_record(FOLDER)).items():
        path = options.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
