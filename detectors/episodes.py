"""Episodes: what of a subject's past an alert depends on, in explicit numbers.

An episode begins with a row that rings and goes on while rows support it; it keeps one alert id.
"""

import copy
import datetime as dt
import uuid
from collections.abc import Callable, Container, Sequence

import msgspec
from msgspec import Struct

from detectors import wording
from detectors.base import State
from streams.events import (
    Alert,
    AlertKind,
    FeatureRow,
    Reason,
    Severity,
    WindowKind,
)

NAMESPACE = uuid.UUID("6f1c2d0e-52f5-5b0c-9a55-2f1b7b5f3a10")
"""Namespace of alert ids."""

OURSELVES = "wakeline"
"""``status_by`` of an alert whose status no member of staff set."""

POLICY_VERSION = "3"
"""Changes whenever the same scores would give other alerts."""


class RowContext(Struct, frozen=True, kw_only=True):
    """What is known beside a row when it is judged.

    ``detected_at`` is the in-band clock (s UTC). ``muted``: staff asked to hold WATCH back for
    this window. ``snoozed_rules``: rules that staff snoozed. ``relearned``: staff or a device
    change ever had the usual learned anew; it is said while that is young.
    """

    detected_at: float
    muted: bool = False
    snoozed_rules: frozenset[str] = frozenset()
    relearned: bool = False


class Episode(Struct, kw_only=True):
    """A stretch of rows that one alert speaks of; times in s UTC.

    ``window``, ``start``, ``end`` and ``local_date`` are the first row's. ``last_end`` is the end
    of the last row that supported it, ``rows`` their number, ``quiet`` the valid rows since then.
    ``opened`` and ``graver``: packed, what opened it and what made it urgent, while it is open.
    """

    alert_id: str
    window: WindowKind
    start: float
    end: float
    local_date: dt.date
    last_end: float
    severity: Severity
    score: float
    features: list[str] = []
    rows: int = 1
    quiet: int = 0
    is_open: bool = True
    opened: bytes = b""
    graver: bytes = b""

    def close(self) -> None:
        """It is over: nothing more is told of it."""
        self.is_open = False
        self.opened = self.graver = b""


class Judged(Struct):
    """One of the last valid hours of a feature: its end (s UTC), and the side it was unusual to."""

    end: float
    side: int


class PolicyState(Struct, kw_only=True):
    """What the policy remembers of one subject.

    ``recent``: by feature the last valid hours. ``episodes``: the last one of each rule.
    ``offset``: by how much the person's threshold of a shift is off the cohort's (standard
    deviations).
    ``silence_until``: end (s UTC) of the last row whose silence was judged. ``sync_gap_usual_h``:
    as the last day told it. ``worn_days``: bits of the last days, 1 where the wearable was worn;
    ``unworn_h``: hours on end that it was not.
    """

    recent: dict[str, list[Judged]] = {}
    episodes: dict[str, Episode] = {}
    offset: float = 0.0
    silence_until: float = 0.0
    sync_gap_usual_h: float | None = None
    worn_days: int = 0
    unworn_h: float = 0.0

    def copy(self) -> "PolicyState":
        """A copy to look ahead with; rows taken by one are unknown to the other."""
        twin = copy.copy(self)
        twin.recent = {key: list(judged) for key, judged in self.recent.items()}
        twin.episodes = {key: copy.copy(episode) for key, episode in self.episodes.items()}
        return twin

    def of_dates(self, keys: Container[str]) -> "PolicyState":
        """What it knows of nights and days; ``keys``: of the episodes that only they change."""
        found = PolicyState()
        found.take_dates_of(self, keys)
        return found

    def take_dates_of(self, other: "PolicyState", keys: Container[str]) -> None:
        """Know of nights and days what ``other`` knows, and of hours what this one does.

        ``keys``: of the episodes that only nights and days change.
        """
        kept = {key: one for key, one in self.episodes.items() if key not in keys}
        taken = {key: copy.copy(one) for key, one in other.episodes.items() if key in keys}
        self.episodes = kept | taken
        self.offset = other.offset
        self.sync_gap_usual_h = other.sync_gap_usual_h
        self.worn_days, self.unworn_h = other.worn_days, other.unworn_h

    def take_told_of(self, other: "PolicyState") -> None:
        """Know what ``other`` said last of the episodes that are open in both."""
        for key, episode in other.episodes.items():
            own = self.episodes.get(key)
            if own is not None and own.is_open and own.alert_id == episode.alert_id:
                own.opened = episode.opened or own.opened
                own.graver = episode.graver or own.graver

    def to_state(self) -> State:
        """Explicit numbers and texts, fit for JSON and msgpack."""
        state: State = msgspec.to_builtins(self)
        return state

    @classmethod
    def from_state(cls, state: State) -> "PolicyState":
        """The state that gave ``state``.

        Raises
        ------
        ValueError
            When it is no policy state: with what is wrong, and where.
        """
        return msgspec.convert(state, cls)


class Said(Struct, frozen=True):
    """What an alert says: its reasons, and a sentence."""

    reasons: Sequence[Reason]
    summary: str


