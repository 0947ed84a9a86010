"""What `wakeline doctor` makes of what it saw: one finding for each thing that can be wrong.

All functions here judge and ask nobody, so that each can be tried with any state of the world.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from connectors.inspection import BrokerView, GroupView, LogView, Place, TopicView
from connectors.kafka import ALL_TOPICS, KEPT_TOPICS, STATE_TOPIC
from connectors.outbox import MESSAGE_BYTES_MAX
from connectors.ticks import TICK_INTERVAL_S
from streams.decoding import decode
from streams.errors import WakelineError
from streams.events import INGEST_TOPICS, Subject, SubjectStatus
from streams.gate import envelope_of

HOUR_S = 3_600.0

RETENTION_MARGIN_S = 24 * HOUR_S
"""Events are kept at least this much longer than the lateness, for an outage of a day."""

TICK_AGE_MAX_S = 12 * TICK_INTERVAL_S
"""A log without a tick for so long (s) stands still."""

LAG_MESSAGES_MAX = 10_000
"""From so many messages in one partition on, a group lags."""

CONFIGURE = "kafka-configs.sh --alter --topic {topic} --add-config {setting}"


class Level(StrEnum):
    """How bad it is: ``fail`` means that results are wrong, late or missing."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """What was found about one thing, and what to do if it is not well."""

    level: Level
    check: str
    detail: str
    advice: str = ""


class Wanted(Struct, frozen=True, kw_only=True):
    """What the settings want of a broker."""

    partitions: int
    replication: int
    lateness_s: float
    compaction_lag_s: float
    session_timeout_s: float
    writes_ticks: bool


def ok(check: str, detail: str) -> Finding:
    """Something that is as it should be."""
    return Finding(Level.OK, check, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    """Something that can become a problem."""
    return Finding(Level.WARN, check, detail, advice)


def failure(check: str, detail: str, advice: str) -> Finding:
    """Something because of which results are wrong, late or missing."""
    return Finding(Level.FAIL, check, detail, advice)


def fault(check: str, error: WakelineError) -> Finding:
    """An error that says by itself what to do."""
    return Finding(Level.FAIL, check, " ".join(str(error).split()))


def of_topics(broker: BrokerView, wanted: Wanted) -> Iterator[Finding]:
    """Judge whether all topics are there, set as workers need them, and safe."""
    topics = broker.topics
    missing = [name for name in ALL_TOPICS if name not in topics]
    if missing:
        yield failure(
            "topics",
            f"missing: {', '.join(missing)}",
            f"`wakeline topics --partitions {wanted.partitions}` creates them",
        )
    elif topics:
        yield ok("topics", f"all {len(topics)} are there")
    if topics:
        yield _of_partitions(topics, wanted)
        yield _of_copies(broker, wanted)
        yield from _of_settings(topics, wanted)


def _of_partitions(topics: Mapping[str, TopicView], wanted: Wanted) -> Finding:
    other = {name: t.partitions for name, t in topics.items() if t.partitions != wanted.partitions}
    if not other:
        return ok("partitions", f"{wanted.partitions} each")
    counts = Counter(other.values())
    if len(other) == len(topics) and len(counts) == 1:
        found = next(iter(counts))
        return failure(
            "partitions",
            f"every topic has {found}, and {wanted.partitions} are configured",
            f"set WAKELINE_PARTITIONS to {found}",
        )
    return failure(
        "partitions",
        f"{_listed(other)}, and {wanted.partitions} are configured",
        "all topics need the same number for ever: record, delete and create them, and publish",
    )


def _of_copies(broker: BrokerView, wanted: Wanted) -> Finding:
    topics = broker.topics
    leaderless = [name for name, topic in topics.items() if topic.leaderless]
    if leaderless:
        return failure(
            "copies", f"no node leads partitions of {_some(leaderless)}", "start the broker's nodes"
        )
    behind = [name for name, topic in topics.items() if topic.in_sync < topic.replicas]
    if behind:
        return warning("copies", f"not in step: {_some(behind)}", "see to the broker's nodes")
    fewest = min(topic.replicas for topic in topics.values())
    if fewest < max(wanted.replication, min(broker.nodes, 2)):
        few = [name for name, topic in topics.items() if topic.replicas == fewest]
        return warning(
            "copies",
            f"{fewest} of {_some(few)}, with {broker.nodes} nodes and {wanted.replication} wanted",
            "kafka-reassign-partitions.sh adds copies; a lost disk loses what has one only",
        )
    lax = [
        name
        for name, topic in topics.items()
        if topic.replicas > 1 and topic.settings.get("min.insync.replicas") == "1"
    ]
    if lax:
        advice = _configure(lax, "min.insync.replicas=2")
        return warning("copies", f"one is enough for an answer on {_some(lax)}", advice)
    return ok("copies", f"{fewest} of each topic, all in step")


def _of_settings(topics: Mapping[str, TopicView], wanted: Wanted) -> Iterator[Finding]:
    logs = {name: topic.settings for name, topic in topics.items() if name != STATE_TOPIC}
    compacted = [n for n, found in logs.items() if found.get("cleanup.policy") not in _DELETE]
    if compacted:
        yield failure(
            "cleanup",
            f"{_some(compacted)} lose older events of the same person by compaction",
            _configure(compacted, "cleanup.policy=delete"),
        )
    else:
        yield ok("cleanup", "no event is compacted away")
    yield _of_kept({name: found for name, found in logs.items() if name in KEPT_TOPICS})
    passing = [name for name in INGEST_TOPICS if name in logs and name not in KEPT_TOPICS]
    yield _of_retention({name: logs[name] for name in passing}, wanted.lateness_s)
    small = [
        name
        for name, topic in topics.items()
        if _number(topic.settings, "max.message.bytes", MESSAGE_BYTES_MAX) < MESSAGE_BYTES_MAX
    ]
    if small:
        advice = _configure(small, f"max.message.bytes={MESSAGE_BYTES_MAX}")
        yield failure("message size", f"{_some(small)} take too small messages only", advice)
    else:
        yield ok("message size", f"at least {MESSAGE_BYTES_MAX} bytes")
    if STATE_TOPIC in topics:
        yield _of_state(topics[STATE_TOPIC].settings, wanted.compaction_lag_s)


_DELETE = {"delete", None}


def _of_kept(logs: Mapping[str, Mapping[str, str]]) -> Finding:
    """What staff and registries say is needed whole for a rebuild."""
    passing = [
        name
        for name, found in logs.items()
        if _number(found, "retention.ms", 0) != -1 or _number(found, "retention.bytes", -1) != -1
    ]
    if passing:
        advice = _configure(passing, "retention.ms=-1,retention.bytes=-1")
        return failure("history", f"{_some(passing)} do not keep theirs for ever", advice)
    return ok("history", f"kept for ever: {', '.join(sorted(logs))}")


def _of_retention(logs: Mapping[str, Mapping[str, str]], lateness_s: float) -> Finding:
    needed_s = lateness_s + RETENTION_MARGIN_S
    kept_s = {name: _number(found, "retention.ms", -1) / 1_000.0 for name, found in logs.items()}
    short = [name for name, seconds in kept_s.items() if 0 <= seconds < needed_s]
    if short:
        return failure(
            "retention",
            f"{_some(short)} keep events for less than lateness and a day ({_hours(needed_s)})",
            _configure(short, f"retention.ms={int(needed_s * 1_000)}") + ", or -1",
        )
    by_size = [name for name, found in logs.items() if _number(found, "retention.bytes", -1) >= 0]
    if by_size:
        advice = _configure(by_size, "retention.bytes=-1")
        return warning("retention", f"{_some(by_size)} drop events by size", advice)
    limits = [seconds for seconds in kept_s.values() if seconds >= 0]
    if limits:
        return ok("retention", f"events are kept {_hours(min(limits))}: a rebuild sees no further")
    return ok("retention", "events are kept for ever")


def _of_state(settings: Mapping[str, str], lag_s: float) -> Finding:
    lag_ms = int(lag_s * 1_000)
    set_all = f"cleanup.policy=compact,min.compaction.lag.ms={lag_ms}"
    advice = _configure([STATE_TOPIC], f"{set_all},max.compaction.lag.ms={2 * lag_ms}")
    policy = settings.get("cleanup.policy", "delete")
    if policy != "compact":
        return failure("state", f"cleanup.policy is {policy}: state gets lost, or grows", advice)
    found_ms = _number(settings, "min.compaction.lag.ms", 0)
    if found_ms < lag_ms:
        detail = f"min.compaction.lag.ms is {found_ms}, and workers count on {lag_ms}"
        return failure("state", detail, f"{advice}, or set WAKELINE_COMPACTION_LAG_S")
    if found_ms > lag_ms:
        detail = f"compacted after {found_ms / 1_000:g} s; workers count on {lag_s:g} s"
        return warning("state", detail, f"set WAKELINE_COMPACTION_LAG_S to {found_ms / 1_000:g}")
    return ok("state", f"compacted after {lag_s:g} s")


def of_session(settings: Mapping[str, str], timeout_s: float) -> Finding:
    """Judge whether the broker takes the workers' session timeout; else they get no partitions."""
    if "group.min.session.timeout.ms" not in settings:
        return ok("session", f"workers ask for {timeout_s:g} s; this broker tells no bounds")
    low_s = _number(settings, "group.min.session.timeout.ms", 0) / 1_000.0
    high_s = _number(settings, "group.max.session.timeout.ms", 10**12) / 1_000.0
    if low_s <= timeout_s <= high_s:
        return ok("session", f"workers' {timeout_s:g} s are accepted")
    return failure(
        "session",
        f"the broker takes sessions of {low_s:g} to {high_s:g} s, and workers ask for "
        f"{timeout_s:g} s: they wait for partitions for ever",
        "set WAKELINE_SESSION_TIMEOUT_S within that",
    )


