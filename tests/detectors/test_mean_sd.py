"""Goal: the classical rule, to be swept; method: NumPy over the full array of real heart rates."""

from pathlib import Path

import numpy as np
import pytest

from detectors.config import Concern
from detectors.mean_sd import MINIMUM, MeanSd, score_at
from tests.detectors.lifesnaps import resting_heart_rates

NAME = "heart_rate_resting_bpm"


@pytest.mark.parametrize("concern", [Concern.UP, Concern.DOWN, Concern.BOTH])
def test_a_sweep_over_scores_is_the_rule_on_real_heart_rates(
    shared_data: Path, concern: Concern
) -> None:
    assert shared_data.is_dir()
    flagged = {1.0: 0, 1.5: 0, 3.0: 0}
    for days in list(resting_heart_rates())[:10]:
        rule = MeanSd(NAME, concern)
        values = np.array([bpm for _, bpm in days])
        for i, bpm in enumerate(values):
            score = rule.score_one({NAME: bpm, "other": 1e6})
            rule.learn_one({NAME: bpm, "other": 1e6})
            if i < MINIMUM:
                assert score == 0.0
                continue
            sds = (bpm - values[:i].mean()) / values[:i].std(ddof=1)
            sds = {Concern.UP: sds, Concern.DOWN: -sds, Concern.BOTH: abs(sds)}[concern]
            assert score == pytest.approx(max(sds, 0.0) / (max(sds, 0.0) + 1.5), abs=1e-9)
            for count in flagged:
                flagged[count] += score >= score_at(count)
    assert flagged[1.0] > flagged[1.5] > flagged[3.0] > 0


def test_a_feature_that_never_varied_has_no_small_change() -> None:
    rule = MeanSd()
    for _ in range(MINIMUM):
        rule.learn_one({NAME: 60.0})
    assert (rule.score_one({NAME: 60.0}), rule.score_one({NAME: 60.5})) == (0.0, 1.0)
