"""Goal: a change is what its name says; method: look at the table and replace sizes."""

import msgspec
import pytest

from streams.events import RECORD_TYPES
from streams.planting.changes import CHANGES, SIGNALS, Effect, Signal, sized


def test_every_change_touches_something_and_every_schema_exists() -> None:
    assert all(change.effect.signals and change.days > 0 for change in CHANGES.values())
    assert SIGNALS.keys() <= RECORD_TYPES.keys()


def test_sizes_are_replaced_one_by_one() -> None:
    effect = sized(CHANGES["compound"].effect, {"sleep_min": -90.0, "heart_rate_bpm": 0.0})
    assert effect == Effect(rmssd_percent=-15.0, sleep_min=-90.0, steps_percent=-30.0)
    assert effect.signals == {Signal.VARIABILITY, Signal.SLEEP, Signal.STEPS}


@pytest.mark.parametrize("sizes", [{"sleep": -10.0}, {"sleep_min": 30.0}, {"steps_percent": -101}])
def test_what_cannot_be_planted_is_refused(sizes: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        sized(Effect(), sizes)