class _Told(Struct, frozen=True):
    """What was said on a date, as it is kept."""

    date: dt.date
    said: Said


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Told).decode


class Finding(Struct, frozen=True, kw_only=True):
    """What a rule found in a row: ``features`` that speak for it, and what it says if it is told.

    ``say`` is given those features that are to be told; it is asked with the row, and only when an
    alert is told.
    """

    kind: AlertKind
    rule: str
    severity: Severity
    score: float
    threshold: float
    features: Sequence[str]
    say: Callable[[Sequence[str]], Said]
    missing: Sequence[str] = ()
    model_versions: dict[str, str] = {}


def alert_id(user_id: str, kind: AlertKind, *, rule: str, window: str, anchor: str) -> str:
    """The same for the same subject, kind, rule and window, in every run."""
    return str(uuid.uuid5(NAMESPACE, f"{user_id}|{kind.value}|{rule}|{window}|{anchor}"))


def episode_of(row: FeatureRow, finding: Finding) -> Episode:
    """An episode that begins with this row."""
    is_dated = row.window in {WindowKind.NIGHT, WindowKind.DAY}
    anchor = row.local_date.isoformat() if is_dated else repr(float(row.start))
    return Episode(
        alert_id=alert_id(
            row.user_id, finding.kind, rule=finding.rule, window=row.window.value, anchor=anchor
        ),
        window=row.window,
        start=row.start,
        end=row.end,
        local_date=row.local_date,
        last_end=row.end,
        severity=finding.severity,
        score=finding.score,
        features=list(finding.features),
    )


def opened(row: FeatureRow, episode: Episode, finding: Finding, context: RowContext) -> Alert:
    """What an episode says that this row opens, and that stays told while it is carried on."""
    said = finding.say(finding.features)
    episode.opened = _pack(_Told(row.local_date, said))
    return _alert(row, episode, finding, context, said=said)


def alert_of(row: FeatureRow, episode: Episode, finding: Finding, context: RowContext) -> Alert:
    """What an episode says with this row, under the window in which it began."""
    return _alert(row, episode, finding, context, said=finding.say(finding.features))


def _alert(
    row: FeatureRow, episode: Episode, finding: Finding, context: RowContext, *, said: Said
) -> Alert:
    return Alert(
        alert_id=episode.alert_id,
        user_id=row.user_id,
        project_id=row.project_id,
        care_team=row.care_team,
        device_type=row.device_type,
        kind=finding.kind,
        rule=finding.rule,
        severity=episode.severity,
        opened_at=episode.end,
        detected_at=context.detected_at,
        settled=row.settled,
        window=episode.window,
        start=episode.start,
        end=episode.end,
        local_date=episode.local_date,
        score=episode.score,
        threshold=finding.threshold,
        reasons=list(said.reasons),
        summary=said.summary,
        missing=list(finding.missing),
        model_versions={**finding.model_versions, "policy": POLICY_VERSION},
        revision=row.revision,
        epoch=row.epoch,
    )


def quieten(episode: Episode | None, rows: int) -> None:
    """Count a valid row without findings; ``rows`` of them in a row end the episode."""
    if episode is not None and episode.is_open:
        episode.quiet += 1
        if episode.quiet >= rows:
            episode.close()


def carry_on(
    episode: Episode, row: FeatureRow, finding: Finding, context: RowContext
) -> list[Alert]:
    """Extend an open episode; it is told again when it got graver or a lasting change joined.

    What opened it and what made it urgent stay told, before what is new.
    """
    news = [feature for feature in finding.features if feature not in episode.features]
    is_graver = episode.severity is Severity.WATCH and finding.severity is Severity.URGENT
    episode.last_end = row.end
    episode.rows += 1
    episode.quiet = 0
    episode.score = max(episode.score, finding.score)
    # A new list: the old one belongs to the settled view, too, where this looks ahead.
    episode.features = [*episode.features, *news]
    if is_graver:
        episode.severity = Severity.URGENT
    if not (is_graver or news):
        return []
    newest = _Told(row.local_date, finding.say(finding.features if is_graver else news))
    said = _all_said(episode, newest, is_graver=is_graver)
    if is_graver:
        episode.graver = _pack(newest)
    return [_alert(row, episode, finding, context, said=said)]


def _all_said(episode: Episode, newest: _Told, *, is_graver: bool) -> Said:
    """What opened an episode, what made it urgent, and the newest; each feature once."""
    if not episode.opened:  # of before that was kept
        return newest.said
    first = _unpack(episode.opened).said
    graver = newest if is_graver else None
    if episode.graver:
        graver = _unpack(episode.graver)
    reasons = {(reason.window, reason.feature): reason for reason in first.reasons}
    parts = [first.summary]
    if graver is not None:
        reasons |= {(reason.window, reason.feature): reason for reason in graver.said.reasons}
        parts.append(wording.became_urgent(graver.date, graver.said.summary))
    if not is_graver:
        added = {(reason.window, reason.feature): reason for reason in newest.said.reasons}
        reasons |= {key: reason for key, reason in added.items() if key not in reasons}
        parts.append(wording.added(newest.date, newest.said.summary))
    return Said(list(reasons.values()), " ".join(parts))
