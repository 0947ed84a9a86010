"""Goal: what staff said is kept as far as it is read later. Method: random words of staff, heard
together and one by one, against plain lists of all that was said."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.events import (
    Alert,
    AlertAction,
    AlertActionKind,
    AlertKind,
    CareContext,
    CareContextEffect,
    CareContextKind,
    FeatureRow,
    Severity,
    SubjectStatus,
    Verdict,
    WindowKind,
)
from streams.staff import HEARD_KEPT, Staff

_contexts = st.builds(
    CareContext,
    record_id=st.sampled_from([None, "a", "b", "c"]),
    user_id=st.just("u1"),
    from_=st.integers(0, 9).map(float),
    kind=st.just(CareContextKind.OTHER),
    effect=st.sampled_from(CareContextEffect),
    by=st.just("nurse"),
)


@given(st.lists(st.lists(_contexts, max_size=9), max_size=5))
def test_a_context_takes_the_place_of_the_one_with_its_id(told: list[list[CareContext]]) -> None:
    staff, expected = Staff(), list[tuple[float, CareContext]]()
    for tick, contexts in enumerate(told):
        staff.hear(contexts, float(tick))
        for context in contexts:
            known = context.record_id
            expected = [one for one in expected if known is None or one[1].record_id != known]
            expected.append((float(tick), context))
    assert staff.contexts == expected


_actions = st.builds(
    AlertAction,
    user_id=st.just("u1"),
    alert_id=st.sampled_from(["one", "two", "three"]),
    action=st.sampled_from(AlertActionKind),
    by=st.sampled_from(["nurse", "doctor"]),
    at=st.integers(0, 4).map(float),
    until=st.sampled_from([None, 3.0, 6.0]),
    reason=st.sampled_from([None, "as is usual"]),
    verdict=st.sampled_from([None, Verdict.USEFUL]),
)
_ALERTS = {
    alert_id: Alert(
        alert_id=alert_id,
        user_id="u1",
        project_id="p",
        care_team="team",
        kind=AlertKind.CLINICAL,
        rule=f"rule of {alert_id}",
        severity=Severity.WATCH,
        continues=continues,
        opened_at=0.0,
        detected_at=0.0,
        start=0.0,
        end=0.0,
        local_date=dt.date(1970, 1, 1),
        score=1.0,
        threshold=1.0,
        summary="",
    )
    for alert_id, continues in {"one": None, "two": "one", "three": None}.items()
}


def _row(end: float) -> FeatureRow:
    return FeatureRow(
        user_id="u1",
        project_id="p",
        care_team="team",
        status=SubjectStatus.ENROLLED,
        window=WindowKind.HOUR,
        start=end - 1.0,
        end=end,
        local_date=dt.date(1970, 1, 1),
        values={},
        coverage={},
    )


@given(st.lists(st.lists(_actions, max_size=9), max_size=5), st.integers(0, 4))
def test_what_is_kept_of_actions_tells_what_all_of_them_told(
    told: list[list[AlertAction]], restart: int
) -> None:
    every, staff, single = Staff(), Staff(), Staff()
    for tick, actions in enumerate(told):
        every.actions += [(float(tick), action) for action in actions]
        staff.hear(actions, float(tick))
        for action in actions:
            single.hear([action], float(tick))
        if tick == restart:
            # As a state holds them of before anything was left out.
            staff = Staff.of([], list(every.actions))
    assert staff.actions == single.actions
    for alert in _ALERTS.values():
        assert staff.applied(alert) == every.applied(alert)
    for due in range(6):
        for end in range(8):
            row = _row(float(end))
            assert staff.snoozed(row, due, _ALERTS) == every.snoozed(row, due, _ALERTS)


@pytest.mark.parametrize("kind", [AlertActionKind.ACKNOWLEDGE, AlertActionKind.SNOOZE])
def test_the_last_words_of_staff_are_kept_and_no_longer_than_what_is_read(
    kind: AlertActionKind,
) -> None:
    staff = Staff()
    for tick in range(3):
        numbers = range(tick * HEARD_KEPT, (tick + 1) * HEARD_KEPT + 1)
        staff.hear([_action(kind, number) for number in numbers], float(tick))
        staff.hear([_context(number) for number in numbers], float(tick))
    assert staff.contexts[-1][1].record_id == f"c{3 * HEARD_KEPT}"
    assert staff.actions[-1][1].alert_id == f"a{3 * HEARD_KEPT}"
    assert len(staff.contexts) == len(staff.actions) == HEARD_KEPT
    assert "rrr" not in str(msgspec.json.encode(staff.actions))


def _action(kind: AlertActionKind, number: int) -> AlertAction:
    return AlertAction(
        user_id="u1",
        alert_id=f"a{number}",
        action=kind,
        by="nurse",
        at=0.0,
        reason="r" * 1_000,
    )


def _context(number: int) -> CareContext:
    return CareContext(
        record_id=f"c{number}",
        user_id="u1",
        from_=0.0,
        kind=CareContextKind.OTHER,
        effect=CareContextEffect.NOTE,
        by="nurse",
    )
