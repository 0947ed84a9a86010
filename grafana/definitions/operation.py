"""The dashboard of the pipeline itself: throughput, lag, what it refuses, what it waits for."""
# ruff: noqa: S608 - these queries are made of names of ours; nobody's input is in them

from grafana.definitions import names
from grafana.definitions.panels import (
    Json,
    dashboard,
    fields,
    lines,
    placed,
    rows_of,
    series,
    stat,
    steps,
    table,
    text,
)

EXPLANATION = (
    f"{names.NOT_AN_EMERGENCY_SERVICE}\n\n"
    "Figures of all sites' pipeline, by partition. While it lags or stands still, alerts come "
    "late: tell the care teams. Rates come from counts that start anew with a worker."
)

_WORKER = "$timeFilter AND \"name\" = 'lag'"
_RESULTS = "$timeFilter AND \"name\" = 'sink'"
_COUNTS = "$timeFilter AND \"name\" = 'clock'"
_BY_PARTITION = 'GROUP BY time($__interval), "partition" fill(none)'
_PARTITION = "partition $tag_partition"


def operation() -> Json:
    """The whole dashboard."""
    return dashboard(
        names.OPERATION,
        "Pipeline",
        placed(
            [
                ("", 4, [(24, text("What this page is, and is not", EXPLANATION))]),
                ("", 4, _counts()),
                ("Flow", 9, [(12, _throughput()), (12, _lag())]),
                ("Clocks", 9, [(12, _clock_age()), (12, _checkpoint_age())]),
                ("Refused", 9, [(8, _late()), (8, _unadmitted()), (8, _dead_letters())]),
                ("Results", 9, [(8, _results_lag()), (8, _sink_retries()), (8, _partitions())]),
            ]
        ),
        description=f"Whether the pipeline keeps up. {names.NOT_AN_EMERGENCY_SERVICE}",
        time={"from": "now-6h", "to": "now"},
    )


def _counts() -> list[tuple[int, Json]]:
    alive = f'SELECT last("clock_age_s") AS "n" FROM "pipeline" WHERE {_WORKER}'
    seen = stat(
        "Partitions seen",
        "Partitions of which a worker told anything in the time chosen.",
        table(names.PIPELINE, f'SELECT count("n") FROM ({alive} GROUP BY "partition")'),
        noValue="0",
        thresholds=steps((None, "red"), (1, "green")),
    )
    lag = _largest(
        "Largest lag",
        "Messages that the slowest partition has still to read.",
        "lag_messages",
        thresholds=steps((None, "green"), (1_000, "orange"), (10_000, "red")),
    )
    minutes = steps((None, "green"), (300, "orange"), (1_800, "red"))
    clock = _largest(
        "Oldest clock",
        "How far the slowest partition's clock is behind the present.",
        "clock_age_s",
        unit="s",
        thresholds=minutes,
    )
    checkpoint = _largest(
        "Oldest checkpoint",
        "How much work a crash would make the slowest partition do again.",
        "checkpoint_age_s",
        unit="s",
        thresholds=minutes,
    )
    return [(6, seen), (6, lag), (6, clock), (6, checkpoint)]


def _largest(title: str, description: str, field: str, **more: object) -> Json:
    """The largest of the partitions' last figures."""
    last = f'SELECT last("{field}") AS "n" FROM "pipeline" WHERE {_WORKER} GROUP BY "partition"'
    query = table(names.PIPELINE, f'SELECT max("n") FROM ({last})')
    return stat(title, description, query, noValue="none yet", **more)


def _last(title: str, description: str, field: str, *, unit: str, where: str = _WORKER) -> Json:
    query = f'SELECT last("{field}") FROM "pipeline" WHERE {where} {_BY_PARTITION}'
    return lines(
        title,
        description,
        [series(names.PIPELINE, query, alias=_PARTITION)],
        fields(unit, custom={"lineWidth": 1, "spanNulls": True}, min=0, noValue="none yet"),
        # Workers tell every 15 s.
        interval="15s",
    )


def _rate(title: str, description: str, columns: dict[str, str], where: str = _COUNTS) -> Json:
    """Increase a minute of counts; what falls at a restart is left out, for the count is new."""
    rates = ", ".join(
        f'non_negative_derivative(max("{field}"), 1m) AS "{label}"'
        for field, label in columns.items()
    )
    query = f'SELECT {rates} FROM "pipeline" WHERE {where} {_BY_PARTITION}'
    return lines(
        title,
        description,
        [series(names.PIPELINE, query, alias=f"$col, {_PARTITION}")],
        fields("none", custom={"lineWidth": 1, "spanNulls": True}, min=0, noValue="0"),
        interval="1m",
    )


def _throughput() -> Json:
    return _rate(
        "Records a minute",
        "Records taken in, by partition.",
        {"record_count": "records"},
    )


def _lag() -> Json:
    return _last("Lag", "Messages still to be read, by partition.", "lag_messages", unit="none")


def _clock_age() -> Json:
    return _last(
        "Age of the clock",
        "How far each partition's clock is behind the present; alerts come late by as much.",
        "clock_age_s",
        unit="s",
    )


def _checkpoint_age() -> Json:
    return _last(
        "Age of the last checkpoint",
        "How much work a crash would make a partition do again.",
        "checkpoint_age_s",
        unit="s",
    )


def _late() -> Json:
    return _rate(
        "Late records a minute",
        "Records that came after their windows had settled.",
        {"late_count": "late"},
    )


def _unadmitted() -> Json:
    return _rate(
        "Records not admitted, a minute",
        "Of people who are not enrolled, without consent to their kind, or empty at the vendor's.",
        {
            "no_consent_count": "no consent",
            "not_enrolled_count": "not enrolled",
            "absent_count": "empty",
        },
    )


def _dead_letters() -> Json:
    return _rate(
        "Dead letters a minute",
        "Messages that could not be read, kept in their own topic.",
        {"dead_letter_count": "dead letters"},
    )


def _results_lag() -> Json:
    return _last(
        "Results still to be written",
        "Messages with results that wait for their database, by partition.",
        "lag_messages",
        unit="none",
        where=_RESULTS,
    )


def _sink_retries() -> Json:
    return _rate(
        "Retries of the results' database, a minute",
        "While they rise, results wait; nothing is lost.",
        {"retry_count": "retries"},
        _RESULTS,
    )


def _partitions() -> Json:
    query = (
        'SELECT last("lag_messages") AS "Lag", last("clock_age_s") AS "Clock behind (s)", '
        'last("checkpoint_age_s") AS "Checkpoint (s)" '
        f'FROM "pipeline" WHERE {_WORKER} GROUP BY "partition"'
    )
    return rows_of(
        "Partitions",
        "The last figures of each partition.",
        [table(names.PIPELINE, query)],
        fields("none", decimals=0, noValue="–"),
        sort=[("Lag", True)],
        transformations=[
            {"id": "filterFieldsByName", "options": {"exclude": {"pattern": "^Time.*$"}}}
        ],
    )
