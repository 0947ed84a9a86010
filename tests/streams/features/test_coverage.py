"""Goal: what a device last said of being worn holds for a day, while it lives. Method: a day with
a word on it shortly within and shortly before that time."""

import pytest

from streams.events import DeviceStatus
from streams.evidence import Evidence
from streams.features.coverage import coverage
from tests.streams.features.phone_days import START_S, alive, day_of, send


@pytest.mark.parametrize(("before_min", "worn"), [(1_440, 0.5), (1_441, None)])
def test_the_last_word_on_wearing_holds_while_the_device_lives(
    before_min: int, worn: float | None
) -> None:
    evidence = Evidence()
    said = DeviceStatus(time=START_S - before_min * 60.0, on_wrist=True, interval=60.0)
    send(evidence, [said, alive(12.0)])
    assert coverage(day_of(evidence)).get("worn") == worn
    send(evidence, [DeviceStatus(time=START_S + 21_600.0, on_wrist=False, interval=60.0)])
    assert coverage(day_of(evidence))["worn"] == (0.0 if worn is None else 0.25)
