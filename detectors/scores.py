"""What models say of one row, and what explains it in reasons that a nurse can read."""

from collections.abc import Callable, Mapping

from detectors.baseline import Usual
from detectors.features import FeatureSpec, spec_of
from detectors.opinions import Told
from detectors.shifts import Part, Shift, days_of
from detectors.terms import key_of, spec_of_key
from streams.events import Anomaly, Direction, FeatureRow, Reason


class Scores(list[Anomaly]):
    """Anomalies of one row, and beside them what explains them.

    ``usual``: by feature of the row, its value beside what is usual. ``shift``: the most telling
    shift of the last days, None while nothing has warmed up. ``is_shifted``: whether it is beyond
    the threshold. ``drifted``: by feature of the row that has been moving away for a while, to a
    side of concern, the number of the day on which that began. ``absent``: features that this
    person has a baseline of and the row lacks. ``relearned``: features whose baseline was started
    anew and is still young. ``told`` and ``days``: what a night or day told, and its features' last
    days with it.
    """

    __slots__ = (
        "_explain",
        "_latest_z",
        "_moved",
        "absent",
        "days",
        "drifted",
        "is_shifted",
        "relearned",
        "row",
        "shift",
        "told",
        "usual",
    )

    def __init__(
        self,
        row: FeatureRow,
        explain: Callable[[Part], Reason] | None = None,
        latest_z: Callable[[Part], float] | None = None,
        moved: Callable[[str, int], float] | None = None,
    ) -> None:
        super().__init__()
        self.row = row
        self.usual: dict[str, Usual] = {}
        self.shift: Shift | None = None
        self.is_shifted = False
        self.drifted: dict[str, int] = {}
        self.absent: tuple[str, ...] = ()
        self.relearned: tuple[str, ...] = ()
        self.told: Told | None = None
        self.days: Mapping[str, bytes] = {}
        self._explain = explain
        self._latest_z = latest_z
        self._moved = moved

    def hold_against(self, threshold_z: float) -> None:
        """Say whether the shift is beyond a threshold (standard deviations)."""
        self.is_shifted = self.shift is not None and self.shift.z >= threshold_z

    def reason(self, feature: str) -> Reason:
        """The value of a feature of the row, beside what is usual."""
        spec, usual = spec_of(self.row.window, feature), self.usual[feature]
        assert spec is not None, "only scored features have a usual"
        return _reason(self.row, spec, usual)

    def evidence(self) -> list[Reason]:
        """The parts of the shift as reasons, the largest first; ask before more is learned."""
        if self.shift is None or self._explain is None:
            return []
        return [self._explain(part) for part in self.shift.parts]

    def shifted(self) -> list[str]:
        """Features of the parts of the shift, the largest first."""
        return (
            [] if self.shift is None else [spec_of_key(p.feature).feature for p in self.shift.parts]
        )

    def latest_z(self) -> list[tuple[FeatureSpec, float]]:
        """Of each part of the shift, how far its latest value is from usual, signed."""
        if self.shift is None or self._latest_z is None:
            return []
        return [(spec_of_key(part.feature), self._latest_z(part)) for part in self.shift.parts]

    def slow(self) -> list[str]:
        """Features that have been moving away for a while, the furthest first."""
        return sorted(self.drifted, key=lambda name: (-abs(self.usual[name].z), name))

    def slow_evidence(self) -> list[Reason]:
        """Their last days as reasons, in this order; ask before more is learned.

        Each of them is beyond the threshold and counts no further, so that their shares are even.
        """
        return [self._slow_reason(feature) for feature in self.slow()]

    def _slow_reason(self, feature: str) -> Reason:
        key = key_of(self.row.window, feature)
        if self._explain is None or key not in self.days:
            return self.reason(feature)
        side = 1 if self.usual[feature].z > 0.0 else -1
        part = Part(key, side, 1.0 / len(self.drifted), days_of(self.days[key]))
        return self._explain(part)

    def has_moved(self, reason: Reason) -> bool:
        """Whether the feature has moved for a while to the side where its last days lie."""
        if self._moved is None:
            return False
        key, since = key_of(self.row.window, reason.feature), self.drifted[reason.feature]
        return self._moved(key, since) * (1 if reason.direction is Direction.UP else -1) > 0.0


def _reason(row: FeatureRow, spec: FeatureSpec, usual: Usual) -> Reason:
    return Reason(
        feature=spec.feature,
        window=row.window,
        direction=Direction.UP if usual.z >= 0.0 else Direction.DOWN,
        value=row.values[spec.feature],
        unit=spec.unit,
        usual_low=usual.low,
        usual_median=usual.median,
        usual_high=usual.high,
        z=usual.z,
        days_of_baseline=usual.days,
        coverage=None if spec.channel is None else row.coverage.get(spec.channel),
    )
