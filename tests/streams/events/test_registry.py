"""Goal: a subject's device is the one in force; method: sources that follow one another."""

import pytest

from streams.events import Source
from tests.logs import subject

CHANGED_S = 1_000.0


def _source(source_id: str, **fields: object) -> Source:
    return Source(source_id=source_id, **fields)  # type: ignore[arg-type]  # any field


def test_a_device_is_that_of_the_source_in_force() -> None:
    old = _source("a", model="Watch 2", until=CHANGED_S)
    new = _source("b", model="Watch 3", from_=CHANGED_S)
    someone = subject(sources=[new, old])
    assert someone.device_type_at(CHANGED_S - 1.0) == "Watch 2"
    assert someone.device_type_at(CHANGED_S) == "Watch 3"


def test_of_several_in_force_the_first_that_names_a_model_by_priority_and_id() -> None:
    phone = _source("a", model="Phone", priority=2)
    band, watch = (_source(name, model=name, priority=1) for name in ("band", "watch"))
    unnamed = _source("0", priority=0)
    assert subject(sources=[phone, watch, band, unnamed]).device_type_at(0.0) == "band"


@pytest.mark.parametrize("time", [0.0, CHANGED_S])
def test_where_none_is_in_force_no_device_is_known(time: float) -> None:
    over = _source("a", model="Watch 2", from_=1.0, until=CHANGED_S)
    assert subject(sources=[over]).device_type_at(time) is None
    assert subject().device_type_at(time) is None