def of_ticks(logs: Mapping[Place, LogView], now_s: float, wanted: Wanted) -> Finding:
    """Judge whether workers write their clock into every log of every partition."""
    if not wanted.writes_ticks:
        return ok("ticks", "workers write none here (WAKELINE_TICKS)")
    ages = {place: now_s - log.last_tick_s for place, log in logs.items() if log.last_tick_s}
    start = "start `wakeline worker`, or see its log and its /ready"
    if not ages:
        return warning("ticks", "none in any log yet: no worker has run", start)
    unseen = [_place(place) for place in logs if place not in ages]
    if unseen:
        return warning(
            "ticks", f"none among the last messages of {_some(unseen)}", "publish more slowly"
        )
    (topic, number), oldest_s = max(ages.items(), key=lambda item: item[1])
    if oldest_s > TICK_AGE_MAX_S:
        detail = (
            f"the last in {_place((topic, number))} is {_span(oldest_s)} old: time stands still"
        )
        return failure("ticks", detail, start)
    if min(ages.values()) < -TICK_INTERVAL_S:
        detail = f"up to {_span(-min(ages.values()))} ahead of this machine's clock"
        return warning("ticks", detail, "set the clocks of the machines by NTP")
    return ok("ticks", f"at most {_span(max(oldest_s, 0.0))} old in {len(ages)} logs")


