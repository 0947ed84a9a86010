"""The dashboard of one person: every plot over what is usual for them, with its coverage."""
# ruff: noqa: S608 - these queries are made of names of ours; nobody's input is in them

from grafana.definitions import names
from grafana.definitions.attention import AGE, severity, wrapped
from grafana.definitions.panels import (
    SUBJECT_IS_CHOSEN,
    Json,
    dashboard,
    fields,
    hide,
    lines,
    ordered,
    override,
    panel,
    placed,
    rows_of,
    series,
    source_of,
    stat,
    steps,
    table,
    text,
)
from grafana.definitions.plots import Plot, clock, coverage, plot_with_coverage

HEART = "heart_rate"
BEATS = "inter_beat_interval"

SECTIONS: tuple[tuple[str, tuple[Plot, ...]], ...] = (
    (
        "Heart",
        (
            Plot("day", "heart_rate_resting_bpm", "Resting heart rate, days", "bpm", HEART),
            Plot("night", "heart_rate_resting_bpm", "Resting heart rate, nights", "bpm", HEART),
            Plot("night", "heart_rate_sleeping_bpm", "Heart rate asleep", "bpm", HEART),
            Plot("night", "rmssd_ms", "Heart rate variability asleep (RMSSD)", "ms", BEATS),
            Plot("night", "sdnn_ms", "Heart rate variability asleep (SDNN)", "ms", BEATS),
            Plot("day", "rmssd_ms", "Heart rate variability, days (RMSSD)", "ms", BEATS),
        ),
    ),
    (
        "Nights",
        (
            Plot("night", "sleep_duration_min", "Sleep duration", "m", "sleep"),
            Plot("night", "sleep_efficiency_percent", "Sleep efficiency", "percent", "sleep"),
            Plot("night", "awakening_count", "Awakenings", "none", "sleep"),
        ),
    ),
    (
        "Rhythm (clock times are the person's own)",
        (
            clock("night", "sleep_onset_min", "Fell asleep at", "sleep"),
            clock("night", "sleep_offset_min", "Woke at", "sleep"),
            clock("night", "sleep_midpoint_min", "Middle of sleep", "sleep"),
            Plot("day", "step_count", "Steps", "none", "steps"),
        ),
    ),
    (
        "Phone use",
        (
            Plot("day", "screen_min", "Phone in use, days", "m", "phone"),
            Plot("night", "screen_min", "Phone in use at night", "m", "phone"),
            Plot("day", "unlock_count", "Phone unlocks, days", "none", "phone"),
            Plot("night", "unlock_count", "Phone unlocks at night", "none", "phone"),
            clock("day", "first_use_min", "Phone first used at", "phone"),
            clock("day", "last_use_min", "Phone last used at", "phone"),
        ),
    ),
)
"""One line adds a feature's plot, with its usual band and its coverage."""

HOURS = (
    Plot("hour", "heart_rate_resting_bpm", "Resting heart rate, hours", "bpm", HEART),
    Plot("hour", "heart_rate_mean_bpm", "Heart rate, hours", "bpm", HEART),
    Plot("hour", "step_count", "Steps, hours", "none", "steps"),
    Plot("hour", "screen_min", "Phone in use, hours", "m", "phone"),
)

EXPLANATION = (
    f"{names.NOT_AN_EMERGENCY_SERVICE}\n\n"
    "Each plot shows this person's values over the band of what is usual *for them*; beside it is "
    "how much of the data there was, minute by minute: what a vendor tells of a whole day shows no "
    "coverage. Gaps are missing data, which is neither zero nor calm. Nights and days stand at "
    "their local date, and clock times of sleep and phone use are the person's own clock; hours "
    "and minutes below are in UTC. Marks on the plots are alerts."
)


def person() -> Json:
    """The whole dashboard."""
    sections = [
        ("", 5, [(24, text("How to read this page", EXPLANATION))]),
        ("", 4, _now()),
        ("", 7, [(24, _alerts())]),
    ]
    sections += [
        (heading, 8, [part for plot in plots for part in plot_with_coverage(plot)])
        for heading, plots in SECTIONS
    ]
    sections += [
        ("Self-report", 8, _self_report()),
        (
            "Hours and minutes (UTC; choose a day or less to see single minutes)",
            8,
            [part for plot in HOURS for part in plot_with_coverage(plot)] + _minutes(),
        ),
    ]
    return dashboard(
        names.PERSON,
        "Person",
        placed(sections),
        description=f"One person over what is usual for them. {names.NOT_AN_EMERGENCY_SERVICE}",
        # Nights and days are stamped with their date at 00:00 UTC, and clock times count from it.
        timezone="utc",
        time={"from": "now-60d", "to": "now"},
        templating={"list": [_subject()]},
        annotations={"list": [_alert_marks()]},
    )


def _subject() -> Json:
    query = 'SHOW TAG VALUES FROM "day" WITH KEY = "subject"'
    return {
        "name": "subject",
        "label": "Person",
        "description": "",
        "type": "query",
        "datasource": source_of(names.FEATURES),
        "query": query,
        "refresh": 2,
        "sort": 1,
        "multi": False,
        "includeAll": False,
        "regex": "",
        "hide": 0,
    }


def _alert_marks() -> Json:
    query = (
        'SELECT "summary", "severity", "status" FROM "alert" '
        f"WHERE $timeFilter AND {SUBJECT_IS_CHOSEN}"
    )
    return {
        "name": "Alerts",
        "datasource": source_of(names.ALERTS),
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "target": {
            "refId": "Alerts",
            "query": query,
            "rawQuery": True,
            "fromAnnotations": True,
            "textEditor": True,
            "textColumn": "summary",
            "tagsColumn": "severity,status",
        },
    }


