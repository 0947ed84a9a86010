"""Goal: a row says what measured it; method: one night around a change of device."""

import pytest

from streams.events import Source, WindowKind
from streams.features.base import Bounds
from streams.rows import Shown, feature_row
from tests.logs import subject

NOON_MIN = 20_000 * 1_440 + 720


@pytest.mark.parametrize(("changed_h", "device"), [(9.0, "Watch 3"), (21.0, "Watch 2")])
def test_the_device_of_a_night_is_that_of_the_sleeping_hours(changed_h: float, device: str) -> None:
    """The night is from noon to noon; the new watch comes so many hours after it began."""
    changed_s = NOON_MIN * 60.0 + changed_h * 3_600.0
    sources = [
        Source(source_id="a", model="Watch 2", until=changed_s),
        Source(source_id="b", model="Watch 3", from_=changed_s),
    ]
    bounds = Bounds(WindowKind.NIGHT, NOON_MIN, NOON_MIN + 1_440, 20_001, "UTC")
    row = feature_row(Shown(bounds, 0, {}, {}, 0), "u1", subject(sources=sources), epoch=0)
    assert row.device_type == device
