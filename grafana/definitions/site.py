"""What a site decides and Grafana's files cannot take from the environment."""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class ServiceHours(Struct, frozen=True, forbid_unknown_fields=True):
    """When the care team is there: ``start`` to ``end`` of each weekday, by the clock of a zone."""

    time_zone: str
    weekdays: tuple[str, ...]
    start: Clock
    end: Clock

    def __post_init__(self) -> None:
        """Refuse days that are none, and hours that end before they start."""
        if not self.weekdays or set(self.weekdays) - set(WEEK):
            raise ValueError(f"weekdays must be some of: {', '.join(WEEK)}")
        if self.start >= self.end:
            raise ValueError("start must be before end")

    @property
    def days_off(self) -> tuple[str, ...]:
        """Days without service."""
        return tuple(day for day in WEEK if day not in self.weekdays)


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the files of one site; ``webhook``: notify ``WAKELINE_ALERT_WEBHOOK_URL`` too."""

    service_hours: ServiceHours
    webhook: bool = True


def read_site(path: Path) -> Site:
    """Settings from a TOML file.

    Raises
    ------
    msgspec.ValidationError
        When the file does not fit, saying where.
    """
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Site)
