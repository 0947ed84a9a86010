"""The model of a subject's device, by kind of window: another one measures otherwise."""

from detectors.terms import SCORED_WINDOWS
from streams.events import FeatureRow, WindowKind

WEARABLE_CHANNELS = frozenset({"heart_rate", "inter_beat_interval", "sleep", "steps"})
"""What a wearable measures, and another model of it measures otherwise."""

Devices = dict[WindowKind, str]
"""By kind of window the last known model."""


def is_other(devices: Devices, row: FeatureRow) -> bool:
    """Whether a row is of another device than the one known of its kind of window."""
    before = devices.get(row.window)
    return before is not None and row.device_type is not None and before != row.device_type


def is_of_new(devices: Devices, row: FeatureRow) -> bool:
    """Note the device of a row; whether it is another model than that of the one before.

    Each kind of window for itself, since hours settle before the nights and days around them. A
    row of which no device is known says nothing.
    """
    if row.window not in SCORED_WINDOWS or row.device_type is None:
        return False
    is_new = is_other(devices, row)
    devices[row.window] = row.device_type
    return is_new
