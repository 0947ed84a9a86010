"""Goal: features declare what they give, once and by its unit. Method: all declarations, and the
rows of lives in which every channel is in use."""

import re
from collections import Counter, defaultdict

import pytest

from bench import everything
from detectors.cohort import load_cohort
from streams.config import PipelineConfig
from streams.events import FeatureRow, MinuteRows, WindowKind
from streams.features import features_of
from streams.features.base import UNITS, Figure
from streams.features.coverage import CHANNELS
from streams.pipeline import PartitionPipeline

HOURS = 50
"""A night and a day are over, and the night after."""


def declared(kind: WindowKind) -> list[Figure]:
    return [figure for feature in features_of(kind) for figure in feature.gives]


def is_declared(name: str, kind: WindowKind) -> bool:
    patterns = (re.sub(r"<[a-z]+>", "[a-z0-9_]+", figure.name) for figure in declared(kind))
    return any(re.fullmatch(pattern, name) for pattern in patterns)


@pytest.mark.parametrize("kind", WindowKind)
def test_no_figure_is_declared_twice_for_one_kind_of_window(kind: WindowKind) -> None:
    counts = Counter(figure.name for figure in declared(kind))
    assert counts
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("kind", WindowKind)
def test_figures_end_with_their_unit_and_say_all_that_is_asked(kind: WindowKind) -> None:
    for figure in declared(kind):
        assert any(figure.name.endswith(f"_{unit}") for unit in UNITS), figure.name
        assert all([figure.meaning.endswith("."), figure.minimum, figure.source]), figure.name


def test_rows_hold_only_what_is_declared() -> None:
    pipeline = PartitionPipeline(
        0, PipelineConfig(partitions=1), partition_of=lambda _: 0, cohort=load_cohort()
    )
    names: defaultdict[WindowKind, set[str]] = defaultdict(set)
    channels: set[str] = set()
    hours = everything.hours(2, HOURS, partitions=1, partition_of=lambda _: 0)
    for message in (message for hour in hours for message in hour):
        for output in pipeline.process(message.topic, [message]):
            if isinstance(output, FeatureRow):
                names[output.window].update(output.values)
                channels.update(output.coverage)
            elif isinstance(output, MinuteRows):
                names[WindowKind.MINUTE].update(*(minute.values for minute in output.minutes))
    assert set(names) == set(WindowKind)
    for kind in WindowKind:
        assert {name for name in names[kind] if not is_declared(name, kind)} == set()
    assert channels <= set(CHANNELS)
