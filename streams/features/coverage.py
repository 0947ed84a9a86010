"""Coverage: the share of a window's minutes for which a channel is known (0..1).

Not worn is not calm, and no data is not zero: coverage is a signal of its own.
"""

from functools import reduce
from operator import or_

import numpy as np

from streams.features.base import Bools, Values, Window, once_per_window
from streams.features.sleep import asleep_minutes
from streams.timeline import bit_array, held_after

WEAR_LOOKBACK_MIN = 1_440
"""How far back the last word on wearing is looked for (min)."""

CHANNELS = {
    "heart_rate": "minutes with a sample",
    "inter_beat_interval": "minutes with two successive beats",
    "steps": "minutes that a source told, zero included",
    "sleep": "minutes told to be asleep",
    "phone": "minutes in which a phone gave signs of life (`device_status`), never its events, for "
    "an unused phone and a killed app look alike; absent while no phone is known",
    "worn": "minutes on the wrist; absent while no device tells",
}
"""Channel -> what minutes of a window its coverage is the share of."""


def coverage(window: Window) -> Values:
    """Coverage per channel (see `CHANNELS`)."""
    told: Values = {
        "heart_rate": _share(None if window.heart is None else window.heart.valid),
        "inter_beat_interval": _share(None if window.beats is None else window.beats.count > 0),
        "steps": _share(None if window.steps is None else window.steps.known[-window.length :]),
        "sleep": _share(asleep_minutes(window)),
    }
    for channel, bits in (("phone", phone_alive_bits(window)), ("worn", worn_bits(window))):
        if bits is not None:
            told[channel] = bits.bit_count() / window.length if window.length else 0.0
    return told


@once_per_window
def phone_sources(window: Window) -> list[tuple[int, str]]:
    """Phones that have told anything before the window's end, the first to go first."""
    phones = window.evidence.phones
    return [source for source in sorted(phones) if phones[source].first_s < window.stop_s]


@once_per_window
def phone_alive_bits(window: Window) -> int | None:
    """Minutes in which any phone lived, as bits; None when no phone ever gave a sign of life."""
    devices = window.evidence.devices
    known = [
        source
        for source in phone_sources(window)
        if source in devices and devices[source].first_s < window.stop_s
    ]
    if not known:
        return None
    return reduce(or_, [window.alive_bits(source) for source in known])


@once_per_window
def phone_alive(window: Window) -> Bools | None:
    """Minutes in which any phone lived; None when no phone ever gave a sign of life."""
    bits = phone_alive_bits(window)
    return None if bits is None else bit_array(bits, window.length)


@once_per_window
def worn_bits(window: Window) -> int | None:
    """Minutes on the wrist, as bits: the last word holds while its source lives.

    None if none tells.
    """
    first = window.start - WEAR_LOOKBACK_MIN
    length = window.stop - first
    worn: int | None = None
    for source in sorted(window.evidence.devices):
        device = window.evidence.devices[source]
        on = device.on_wrist.between(first, window.stop)
        off = device.off_wrist.between(first, window.stop)
        if on or off:
            own = held_after(on, off, length) >> WEAR_LOOKBACK_MIN & window.alive_bits(source)
            worn = own if worn is None else worn | own
    return worn


@once_per_window
def worn_minutes(window: Window) -> Bools | None:
    """Minutes on the wrist; None if no source tells."""
    bits = worn_bits(window)
    return None if bits is None else bit_array(bits, window.length)


def _share(minutes: Bools | None) -> float:
    if minutes is None or minutes.size == 0:
        return 0.0
    return float(np.count_nonzero(minutes)) / minutes.size
