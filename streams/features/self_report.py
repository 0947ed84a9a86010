"""Self-report: the score of each instrument that a person answered on a day."""

import re

from streams.events import MoodCheckIn, WindowKind
from streams.features.base import Figure, Values, Window, feature

_SUMMED = {"PHQ-2": 2, "PHQ-9": 9, "GAD-2": 2, "GAD-7": 7}
"""Instruments scored by the sum of this many items (Kroenke 2001, Spitzer 2006)."""


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="<instrument>_score",
            meaning="The day's last answer, such as `phq_9_score`: the score that was sent, else "
            "the sum of the items.",
            minimum="a score, or all items of PHQ-2, PHQ-9, GAD-2 or GAD-7",
            source="Kroenke 2001; Spitzer 2006",
        ),
    ),
)
def self_report_scores(window: Window) -> Values:
    """``<instrument>_score``, such as ``phq_9_score``: the day's last answer of each instrument.

    The score that was sent, else the sum of the items of PHQ-2, PHQ-9, GAD-2 and GAD-7 when all
    of them are answered; absent otherwise.
    """
    values: Values = {}
    for _, record in sorted(window.records("mood_check_in/1"), key=lambda placed: -placed[0][0]):
        if not isinstance(record, MoodCheckIn):
            continue
        if not window.start_s <= record.time < window.stop_s:
            continue
        score = _score(record)
        if score is not None:
            values[f"{_slug(record.instrument)}_score"] = score
    return values


def _score(record: MoodCheckIn) -> float | None:
    if record.score is not None:
        return record.score
    if len(record.items) != _SUMMED.get(record.instrument):
        return None
    return float(sum(record.items.values()))


def _slug(instrument: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", instrument.lower()).strip("_")
