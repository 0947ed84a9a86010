"""The dashboard of the data: who syncs, how much is covered, which devices are silent."""
# ruff: noqa: S608 - these queries are made of names of ours; nobody's input is in them

from grafana.definitions import names
from grafana.definitions.attention import IS_OPEN, PERSON_LINK
from grafana.definitions.panels import (
    Json,
    dashboard,
    fields,
    joined_by,
    lines,
    override,
    placed,
    rows_of,
    series,
    stat,
    steps,
    table,
    text,
)

CHANNELS = {
    "heart_rate": "Heart rate",
    "inter_beat_interval": "Beat intervals",
    "steps": "Steps",
    "sleep": "Sleep",
    "phone": "Phone",
    "worn": "Worn",
}
"""Coverage channels and what people call them."""

EXPLANATION = (
    f"{names.NOT_AN_EMERGENCY_SERVICE}\n\n"
    "No data is not calm, and a wearable that is not worn says nothing about its wearer. Sync "
    "times here are hours since the last data of any kind; coverage is the share of the time for "
    "which a channel was known, minute by minute: what a vendor tells of a whole day shows as 0 %."
)

_WITHOUT_TIME: Json = {
    "id": "filterFieldsByName",
    "options": {"exclude": {"pattern": "^Time.*$"}},
}
_SILENT = f"{IS_OPEN} AND \"rule\" = '{names.DATA_STOPPED}'"


def quality() -> Json:
    """The whole dashboard."""
    return dashboard(
        names.QUALITY,
        "Data quality",
        placed(
            [
                ("", 4, [(24, text("What this page is, and is not", EXPLANATION))]),
                ("", 4, _counts()),
                ("Last sync", 10, [(12, _last_sync()), (12, _silent_devices())]),
                ("Coverage", 10, [(12, _coverage_of_people()), (12, _coverage_over_time())]),
                ("Late and refused data", 10, [(12, _late_of_people()), (12, _late_over_time())]),
            ]
        ),
        description=f"Whether data come, and how whole. {names.NOT_AN_EMERGENCY_SERVICE}",
        # Days are stamped with their date at 00:00 UTC.
        timezone="utc",
        time={"from": "now-14d", "to": "now"},
    )


def _counts() -> list[tuple[int, Json]]:
    people = (
        'SELECT count("n") FROM (SELECT last("revision") AS "n" FROM "day" '
        'WHERE $timeFilter GROUP BY "subject")'
    )
    seen = stat(
        "People seen",
        "People with at least one day in the time chosen, silent ones included.",
        table(names.FEATURES, people),
        noValue="0",
        thresholds=steps((None, "transparent")),
    )
    silent = _people_with(
        "People without data",
        "People with an open alert that data stopped, however long ago.",
        names.DATA_STOPPED,
    )
    not_worn = _people_with(
        "Wearables not worn",
        "People with an open alert that their wearable is not worn, however long ago.",
        "not_worn",
    )
    return [(8, seen), (8, silent), (8, not_worn)]


def _people_with(title: str, description: str, rule: str) -> Json:
    query = (
        'SELECT count("n") FROM (SELECT last("open") AS "n" FROM "alert" '
        f'WHERE {IS_OPEN} AND "rule" = \'{rule}\' GROUP BY "subject")'
    )
    return stat(
        title,
        description,
        table(names.ALERTS, query),
        noValue="0",
        thresholds=steps((None, "green"), (1, "orange")),
    )


def _last_sync() -> Json:
    def silence(window: str, title: str, ref: str) -> Json:
        query = (
            f'SELECT last("silence_h") AS "{title}" FROM "{window}" '
            'WHERE $timeFilter GROUP BY "subject"'
        )
        return table(names.FEATURES, query, ref=ref)

    usual = (
        'SELECT last("sync_gap_usual_h") AS "Usual gap" FROM "day" '
        'WHERE $timeFilter GROUP BY "subject"'
    )
    return rows_of(
        "Last sync of each person",
        "Hours without data at the end of the last hour and of the last day that were seen, beside "
        "the person's usual gap. People who sync once a day have no hours.",
        [
            silence("hour", "At the last hour", "A"),
            silence("day", "At the last day", "B"),
            table(names.FEATURES, usual, ref="C"),
        ],
        fields(
            "h",
            override("subject", links=[PERSON_LINK], displayName="Person"),
            decimals=0,
            noValue="–",
        ),
        sort=[("At the last day", True)],
        transformations=[joined_by("subject"), _WITHOUT_TIME],
    )


