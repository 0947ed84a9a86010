"""Make the demo's recording from the published data sets.

Run as ``python -m samples.build FOLDER OUT``; ``FOLDER`` holds ``lifesnaps_daily`` and ``mmash``.
"""

import datetime as dt
import sys
from pathlib import Path

from connectors.importers import lifesnaps, mmash
from connectors.importers.writer import Target, write_recording

DAYS = 75
PEOPLE = frozenset(
    {
        "621e2e8e67b776a24055b564",
        "621e2efa67b776a2409dd1c3",
        "621e326767b776a24012e179",
        "621e33b067b776a240f39e56",
        "621e345c67b776a2407146a8",
        "621e360b67b776a24039709f",
        "621e362467b776a2404ad513",
        "621e36dd67b776a240ce9a45",
        "621e36f967b776a240e5e7c9",
        "621e375b67b776a240290cdc",
    }
)
"""People of LifeSnaps whose data begin together, some with changes and some with gaps."""

SECONDS = frozenset({"user_1", "user_5"})
"""People of MMASH, with 24 h of second-by-second heart rate."""

FIRST_DAY = dt.date(2021, 6, 14)
"""Date given to MMASH's first day, which has none of its own: a Monday of the LifeSnaps span."""

LEVEL = 19


def build(folder: Path, out: Path) -> None:
    """Write the recording."""
    daily = lifesnaps.load(folder / "lifesnaps_daily", people=PEOPLE, days_max=DAYS)
    seconds = mmash.load(folder / "mmash", first_day=FIRST_DAY, people=SECONDS)
    write_recording([daily, seconds], Target(path=out, level=LEVEL))


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
