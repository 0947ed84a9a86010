"""Goal: what staff said is kept as far as it is read later. Method: random words of staff, heard
together and one by one, against plain lists of all that was said."""

from hypothesis import given
from hypothesis import strategies as st

from streams.events import CareContext, CareContextEffect, CareContextKind
from streams.staff import Staff

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
