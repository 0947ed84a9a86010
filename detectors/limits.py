"""Limits that a site sets: on any value of any row, and on answers to self-reports.

They ring on the first row, with no persistence, budget or warm-up, and nothing but a snooze of the
very same rule holds them back.
"""

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterable

from detectors import wording
from detectors.config import CheckInLimit, DetectionConfig, LimitRule
from detectors.episodes import (
    POLICY_VERSION,
    Finding,
    PolicyState,
    RowContext,
    Said,
    alert_id,
    alert_of,
    episode_of,
)
from detectors.features import spec_of
from streams.events import (
    Alert,
    AlertKind,
    Direction,
    FeatureRow,
    MoodCheckIn,
    Reason,
    Severity,
    Subject,
)

SAME_EPISODE_S = 6.0 * 3_600.0
"""A limit passed again within this time (s) of the last row that passed it rings no second time."""

_TRAILING_NUMBER = re.compile(r"(\d+)\D*$")

NOT_WATCHED = "not_watched"
"""Rule of the OPERATIONAL alert on a subject whom the software failed on."""


def limit_key(rule: LimitRule) -> str:
    """Key of the episode of a limit, which rows of its kind of window alone change."""
    return f"limit|{rule.name}"


def judge_limits(
    config: DetectionConfig, state: PolicyState, row: FeatureRow, context: RowContext
) -> list[Alert]:
    """Alerts of the limits that a row passed anew; ``state`` remembers since when."""
    alerts = []
    for rule in config.limits:
        value = row.values.get(rule.feature) if rule.window is row.window else None
        if value is None or not _passes(rule, value):
            continue
        key = limit_key(rule)
        episode = state.episodes.get(key)
        if episode is not None and row.start - episode.last_end <= SAME_EPISODE_S:
            episode.last_end = max(episode.last_end, row.end)
            continue
        if rule.name in context.snoozed_rules:
            continue
        finding = _finding(rule, row, value)
        state.episodes[key] = episode = episode_of(row, finding)
        alerts.append(alert_of(row, episode, finding, context))
    return alerts


def judge_check_in(
    rules: Iterable[CheckInLimit], record: MoodCheckIn, subject: Subject, clock: float
) -> list[Alert]:
    """Alerts of a self-report, at once: in no window, and however late it came (clock in s UTC).

    Instruments compare without case and punctuation, items by their number, so that a gateway's
    spelling (``PHQ9``, ``phq9_9``) cannot silence a limit.
    """
    alerts = []
    for rule in rules:
        if _slug(rule.instrument) != _slug(record.instrument):
            continue
        value = _answer(rule, record)
        if value is not None and value >= rule.at_least:
            alerts.append(_check_in_alert(rule, record, value=value, subject=subject, clock=clock))
    return alerts


def _passes(rule: LimitRule, value: float) -> bool:
    return (rule.above is not None and value > rule.above) or (
        rule.below is not None and value < rule.below
    )


def _finding(rule: LimitRule, row: FeatureRow, value: float) -> Finding:
    is_above = rule.above is not None and value > rule.above
    bound = rule.above if is_above else rule.below
    spec = spec_of(row.window, rule.feature)
    reason = Reason(
        feature=rule.feature,
        direction=Direction.UP if is_above else Direction.DOWN,
        value=value,
        unit="" if spec is None else spec.unit,
        coverage=None if spec is None or spec.channel is None else row.coverage.get(spec.channel),
    )
    return Finding(
        kind=AlertKind.LIMIT,
        rule=rule.name,
        severity=rule.severity,
        score=value,
        threshold=value if bound is None else bound,
        features=(rule.feature,),
        say=lambda _: Said((reason,), wording.limit(rule, value)),
    )


def _answer(rule: CheckInLimit, record: MoodCheckIn) -> float | None:
    if rule.item is None:
        return record.score
    wanted = _item(rule.item)
    answers = [float(value) for item, value in record.items.items() if _item(item) == wanted]
    return max(answers, default=None)


def _item(text: str) -> str:
    found = _TRAILING_NUMBER.search(text)
    return str(int(found.group(1))) if found else text.casefold()


def _slug(instrument: str) -> str:
    return re.sub(r"[^a-z0-9]", "", instrument.casefold())


def _check_in_alert(
    rule: CheckInLimit, record: MoodCheckIn, *, value: float, subject: Subject, clock: float
) -> Alert:
    feature = "score" if rule.item is None else f"item_{_item(rule.item)}"
    reason = Reason(
        feature=f"{_slug(rule.instrument)}_{feature}",
        direction=Direction.UP,
        value=value,
        unit="points",
    )
    return Alert(
        alert_id=alert_id(
            subject.user_id,
            AlertKind.LIMIT,
            rule=rule.name,
            window="check_in",
            anchor=repr(float(record.time)),
        ),
        user_id=subject.user_id,
        project_id=subject.project_id,
        care_team=subject.care_team,
        device_type=subject.device_type_at(record.time),
        kind=AlertKind.LIMIT,
        rule=rule.name,
        severity=rule.severity,
        opened_at=record.time,
        detected_at=clock,
        settled=True,
        start=record.time,
        end=record.time,
        local_date=_local_date(record.time, subject.time_zone),
        score=value,
        threshold=rule.at_least,
        reasons=[reason],
        summary=wording.check_in(rule, value),
        model_versions={"policy": POLICY_VERSION},
    )


def _local_date(time: float, zone: str) -> dt.date:
    try:
        zone_info: dt.tzinfo = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        zone_info = dt.UTC
    return dt.datetime.fromtimestamp(time, zone_info).date()


def not_watched(subject: Subject, clock: float, epoch: int) -> Alert:
    """Say that the software failed on this subject, so that nobody takes silence for calm."""
    return Alert(
        alert_id=alert_id(
            subject.user_id,
            AlertKind.OPERATIONAL,
            rule=NOT_WATCHED,
            window="partition",
            anchor=repr(clock),
        ),
        user_id=subject.user_id,
        project_id=subject.project_id,
        care_team=subject.care_team,
        device_type=subject.device_type_at(clock),
        kind=AlertKind.OPERATIONAL,
        rule=NOT_WATCHED,
        severity=Severity.URGENT,
        opened_at=clock,
        detected_at=clock,
        start=clock,
        end=clock,
        local_date=_local_date(clock, subject.time_zone),
        score=1.0,
        threshold=1.0,
        summary=wording.NOT_WATCHED,
        model_versions={"policy": POLICY_VERSION},
        epoch=epoch,
    )
