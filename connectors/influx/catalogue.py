"""What each measurement in InfluxDB holds, as tables to read; a test holds it to `lines`."""

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

KEEP_DAYS = {"minutes": 90, "features": 730, "alerts": 0, "pipeline": 90}
"""How long new buckets keep their points (days); 0: for ever."""

BEGIN_TABLES = "<!-- generated results: make contract -->"
END_TABLES = "<!-- end of generated results -->"

FLOAT, INTEGER, TEXT, BOOLEAN = "float", "integer", "string", "boolean"
"""Types of fields, by InfluxQL's names."""


class Field(NamedTuple):
    """Type and meaning of a field."""

    type: str
    meaning: str


class Measurement(NamedTuple):
    """Part of the buckets that hold it, what its time is, tags and fixed fields."""

    part: str
    about: str
    time: str
    tags: tuple[str, ...]
    fields: Mapping[str, Field]
    values: str | None = None
    """What the further fields are, which are not named here; all are floats."""


TAGS = {
    "subject": "the pseudonym (userId)",
    "site": "the project or site (projectId)",
    "team": "the care team",
    "device_type": "model of the subject's first device; `unknown` where none is known",
    "window": "`hour`, `night` or `day`; left out where there is none",
    "detector": "name of the detector",
    "feature": "the feature it is about; left out where it is about the whole row",
    "kind": "`CLINICAL`, `LIMIT`, `DATA` or `OPERATIONAL`",
    "rule": "name of the rule",
    "name": "`clock`, `lag` or `sink`",
    "partition": "number of the partition",
}

_VERSION = {
    "settled": Field(BOOLEAN, "final: nothing later changes it but a new version of Wakeline"),
    "revision": Field(INTEGER, "which word on it this is; the last one counts"),
    "epoch": Field(INTEGER, "which owner of the partition said so"),
}
_SPAN = {
    "start": Field(FLOAT, "start of the window (s UTC)"),
    "end": Field(FLOAT, "its end (s UTC)"),
    "local_date": Field(TEXT, "the subject's date (YYYY-MM-DD)"),
}
_ROW = Measurement(
    "features",
    "features of an hour",
    "start of the hour",
    ("subject", "site", "team", "device_type"),
    {
        "status": Field(TEXT, "`ENROLLED`, `PAUSED` or `WITHDRAWN`"),
        **_SPAN,
        "utc_offset": Field(INTEGER, "offset in force at the end (s east of UTC)"),
        **_VERSION,
    },
    "features, named with their unit last, and `coverage_<channel>` (share from 0 to 1); "
    "what cannot be told is absent, never 0",
)
_FEED = {
    "alert_id": Field(TEXT, "id of the alert"),
    "severity": Field(TEXT, "`WATCH` or `URGENT`"),
    "urgent": Field(INTEGER, "1 for `URGENT`, else 0"),
    "status": Field(TEXT, "`OPEN`, `ACKNOWLEDGED`, `SNOOZED`, `RESOLVED` or `WITHDRAWN`"),
    "open": Field(INTEGER, "1 for the first three of these, else 0"),
    "summary": Field(TEXT, "one plain sentence"),
    "owner": Field(TEXT, "who took it on"),
    "opened_at": Field(FLOAT, "when what it tells of was complete (s UTC, event time)"),
}
_ALERT_TAGS = ("subject", "site", "team", "device_type", "kind", "rule", "window")

