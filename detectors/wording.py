"""Words for alerts: one plain sentence that a nurse understands at eight in the morning.

Nothing ever reads as "well" or "back to normal": a person is *learning*, there is *not enough
data*, or *no change found*.
"""

import datetime as dt
from collections.abc import Sequence

from msgspec import Struct

from detectors.config import CheckInLimit, LimitRule
from detectors.features import SPECS, Display, FeatureSpec, spec_of
from streams.events import Direction, Evidence, Reason, WindowKind

LEARNING = "learning"
NOT_ENOUGH_DATA = "not enough data"
NO_CHANGE_FOUND = "no change found"
"""The only three ways in which the absence of an alert may be put."""

WITHDRAWN_DATA = "New data no longer support this."
WITHDRAWN_LEARNED = "No longer unusual against what has been learned since."
WITHDRAWN_NEWS = "No longer told after what staff or the registry have said since."
WITHDRAWN_DATA_CAME = "Data of that time have come since."
WITHDRAWN_GAP = "Such a gap is no longer unusual for this person."
WITHDRAWN_PAUSED = "Taking part is paused, so that no data are expected."
WITHDRAWN_SUBJECT = "The person no longer takes part."
DATA_AGAIN = "Data come in again; what was not recorded meanwhile stays unknown."
WORN_AGAIN = "The wearable is worn again; what was not measured meanwhile stays unknown."
NOT_WORN_UNKNOWN = "Whether the wearable is worn can no longer be told: no other data come either."
NOT_WATCHED = (
    "Wakeline cannot work on this person's data at present, by a fault of its own. Nothing can be "
    "told of this person until the fault is mended."
)
RELEARNED = "What is usual is being learned again, since a device changed or staff asked for it."

REASONS_TOLD = 3
"""Most reasons that a summary names; the alert carries them all."""

_DAY_MIN = 1_440
# Not the machine's language, on which results must not depend.
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = {
    Display.BPM: "bpm",
    Display.MS: "ms",
    Display.PERCENT: "%",
    Display.TIMES: "times",
    Display.STEPS: "steps",
    Display.POINTS: "points",
}
_WINDOWS = {
    WindowKind.MINUTE: "minutes",
    WindowKind.HOUR: "hours",
    WindowKind.NIGHT: "nights",
    WindowKind.DAY: "days",
}


def change(window: WindowKind, reasons: Sequence[Reason], seen: tuple[int, int]) -> str:
    """What differs from usual; ``seen``: in how many of the last rows the first reason did."""
    parts = [_reason(window, reason) for reason in reasons[:REASONS_TOLD]]
    count, of = seen
    if of > 1:
        parts[0] += f" ({count} of the last {of} {_WINDOWS[window]})"
    if len(reasons) > REASONS_TOLD:
        parts.append(f"and {len(reasons) - REASONS_TOLD} more")
    return _sentence("; ".join(parts))


def shift(reasons: Sequence[Reason], since: dt.date, until: tuple[dt.date, WindowKind]) -> str:
    """What differs from usual since a day: of the days that carry it, how many, and their mean.

    ``until``: date and kind of window of the row that tells it.
    """
    parts = [_shifted(reason, since, until) for reason in reasons[:REASONS_TOLD]]
    if len(reasons) > REASONS_TOLD:
        parts.append(f"and {len(reasons) - REASONS_TOLD} more")
    return _sentence(f"since {date(since)}: {'; '.join(parts)}")


class Slow(Struct, frozen=True):
    """A slow change: its last days, since about when, and whether it has moved to their side."""

    reason: Reason
    since: dt.date
    has_moved: bool


def slow(changes: Sequence[Slow]) -> str:
    """What has been moving away from usual a little every day: from where, and where to."""
    since = min(change.since for change in changes)
    parts = []
    for change in changes[:REASONS_TOLD]:
        later = "" if change.since == since else f", since about {date(change.since)}"
        parts.append(_moved(change) + later)
    if len(changes) > REASONS_TOLD:
        parts.append(f"and {len(changes) - REASONS_TOLD} more")
    return _sentence(f"slow change since about {date(since)}: {'; '.join(parts)}")


def _moved(change: Slow) -> str:
    reason = change.reason
    window, carriers = reason.window or WindowKind.DAY, carriers_of(reason)
    spec, middle = spec_of(window, reason.feature), reason.usual_median
    low, high = reason.usual_low, reason.usual_high
    if spec is None or not carriers or low is None or middle is None or high is None:
        return _reason(window, reason)
    value, band = _value(spec, reason.value), _band(spec, low, high)
    if len(carriers) == 1:
        days = f" on {date(carriers[0].local_date)}"
    else:
        span = (reason.evidence[-1].local_date - reason.evidence[0].local_date).days + 1
        last = on_days(reason, whole=len(reason.evidence) == span, of_last=True)
        days = f" on average {last}"
    if not change.has_moved or _number(spec, middle) == _number(spec, reason.value):
        return _beside_usual(spec, reason, f"{spec.phrase or spec.name} {value}{days}")
    sides = ("later", "earlier") if spec.display is Display.CLOCK else ("up", "down")
    side = sides[reason.direction is Direction.DOWN]
    usual = f"the usual {_value(spec, middle)} ({band})"
    return f"{spec.name} {side} from {usual} to {value}{days}"


