"""Stages of sleep: awakenings, and the time in deep, light and REM sleep of the main sleep."""

from streams.events import SleepLevel, SleepSummary, WindowKind
from streams.features.base import Figure, Values, Window, feature
from streams.features.sleep import Sleep, main_sleep

_STAGED = "stages for 80 % of the sleep"
_LEVELS = {
    "sleep_deep_min": SleepLevel.DEEP,
    "sleep_light_min": SleepLevel.LIGHT,
    "sleep_rem_min": SleepLevel.REM,
}


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="awakening_count",
            meaning="Stretches awake between falling asleep first and waking last; the vendor's "
            "count goes before.",
            minimum=f"{_STAGED}, or the vendor's count",
            source="Ancoli-Israel 2015",
        ),
    ),
)
def awakenings(window: Window) -> Values:
    """``awakening_count`` of the main sleep; absent with neither stages nor a vendor's count."""
    sleep = main_sleep(window)
    if sleep is None or sleep.awakening_count is None:
        return {}
    return {"awakening_count": sleep.awakening_count}


@feature(
    WindowKind.NIGHT,
    gives=(
        Figure(
            name="sleep_deep_min",
            meaning="Time in deep sleep (N3), by stages, else the vendor's daily figure.",
            minimum=f"{_STAGED}, with deep or REM sleep among them; or the vendor's summary",
            source="AASM 2007; RAPIDS: sumdurationdeepmain",
        ),
        Figure(
            name="sleep_light_min",
            meaning="Time in light sleep (N1 and N2), by stages, else the vendor's daily figure.",
            minimum=f"{_STAGED}, with light or REM sleep among them; or the vendor's summary",
            source="AASM 2007; RAPIDS: sumdurationlightmain",
        ),
        Figure(
            name="sleep_rem_min",
            meaning="Time in REM sleep, by stages, else the vendor's daily figure.",
            minimum=f"{_STAGED}, with REM sleep among them; or the vendor's summary",
            source="AASM 2007; RAPIDS: sumdurationremmain",
        ),
    ),
)
def time_in_stages(window: Window) -> Values:
    """Minutes of the main sleep in deep, light and REM sleep.

    A device that tells REM sleep tells the others too, so without them they are 0; where there is
    no REM sleep it cannot be told from a device that knows none, and it is absent. Stages that
    tell only asleep and awake give nothing.
    """
    sleep = main_sleep(window)
    told = {} if sleep is None else _by_stages(sleep)
    return told or _from_summary(window)


def _by_stages(sleep: Sleep) -> Values:
    tells_rem = any(stage.level is SleepLevel.REM for stage in sleep.stages)
    values: Values = {}
    for name, level in _LEVELS.items():
        seconds = [stage.duration for stage in sleep.stages if stage.level is level]
        if seconds or tells_rem:
            values[name] = sum(seconds) / 60.0
    return values


def _from_summary(window: Window) -> Values:
    summary = window.dated("sleep_summary/1")
    if not isinstance(summary, SleepSummary) or summary.asleep_duration == 0.0:
        return {}
    told = {
        "sleep_deep_min": summary.deep_duration,
        "sleep_light_min": summary.light_duration,
        "sleep_rem_min": summary.rem_duration,
    }
    return {name: seconds / 60.0 for name, seconds in told.items() if seconds is not None}