def of_group(name: str, group: GroupView, logs: Mapping[Place, LogView]) -> Finding:
    """Judge whether anybody reads, and how far the slowest partition is behind."""
    check = f"group {name}"
    lags: Counter[int] = Counter()
    for (topic, number), log in logs.items():
        lags[number] += log.end_offset - group.committed.get((topic, number), log.first_offset)
    number, lag = max(lags.items(), key=lambda item: item[1], default=(0, 0))
    behind = f"partition {number} has {lag} messages that are not committed"
    if not group.members:
        if not group.committed:
            return warning(check, "nobody is in it yet", "start `wakeline worker`")
        return failure(check, f"no worker is in it; {behind}", "start `wakeline worker`")
    if lag > LAG_MESSAGES_MAX:
        advice = "see /metrics of the workers; more of them help, up to one a partition"
        return warning(check, behind, advice)
    return ok(check, f"workers: {group.members}; {behind}")


class Census:
    """Counts who is in the registry; ids are forgotten with it."""

    def __init__(self) -> None:
        self._subjects: dict[str, Subject] = {}
        self.unreadable = 0

    def take(self, value: bytes) -> None:
        """Take a message of the topic of subjects."""
        envelope = envelope_of(decode(value))
        if envelope is None:
            self.unreadable += 1
            return
        for subject in envelope.records:
            self._subjects[subject.user_id] = subject

    @property
    def enrolled(self) -> Sequence[Subject]:
        """Those enrolled now, paused ones included."""
        withdrawn = SubjectStatus.WITHDRAWN
        return [one for one in self._subjects.values() if one.status is not withdrawn]

    @property
    def sites(self) -> Collection[str]:
        """Projects of those enrolled."""
        return {subject.project_id for subject in self.enrolled}


def of_registry(census: Census, now_s: float, *, is_whole: bool) -> Iterator[Finding]:
    """Judge whether anybody is enrolled, with a consent that is in force."""
    enrolled = census.enrolled
    seen = "" if is_whole else " so far (the log is long, and was not read to its end)"
    if census.unreadable:
        detail = f"{census.unreadable} messages on subjects cannot be read"
        yield warning("registry", detail, "the dead-letter topic says why")
    if not enrolled:
        advice = "publish a message on `subjects` for each (docs/EVENTS.md)"
        yield warning("registry", f"nobody is enrolled{seen}: all data are refused", advice)
        return
    sites = f"{len(enrolled)} enrolled{seen}, in {len(census.sites)} project(s)"
    silent = [one for one in enrolled if not _consents(one, now_s)]
    if silent:
        advice = "their message on `subjects` names types, purposes and times (docs/EVENTS.md)"
        detail = f"{sites}; {len(silent)} without a consent in force, whose data are refused"
        yield warning("registry", detail, advice)
    else:
        yield ok("registry", f"{sites}, all with a consent in force")


def _consents(subject: Subject, now_s: float) -> bool:
    return any(
        terms.from_ <= now_s and (terms.until is None or now_s < terms.until)
        for terms in subject.consent.values()
    )


def _number(settings: Mapping[str, str], name: str, otherwise: int) -> int:
    """A setting, or what holds where the broker does not tell it."""
    return int(settings.get(name, otherwise))


def _configure(topics: Sequence[str], setting: str) -> str:
    topic = topics[0] if len(topics) == 1 else "TOPIC"
    return CONFIGURE.format(topic=topic, setting=setting)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} has {count}" for name, count in sorted(counts.items()))


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _place(place: Place) -> str:
    return f"{place[0]}[{place[1]}]"


def _hours(seconds: float) -> str:
    return f"{seconds / HOUR_S:g} h"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * HOUR_S else f"{seconds / HOUR_S:.0f} h"