def became_urgent(day: dt.date, summary: str) -> str:
    """What made an alert urgent, after what opened it."""
    return f"It became urgent on {date(day)}. {summary}"


def added(day: dt.date, summary: str) -> str:
    """What joined an alert later, after what was told of it before."""
    return f"New on {date(day)}. {summary}"


def limit(rule: LimitRule, value: float) -> str:
    """Which limit of the site a value passed."""
    spec = spec_of(rule.window, rule.feature) or _spec_of_name(rule.feature)
    is_above = rule.above is not None and value > rule.above
    bound = rule.above if is_above else rule.below
    side = "above" if is_above else "below"
    told = _value(spec, value) if spec else f"{value:g}"
    told_bound = _value(spec, bound) if spec and bound is not None else f"{bound:g}"
    phrase = (spec.phrase or spec.name) if spec else _plain(rule.feature)
    return _sentence(f"{phrase} {told}, {side} this site's limit of {told_bound}")


def check_in(rule: CheckInLimit, value: float) -> str:
    """Which limit of the site an answer or a score of a self-report reached."""
    what = "score" if rule.item is None else f"item {rule.item}"
    return f"{rule.instrument}: {what} is {value:g}; this site's limit is {rule.at_least:g}."


def silence(hours: float, usual_h: float | None) -> str:
    """How long no data of any kind have come, beside what is usual."""
    text = f"No data of any kind for {span(hours)}"
    if usual_h:
        text += f"; usually something arrives at least every {span(usual_h)}"
    return f"{text}."


def not_worn(hours: float, channels: Sequence[str]) -> str:
    """How long a wearable was not worn while other data came."""
    others = " and ".join(_plain(channel) for channel in channels)
    return (
        f"The wearable seems not to have been worn for {span(hours)}; {others} data still arrive."
    )


def withdrawal(summary: str, because: str) -> str:
    """A withdrawn alert says first why, then what it had said."""
    return f"{because} It had said: {summary}"


def absent(window: WindowKind, feature: str) -> str:
    """A feature that could not be told."""
    return f"{name_of(window, feature)}: {NOT_ENOUGH_DATA}"


def learning(window: WindowKind, feature: str, days: int, warm_up_days: int) -> str:
    """A feature whose usual is not known yet."""
    return f"{name_of(window, feature)}: {LEARNING}, {days} of {warm_up_days} days"


def name_of(window: WindowKind, feature: str) -> str:
    """What staff call a feature."""
    spec = spec_of(window, feature)
    return _plain(feature) if spec is None else spec.name


def span(hours: float) -> str:
    """A length of time in days and hours; less than a day in hours, never finer."""
    whole = max(1, int(hours + 0.5))
    days, rest = divmod(whole, 24)
    parts = [_count(days, "day")] if days else []
    parts += [_count(rest, "hour")] if rest else []
    return " ".join(parts)


