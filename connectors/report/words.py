"""Words for the page: names of features, values as people say them, ages, and reasons.

Nothing here ever calls a person or a value well or normal: the page says what changed against what
is usual for that one person, or that no change was found.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable

from streams.events import Alert, AlertKind, AlertStatus, Reason

NAMES = {
    "heart_rate_mean_bpm": "Mean heart rate",
    "heart_rate_resting_bpm": "Resting heart rate",
    "heart_rate_sleeping_bpm": "Heart rate asleep",
    "rmssd_ms": "Heart-rate variability (RMSSD)",
    "sdnn_ms": "Heart-rate variability (SDNN)",
    "sleep_duration_min": "Time asleep",
    "sleep_onset_min": "Falling asleep",
    "sleep_offset_min": "Waking up",
    "sleep_midpoint_min": "Middle of sleep",
    "sleep_efficiency_percent": "Share of time in bed asleep",
    "awakening_count": "Awakenings",
    "screen_min": "Screen time",
    "unlock_count": "Phone unlocks",
    "step_count": "Steps",
    "first_use_min": "First phone use",
    "last_use_min": "Last phone use",
    "silence_h": "Time without any data",
    "sync_gap_usual_h": "Usual time between uploads",
}

CLOCK_FEATURES = frozenset(
    {"sleep_onset_min", "sleep_offset_min", "sleep_midpoint_min", "first_use_min", "last_use_min"}
)
"""Features that are minutes of the local clock, negative before midnight."""

SHORT_UNITS = {"beats/min": "bpm", "count": "", "steps": "", "points": "", "times": ""}
"""Units as the page writes them, where that differs; the name already says what is counted."""

KIND_WORDS = {
    AlertKind.CLINICAL: "Change",
    AlertKind.LIMIT: "Limit passed",
    AlertKind.DATA: "Data missing",
    AlertKind.OPERATIONAL: "Operation",
}

KIND_SYMBOLS = {
    AlertKind.CLINICAL: "◆",
    AlertKind.LIMIT: "▲",
    AlertKind.DATA: "□",
    AlertKind.OPERATIONAL: "○",
}
"""A shape per kind, the same on the page and in the plots, so that colour is never needed."""

STATUS_WORDS = {
    AlertStatus.OPEN: "open",
    AlertStatus.ACKNOWLEDGED: "acknowledged",
    AlertStatus.SNOOZED: "snoozed",
    AlertStatus.RESOLVED: "resolved",
    AlertStatus.WITHDRAWN: "withdrawn",
}
"""An alert that is withdrawn says why in its sentence: there are several causes."""


def name_of(feature: str) -> str:
    """Name a feature for staff; an instrument's score by its instrument, such as PHQ-9."""
    if feature in NAMES:
        return NAMES[feature]
    if feature.endswith("_score"):
        instrument = feature.removesuffix("_score").replace("_", "-")
        return f"Self-report {instrument.upper() if len(instrument) <= 6 else instrument}"
    words = feature.rsplit("_", 1)[0].replace("_", " ")
    return words[:1].upper() + words[1:]


def value_in_words(value: float, feature: str, unit: str) -> str:
    """Write a value as people say it: a local time, a duration, or a number with its unit."""
    if feature in CLOCK_FEATURES:
        minutes = round(value) % 1_440
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    if unit == "min":
        return duration_in_words(value * 60.0)
    if unit == "h":
        return duration_in_words(value * 3_600.0)
    unit = SHORT_UNITS.get(unit, unit)
    number = f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}"
    return f"{number} {unit}" if unit else number


def duration_in_words(seconds: float) -> str:
    """Write a length of time in its two largest useful units."""
    minutes = round(seconds / 60.0)
    days, hours = minutes // 1_440, minutes % 1_440 // 60
    if days >= 3:
        return f"{round(minutes / 1_440)} days"
    if days:
        return f"{days * 24 + hours} h"
    return f"{hours} h {minutes % 60:02d} min" if hours else f"{minutes} min"


def reason_in_words(reason: Reason) -> str:
    """Say one piece of evidence in a sentence: the value, of which days, and what is usual."""
    value = value_in_words(reason.value, reason.feature, reason.unit)
    sentence = f"{name_of(reason.feature)} {value}{_days(reason)}"
    if reason.usual_median is None:
        return sentence
    usual = value_in_words(reason.usual_median, reason.feature, reason.unit)
    side = _side(reason, reason.usual_median)
    sentence += (
        f", {side} than the usual {usual}"
        if side and value != usual
        else f", about the usual {usual}"
    )
    if reason.usual_low is not None and reason.usual_high is not None:
        low = value_in_words(reason.usual_low, reason.feature, reason.unit)
        high = value_in_words(reason.usual_high, reason.feature, reason.unit)
        sentence += f" ({low} to {high})"
    if reason.days_of_baseline:
        sentence += f", learned from {reason.days_of_baseline} days"
    return sentence


def evidence_gaps(alert: Alert) -> str:
    """Say what an alert had to do without; empty when nothing was missing."""
    missing = "; ".join(name.replace("_", " ") for name in alert.missing)
    return f"Not available for this: {missing}." if missing else ""


def counts_in_words(alerts: Iterable[Alert]) -> list[tuple[AlertKind, str]]:
    """Count alerts by kind, such as (CLINICAL, "Change ×3"), in the order of their appearance."""
    counts = Counter(alert.kind for alert in alerts)
    return [
        (kind, KIND_WORDS[kind] if count == 1 else f"{KIND_WORDS[kind]} ×{count}")
        for kind, count in counts.items()
    ]


def age_in_words(then: float, now: float) -> str:
    """Say how long before ``now`` an instant was (both s UTC), in whole days or hours."""
    hours = (now - then) / 3_600.0
    if hours < 1:
        return "within the hour"
    if hours < 48:
        return f"{hours:.0f} h ago"
    days = int(hours // 24)
    return f"{days} days ago" if days < 60 else f"{days // 30} months ago"


def date_in_words(date: dt.date) -> str:
    """Write a date without ambiguity between day and month."""
    return f"{date.day} {date:%b %Y}"


def _days(reason: Reason) -> str:
    """Of which days a value is the mean, each by its date."""
    dates = [day.local_date for day in reason.evidence if day.carries]
    if not dates:
        return ""
    told = [f"{date.day} {date:%b}" for date in dates]
    if len(told) == 1:
        return f" on {told[0]}"
    return f" on average on {', '.join(told[:-1])} and {told[-1]}"


def _side(reason: Reason, usual: float) -> str:
    """To which side of the usual a value lies, whichever way the days before it point."""
    if reason.value == usual:
        return ""
    is_up = reason.value > usual
    if reason.feature in CLOCK_FEATURES:
        return "later" if is_up else "earlier"
    return "higher" if is_up else "lower"
