"""What a site decides about detection: limits, silence, persistence, budget and wording."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.events import Severity, WindowKind


class Concern(StrEnum):
    """To which side a change is of concern; NONE: the feature is shown, never scored."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"
    NONE = "none"


class LimitRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An absolute limit on a feature: the alert rings above ``above`` or below ``below``."""

    name: str
    window: WindowKind
    feature: str
    above: float | None = None
    below: float | None = None
    severity: Severity = Severity.URGENT


class CheckInLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit on an item of a self-report (or on its score, where ``item`` is absent)."""

    name: str
    instrument: str
    item: str | None = None
    at_least: float
    severity: Severity = Severity.URGENT


DEFAULT_LIMITS = (
    LimitRule(
        name="heart_rate_resting_high",
        window=WindowKind.HOUR,
        feature="heart_rate_resting_bpm",
        above=130.0,
    ),
    LimitRule(
        name="heart_rate_resting_low",
        window=WindowKind.HOUR,
        feature="heart_rate_resting_bpm",
        below=35.0,
    ),
)
DEFAULT_CHECK_IN_LIMITS = (
    CheckInLimit(name="phq9_item9", instrument="PHQ-9", item="9", at_least=1.0),
)

Compared = Literal[
    "half_space_trees", "mahalanobis", "mean_sd", "night_signal", "resting_heart_rate_difference"
]
"""Detectors whose scores can be kept beside, for comparison."""

Hours = Annotated[float, Meta(ge=0.0)]
LinkTemplate = Annotated[str, Meta(pattern=r"^https?://.*\{userId\}")]


class DetectionConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of detection, for a site or one project of it.

    ``budget_per_month``: most clinical alerts per person-month that the care team can take, those
    included that are withdrawn. ``warm_up_days`` counts valid days of each feature of its own.
    ``persistence_days``: fewest days that have to tell of a change; ``persistence_hours`` is (k,
    n): k of the last n valid hours. ``refractory_h`` is the pause after an episode;
    ``silence_min_h`` the shortest silence that a DATA alert may speak of (all in hours).
    ``watch_delay_h``: how long a night or day that has not settled must have stood unchanged before
    it may ring WATCH, since data often come in parts. ``threshold`` (0..1) overrides the cohort's
    where given. ``concerns`` maps a feature to the side that is of concern at this site, where it
    differs from the default. ``limits`` and ``check_in_limits`` replace the default ones.
    ``detectors`` names further detectors whose scores are kept beside, for comparison; they ring no
    alert. ``link_template``: where the team keeps its own record of somebody, ``{userId}`` standing
    for them; the report links to it.
    """

    watch_delay_h: Hours = 8.0
    budget_per_month: Annotated[float, Meta(gt=0.0, le=30.0)] = 1.0
    warm_up_days: Annotated[int, Meta(ge=1)] = 14
    detectors: tuple[Compared, ...] = ()
    threshold: Annotated[float, Meta(ge=0.0, le=1.0)] | None = None
    persistence_days: Annotated[int, Meta(ge=1, le=5)] = 2
    persistence_hours: tuple[int, int] = (5, 6)
    refractory_h: Hours = 168.0
    silence_min_h: Hours = 24.0
    not_worn_min_h: Hours = 24.0
    concerns: dict[str, Concern] = {}
    limits: tuple[LimitRule, ...] = DEFAULT_LIMITS
    check_in_limits: tuple[CheckInLimit, ...] = DEFAULT_CHECK_IN_LIMITS
    link_template: LinkTemplate | None = None


Projects = Mapping[str, DetectionConfig]
"""Project -> its own settings, where they are not the site's."""

NO_PROJECTS: Projects = MappingProxyType({})
