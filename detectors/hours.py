"""Hours that are unusual and last: k of the last n valid ones, each feature for itself."""

from msgspec import Struct

from detectors.episodes import Judged, PolicyState
from detectors.scores import Scores
from streams.events import Anomaly, AnomalyState, FeatureRow

STALE_FACTOR = 3
"""Rows older than this many times the span of persistence no longer count for it."""


class Sighting(Struct, frozen=True):
    """An anomaly of this row: in how many of the last valid rows it was so, and whether enough."""

    anomaly: Anomaly
    z: float
    seen: tuple[int, int]
    is_persistent: bool


def sightings(
    state: PolicyState, row: FeatureRow, scores: Scores, persistence: tuple[int, int]
) -> list[Sighting]:
    """What is unusual in a row, what lasts and is furthest first; ``state`` remembers the row."""
    known = [a for a in scores if a.feature is not None and a.state is not AnomalyState.LEARNING]
    found = [_sight(state, row, anomaly, scores, persistence=persistence) for anomaly in known]
    return sorted((sighting for sighting in found if sighting is not None), key=_rank)


def _sight(
    state: PolicyState,
    row: FeatureRow,
    anomaly: Anomaly,
    scores: Scores,
    *,
    persistence: tuple[int, int],
) -> Sighting | None:
    """Remember a valid row of a feature; None when there is nothing unusual in it."""
    k, n = persistence
    feature = anomaly.feature or anomaly.detector
    z = scores.usual[feature].z
    is_unusual = anomaly.state is AnomalyState.ANOMALOUS
    side = (1 if z >= 0.0 else -1) if is_unusual else 0
    oldest = row.end - STALE_FACTOR * n * (row.end - row.start)
    before = [judged for judged in state.recent.get(feature, ()) if judged.end > oldest]
    recent = state.recent[feature] = [*before, Judged(row.end, side)][-n:]
    if not is_unusual:
        return None
    count = sum(judged.side == side for judged in recent)
    return Sighting(anomaly, abs(z), (count, len(recent)), count >= k)


def _rank(sighting: Sighting) -> tuple[bool, float, float, str]:
    anomaly = sighting.anomaly
    return not sighting.is_persistent, -sighting.z, -anomaly.score, anomaly.feature or ""