def _silent_devices() -> Json:
    silent = (
        'SELECT count("n") AS "Silent" FROM (SELECT last("open") AS "n" FROM "alert" '
        f'WHERE {_SILENT} GROUP BY "subject", "device_type") GROUP BY "device_type"'
    )
    people = (
        'SELECT count("n") AS "People" FROM (SELECT last("revision") AS "n" FROM "day" '
        'WHERE $timeFilter GROUP BY "subject", "device_type") GROUP BY "device_type"'
    )
    return rows_of(
        "Silent devices by type",
        "How many people's devices of a type are silent at present, of how many people seen. Many "
        "at once point to the vendor.",
        [table(names.ALERTS, silent, ref="A"), table(names.FEATURES, people, ref="B")],
        fields("none", override("device_type", displayName="Device"), noValue="0"),
        datasource={"type": "datasource", "uid": "-- Mixed --"},
        sort=[("Silent", True)],
        transformations=[joined_by("device_type"), _WITHOUT_TIME],
    )


def _coverage_of_people() -> Json:
    columns = ", ".join(
        f'mean("coverage_{channel}") AS "{title}"' for channel, title in CHANNELS.items()
    )
    query = f'SELECT {columns} FROM "day" WHERE $timeFilter GROUP BY "subject"'
    return rows_of(
        "Coverage of each person",
        "Mean share of the day for which a channel was known, over the time chosen.",
        [table(names.FEATURES, query)],
        fields(
            "percentunit",
            override(
                "subject",
                links=[PERSON_LINK],
                displayName="Person",
                custom__cellOptions={"type": "auto"},
                custom__width=210,
            ),
            custom={"cellOptions": {"type": "color-text"}},
            decimals=0,
            min=0,
            max=1,
            noValue="–",
            thresholds=steps((None, "red"), (0.25, "orange"), (0.5, "green")),
        ),
        sort=[("Heart rate", False)],
        transformations=[_WITHOUT_TIME],
    )


def _coverage_over_time() -> Json:
    columns = ", ".join(
        f'mean("coverage_{channel}") AS "{title}"' for channel, title in CHANNELS.items()
    )
    query = f'SELECT {columns} FROM "day" WHERE $timeFilter GROUP BY time(1d) fill(none)'
    return lines(
        "Coverage of all people",
        "Mean share of the day for which a channel was known. A step down shows an outage.",
        [series(names.FEATURES, query, alias="$col")],
        fields("percentunit", custom={"lineWidth": 2, "spanNulls": False}, min=0, max=1),
    )


def _late_of_people() -> Json:
    query = (
        'SELECT max("late_count") AS "Late", max("overlap_count") AS "Overlapping" '
        'FROM "data_quality" WHERE $timeFilter GROUP BY "subject"'
    )
    return rows_of(
        "Late and overlapping data of each person",
        "So far: records that came too late to count, and minutes that two sources told, of which "
        "one won.",
        [table(names.FEATURES, query)],
        fields(
            "none",
            override("subject", links=[PERSON_LINK], displayName="Person"),
            decimals=0,
            noValue="0",
        ),
        sort=[("Late", True)],
        transformations=[_WITHOUT_TIME],
    )


def _late_over_time() -> Json:
    reasons = {
        "late_count": "late",
        "no_consent_count": "no consent",
        "not_enrolled_count": "not enrolled",
    }
    rises = ", ".join(f'non_negative_difference(max("{field}")) AS "{field}"' for field in reasons)
    sums = ", ".join(f'sum("{field}") AS "{title}"' for field, title in reasons.items())
    by_partition = (
        f'SELECT {rises} FROM "pipeline" WHERE $timeFilter AND "name" = \'clock\' '
        'GROUP BY time(1h), "partition" fill(none)'
    )
    query = f"SELECT {sums} FROM ({by_partition}) GROUP BY time(1h) fill(none)"
    return lines(
        "Late and refused records an hour, all sites",
        "What the pipeline left out, by reason.",
        [series(names.PIPELINE, query, alias="$col")],
        fields("none", custom={"drawStyle": "bars", "fillOpacity": 60}, min=0, noValue="0"),
    )
