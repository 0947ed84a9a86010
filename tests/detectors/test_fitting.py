"""Goal: the shipped cohort is what its recordings say; method: fit again, and count the alerts."""

import random
from collections import defaultdict

import msgspec
import pytest

from detectors.cohort import load_cohort
from detectors.config import DetectionConfig
from detectors.fitting import fit_cohort
from detectors.models import SubjectModels
from detectors.policy import Policy, PolicyState
from streams.events import AlertKind, FeatureRow, WindowKind
from tests.detectors import lifesnaps
from tests.detectors.rows import night, run

needs_lifesnaps = pytest.mark.skipif(
    not lifesnaps.TABLE.exists(), reason="the LifeSnaps table is not there"
)


def _people(count: int, nights: int) -> list[FeatureRow]:
    draw = random.Random(3)
    rows = []
    for person in range(count):
        own = draw.gauss(420.0, 30.0)
        for i in range(nights):
            made = night(i, sleep_duration_min=draw.gauss(own, 45.0))
            rows.append(msgspec.structs.replace(made, user_id=f"p{person:02d}"))
    return rows


def test_a_fit_finds_how_people_differ_and_how_each_varies() -> None:
    cohort = fit_cohort(_people(40, 60), load_cohort(), version="t", source="t", quantile=0.95)
    prior = cohort.priors["night.sleep_duration_min"]
    assert prior.centre == pytest.approx(420.0, abs=12.0)
    assert prior.spread == pytest.approx(30.0, rel=0.4)
    assert prior.scale == pytest.approx(45.0, rel=0.1)
    assert prior.people == 40
    # One feature alone: its highest score is its only one, so the quantile is near itself.
    assert cohort.thresholds[WindowKind.NIGHT] == pytest.approx(0.95, abs=0.03)
    assert cohort.thresholds[WindowKind.DAY] == load_cohort().thresholds[WindowKind.DAY]


def test_too_few_people_leave_the_base_as_it_is() -> None:
    base = load_cohort()
    cohort = fit_cohort(_people(5, 60), base, version="t", source="t", quantile=0.95)
    assert cohort.priors == base.priors
    assert cohort.thresholds == base.thresholds


@needs_lifesnaps
def test_the_shipped_cohort_is_the_fit_of_lifesnaps() -> None:
    assert lifesnaps.fit() == load_cohort()


@needs_lifesnaps
def test_lifesnaps_rings_at_most_once_a_person_month_and_does_ring() -> None:
    config, cohort = DetectionConfig(), load_cohort()
    people = defaultdict(list)
    for row in lifesnaps.feature_rows():
        people[row.user_id].append(row)
    rung, days = set(), 0
    for rows in people.values():
        models, state = SubjectModels(config, cohort), PolicyState()
        alerts = run(rows, models, Policy(config, cohort), state=state)
        rung |= {alert.alert_id for alert in alerts if alert.kind is AlertKind.CLINICAL}
        days += max(0, len({row.local_date for row in rows}) - config.warm_up_days)
    assert 0.1 < len(rung) / days * 30.0 <= 1.0