MEASUREMENTS: dict[str, Measurement] = {
    "minute": Measurement(
        "minutes",
        "features of a minute",
        "start of the minute",
        ("subject", "site", "team", "device_type"),
        _VERSION,
        "features, named with their unit last",
    ),
    "hour": _ROW,
    "night": _ROW._replace(
        about="features of a night", time="00:00 UTC of its morning's local date"
    ),
    "day": _ROW._replace(about="features of a day", time="00:00 UTC of the local date"),
    "anomaly": Measurement(
        "features",
        "the score of one detector for a row, or for one feature of it",
        "that of the row",
        ("subject", "site", "team", "window", "detector", "feature"),
        {
            "score": Field(FLOAT, "how unusual, from 0 to 1"),
            "threshold": Field(FLOAT, "from where on it counts, from 0 to 1"),
            "state": Field(TEXT, "`LEARNING`, `NORMAL` or `ANOMALOUS`"),
            "anomalous": Field(INTEGER, "1 for `ANOMALOUS`, else 0"),
            "value": Field(FLOAT, "the feature's value (in its unit)"),
            "usual_low": Field(FLOAT, "lower end of what is usual for this person (same unit)"),
            "usual_median": Field(FLOAT, "middle of what is usual (same unit)"),
            "usual_high": Field(FLOAT, "upper end of what is usual (same unit)"),
            **_SPAN,
            "version": Field(TEXT, "version of the detector"),
            **_VERSION,
        },
    ),
    "data_quality": Measurement(
        "features",
        "figures about the data of a subject",
        "the in-band clock at which they held",
        ("subject", "site"),
        {"epoch": _VERSION["epoch"]},
        "cumulative counts, such as `late_count` and `overlap_count`",
    ),
    "alert": Measurement(
        "alerts",
        "alerts, in the form that was said last",
        "that of the row in which it began; without a window, what it is about",
        _ALERT_TAGS,
        {
            **_FEED,
            "reasons": Field(TEXT, "evidence as JSON: a list of features with what is usual"),
            "missing": Field(TEXT, "what was not available, with `; ` between"),
            "status_at": Field(FLOAT, "since when the status holds (s UTC)"),
            "status_by": Field(TEXT, "who set it"),
            "due_at": Field(FLOAT, "by when somebody should have looked (s UTC)"),
            "escalation_level": Field(INTEGER, "how often it was passed on"),
            "continues": Field(TEXT, "id of the alert that it carries on"),
            "detected_at": Field(FLOAT, "when it was found (s UTC, in-band clock)"),
            **_SPAN,
            "score": Field(FLOAT, "how unusual, from 0 to 1, or the value that passed a limit"),
            "threshold": Field(FLOAT, "from where on it counts"),
            "model_versions": Field(TEXT, "versions of detectors and policy, as JSON"),
            "confirmed": Field(BOOLEAN, "a settled version rang: `wakeline export` has it"),
            **_VERSION,
        },
    ),
    "alert_feed": Measurement(
        "alerts",
        "one point for each alert, by when it was found, so that late uploads ring too",
        "`detected_at`, its nanoseconds told by the id; it moves when the alert rings anew",
        _ALERT_TAGS,
        _FEED,
    ),
    "pipeline": Measurement(
        "pipeline",
        "figures about the pipeline",
        "when they held",
        ("name", "partition"),
        {"epoch": _VERSION["epoch"]},
        "`clock`: cumulative counts, such as `record_count` and `late_count`; `lag` and `sink`: "
        "`lag_messages`, `clock_age_s`, `retry_count`",
    ),
}


def result_tables() -> str:
    """Markdown: the buckets, the tags, and each measurement with its fields."""
    parts = [_bucket_table(), _tag_table()]
    for _, alike in groupby(MEASUREMENTS, key=lambda name: MEASUREMENTS[name][3:]):
        parts.append(_section([*alike]))
    return "\n".join(parts)


def _bucket_table() -> str:
    rows = []
    for part, days in KEEP_DAYS.items():
        bucket = "wakeline-pipeline" if part == "pipeline" else f"wakeline-SITE-{part}"
        held = ", ".join(f"`{n}`" for n, m in MEASUREMENTS.items() if m.part == part)
        rows.append(f"| `{bucket}` | {held} | {f'{days} days' if days else 'for ever'} |")
    return _table("| bucket | measurements | kept |", rows)


def _tag_table() -> str:
    return _table(
        "| tag | meaning |", [f"| `{tag}` | {meaning} |" for tag, meaning in TAGS.items()]
    )


def _section(names: list[str]) -> str:
    first = MEASUREMENTS[names[0]]
    title = "### " + ", ".join(f"`{name}`" for name in names)
    about = [f"* `{n}`: {m.about}. Time: {m.time}." for n in names for m in (MEASUREMENTS[n],)]
    tags = "Tags: " + ", ".join(f"`{tag}`" for tag in first.tags) + "."
    rows = [f"| `{name}` | {f.type} | {f.meaning} |" for name, f in first.fields.items()]
    if first.values is not None:
        rows.insert(0, f"| *values* | float | {first.values} |")
    return "\n".join([title, "", *about, "", tags, "", _table("| field | type | meaning |", rows)])


def _table(head: str, rows: list[str]) -> str:
    line = "|" + "---|" * (head.count("|") - 1)
    return "\n".join([head, line, *rows, ""])
