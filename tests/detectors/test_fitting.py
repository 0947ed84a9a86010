"""Goal: the shipped cohort is what its recordings say; method: fit again, and count the alerts."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

import msgspec
import pytest

from detectors.cohort import Cohort, load_cohort
from detectors.config import DetectionConfig
from detectors.fitting import QUANTILE, Fit, fit_cohort
from detectors.models import SubjectModels
from detectors.policy import DAYS_A_MONTH, Policy, PolicyState
from streams.events import AlertKind, FeatureRow, WindowKind
from tests.detectors import lifesnaps
from tests.detectors.rows import night, run

needs_lifesnaps = pytest.mark.skipif(
    not lifesnaps.TABLE.exists(), reason="the LifeSnaps table is not there"
)


def _people(count: int, nights: int, persistence: float = 0.0) -> list[FeatureRow]:
    """Nights of people whose middles differ by 30 min and who each vary by 45 min."""
    draw = random.Random(3)
    rows = []
    for person in range(count):
        own, off = draw.gauss(420.0, 30.0), draw.gauss(0.0, 45.0)
        for i in range(nights):
            new = draw.gauss(0.0, 45.0 * math.sqrt(1.0 - persistence**2))
            off = persistence * off + new
            made = night(i, sleep_duration_min=own + off)
            rows.append(msgspec.structs.replace(made, user_id=f"p{person:02d}"))
    return rows


@lru_cache(maxsize=2)
def _fitted(persistence: float) -> Cohort:
    rows = _people(40, 75, persistence)
    return fit_cohort(rows, load_cohort(), Fit(version="t", source="t"))


@pytest.mark.parametrize("persistence", [0.0, 0.6])
def test_a_fit_finds_how_people_differ_and_how_each_varies(persistence: float) -> None:
    cohort = _fitted(persistence)
    prior = cohort.priors["night.sleep_duration_min"]
    assert prior.centre == pytest.approx(420.0, abs=12.0)
    assert prior.spread == pytest.approx(30.0, rel=0.4)
    assert prior.scale == pytest.approx(45.0, rel=0.1)
    assert prior.persistence == pytest.approx(persistence, abs=0.15)
    assert prior.people == 40
    assert cohort.thresholds[WindowKind.DAY] == load_cohort().thresholds[WindowKind.DAY]


def test_thresholds_leave_the_share_of_rows_and_the_alerts_that_they_say() -> None:
    cohort = _fitted(0.0)
    # One feature alone: its highest score is its only one, so the quantile is near itself.
    assert cohort.thresholds[WindowKind.NIGHT] == pytest.approx(QUANTILE, abs=0.03)
    rates, thresholds_z = zip(*cohort.budgets["level_shift"], strict=True)
    assert list(rates) == sorted(set(rates))
    assert list(thresholds_z) == sorted(thresholds_z, reverse=True)
    config = DetectionConfig(budget_per_month=0.5)
    rung, days = _rung(_people(40, 75), config, cohort)
    assert 0.25 < rung / days * DAYS_A_MONTH < 0.75


def test_too_few_people_leave_the_base_as_it_is() -> None:
    base = load_cohort()
    cohort = fit_cohort(_people(5, 60), base, Fit(version="t", source="t"))
    assert cohort.priors == base.priors
    assert cohort.thresholds == base.thresholds
    assert cohort.budgets == base.budgets


def _rung(rows: Iterable[FeatureRow], config: DetectionConfig, cohort: Cohort) -> tuple[int, int]:
    """Clinical alerts of all people, and their days past the warm-up."""
    people = defaultdict(list)
    for row in rows:
        people[row.user_id].append(row)
    rung, days = set(), 0
    for own in people.values():
        models, state = SubjectModels(config, cohort), PolicyState()
        alerts = run(own, models, Policy(config, cohort), state=state)
        rung |= {alert.alert_id for alert in alerts if alert.kind is AlertKind.CLINICAL}
        days += max(0, len({row.local_date for row in own}) - config.warm_up_days)
    return len(rung), days


@needs_lifesnaps
def test_the_shipped_cohort_is_the_fit_of_lifesnaps() -> None:
    assert lifesnaps.fit() == load_cohort()


@needs_lifesnaps
def test_lifesnaps_rings_at_most_once_a_person_month_and_does_ring() -> None:
    rung, days = _rung(lifesnaps.feature_rows(), DetectionConfig(), load_cohort())
    assert 0.1 < rung / days * DAYS_A_MONTH <= 1.0
