"""The alerts of one subject: as they settled, as they are shown, and what is said of them.

A sink learns of an alert when it is new, when it has changed and when it is withdrawn. What is said
is numbered, so that the last word counts.
"""

from collections.abc import Collection, Container, Sequence
from typing import Self

import msgspec
from msgspec import Struct

from detectors.withdrawal import Because, withdrawn
from streams.events import Alert, AlertKind, FeatureRow, Output, Severity, WindowKind
from streams.staff import Staff

SETTLED_KEPT = 20
"""Settled alerts of a subject that staff can still act on."""


class Causes(Struct, frozen=True):
    """Why alerts may be gone at a look: rows were revised, staff spoke, the subject is paused."""

    is_revised: bool
    has_news: bool
    is_paused: bool

    def of(self, alert: Alert) -> Because:
        """Why this one is; where nothing else happened, more has been learned."""
        # Whatever came in, of a paused subject no data are missed.
        if self.is_paused and alert.kind is AlertKind.DATA:
            return "paused"
        if self.is_revised:
            return "data"
        return "news" if self.has_news else "learned"


class Alerts:
    """Settled alerts, and those that unsettled rows show; ``sequence`` numbers what is said."""

    __slots__ = ("sequence", "settled", "shown", "staff")

    def __init__(self) -> None:
        self.staff = Staff()
        self.sequence = 0
        self.shown: dict[str, Alert] = {}
        self.settled: dict[str, Alert] = {}

    @classmethod
    def of(
        cls, staff: Staff, sequence: int, shown: Sequence[Alert], settled: Sequence[Alert]
    ) -> Self:
        """Alerts as they were."""
        alerts = cls()
        alerts.staff, alerts.sequence = staff, sequence
        alerts.shown = {alert.alert_id: alert for alert in shown}
        alerts.settled = {alert.alert_id: alert for alert in settled}
        return alerts

    def known_to(self, row: FeatureRow) -> dict[str, Alert]:
        """Alerts by id that a row may know of: a settled one not of those only ever shown."""
        return self.settled if row.settled else {**self.settled, **self.shown}

    def are_as_shown(self, row: FeatureRow, found: Collection[Alert]) -> bool:
        """Whether the alerts of a settled row are those that it began to show.

        Later rows may have made them graver since.
        """
        shown = {a.alert_id: a for a in self.shown.values() if _window_of(a) == _window_of(row)}
        return shown.keys() == {alert.alert_id for alert in found} and all(
            shown[alert.alert_id].status is alert.status
            and shown[alert.alert_id].severity in {alert.severity, Severity.URGENT}
            for alert in found
        )

    def shown_of(self, kinds: Container[WindowKind]) -> dict[str, Alert]:
        """Alerts that are shown of some kinds of window, by id."""
        return {key: alert for key, alert in self.shown.items() if alert.window in kinds}

    def settle(self, found: Alert) -> Alert:
        """Take in an alert of a settled row; give what is to be said."""
        shown = self.shown.pop(found.alert_id, None) or self.settled.get(found.alert_id)
        detected_at = found.detected_at if shown is None else shown.detected_at
        alert = msgspec.structs.replace(found, detected_at=detected_at)
        self.settled.pop(alert.alert_id, None)
        self.settled[alert.alert_id] = alert
        while len(self.settled) > SETTLED_KEPT:
            del self.settled[next(iter(self.settled))]
        return self._said(alert)

    def show(self, alert: Alert) -> list[Output]:
        """Take in an alert of an unsettled row, beside those shown; say what is new of it."""
        known, outputs = self._shown_as(alert, (), has_news=False)
        self.shown[known.alert_id] = known
        return outputs

    def show_only(self, seen: dict[str, Alert], clock: float, causes: Causes) -> list[Output]:
        """Show these in the place of all that were shown; withdraw those that are gone.

        Where staff spoke all are said again. Withdrawals say why, and carry ``clock`` (s UTC).
        """
        outputs: list[Output] = []
        gone = [self.shown[key] for key in sorted(self.shown) if key not in seen]
        gone = [alert for alert in gone if alert.alert_id not in self.settled]
        for alert_id in sorted(seen):
            seen[alert_id], said = self._shown_as(seen[alert_id], gone, has_news=causes.has_news)
            outputs += said
        outputs += self._restored(seen)
        outputs += [self._numbered(withdrawn(a, causes.of(a), clock)) for a in gone]
        self.shown = seen
        return outputs

    def withdraw_all(self, clock: float) -> list[Output]:
        """Withdraw every alert that stands, for the subject has withdrawn."""
        standing = {**self.settled, **self.shown}
        return [
            self._numbered(withdrawn(standing[key], "subject", clock)) for key in sorted(standing)
        ]

    def _shown_as(
        self, alert: Alert, gone: Sequence[Alert], *, has_news: bool
    ) -> tuple[Alert, list[Output]]:
        """The alert with what was told when it was first shown, and what there is to say."""
        old = self.shown.get(alert.alert_id) or self.settled.get(alert.alert_id)
        if old is None:
            alert = msgspec.structs.replace(alert, continues=_continued(alert, gone))
            return alert, [self._said(alert)]
        alert = msgspec.structs.replace(alert, detected_at=old.detected_at, continues=old.continues)
        return alert, [self._said(alert)] if has_news or not _is_same(old, alert) else []

    def _restored(self, seen: Collection[str]) -> list[Output]:
        """Settled alerts that unsettled rows had made graver, and no longer do."""
        return [
            self._said(self.settled[key])
            for key in sorted(self.shown)
            if key not in seen
            and key in self.settled
            and not _is_same(self.shown[key], self.settled[key])
        ]

    def _numbered(self, alert: Alert) -> Alert:
        self.sequence += 1
        return msgspec.structs.replace(alert, revision=self.sequence)

    def _said(self, alert: Alert) -> Alert:
        """Number an alert, with what staff did to it."""
        return self._numbered(self.staff.applied(alert))


def _window_of(one: Alert | FeatureRow) -> tuple[WindowKind | None, float]:
    return one.window, one.start


def _continued(alert: Alert, gone: Sequence[Alert]) -> str | None:
    """The alert that rang for the same thing under another id, if there is one."""
    for old in gone:
        if (old.kind, old.rule) == (alert.kind, alert.rule):
            return old.alert_id
    return None


def _is_same(old: Alert, new: Alert) -> bool:
    return msgspec.structs.replace(old, revision=0, settled=False) == msgspec.structs.replace(
        new, revision=0, settled=False
    )
