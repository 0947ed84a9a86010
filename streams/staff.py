"""What staff said of a subject: care contexts, and actions on alerts. Nothing is judged here."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Self

import msgspec

from streams.events import (
    Alert,
    AlertAction,
    AlertActionKind,
    AlertStatus,
    CareContext,
    CareContextEffect,
    FeatureRow,
    Record,
)

_STATUS = {
    AlertActionKind.ACKNOWLEDGE: AlertStatus.ACKNOWLEDGED,
    AlertActionKind.SNOOZE: AlertStatus.SNOOZED,
    AlertActionKind.RESOLVE: AlertStatus.RESOLVED,
}


HEARD_KEPT = 1_000
"""Contexts of a subject that are kept, and actions: those said last."""


class Staff:
    """Contexts and actions, each with the tick (s UTC) of its log after which it was said.

    Of actions only that is kept which is read later.
    """

    __slots__ = ("actions", "contexts")

    def __init__(self) -> None:
        self.contexts: list[tuple[float, CareContext]] = []
        self.actions: list[tuple[float, AlertAction]] = []

    @classmethod
    def of(
        cls, contexts: list[tuple[float, CareContext]], actions: list[tuple[float, AlertAction]]
    ) -> Self:
        """Staff's word as it was."""
        staff = cls()
        staff.contexts = contexts
        # Older states have every action, with all that was said of it.
        staff.actions = _read_later(actions)
        return staff

    def hear(self, records: Sequence[Record], tick: float) -> None:
        """Take in what was said after ``tick``; a context with a known id takes its place."""
        fresh = count(len(self.contexts))
        contexts: dict[str | int, tuple[float, CareContext]] = {
            held[1].record_id or place: held for place, held in enumerate(self.contexts)
        }
        actions: list[tuple[float, AlertAction]] = []
        for record in records:
            if isinstance(record, CareContext):
                key = record.record_id or next(fresh)
                contexts.pop(key, None)
                contexts[key] = tick, record
            elif isinstance(record, AlertAction):
                actions.append((tick, record))
        self.contexts = list(contexts.values())[-HEARD_KEPT:]
        self.actions = _read_later([*self.actions, *actions])

    def is_muted(self, row: FeatureRow, due: float) -> bool:
        """Whether staff asked, before ``due``, to hold WATCH back for a row's window."""
        return any(
            after < due
            and context.effect is CareContextEffect.MUTE
            and context.from_ < row.end
            and (context.until is None or context.until > row.start)
            for after, context in self.contexts
        )

    def snoozed(self, row: FeatureRow, due: float, known: Mapping[str, Alert]) -> frozenset[str]:
        """Rules that staff snoozed, before ``due``, on one of the known alerts."""
        if not self.actions:
            return frozenset()
        return frozenset(
            known[action.alert_id].rule
            for after, action in self.actions
            if after < due
            and action.action is AlertActionKind.SNOOZE
            and action.alert_id in known
            and action.at < row.end <= (action.until or action.at)
        )

    def relearnings(self, row: FeatureRow, due: float) -> Iterator[str]:
        """Identities of the requests, of before ``due``, to learn anew from a row on."""
        for after, context in self.contexts:
            is_asked = context.effect is CareContextEffect.RELEARN and after < due
            if is_asked and context.from_ <= row.start:
                yield f"{context.record_id}|{context.from_}"

    def applied(self, alert: Alert) -> Alert:
        """The alert with what staff did to it; one that continues another inherits it."""
        if alert.status is AlertStatus.RESOLVED:
            return alert  # data came again, whatever staff did before
        ids = {alert.alert_id, alert.continues}
        for _, action in self.actions:
            if action.alert_id not in ids:
                continue
            status = _STATUS.get(action.action)
            if action.action is AlertActionKind.ASSIGN:
                alert = msgspec.structs.replace(alert, owner=action.by)
            elif status is not None:
                alert = msgspec.structs.replace(
                    alert, status=status, status_at=action.at, status_by=action.by
                )
        return alert


def _read_later(actions: Sequence[tuple[float, AlertAction]]) -> list[tuple[float, AlertAction]]:
    """What is read of actions, in the order in which it was last said.

    Of an alert each kind of action is read where it was said last, and every other stretch of time
    for which it was snoozed, from when it was said first.
    """
    kept: dict[tuple[object, ...], tuple[float, AlertAction]] = {}
    for after, action in actions:
        if action.action is AlertActionKind.VERDICT:
            continue
        is_snooze = action.action is AlertActionKind.SNOOZE
        stretch = (action.at, action.until) if is_snooze else ()
        key = (action.alert_id, action.action, *stretch)
        first, _ = kept.pop(key, (after, action))
        bare = msgspec.structs.replace(action, record_id=None, reason=None, verdict=None)
        kept[key] = first, bare
    return list(kept.values())[-HEARD_KEPT:]
