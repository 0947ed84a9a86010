"""NightSignal: two nights running above the running median of the person's own nights."""

from array import array
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from detectors.base import DAY, FEATURES_MAX, State, detector, refuse_unknown
from detectors.rules import half_at, watched

YELLOW_BPM = 3
"""Beats per minute above the median that are yellow on a second night running: score 0.5."""

RED_BPM = 4
"""Beats per minute above the median that are red on a second night running."""

HIGHEST_BPM = 255
"""Heart rates are counted from 0 to here; what lies beyond counts as here."""

_NEVER = -1


def score_at(margin_bpm: float) -> float:
    """The least score of two nights of which the lower lies ``margin_bpm`` above its median."""
    return half_at(margin_bpm, YELLOW_BPM)


YELLOW_SCORE = score_at(YELLOW_BPM)
"""From here on a night is yellow."""

RED_SCORE = score_at(RED_BPM)
"""From here on a night is red."""


class _Nights:
    """How often each whole heart rate was seen, and the last night."""

    __slots__ = ("bpm", "counts", "margin", "night")

    def __init__(self) -> None:
        self.counts = array("H", bytes(2 * (HIGHEST_BPM + 1)))
        self.night = _NEVER
        self.bpm = 0
        self.margin = 0

    def before(self, night: int) -> tuple[list[int], int | None]:
        """Heart rates to add before tonight's, and the margin of the night before, if told."""
        if self.night == _NEVER:
            return [], None
        if night - self.night == 1:
            return [], self.margin
        if night - self.night == 2:  # one night is missing
            return [self.bpm], self.bpm - _median(self.counts, [self.bpm])
        return [], None

    def learn(self, bpm: int, night: int) -> None:
        added, _ = self.before(night)
        for one in (*added, bpm):
            self.counts[one] += 1
        self.night = night
        self.bpm = bpm
        self.margin = bpm - _median(self.counts, [])


@detector
class NightSignal:
    """Resting heart rate above the median of all nights so far, for two nights running.

    The nightly resting heart rate is cut to whole beats per minute; the baseline is the median of
    all nights so far, tonight's included, cut likewise. ``margin = min(over two nights running of
    rate - baseline)`` in beats per minute; yellow from +3, red from +4.
    ``score_at(margin) = margin / (margin + 3)``, 0 for no margin: yellow is 0.5 (``YELLOW_SCORE``),
    red is 4/7 (``RED_SCORE``), and a threshold of ``score_at(k)`` is the rule "+k for two nights"
    for each whole k from 1. Between two such steps the score rises with the higher of both nights,
    so that a high night after one that was not, of which the rule says nothing yet, can be seen
    below ``score_at(1)``.

    A single missing night is taken to have been like the night before it. The published code takes
    the mean of the nights round it, which is not known until the morning after. After two missing
    nights the rule starts with a first night again. Nights are told apart by ``DAY``; in rows
    without it, each learned row is the next night. The second night can be judged at the earliest;
    rows of other features in units other than beats per minute are judged all the same when no
    feature is named.

    Parameters
    ----------
    feature
        The feature to judge; None: every feature on its own, the highest score counts.

    Source: Alavi et al. 2022, Nature Medicine 28:175-184, doi 10.1038/s41591-021-01593-2, and its
    code ``nightsignal.py`` (medians of averages).

    >>> rule = NightSignal("heart_rate_resting_bpm")
    >>> for bpm in (60.0, 61.9, 59.0, 60.0, 64.0):
    ...     rule.learn_one({"heart_rate_resting_bpm": bpm})
    >>> YELLOW_SCORE <= rule.score_one({"heart_rate_resting_bpm": 63.0}) < RED_SCORE
    True
    """

    name: ClassVar[str] = "night_signal"
    version: ClassVar[str] = "1"

    __slots__ = ("_feature", "_nights", "_rows")

    def __init__(self, feature: str | None = None) -> None:
        self._feature = feature
        self._nights: dict[str, _Nights] = {}
        self._rows = 0

    def score_one(self, x: Mapping[str, float]) -> float:
        """The highest score of the judged features in ``x``."""
        refuse_unknown(x)
        night = int(x.get(DAY, self._rows))
        best = 0.0
        for name, value in watched(x, self._feature):
            nights = self._nights.get(name)
            if nights is None:
                continue
            added, before = nights.before(night)
            bpm = _whole(value)
            tonight = bpm - _median(nights.counts, [*added, bpm])
            best = max(best, _score(0 if before is None else before, tonight))
        return best

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Take tonight into the median."""
        refuse_unknown(x)
        night = int(x.get(DAY, self._rows))
        self._rows += 1
        for name, value in watched(x, self._feature):
            nights = self._nights.get(name)
            if nights is None:
                if len(self._nights) >= FEATURES_MAX:
                    continue
                nights = self._nights[name] = _Nights()
            nights.learn(_whole(value), night)

    def to_state(self) -> State:
        """Rows learned; by feature the last night and its rate and margin, then nights by bpm."""
        return {
            "rows": self._rows,
            "nights": {name: _numbers(nights) for name, nights in sorted(self._nights.items())},
        }

    @classmethod
    def from_state(cls, state: State, feature: str | None = None) -> Self:
        """The rule as it was; ``feature`` is configuration, not state."""
        rule = cls(feature)
        rule._rows = state["rows"]
        for name, numbers in state["nights"].items():
            nights = rule._nights[name] = _Nights()
            nights.night, nights.bpm, nights.margin = numbers[:3]
            nights.counts = array("H", numbers[3:])
        return rule


def _score(before: int, tonight: int) -> float:
    """The step of the lower margin, and a part of the way to the next by the higher one."""
    margin = max(min(before, tonight), 0)
    step = score_at(margin + 1) - score_at(margin)
    return score_at(margin) + step * score_at(max(before, tonight) - margin)


def _whole(value: float) -> int:
    return int(min(max(value, 0.0), HIGHEST_BPM))


def _median(counts: Sequence[int], added: list[int]) -> int:
    """Median of counted and added values, cut to a whole number."""
    total = sum(counts) + len(added)
    lower, upper = (total - 1) // 2, total // 2
    at_lower = _NEVER
    seen = 0
    for bpm, count in enumerate(counts):
        seen += count + added.count(bpm) if added else count
        if at_lower == _NEVER and seen > lower:
            at_lower = bpm
        if seen > upper:
            return (at_lower + bpm) // 2
    raise ValueError("a median needs a value")


def _numbers(nights: _Nights) -> list[int]:
    return [nights.night, nights.bpm, nights.margin, *nights.counts]
