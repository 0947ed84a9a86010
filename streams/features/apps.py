"""Use of apps on a day: how long, of how many categories, and how evenly spread over them.

Categories are the vendor's text and are only told apart.
"""

import msgspec
import numpy as np

from streams.events import PhoneAppUsage, WindowKind
from streams.evidence import interval_end_s
from streams.features.base import Figure, Values, Window, feature
from streams.features.phone_events import LIVED, phone_events


@feature(
    WindowKind.DAY,
    gives=(
        Figure(
            name="app_usage_min",
            meaning="Use of apps within the day, the sum over all uses.",
            minimum=LIVED,
            source="RAPIDS: sumduration",
        ),
        Figure(
            name="app_category_count",
            meaning="Categories of apps that were used.",
            minimum=LIVED,
            source="own",
        ),
        Figure(
            name="app_usage_entropy_nats",
            meaning="-sum p ln p over the shares p of the categories in the time of use.",
            minimum=f"{LIVED}; any use",
            source="Saeb 2015, of places there; RAPIDS: frequencyentropy, of counts there",
        ),
    ),
)
def app_usage_of_day(window: Window) -> Values:
    """Use of apps within the day; a use that reaches over midnight is cut there.

    ``app_usage_min`` (sum over all uses, also where they overlap), ``app_category_count``
    (categories that were used for any time), ``app_usage_entropy_nats``: -sum p ln p over the
    shares p of the categories in the time of use, from 0 (one category) to ln of their number;
    absent without use.

    Absent unless a phone that reports apps lived for 60 % of the day; where no such phone sends
    signs of life, absent on a day without use.

    Source: RAPIDS' app features; Saeb et al. 2015 (entropy).
    """
    uses = phone_events(window, PhoneAppUsage, _within)
    if uses is None:
        return {}
    used_s: dict[str, float] = {}
    for use in uses:
        if use.duration > 0.0:
            used_s[use.category] = used_s.get(use.category, 0.0) + use.duration
    total_s = sum(used_s.values())
    values = {"app_usage_min": total_s / 60.0, "app_category_count": float(len(used_s))}
    if used_s:
        shares = np.array(list(used_s.values())) / total_s
        shares = shares[shares > 0.0]  # one too small for a number adds nothing
        # Adding zero makes the entropy of one category 0 and not -0.
        values["app_usage_entropy_nats"] = float(-(shares * np.log(shares)).sum()) + 0.0
    return values


def _within(window: Window, use: PhoneAppUsage) -> PhoneAppUsage | None:
    """The part of a use that lies in the window, None if there is none."""
    start_s = max(use.time, window.start_s)
    stop_s = min(interval_end_s(use), window.stop_s)
    if stop_s < start_s or start_s >= window.stop_s:
        return None
    return msgspec.structs.replace(use, time=start_s, duration=stop_s - start_s)