def _now() -> list[tuple[int, Json]]:
    silence = fields(
        "h", thresholds=steps((None, "transparent"), (24, "orange"), (48, "red")), noValue="–"
    )
    plain = steps((None, "transparent"))
    since = "Hours since the last data of any kind, when it ended."
    return [
        (6, _taking_part()),
        (5, _last("Without data, last hour seen", since, ("hour", "silence_h"), silence)),
        (5, _last("Without data, last day seen", since, ("day", "silence_h"), silence)),
        (
            4,
            _last(
                "Usually synced every",
                "The person's usual longest time between uploads.",
                ("day", "sync_gap_usual_h"),
                fields("h", thresholds=plain, noValue="–"),
            ),
        ),
        (
            4,
            _last(
                "Local clock ahead of UTC",
                "At the end of the last day; negative west of Greenwich.",
                ("day", "utc_offset"),
                fields("s", thresholds=plain, noValue="–"),
            ),
        ),
    ]


def _last(title: str, description: str, what: tuple[str, str], field: Json) -> Json:
    """The last value of a field of a kind of window."""
    window, name = what
    query = f'SELECT last("{name}") FROM "{window}" WHERE $timeFilter AND {SUBJECT_IS_CHOSEN}'
    return {**stat(title, description, series(names.FEATURES, query)), "fieldConfig": field}


def _taking_part() -> Json:
    query = (
        f'SELECT last("status") AS "Status" FROM "day" WHERE $timeFilter AND {SUBJECT_IS_CHOSEN}'
    )
    found = stat("Taking part", "Status of the last day seen.", table(names.FEATURES, query))
    # A text is only shown if its field is asked for by name.
    reduced = {"calcs": ["lastNotNull"], "fields": "/^Status$/", "values": False}
    options = {"colorMode": "none", "graphMode": "none", "textMode": "value"}
    return {**found, "options": {**options, "reduceOptions": reduced}}


def _alerts() -> Json:
    query = (
        'SELECT "severity" AS "Severity", "opened_at" * 1000 AS "Since", '
        '"summary" AS "What changed", "missing" AS "What was missing", "status" AS "Status", '
        '"owner" AS "Owner", "kind"::tag AS "Kind" '
        f'FROM "alert" WHERE $timeFilter AND {SUBJECT_IS_CHOSEN}'
    )
    return rows_of(
        "Alerts of this person, the latest first",
        "Also those that were withdrawn or answered: see their status.",
        [table(names.ALERTS, query)],
        fields(
            "none",
            severity(),
            override("Since", unit=AGE, custom__width=120),
            wrapped("What changed"),
            wrapped("What was missing", custom__width=260),
            override("Status", custom__width=130),
            override("Owner", custom__width=120, custom__align="left"),
            override("Kind", custom__width=110),
            noValue="–",
        ),
        transformations=[*ordered(("Since", True)), hide("Time")],
    )


def _self_report() -> list[tuple[int, Json]]:
    where = f"$timeFilter AND {SUBJECT_IS_CHOSEN}"
    score = f'SELECT /_score$/ FROM "day" WHERE {where}'
    band = (
        'SELECT "usual_low" AS "usual from", "usual_high" AS "usual to" FROM "anomaly" '
        f'WHERE {where} AND "window" = \'day\' AND "feature" =~ /_score$/ GROUP BY "feature"'
    )
    dashed: Json = {
        "matcher": {"id": "byRegexp", "options": "/ usual (from|to)$/"},
        "properties": [{"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [6, 6]}}],
    }
    plot = lines(
        "Self-report scores",
        "One line for each questionnaire; dashed: what is usual for this one person.",
        [
            series(names.FEATURES, score, ref="A", alias="$col"),
            series(names.FEATURES, band, ref="B", alias="$tag_feature $col"),
        ],
        fields(
            "none",
            dashed,
            custom={"lineWidth": 2, "showPoints": "always", "pointSize": 6, "spanNulls": True},
            noValue="no answers",
        ),
    )
    return [(18, plot), (6, _answers())]


def _answers() -> Json:
    query = (
        'SELECT count(/_score$/) FROM "day" '
        f"WHERE $timeFilter AND {SUBJECT_IS_CHOSEN} GROUP BY time(7d) fill(none)"
    )
    return panel(
        "timeseries",
        "Answers a week",
        "How many days of the week have a score: few answers say little.",
        [series(names.FEATURES, query, alias="$col")],
        fieldConfig=fields(
            "none", custom={"drawStyle": "bars", "fillOpacity": 60}, min=0, noValue="no answers"
        ),
    )


def _minutes() -> list[tuple[int, Json]]:
    query = (
        'SELECT mean("heart_rate_mean_bpm") AS "heart rate", '
        'min("heart_rate_min_bpm") AS "lowest", max("heart_rate_max_bpm") AS "highest" '
        f'FROM "minute" WHERE $timeFilter AND {SUBJECT_IS_CHOSEN} '
        "GROUP BY time($__interval) fill(null)"
    )
    plot = lines(
        "Heart rate, minutes",
        "Single minutes when a day or less is chosen, else means with the lowest and highest. "
        "Minutes are kept for 90 days.",
        [series(names.MINUTES, query, alias="$col")],
        fields(
            "bpm",
            override("lowest", custom__lineWidth=0),
            override("highest", custom__fillBelowTo="lowest", custom__lineWidth=0),
            custom={"lineWidth": 1, "showPoints": "never", "fillOpacity": 0, "spanNulls": False},
            noValue="not known",
        ),
        # Never finer than what is kept.
        interval="1m",
    )
    return [(18, plot), (6, coverage("hour", HEART, "heart rate, minutes"))]
