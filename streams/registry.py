"""Who is enrolled with which consent, as of a tick: the gate that every event passes.

An event is judged by what `subjects` held at its first tick after T, T being the last tick before
the event in its own log. With c(u), the last tick before an update u in the log of `subjects`, u
is held at that tick exactly when c(u) <= T; so no interleaving of topics can show.
"""

import math
import sys

import msgspec
from msgspec import Struct

from streams.events import Consent, Purpose, Subject, SubjectStatus
from streams.localtime import is_time_zone

UNLISTED_PRIORITY = 1_001
"""Priority of a source that the registry does not list: after all listed ones."""


class SourceTerms(Struct, frozen=True):
    """Rank of a source and when it belonged to the subject (s UTC)."""

    priority: int
    from_s: float
    until_s: float
    model: str | None


class Enrolment(Struct, frozen=True):
    """What the registry holds of a subject after tick ``after`` (s UTC).

    ``generation`` counts enrolments: a subject who withdraws and enrols again starts anew.
    ``consent`` maps a record type to the time (s UTC) that consent for CARE covers.
    """

    after: float
    generation: int
    subject: Subject
    consent: dict[str, tuple[float, float]]
    sources: dict[str, SourceTerms]

    @property
    def is_withdrawn(self) -> bool:
        """Whether nothing may be taken in any more."""
        return self.subject.status is SubjectStatus.WITHDRAWN

    def source(self, source_id: str) -> SourceTerms:
        """Terms of a source; one that is not listed ranks last and is not limited in time."""
        return self.sources.get(source_id, _UNLISTED)


_UNLISTED = SourceTerms(UNLISTED_PRIORITY, -math.inf, math.inf, None)


class Change(Struct, frozen=True):
    """An enrolment that became visible at a tick: a first, a changed or a withdrawn one."""

    user_id: str
    enrolment: Enrolment
    previous: Enrolment | None


RegistryState = tuple[list[tuple[float, int, Subject]], bool]
"""Enrolments of a subject as (after, generation, subject), and whether the last one waits."""


class Registry:
    """History of the registry for the subjects of one partition number."""

    def __init__(self) -> None:
        self._history: dict[str, list[Enrolment]] = {}
        self._pending: set[str] = set()

    def update(self, subject: Subject, tick: float) -> str | None:
        """Take a record of `subjects` that lies after ``tick`` in its log.

        Returns the reason when the record cannot be used (an unknown time zone), else None.
        """
        if not is_time_zone(subject.time_zone):
            return "unknown time zone"
        history = self._history.get(subject.user_id, [])
        # What came after the same tick was never held at any.
        kept = history[:-1] if history and history[-1].after == tick else history
        previous = kept[-1] if kept else None
        generation = previous.generation if previous else 0
        if previous and previous.is_withdrawn and subject.status is not SubjectStatus.WITHDRAWN:
            generation += 1
        self._history[subject.user_id] = [*kept, _enrolment(subject, tick, generation)]
        self._pending.add(subject.user_id)
        return None

    @property
    def pending(self) -> frozenset[str]:
        """Subjects whose last update waits for a tick."""
        return frozenset(self._pending)

    def tick(self) -> list[Change]:
        """Make pending updates visible: called when `subjects` has taken a tick."""
        changes = []
        for user_id in sorted(self._pending):
            history = self._history[user_id]
            previous = history[-2] if len(history) > 1 else None
            changes.append(Change(user_id, history[-1], previous))
        self._pending.clear()
        return changes

    def at(self, user_id: str, tick: float) -> Enrolment | None:
        """What `subjects` held at its first tick after ``tick`` (s UTC), None if nothing."""
        history = self._history.get(user_id)
        if history is None:
            return None
        for enrolment in reversed(history):
            if enrolment.after <= tick:
                return enrolment
        return None

    def before(self, user_id: str, due: float, generation: int) -> Enrolment | None:
        """What `subjects` held of a generation at its first tick at or past ``due`` (s UTC)."""
        for enrolment in reversed(self._history.get(user_id, [])):
            if enrolment.generation == generation and enrolment.after < due:
                return enrolment
        return None

    def generation(self, user_id: str) -> int:
        """Generation of the last enrolment of a subject; 0 when nothing is known of it."""
        history = self._history.get(user_id)
        return history[-1].generation if history else 0

    def to_state(self, user_id: str) -> RegistryState:
        """What is held of a subject, and whether the last of it waits for a tick."""
        held = self._history.get(user_id, [])
        history = [(enrolment.after, enrolment.generation, enrolment.subject) for enrolment in held]
        return history, user_id in self._pending

    def restore(self, user_id: str, state: RegistryState) -> None:
        """Take in what was held of a subject."""
        history, is_pending = state
        self._history[user_id] = [
            _enrolment(subject, after, generation) for after, generation, subject in history
        ]
        if is_pending:
            self._pending.add(user_id)

    def forget_before(self, clock: float) -> None:
        """Drop what nothing can ask for any more once the minimum clock is ``clock``."""
        for history in self._history.values():
            while len(history) > 1 and history[1].after < clock:
                del history[0]


def _enrolment(subject: Subject, tick: float, generation: int) -> Enrolment:
    subject = _told_once(subject)
    spans: dict[tuple[float, float], tuple[float, float]] = {}
    consent: dict[str, tuple[float, float]] = {}
    for record_type, terms in subject.consent.items():
        if Purpose.CARE in terms.purposes:
            span = terms.from_, math.inf if terms.until is None else terms.until
            consent[record_type] = spans.setdefault(span, span)
    sources = {
        source.source_id: SourceTerms(
            source.priority,
            -math.inf if source.from_ is None else source.from_,
            math.inf if source.until is None else source.until,
            source.model,
        )
        for source in subject.sources
    }
    return Enrolment(tick, generation, subject, consent, sources)


def _told_once(subject: Subject) -> Subject:
    """The same with each name and each of its terms of consent as one object.

    There are twenty of them for everybody: the names are alike for all, the terms often for one.
    """
    known: list[Consent] = []
    consent: dict[str, Consent] = {}
    for record_type, terms in subject.consent.items():
        if terms not in known:
            known.append(terms)
        consent[sys.intern(record_type)] = known[known.index(terms)]
    return msgspec.structs.replace(subject, consent=consent)
