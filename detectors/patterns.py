"""Patterns: signals that change together when somebody gets worse, and to which sides.

Several small changes to these sides say more than one of them alone. A pattern is a direction to
look in and names no illness.

Sources: *strain*: a higher resting heart rate, lower variability, shorter sleep and less movement
(Koch et al. 2019, variability in depression; Zhang et al. 2021 and Sun et al. 2023, RADAR-MDD).
*activation*: less sleep with more activity and phone use (Lim et al. 2024; a decreased need for
sleep is among the criteria of DSM-5 for mania). *withdrawal*: less movement and less phone use
together (Barnett et al. 2018; Cohen et al. 2023).
"""

from enum import StrEnum

from msgspec import Struct


class Domain(StrEnum):
    """What a feature tells of; features of one domain count once in a pattern."""

    HEART_RATE = "heart_rate"
    VARIABILITY = "variability"
    SLEEP = "sleep"
    ACTIVITY = "activity"
    PHONE = "phone"
    OTHER = "other"


class Pattern(Struct, frozen=True):
    """A pattern: by domain, 1 for up and -1 for down."""

    name: str
    signs: dict[Domain, int]


PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "strain",
        {Domain.HEART_RATE: 1, Domain.VARIABILITY: -1, Domain.SLEEP: -1, Domain.ACTIVITY: -1},
    ),
    Pattern("activation", {Domain.SLEEP: -1, Domain.ACTIVITY: 1, Domain.PHONE: 1}),
    Pattern("withdrawal", {Domain.ACTIVITY: -1, Domain.PHONE: -1}),
)
"""The patterns that are looked for, where at least two of their domains are known."""

DOMAINS_MIN = 2
"""Fewest known domains that make a pattern of single features."""
