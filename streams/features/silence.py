"""Silence: how long nothing was heard, as told from the subject's history of uploads."""

from streams.events import WindowKind
from streams.features.base import Figure, told_elsewhere

told_elsewhere(
    __name__,
    WindowKind.HOUR,
    WindowKind.DAY,
    gives=(
        Figure(
            name="silence_h",
            meaning="Hours from the last data of any kind before the window's end to that end.",
            minimum="none",
            source="own",
        ),
    ),
)
told_elsewhere(
    __name__,
    WindowKind.DAY,
    gives=(
        Figure(
            name="sync_gap_usual_h",
            meaning="The usual longest time between uploads: 0.9 quantile of the days' longest.",
            minimum="7 days with an upload, of the last 28 such days",
            source="own",
        ),
    ),
)
