"""The dashboard of a care team's morning: who needs attention, since when, and why."""
# ruff: noqa: S608 - these queries are made of names of ours; nobody's input is in them

from grafana.definitions import names
from grafana.definitions.panels import (
    Json,
    dashboard,
    fields,
    hide,
    ordered,
    override,
    placed,
    rows_of,
    stat,
    steps,
    table,
    text,
)

PERSON_LINK: Json = {
    "title": "Open this person",
    "url": f"/d/{names.PERSON}?var-subject=${{__value.raw:percentencode}}",
    "targetBlank": False,
}

IS_OPEN = '"open" = 1'
"""Without a time: what is open is shown however long ago it began, whatever time is chosen."""

SEVERITY_COLOURS: Json = {
    "type": "value",
    "options": {
        "URGENT": {"color": "red", "index": 0, "text": "URGENT"},
        "WATCH": {"color": "orange", "index": 1, "text": "WATCH"},
    },
}

AGE = "dateTimeFromNow"
"""Unit of a time in ms that is told as an age: *3 days ago*."""

EXPLANATION = (
    f"{names.NOT_AN_EMERGENCY_SERVICE}\n\n"
    "**Urgent** alerts first, then those that have been open longest. Each row says what changed "
    "for this one person against what is usual for them, and what was missing when it was judged. "
    "Choose a person's name to see their plots. *Data* alerts say that data stopped or that a "
    "wearable is not worn; they say nothing about how the person is. What is open is shown however "
    "long ago it began."
)


def severity() -> Json:
    """How a column with the severity of alerts is shown."""
    return override(
        "Severity",
        mappings=[SEVERITY_COLOURS],
        custom__cellOptions={"type": "color-background", "mode": "basic"},
        custom__width=90,
    )


def wrapped(column: str, **more: object) -> Json:
    """How a column of sentences is shown."""
    return override(column, custom__cellOptions={"type": "auto", "wrapText": True}, **more)


def attention() -> Json:
    """The whole dashboard."""
    return dashboard(
        names.ATTENTION,
        "Who needs attention",
        placed(
            [
                ("", 5, [(24, text("What this page is, and is not", EXPLANATION))]),
                ("", 4, _counts()),
                ("", 14, [(24, _open_alerts())]),
                ("", 9, [(24, _without_data())]),
            ]
        ),
        time={"from": "now-24h", "to": "now"},
        timepicker={"hidden": True},
        description=f"Open alerts of all people. {names.NOT_AN_EMERGENCY_SERVICE}",
    )


def _counts() -> list[tuple[int, Json]]:
    # Never green: that nothing is open does not mean that people are well.
    red: Json = {"thresholds": steps((None, "transparent"), (1, "red"))}
    orange: Json = {"thresholds": steps((None, "transparent"), (1, "orange"))}
    return [
        (6, _count("Urgent alerts", "Open, needs a look now.", '"urgent" = 1', red)),
        (
            6,
            _count(
                "Watch alerts",
                "Open, needs a look at the next round.",
                '"urgent" = 0 AND "kind" != \'DATA\'',
                orange,
            ),
        ),
        (
            6,
            _count(
                "Data alerts",
                "Open: data stopped, or a wearable is not worn.",
                "\"kind\" = 'DATA'",
                orange,
            ),
        ),
        (6, _people_without_data()),
    ]


def _count(title: str, description: str, condition: str, colours: Json) -> Json:
    query = f'SELECT count("open") FROM "alert" WHERE {IS_OPEN} AND {condition}'
    return stat(title, description, table(names.ALERTS, query), noValue="0", **colours)


def _people_without_data() -> Json:
    silent = f"\"rule\" = '{names.DATA_STOPPED}'"
    query = (
        f'SELECT count("n") FROM (SELECT last("open") AS "n" FROM "alert" '
        f'WHERE {IS_OPEN} AND {silent} GROUP BY "subject")'
    )
    return stat(
        "People without data",
        "People from whom nothing arrives at present. No data is not calm.",
        table(names.ALERTS, query),
        noValue="0",
        thresholds=steps((None, "transparent"), (1, "blue")),
    )


def _open_alerts() -> Json:
    query = (
        'SELECT "subject"::tag AS "Person", "severity" AS "Severity", '
        '"opened_at" * 1000 AS "Since", "summary" AS "What changed", '
        '"missing" AS "What was missing", "status" AS "Status", "owner" AS "Owner", '
        '"team"::tag AS "Team", "urgent" AS "Urgent" '
        f'FROM "alert" WHERE {IS_OPEN}'
    )
    return rows_of(
        "Open alerts, urgent and oldest first",
        "What changed is told in words, against what is usual for this one person.",
        [table(names.ALERTS, query)],
        fields(
            "none",
            override("Person", links=[PERSON_LINK], custom__width=210),
            severity(),
            override("Since", unit=AGE, custom__width=120),
            wrapped("What changed"),
            wrapped("What was missing", custom__width=230),
            override("Status", custom__width=100),
            override("Owner", custom__width=90, custom__align="left"),
            override("Team", custom__width=90),
            noValue="–",
        ),
        transformations=[
            *ordered(("Urgent", True), ("Since", False)),
            hide("Time", "Urgent"),
        ],
    )


def _without_data() -> Json:
    query = (
        'SELECT "subject"::tag AS "Person", "opened_at" * 1000 AS "Since", '
        '"summary" AS "What is missing", "device_type"::tag AS "Device", "status" AS "Status", '
        '"owner" AS "Owner" '
        f'FROM "alert" WHERE {IS_OPEN} AND "kind" = \'DATA\''
    )
    return rows_of(
        "People without data, or without their wearable",
        "Ask about the device first: this says nothing about how the person is.",
        [table(names.ALERTS, query)],
        fields(
            "none",
            override("Person", links=[PERSON_LINK], custom__width=210),
            override("Since", unit=AGE, custom__width=120),
            wrapped("What is missing"),
            override("Device", custom__width=160),
            override("Status", custom__width=130),
            override("Owner", custom__width=120, custom__align="left"),
            noValue="–",
        ),
        transformations=[*ordered(("Since", False)), hide("Time")],
    )
