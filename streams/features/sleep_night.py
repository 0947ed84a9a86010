"""Sleep of a night: the main sleep's duration, times and continuity, and naps.

Where a vendor sends no times, its daily `sleep_summary` tells what it can.
"""

from streams.events import SleepSummary, WindowKind
from streams.features.base import Figure, Values, Window, feature
from streams.features.sleep import Sleep, main_sleep, sleeps

_A_SLEEP = "a sleep that ends in the night"
_OR_SUMMARY = f"{_A_SLEEP}, or the vendor's summary"


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="sleep_duration_min",
            meaning="Time asleep in the main sleep, else the vendor's daily figure. An episode "
            "that tells neither time asleep nor awake counts whole.",
            minimum=_OR_SUMMARY,
            source="Ancoli-Israel 2015; RAPIDS: sumdurationasleepmain",
        ),
        Figure(
            name="time_in_bed_min",
            meaning="From the beginning of the main sleep's record to its end; of a summary the "
            "time in bed, else asleep plus awake.",
            minimum=_OR_SUMMARY,
            source="Ancoli-Israel 2015; RAPIDS: sumdurationinbedmain",
        ),
        Figure(
            name="sleep_efficiency_percent",
            meaning="100 * time asleep / time in bed, at most 100.",
            minimum=_OR_SUMMARY,
            source="Ancoli-Israel 2015; RAPIDS: avgefficiencymain",
        ),
        Figure(
            name="wake_after_sleep_onset_min",
            meaning="WASO: time awake between falling asleep first and waking last, by stages. "
            "Without stages the vendor's time awake, else time in bed less time asleep: these "
            "hold the time awake before and after sleep too.",
            minimum="stages for 80 % of the sleep, or the vendor's time awake or asleep",
            source="Ancoli-Israel 2015; RAPIDS: sumdurationawakemain",
        ),
    ),
)
def sleep_of_night(window: Window) -> Values:
    """How long the main sleep of a night was, and how much of the time in bed.

    Values in minutes and percent; see the figures for what is told when. What is computed from
    episodes and stages goes before a vendor's daily summary, which only adds what they lack.
    """
    sleep = main_sleep(window)
    told = _from_summary(window)
    if sleep is None:
        return told
    in_bed_s = sleep.end_s - sleep.start_s
    values = {"sleep_duration_min": sleep.asleep_s / 60.0, "time_in_bed_min": in_bed_s / 60.0}
    if in_bed_s > 0.0:
        values["sleep_efficiency_percent"] = min(100.0 * sleep.asleep_s / in_bed_s, 100.0)
    if sleep.awake_s is not None:
        values["wake_after_sleep_onset_min"] = sleep.awake_s / 60.0
    elif "wake_after_sleep_onset_min" in told:
        values["wake_after_sleep_onset_min"] = told["wake_after_sleep_onset_min"]
    return values


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="sleep_onset_min",
            meaning="Local clock of falling asleep; without stages, of the sleep's beginning.",
            minimum=_A_SLEEP,
            source="RAPIDS: firstbedtimemain",
        ),
        Figure(
            name="sleep_offset_min",
            meaning="Local clock of waking last; without stages, of the sleep's end.",
            minimum=_A_SLEEP,
            source="RAPIDS: lastwaketimemain",
        ),
        Figure(
            name="sleep_midpoint_min",
            meaning="(onset + offset) / 2.",
            minimum=_A_SLEEP,
            source="Roenneberg 2003",
        ),
        Figure(
            name="sleep_latency_min",
            meaning="From going to bed, which is the beginning of the main sleep's record, to "
            "falling asleep.",
            minimum="stages for 80 % of the sleep, the first of them awake",
            source="Ancoli-Israel 2015; RAPIDS: sumdurationtofallasleepmain",
        ),
    ),
)
def sleep_times(window: Window) -> Values:
    """When the main sleep of a night began and ended, and how long falling asleep took.

    Clock times are local minutes from the midnight that begins the morning's date, negative
    before it. Absent without a sleep that ends in the night. A sleep that begins with falling
    asleep, as many devices tell it, has no latency.
    """
    sleep = main_sleep(window)
    if sleep is None:
        return {}
    onset = window.local_minutes(sleep.onset_s)
    offset = window.local_minutes(sleep.offset_s)
    values = {
        "sleep_onset_min": onset,
        "sleep_offset_min": offset,
        "sleep_midpoint_min": (onset + offset) / 2.0,
    }
    if sleep.latency_s is not None:
        values["sleep_latency_min"] = sleep.latency_s / 60.0
    return values


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="nap_count",
            meaning="Sleeps that end in the night's 24 hours beside the main sleep.",
            minimum=_A_SLEEP,
            source="RAPIDS: countepisodenap",
        ),
        Figure(
            name="nap_min",
            meaning="Time asleep in them.",
            minimum=_A_SLEEP,
            source="RAPIDS: sumdurationasleepnap",
        ),
    ),
)
def naps(window: Window) -> Values:
    """How often and how long a person slept beside the main sleep.

    Told only where sleep is told at all: no nap is known to be none only on a night whose main
    sleep was seen.
    """
    main = main_sleep(window)
    if main is None:
        return {}
    others: list[Sleep] = [sleep for sleep in sleeps(window) if sleep is not main]
    return {
        "nap_count": float(len(others)),
        "nap_min": sum(sleep.asleep_s for sleep in others) / 60.0,
    }


def _from_summary(window: Window) -> Values:
    summary = window.dated("sleep_summary/1")
    if not isinstance(summary, SleepSummary) or not summary.asleep_duration:
        return {}
    asleep_s, awake_s = summary.asleep_duration, summary.awake_duration
    in_bed_s = summary.in_bed_duration
    if in_bed_s is None and awake_s is not None:
        in_bed_s = asleep_s + awake_s
    if awake_s is None and in_bed_s is not None:
        awake_s = max(in_bed_s - asleep_s, 0.0)
    values = {"sleep_duration_min": asleep_s / 60.0}
    if in_bed_s:
        values["time_in_bed_min"] = in_bed_s / 60.0
        values["sleep_efficiency_percent"] = min(100.0 * asleep_s / in_bed_s, 100.0)
    if awake_s is not None:
        values["wake_after_sleep_onset_min"] = awake_s / 60.0
    return values
