"""Goal: everything that can be wrong is found, with what to do; method: worlds made by hand."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from connectors.inspection import BrokerView, GroupView, LogView, TopicView
from connectors.kafka import ALL_TOPICS, topic_settings
from streams.cli.findings import (
    Census,
    Finding,
    Level,
    Wanted,
    of_group,
    of_registry,
    of_session,
    of_ticks,
    of_topics,
)
from streams.events import Subject, SubjectStatus, encode_envelope
from tests.logs import subject

WANTED = Wanted(
    partitions=4,
    replication=1,
    lateness_s=72 * 3_600.0,
    compaction_lag_s=3_600.0,
    session_timeout_s=10.0,
    writes_ticks=True,
)
# What Kafka tells of a topic beside what Wakeline sets.
DEFAULTS = {"retention.ms": "604800000", "retention.bytes": "-1", "min.insync.replicas": "1"}
NOW_S = 1_800_000_000.0


def broker(nodes: int = 1, *, of: str = "", **changes: Any) -> BrokerView:
    """A broker as `wakeline topics` leaves it, with changes to one topic (``of``) or all."""
    topics = {}
    for name in ALL_TOPICS:
        found = TopicView(
            partitions=4,
            replicas=1,
            in_sync=1,
            leaderless=0,
            settings=DEFAULTS | topic_settings(name),
        )
        if of in {"", name}:
            merged = found.settings | changes.get("settings", {})
            found = msgspec.structs.replace(found, **{**changes, "settings": merged})
        topics[name] = found
    return BrokerView(nodes=nodes, settings={}, topics=topics)


def without(*names: str) -> BrokerView:
    view = broker()
    left = {name: topic for name, topic in view.topics.items() if name not in names}
    return msgspec.structs.replace(view, topics=left)


def troubles(view: BrokerView, wanted: Wanted = WANTED) -> list[Finding]:
    return [finding for finding in of_topics(view, wanted) if finding.level is not Level.OK]


def test_topics_as_wakeline_creates_them_are_well() -> None:
    assert troubles(broker()) == []


@pytest.mark.parametrize(
    ("view", "check", "level", "advice"),
    [
        (without("sleep", "state"), "topics", Level.FAIL, "wakeline topics --partitions 4"),
        (broker(partitions=8), "partitions", Level.FAIL, "set WAKELINE_PARTITIONS to 8"),
        (broker(of="sleep", partitions=8), "partitions", Level.FAIL, "the same number for ever"),
        (broker(of="sleep", leaderless=1), "copies", Level.FAIL, "start the broker's nodes"),
        (broker(of="sleep", replicas=3, in_sync=2), "copies", Level.WARN, "see to the broker"),
        (broker(3), "copies", Level.WARN, "kafka-reassign-partitions.sh"),
        (
            broker(3, replicas=3, in_sync=3),
            "copies",
            Level.WARN,
            "--topic TOPIC --add-config min.insync.replicas=2",
        ),
        (
            broker(of="sleep", settings={"cleanup.policy": "compact"}),
            "cleanup",
            Level.FAIL,
            "--topic sleep --add-config cleanup.policy=delete",
        ),
        (
            broker(of="subjects", settings={"retention.ms": "604800000"}),
            "history",
            Level.FAIL,
            "--topic subjects --add-config retention.ms=-1",
        ),
        (
            broker(of="subjects", settings={"retention.bytes": "1000"}),
            "history",
            Level.FAIL,
            "retention.bytes=-1",
        ),
        (
            broker(of="sleep", settings={"retention.ms": "259200000"}),
            "retention",
            Level.FAIL,
            "--topic sleep --add-config retention.ms=345600000",
        ),
        (
            broker(of="sleep", settings={"retention.bytes": "1000"}),
            "retention",
            Level.WARN,
            "retention.bytes=-1",
        ),
        (
            broker(of="alerts", settings={"max.message.bytes": "1048588"}),
            "message size",
            Level.FAIL,
            "--topic alerts --add-config max.message.bytes=5242880",
        ),
        (
            broker(of="state", settings={"cleanup.policy": "compact,delete"}),
            "state",
            Level.FAIL,
            "--topic state --add-config cleanup.policy=compact,min.compaction.lag.ms=3600000",
        ),
        (
            broker(of="state", settings={"min.compaction.lag.ms": "60000"}),
            "state",
            Level.FAIL,
            "or set WAKELINE_COMPACTION_LAG_S",
        ),
        (
            broker(of="state", settings={"min.compaction.lag.ms": "7200000"}),
            "state",
            Level.WARN,
            "set WAKELINE_COMPACTION_LAG_S to 7200",
        ),
    ],
)
def test_topic_that_is_not_as_workers_need_it_is_found_with_what_to_do(
    view: BrokerView, check: str, level: Level, advice: str
) -> None:
    (found,) = troubles(view)
    assert (found.check, found.level) == (check, level)
    assert advice in found.advice


def test_replication_that_is_wanted_and_not_there_is_said() -> None:
    wanted = msgspec.structs.replace(WANTED, replication=3)
    (found,) = troubles(broker(), wanted)
    assert (found.check, found.level) == ("copies", Level.WARN)


@pytest.mark.parametrize(
    ("timeout_s", "level"), [(3.0, Level.FAIL), (6.0, Level.OK), (301.0, Level.FAIL)]
)
def test_session_that_the_broker_would_refuse_is_a_failure(timeout_s: float, level: Level) -> None:
    bounds = {"group.min.session.timeout.ms": "6000", "group.max.session.timeout.ms": "300000"}
    assert of_session(bounds, timeout_s).level is level
    assert of_session({}, timeout_s).level is Level.OK


def log(age_s: float | None, end_offset: int = 100) -> LogView:
    last = None if age_s is None else NOW_S - age_s
    return LogView(first_offset=0, end_offset=end_offset, last_tick_s=last)


@pytest.mark.parametrize(
    ("ages", "level", "detail"),
    [
        ([1.0, 5.0], Level.OK, "at most 5 s old in 2 logs"),
        ([1.0, 90.0], Level.FAIL, "the last in sleep[1] is 90 s old"),
        ([1.0, None], Level.WARN, "none among the last messages of sleep[1]"),
        ([None, None], Level.WARN, "no worker has run"),
        ([1.0, -60.0], Level.WARN, "ahead of this machine's clock"),
    ],
)
def test_time_that_stands_still_in_one_log_is_found(
    ages: list[float | None], level: Level, detail: str
) -> None:
    logs = {("sleep", number): log(age) for number, age in enumerate(ages)}
    found = of_ticks(logs, NOW_S, WANTED)
    assert found.level is level
    assert detail in found.detail


def test_ticks_are_not_missed_where_workers_write_none() -> None:
    wanted = msgspec.structs.replace(WANTED, writes_ticks=False)
    assert of_ticks({("sleep", 0): log(9e6)}, NOW_S, wanted).level is Level.OK


@pytest.mark.parametrize(
    ("members", "committed", "level"),
    [
        (1, {("sleep", 0): 90}, Level.OK),
        (1, {("sleep", 0): 0}, Level.WARN),
        (0, {("sleep", 0): 90}, Level.FAIL),
        (0, {}, Level.WARN),
    ],
)
def test_group_that_nobody_is_in_or_that_lags_is_found(
    members: int, committed: dict[tuple[str, int], int], level: Level
) -> None:
    logs = {("sleep", 0): log(1.0, end_offset=100 if committed.get(("sleep", 0)) else 20_000)}
    found = of_group("g", GroupView(members=members, committed=committed), logs)
    assert found.level is level


def census(*subjects: Subject) -> Census:
    counted = Census()
    for one in subjects:
        counted.take(
            encode_envelope(
                [one],
                "subject/1",
                project_id=one.project_id,
                user_id=one.user_id,
                source_id="registry",
                time_received=NOW_S,
            )
        )
    return counted


def levels(counted: Census) -> list[Level]:
    return [finding.level for finding in of_registry(counted, NOW_S, is_whole=True)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda one: one, [Level.OK]),
        (lambda one: msgspec.structs.replace(one, consent={}), [Level.WARN]),
        (
            lambda one: msgspec.structs.replace(one, status=SubjectStatus.WITHDRAWN),
            [Level.WARN],
        ),
    ],
)
def test_last_word_on_a_subject_counts(
    change: Callable[[Subject], Subject], expected: list[Level]
) -> None:
    assert levels(census(subject("u1", consent={}), change(subject("u1")))) == expected


def test_registry_that_cannot_be_read_or_is_empty_is_said_and_nobody_is_named() -> None:
    counted = census(subject("someone", consent={}))
    counted.take(b"{")
    found = list(of_registry(counted, NOW_S, is_whole=False))
    assert [finding.level for finding in found] == [Level.WARN, Level.WARN]
    assert "someone" not in str(found)
    assert "so far" in found[1].detail
    assert levels(Census()) == [Level.WARN]
