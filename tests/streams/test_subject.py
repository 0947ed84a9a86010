"""Goal: what was said of a window settles as it would if it were computed anew. Method: generated
logs with duplicates, revisions, late data and registry changes; every row that stands is computed a
second time.
"""

import random
from collections.abc import Callable

import pytest

from streams.config import DAY_S
from streams.events import (
    CallType,
    DeviceStatus,
    FeatureRow,
    InteractionState,
    PhoneCall,
    PhoneInteraction,
    Record,
    Source,
    WindowKind,
)
from streams.features.base import Bounds, Window
from streams.rows import Shown, compute_shown
from streams.subject import SubjectState
from tests.logs import HOUR_S, START_S, LogWriter, run, settled, subject
from tests.test_determinism import CONFIG, generated_logs

LIVES = 60

Final = Callable[[SubjectState, Bounds, Shown | None], Shown]


class _Checked:
    """Stands in for `SubjectState._final`: counts what stood, and computes it a second time."""

    def __init__(self, final: Final) -> None:
        self._final = final
        self.stood_count = 0
        # Kept for the end: a fault on the way would be taken for the subject's, and isolated.
        self.otherwise: list[tuple[Shown, Shown]] = []

    def method(self) -> Final:
        def final(state: SubjectState, bounds: Bounds, said: Shown | None) -> Shown:
            shown = self._final(state, bounds, said)
            if said is not None and state._stands(said, bounds):
                self.stood_count += 1
                window = Window(bounds, state.evidence, state.history.past(bounds.kind))
                extra = state._extra(bounds)
                anew = compute_shown(window, extra=extra, revision=shown.revision)
                if shown != anew:
                    self.otherwise.append((shown, anew))
            return shown

        return final


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> _Checked:
    found = _Checked(SubjectState._final)
    monkeypatch.setattr(SubjectState, "_final", found.method())
    return found


def test_what_stands_is_what_computing_it_anew_gives(checked: _Checked) -> None:
    for seed in range(LIVES):
        chance = random.Random(seed)
        hours, tick_chance = chance.randint(30, 100), chance.choice([1.0, 0.8, 0.4])
        logs = generated_logs(seed, hours, tick_chance, 0)
        order = chance.choice([None, seed])
        assert settled(run(logs, CONFIG, order, chance.choice([1, 3, 50])))
    assert checked.otherwise == []
    assert checked.stood_count > 10 * LIVES


def _unlock() -> Record:
    return PhoneInteraction(time=START_S + 22 * HOUR_S, interaction_state=InteractionState.UNLOCKED)


def _call(hour: int) -> Record:
    time = START_S + hour * HOUR_S
    return PhoneCall(time=time, record_id="a", duration=9.0, type=CallType.OUTGOING, target="a1")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        pytest.param((_unlock(), None, 0.0), (_unlock(), 19_800, 0.0), 19_800, id="offset"),
        pytest.param((_call(26), None, 1.0), (_call(23), None, 0.0), 3_600, id="earlier source"),
    ],
)
def test_what_changes_though_no_record_takes_a_place_settles_as_it_is_then(
    checked: _Checked,
    first: tuple[Record, int | None, float],
    second: tuple[Record, int | None, float],
    told: int,
) -> None:
    writer = LogWriter()
    writer.send(subject(sources=[Source(source_id="phone", priority=1)]), received=START_S)
    writer.tick(START_S)
    writer.send(DeviceStatus(time=START_S + 1.0, interval=86_400.0), received=START_S)
    for hour in range(1, 36):
        now = START_S + hour * HOUR_S
        for record, offset, version in {27: [first], 30: [second]}.get(hour, []):
            writer.send(record, received=now + version * DAY_S, utc_offset=offset)
        writer.tick(now)
    writer.settle_everything(START_S + 35 * HOUR_S, CONFIG.lateness_s)
    outputs = run(writer.logs, CONFIG, None)
    assert checked.otherwise == []
    assert checked.stood_count
    rows = [one for one in outputs if isinstance(one, FeatureRow) and one.settled]
    hours = {row.start: row for row in rows if row.window is WindowKind.HOUR}
    assert hours[START_S + 24 * HOUR_S].utc_offset == told