def duration(minutes: float) -> str:
    """A length of time in hours and minutes: ``6 h 10 min``."""
    hours, rest = divmod(int(max(minutes, 0.0) + 0.5), 60)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def clock(minutes: float) -> str:
    """Minutes from a midnight, before it negative, as a time of day: ``23:40``."""
    hours, rest = divmod(int(minutes // 1.0 + (minutes % 1.0 >= 0.5)) % _DAY_MIN, 60)
    return f"{hours}:{rest:02d}"


def date(day: dt.date) -> str:
    """A date as people write it: ``Tue 3 May``."""
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _reason(window: WindowKind, reason: Reason) -> str:
    spec = spec_of(window, reason.feature)
    if spec is None:
        return f"{_plain(reason.feature)} {reason.value:g} {reason.unit}".rstrip()
    text = f"{spec.phrase or spec.name} {_value(spec, reason.value)}"
    if reason.usual_low is None or reason.usual_high is None:
        return text
    return f"{text}, usually {_band(spec, reason.usual_low, reason.usual_high)}"


def _shifted(reason: Reason, since: dt.date, until: tuple[dt.date, WindowKind]) -> str:
    """What the days that carry a change told, and the last day where it does not carry it."""
    window = reason.window or WindowKind.DAY
    spec = spec_of(window, reason.feature)
    if spec is None or not carriers_of(reason):
        return _reason(window, reason)
    text = f"{spec.phrase or spec.name} {_value(spec, reason.value)}"
    return _beside_usual(spec, reason, text + _days(reason, since, until))


def _beside_usual(spec: FeatureSpec, reason: Reason, text: str) -> str:
    """The text with what is usual beside the mean of the days that carry a change."""
    low, middle, high = reason.usual_low, reason.usual_median, reason.usual_high
    if low is None or middle is None or high is None:
        return text
    side = 1.0 if reason.direction is Direction.UP else -1.0
    band = _band(spec, low, high)
    if side * (reason.value - middle) <= 0.0:
        if reason.expected is not None:
            text += f", where the days before let expect {_value(spec, reason.expected)}"
        return f"{text}, usually {band}"
    end = high if side > 0.0 else low
    furthest = max((day.value for day in carriers_of(reason)), key=lambda value: side * value)
    if side * (furthest - end) <= 0.0:
        return f"{text}, {_within(spec, reason, band)}"
    if side * (reason.value - end) <= 0.0:
        text += f", {_up_to(spec, side)} {_value(spec, furthest)}"
    elif _number(spec, reason.value) == _number(spec, end):
        return f"{text}, at the {_end(spec, side)} end of the usual {band}{_last(spec, reason)}"
    return f"{text}, usually {band}{_last(spec, reason)}"


def carriers_of(reason: Reason) -> list[Evidence]:
    """The days of which a reason's value is the mean; none where it is the latest value."""
    return [day for day in reason.evidence if day.carries]


def on_days(reason: Reason, *, whole: bool, of_last: bool = False) -> str:
    """On how many of its days a reason's value was told: ``on 3 of 4 nights``.

    ``whole``: its days are all that there are of the time that is spoken of; ``of_last``: they are
    the last ones.
    """
    count, of = len(carriers_of(reason)), len(reason.evidence)
    noun = "nights" if reason.window is WindowKind.NIGHT else "days"
    tail = noun if whole else f"{noun} with data"
    if count < of:
        return f"on {count} of {'the last ' if of_last else ''}{of} {tail}"
    if of_last:
        return f"on the last {count} {tail}"
    return f"on both {tail}" if count == 2 else f"on all {count} {tail}"


def _days(reason: Reason, since: dt.date, until: tuple[dt.date, WindowKind]) -> str:
    """On how many days the value was told; of a single one its date, where that is not clear."""
    # The day of a night that has just ended is still to come.
    is_to_come = until[1] is WindowKind.NIGHT and reason.window is not WindowKind.NIGHT
    days = (until[0] - since).days + (not is_to_come)
    carriers = carriers_of(reason)
    if len(carriers) == 1:
        only = carriers[0].local_date
        return "" if days <= 1 and only == since else f" on {date(only)}"
    return f" on average {on_days(reason, whole=len(reason.evidence) >= days)}"


def _within(spec: FeatureSpec, reason: Reason, band: str) -> str:
    """Where within the usual a value lies; not finer than it is written."""
    middle = reason.usual_median
    assert middle is not None, "only with a usual band"
    if _number(spec, middle) == _number(spec, reason.value):
        return f"within the usual {band}"
    sides = ("after", "before") if spec.display is Display.CLOCK else ("above", "below")
    side = sides[reason.direction is Direction.DOWN]
    return f"within the usual {band} but {side} its middle of {_value(spec, middle)}"


def _last(spec: FeatureSpec, reason: Reason) -> str:
    """The last day, where it does not carry the change."""
    last, low, high = reason.evidence[-1], reason.usual_low, reason.usual_high
    if last.carries or low is None or high is None:
        return ""
    back = "back at " if low <= last.value <= high else ""
    return f", but {back}{_value(spec, last.value)} on {date(last.local_date)}"


def _up_to(spec: FeatureSpec, side: float) -> str:
    if spec.display is Display.CLOCK:
        return "as late as" if side > 0.0 else "as early as"
    return "up to" if side > 0.0 else "down to"


def _end(spec: FeatureSpec, side: float) -> str:
    if spec.display is Display.CLOCK:
        return "late" if side > 0.0 else "early"
    return "upper" if side > 0.0 else "lower"


def _band(spec: FeatureSpec, low: float, high: float) -> str:
    first, last = _number(spec, low), _number(spec, high)
    if first == last:
        return _value(spec, low)
    return f"{first} to {_value(spec, high)}"


def _value(spec: FeatureSpec, value: float) -> str:
    number = _number(spec, value)
    unit = _UNITS.get(spec.display)
    if number == "1" and unit in {"times", "points", "steps"}:
        return {"times": "once", "points": "1 point", "steps": "1 step"}[unit]
    return f"{number} {unit}" if unit else number


def _number(spec: FeatureSpec, value: float) -> str:
    if spec.display is Display.DURATION:
        return duration(value)
    if spec.display is Display.CLOCK:
        return clock(value)
    if spec.display is Display.STEPS:
        return f"{int(max(value, 0.0) / 10.0 + 0.5) * 10:,}" if value >= 100.0 else f"{value:.0f}"
    if spec.display is Display.PERCENT:
        value = min(value, 100.0)
    return f"{max(value, 0.0):.0f}"


def _spec_of_name(feature: str) -> FeatureSpec | None:
    """The words for a feature of this name in any window."""
    return next((spec for spec in SPECS if spec.feature == feature), None)


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
