"""Record types about care: who is enrolled with which consent, what staff know and decide."""

import datetime as dt
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from streams.events import ranges as r
from streams.events.records import Record, ingest


class SubjectStatus(StrEnum):
    """Where a subject stands in the project; PAUSED keeps data and silences DATA alerts."""

    ENROLLED = "ENROLLED"
    PAUSED = "PAUSED"
    WITHDRAWN = "WITHDRAWN"


class Purpose(StrEnum):
    """What a subject lets their data be used for. Wakeline takes in what allows CARE."""

    CARE = "CARE"
    RESEARCH = "RESEARCH"
    AUDIT = "AUDIT"


class Consent(Struct, frozen=True, kw_only=True, rename={"from_": "from"}, omit_defaults=True):
    """Consent to one record type from ``from`` up to, not including, ``until`` (s UTC)."""

    purposes: Annotated[list[Purpose], Meta(max_length=3)]
    from_: r.EpochSeconds
    until: r.EpochSeconds | None = None
    version: r.Label


class Source(
    Struct,
    frozen=True,
    kw_only=True,
    rename={"source_id": "sourceId", "from_": "from"},
    omit_defaults=True,
):
    """A device or app of a subject; the smaller ``priority`` goes first (times in s UTC).

    It is the subject's ``from`` up to, not including, ``until``.
    """

    source_id: r.SourceId
    priority: r.Priority = 0
    vendor: r.Label | None = None
    model: r.Label | None = None
    from_: r.EpochSeconds | None = None
    until: r.EpochSeconds | None = None

    def is_in_force(self, time: float) -> bool:
        """Whether it was the subject's at ``time`` (s UTC)."""
        return (self.from_ is None or self.from_ <= time) and (
            self.until is None or time < self.until
        )


TimeZone = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,64}$(?!\n)", description="IANA time zone name.")
]
LocalTime = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)", description="Local time hh:mm.")
]


@ingest("subjects", "subject/1")
class Subject(Record, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What the registry says of a subject from now on; a later record replaces it wholly.

    ``day_start`` is the local time at which a night of this person begins (12:00 unless moved
    for night workers). ``consent`` maps a record type, such as ``heart_rate``, to its terms.
    ``groups`` serve the bias audit alone.
    """

    user_id: r.UserId
    project_id: r.ProjectId
    care_team: r.Label
    time_zone: TimeZone
    day_start: LocalTime = "12:00"
    status: SubjectStatus = SubjectStatus.ENROLLED
    sources: Annotated[list[Source], Meta(max_length=100)] = []
    consent: Annotated[dict[r.Label, Consent], Meta(max_length=100)] = {}
    groups: Annotated[dict[r.Label, r.Label], Meta(max_length=50)] = {}

    def device_type_at(self, time: float) -> str | None:
        """Model of the first source, by priority and then id, that is in force and names one.

        None when no such source was the subject's at ``time`` (s UTC).
        """
        named = [
            (source.priority, source.source_id, source.model)
            for source in self.sources
            if source.model is not None and source.is_in_force(time)
        ]
        return min(named)[2] if named else None


class CareContextKind(StrEnum):
    """What staff know that explains a change."""

    ILLNESS = "ILLNESS"
    MEDICATION = "MEDICATION"
    ADMISSION = "ADMISSION"
    TRAVEL = "TRAVEL"
    LEAVE = "LEAVE"
    SHIFT = "SHIFT"
    OTHER = "OTHER"


class CareContextEffect(StrEnum):
    """NOTE is shown; MUTE holds clinical alerts back; RELEARN starts the baseline anew."""

    NOTE = "NOTE"
    MUTE = "MUTE"
    RELEARN = "RELEARN"


@ingest("care-context", "care_context/1")
class CareContext(
    Record,
    frozen=True,
    kw_only=True,
    rename={"record_id": "recordId", "user_id": "userId", "from_": "from"},
    omit_defaults=True,
):
    """Something staff know about a stretch of time (``from``, ``until``: s UTC)."""

    user_id: r.UserId
    from_: r.EpochSeconds
    until: r.EpochSeconds | None = None
    kind: CareContextKind
    effect: CareContextEffect
    by: r.Label


class AlertActionKind(StrEnum):
    """What a member of staff did with an alert."""

    ACKNOWLEDGE = "ACKNOWLEDGE"
    ASSIGN = "ASSIGN"
    SNOOZE = "SNOOZE"
    RESOLVE = "RESOLVE"
    VERDICT = "VERDICT"


class Verdict(StrEnum):
    """What staff think of an alert; it never changes learning silently."""

    EXPECTED = "EXPECTED"
    USEFUL = "USEFUL"
    FALSE = "FALSE"
    KNOWN_CAUSE = "KNOWN_CAUSE"


@ingest("alert-actions", "alert_action/1")
class AlertAction(Record, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An action of staff on an alert; ``by`` is a staff pseudonym, ``at`` and ``until`` s UTC."""

    user_id: r.UserId
    alert_id: r.Label
    action: AlertActionKind
    by: r.Label
    at: r.EpochSeconds
    until: r.EpochSeconds | None = None
    reason: r.Text | None = None
    verdict: Verdict | None = None


def local_time_minutes(text: str) -> int:
    """Minutes after midnight of a local time ``hh:mm``."""
    parsed = dt.time.fromisoformat(text)
    return parsed.hour * 60 + parsed.minute
