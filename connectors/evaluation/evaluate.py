"""The evaluation of a run: the whole, detectors, groups, and what other thresholds would give."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from connectors.evaluation.figures import (
    Figures,
    Label,
    Person,
    episodes_of,
    figures,
    is_watched,
    rates,
)
from connectors.evaluation.reading import (
    Groups,
    RunContent,
    Scored,
    read_groups,
    read_labels,
    read_run,
)
from connectors.run_files import open_run
from streams.errors import BadInput

PEOPLE_MIN = 5
"""Fewest people of a group value that is shown: fewer could be told apart."""

ALERTS = "clinical alerts"
"""Name of the whole, beside the detectors' own."""

CURVE_POINTS = 40
"""Thresholds that the curve of a detector is drawn through."""

CURVE_TAIL_MIN = 1e-4
"""Smallest share of scored dates that is above a threshold of the curve."""


class GroupFigures(Struct, frozen=True):
    """Figures of the alerts of those who share a group's value."""

    group: str
    value: str
    figures: Figures


class CurvePoint(Struct, frozen=True):
    """What a detector would give alone at one threshold."""

    threshold: float
    sensitivity: float | None
    episodes_per_person_month: float | None


class Eligible(Struct, frozen=True):
    """Who could be judged: watched people by id, and labels that fall into watched dates or not."""

    people: list[str]
    labels: int
    labels_not_watched: int


class Evaluation(Struct, frozen=True, kw_only=True):
    """All figures of a run; ``hidden`` counts group values with fewer than 5 people."""

    slack_days: int
    first: dt.date
    last: dt.date
    eligible: Eligible
    alerts: Figures
    detectors: dict[str, Figures]
    by_label: dict[str, Figures]
    groups: list[GroupFigures]
    hidden: int
    curves: dict[str, list[CurvePoint]]


def evaluate(
    run: Path, labels: Path, *, groups: Path | None = None, slack_days: int = 1
) -> Evaluation:
    """Evaluate the settled results of a run against labels.

    Raises
    ------
    BadInput
        When a file is not what it should be, or nobody in the run was watched.
    """
    known = read_labels(labels)
    grouped = {} if groups is None else read_groups(groups)
    with open_run(run) as connection:
        content = read_run(connection)
    whole = _people(content)
    if not whole:
        raise BadInput(f"{run}: nobody in it has a settled night or day that is past warm-up")
    by_group, hidden = _groups(whole, known, grouped, slack_days)
    detectors = {name: _people(content, name) for name in content.scores}
    return Evaluation(
        slack_days=slack_days,
        first=dt.date.fromordinal(min(person.first for person in whole)),
        last=dt.date.fromordinal(max(person.last for person in whole)),
        eligible=_eligible(whole, known, slack_days),
        alerts=figures(whole, known, slack_days=slack_days),
        detectors={
            name: figures(people, known, slack_days=slack_days)
            for name, people in detectors.items()
        },
        by_label=_by_label(whole, known, slack_days),
        groups=by_group,
        hidden=hidden,
        curves={
            name: curve(people, content.scores[name], known, slack_days)
            for name, people in detectors.items()
        },
    )


def _people(content: RunContent, detector: str | None = None) -> list[Person]:
    """Who is watched, and when alerts opened, or what a detector alone found."""
    return [
        Person(
            user_id=user_id,
            first=min(dates),
            last=max(dates),
            days=len(dates),
            opened=_opened(content, detector, user_id),
        )
        for user_id, dates in sorted(content.watched.items())
    ]


def _opened(content: RunContent, detector: str | None, user_id: str) -> tuple[int, ...]:
    if detector is None:
        return tuple(sorted(content.alerts.get(user_id, ())))
    dates = content.scores[detector].get(user_id, {})
    return episodes_of(date for date, scored in dates.items() if scored.is_anomalous)


def _eligible(people: Iterable[Person], labels: Collection[Label], slack_days: int) -> Eligible:
    watched = {person.user_id: person for person in people}
    count = sum(
        label.user_id in watched and is_watched(label, watched[label.user_id], slack_days)
        for label in labels
    )
    return Eligible(sorted(watched), count, len(labels) - count)


def _by_label(
    people: Sequence[Person], labels: Iterable[Label], slack_days: int
) -> dict[str, Figures]:
    """Figures for each kind of label, where there are several."""
    kinds: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        kinds[label.label].append(label)
    if len(kinds) < 2:
        return {}
    return {
        kind: figures(people, own, slack_days=slack_days) for kind, own in sorted(kinds.items())
    }


def _groups(
    people: Iterable[Person], labels: Collection[Label], groups: Groups, slack_days: int
) -> tuple[list[GroupFigures], int]:
    cells: dict[tuple[str, str], list[Person]] = defaultdict(list)
    for person in people:
        for group, value in groups.get(person.user_id, {}).items():
            cells[group, value].append(person)
    shown = [
        GroupFigures(*cell, figures(own, labels, slack_days=slack_days))
        for cell, own in sorted(cells.items())
        if len(own) >= PEOPLE_MIN
    ]
    return shown, len(cells) - len(shown)


def curve(
    people: Sequence[Person],
    scores: Mapping[str, Mapping[int, Scored]],
    labels: Collection[Label],
    slack_days: int,
) -> list[CurvePoint]:
    """Sensitivity and load of a detector alone, at thresholds taken from its own scores."""
    every = np.array(
        [each.score for own in scores.values() for each in own.values()], dtype=np.float64
    )
    shares = np.geomspace(1.0, CURVE_TAIL_MIN, CURVE_POINTS)
    points: list[CurvePoint] = []
    for threshold in sorted(set(np.quantile(every, 1.0 - shares).tolist())):
        at_threshold = [
            msgspec.structs.replace(
                person,
                opened=episodes_of(
                    date
                    for date, each in scores.get(person.user_id, {}).items()
                    if each.score >= threshold
                ),
            )
            for person in people
        ]
        points.append(CurvePoint(threshold, *rates(at_threshold, labels, slack_days=slack_days)))
    return points
