"""Goal: what is looked ahead leaves no trace in what has settled; method: judge rows on a copy."""

from detectors.cohort import load_cohort
from detectors.models import SubjectModels
from detectors.policy import Policy, PolicyState, RowContext
from tests.detectors.rows import CONFIG, night, ordinary_nights, run

TAUGHT = 40


def test_what_a_copy_takes_is_unknown_to_the_settled_state() -> None:
    cohort = load_cohort()
    models, policy, state = SubjectModels(CONFIG, cohort), Policy(CONFIG, cohort), PolicyState()
    run(ordinary_nights(TAUGHT), models, policy, state=state)
    short = [night(TAUGHT + day, sleep_duration_min=300.0) for day in range(2)]
    assert len(run(short, models, policy, state=state)) == 1
    settled = state.to_state()
    ahead = state.copy()
    fast = night(TAUGHT + 2, sleep_duration_min=300.0, heart_rate_sleeping_bpm=75.0)
    context = RowContext(detected_at=fast.end)
    (told,) = policy.step(ahead, fast, models.score(fast), context)
    assert {reason.feature for reason in told.reasons} > {"sleep_duration_min"}
    assert state.to_state() == settled
    (again,) = policy.step(state, fast, models.score(fast), context)
    assert again == told
