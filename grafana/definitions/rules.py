"""Alert rules: which series ring, after how long, and what they say.

In labels ``$$`` becomes a dollar sign, since Grafana expands the environment there; annotations it
leaves alone, so one suffices. Queries use no dashboard variables: rules know none.
"""
# ruff: noqa: S608 - these queries are made of names of ours; nobody's input is in them

from grafana.definitions import names
from grafana.definitions.expressions import asks, calculated, passes, reduced
from grafana.definitions.panels import Json

DAY_S = 86_400

OPEN_FOR_S = 180 * DAY_S
"""How far back an alert may have been detected that still rings while it is open."""

PEOPLE_SEEN_S = 30 * DAY_S
"""Rows of how many days make somebody one of a device type's people."""

OUTAGE_PEOPLE_MIN = 5
OUTAGE_SHARE_MIN = 0.2
"""A device type is out when so many of its people, and such a share, fell silent in one hour."""

OUTAGE_STEP_MIN = 5
OUTAGE_STEPS = 13
"""The hour slides by five minutes: 13 steps hold any 60 minutes, and never more than 65."""

RINGS = '$timeFilter AND "open" = 1 AND "status" = \'OPEN\''
"""Open and not answered: acknowledging or snoozing an alert silences it for everybody.

Ringing goes by the time of detection (``alert_feed``), so that what a late upload shows rings too.
"""

_SILENT = f'$timeFilter AND "open" = 1 AND "rule" = \'{names.DATA_STOPPED}\''

LAG_MESSAGES_MAX = 10_000
CLOCK_AGE_MAX_S = 1_800
CHECKPOINT_AGE_MAX_S = 900
DEAD_LETTERS_MAX = 20
RESULTS_WITHIN_S = 900

ANNOTATION_END = f"Reasons are on the dashboard. {names.NOT_AN_EMERGENCY_SERVICE}"


def rule_groups() -> list[Json]:
    """All rules: of people, of their data, of the pipeline."""
    return [
        _group("People", "1m", [_urgent(), _watch()]),
        _group("Data", "5m", [_data_stopped(), _other_data(), _device_outage()]),
        _group(
            "Pipeline",
            "1m",
            [
                _no_results(),
                _lag(),
                _clock_behind(),
                _checkpoint_old(),
                _dead_letters(),
                _quarantined(),
                _results_wait(),
            ],
        ),
    ]


def _group(name: str, interval: str, rules: list[Json]) -> Json:
    return {
        "orgId": names.ORG,
        "name": name,
        "folder": names.RULE_FOLDER,
        "interval": interval,
        "rules": rules,
    }


def _rule(uid: str, title: str, data: list[Json], severity: str, **more: object) -> Json:
    """A rule whose condition is its last expression; ``more`` are further keys of it.

    ``page`` is the dashboard that notifications lead to.
    """
    summary = more.pop("summary")
    page = more.pop("page", names.ATTENTION)
    return {
        "uid": uid,
        "title": title,
        "condition": data[-1]["refId"],
        "data": data,
        "noDataState": "OK",
        "execErrState": "Error",
        "for": "0s",
        "isPaused": False,
        # An answered alert's series is gone at the next evaluation, and with it its ringing.
        "missing_series_evals_to_resolve": 1,
        "labels": {"severity": severity, "site": names.SITE},
        "annotations": {"summary": summary, "description": ANNOTATION_END, "page": page},
        **more,
    }


def _of_people(condition: str) -> list[Json]:
    """Rings once for each person and rule with an open, unanswered alert."""
    query = (
        f'SELECT sum("open") FROM "alert_feed" WHERE {RINGS} AND {condition} '
        'GROUP BY "subject", "team", "kind", "rule"'
    )
    return [
        asks("A", names.ALERTS, query, OPEN_FOR_S),
        reduced("B", "A"),
        passes("C", "B", "gt", 0),
    ]


def _urgent() -> Json:
    return _rule(
        "wakeline-urgent",
        "Urgent alert",
        _of_people('"urgent" = 1'),
        "urgent",
        summary="Person {{ $labels.subject }}: an urgent alert is open and nobody has answered it.",
    )


def _watch() -> Json:
    return _rule(
        "wakeline-watch",
        "Watch alert",
        _of_people('"urgent" = 0 AND "kind" != \'DATA\''),
        "watch",
        summary="Person {{ $labels.subject }}: a watch alert is open and nobody has answered it.",
    )


def _other_data() -> Json:
    return _rule(
        "wakeline-data-other",
        "Wearable not worn",
        _of_people(f'"urgent" = 0 AND "kind" = \'DATA\' AND "rule" != \'{names.DATA_STOPPED}\''),
        "data",
        summary="Person {{ $labels.subject }}: the wearable seems not to be worn.",
    )


def _most_in_an_hour() -> str:
    """Most people of a device type, silent still, who fell silent within one hour.

    Every device type with a silent person has a number, for the join must lose nobody; the
    unknown type's is 0, since what is not known has no vendor that could be out.
    """
    sliding = (
        f'SELECT moving_average(count("open"), {OUTAGE_STEPS}) * {OUTAGE_STEPS} AS "n" '
        f'FROM "alert_feed" WHERE {_SILENT} AND "device_type" != \'{names.UNKNOWN_DEVICE}\' '
        f'GROUP BY time({OUTAGE_STEP_MIN}m), "device_type" fill(0)'
    )
    unknown = (
        f'SELECT max("open") * 0 AS "n" FROM "alert_feed" WHERE {_SILENT} '
        f'AND "device_type" = \'{names.UNKNOWN_DEVICE}\' GROUP BY "device_type"'
    )
    return f'SELECT max("n") FROM ({sliding}), ({unknown}) GROUP BY "device_type"'


def _device_types() -> list[Json]:
    """``D``: most who fell silent in an hour; ``F``: people; both for each device type."""
    people = (
        'SELECT count("n") FROM (SELECT last("revision") AS "n" FROM "day" WHERE $timeFilter '
        'GROUP BY "subject", "device_type") GROUP BY "device_type"'
    )
    return [
        asks("C", names.ALERTS, _most_in_an_hour(), OPEN_FOR_S),
        reduced("D", "C"),
        asks("E", names.FEATURES, people, PEOPLE_SEEN_S),
        reduced("F", "E"),
    ]


# The moving average times its length is a whole number but for rounding.
_IS_OUT = f"(round($D) >= {OUTAGE_PEOPLE_MIN} && round($D) / $F >= {OUTAGE_SHARE_MIN})"


def _data_stopped() -> Json:
    query = (
        f'SELECT sum("open") FROM "alert_feed" WHERE {RINGS} '
        f"AND \"rule\" = '{names.DATA_STOPPED}' "
        'GROUP BY "subject", "team", "device_type"'
    )
    return _rule(
        "wakeline-data-stopped",
        "Data stopped",
        [
            asks("A", names.ALERTS, query, OPEN_FOR_S),
            reduced("B", "A"),
            *_device_types(),
            calculated("G", f"$B > 0 && !{_IS_OUT}"),
            passes("H", "G", "gt", 0),
        ],
        "data",
        # Within the hour it shows whether this is one person's device or a vendor's outage.
        **{"for": "1h"},
        summary="Person {{ $labels.subject }}: no data arrive any more. Ask about the device.",
    )


def _device_outage() -> Json:
    return _rule(
        "wakeline-device-outage",
        "Device type silent",
        [*_device_types(), calculated("G", _IS_OUT), passes("H", "G", "gt", 0)],
        "pipeline",
        page=names.QUALITY,
        summary="Many people's {{ $labels.device_type }} fell silent within one hour: most "
        "likely its vendor or the transfer. Their own alerts are held back while this lasts.",
    )


def _no_results() -> Json:
    query = 'SELECT count("clock_age_s") FROM "pipeline" WHERE $timeFilter'
    return _rule(
        "wakeline-no-results",
        "No results",
        [
            asks("A", names.PIPELINE, query, RESULTS_WITHIN_S),
            reduced("B", "A"),
            passes("C", "B", "lt", 1),
        ],
        "pipeline",
        # Nothing at all is what this rule is for; for every other rule it is no reason to ring.
        noDataState="Alerting",
        page=names.OPERATION,
        summary="No worker has told anything for 15 minutes. Alerts do not come at all.",
    )


def _last(field: str) -> str:
    """Of the workers that read (``lag``) and of those that write results (``sink``)."""
    return f'SELECT last("{field}") FROM "pipeline" WHERE $timeFilter GROUP BY "name", "partition"'


def _of_workers(
    uid: str, title: str, above: tuple[str, float], *, summary: str, wait: str = "0s"
) -> Json:
    """Rings for each series of a query whose last figure is above a limit for so long."""
    query, limit = above
    return _rule(
        uid,
        title,
        [
            asks("A", names.PIPELINE, query, RESULTS_WITHIN_S),
            reduced("B", "A"),
            passes("C", "B", "gt", limit),
        ],
        "pipeline",
        **{"for": wait},
        page=names.OPERATION,
        summary=summary,
    )


def _lag() -> Json:
    return _of_workers(
        "wakeline-lag",
        "Pipeline lags",
        (_last("lag_messages"), LAG_MESSAGES_MAX),
        wait="10m",
        summary="Partition {{ $labels.partition }} ({{ $labels.name }}) lags; alerts come late.",
    )


def _quarantined() -> Json:
    return _of_workers(
        "wakeline-quarantined",
        "People not watched",
        (_last("quarantined_subjects"), 0),
        summary=(
            "Wakeline fails on people of partition {{ $labels.partition }}, by a fault of its own: "
            "nothing can be told of them."
        ),
    )


def _checkpoint_old() -> Json:
    return _of_workers(
        "wakeline-checkpoint-old",
        "State is not saved",
        (_last("checkpoint_age_s"), CHECKPOINT_AGE_MAX_S),
        wait="5m",
        summary="Partition {{ $labels.partition }}: the last checkpoint is old.",
    )


def _clock_behind() -> Json:
    return _of_workers(
        "wakeline-clock-behind",
        "Pipeline's clock is behind",
        (_last("clock_age_s"), CLOCK_AGE_MAX_S),
        wait="10m",
        summary="The clock of partition {{ $labels.partition }} is behind; alerts come late.",
    )


def _increase(field: str, name: str) -> str:
    """Increase of a count over the range; what falls at a restart is left out."""
    inner = (
        f'SELECT non_negative_difference(max("{field}")) AS "n" FROM "pipeline" '
        f"WHERE $timeFilter AND \"name\" = '{name}' "
        'GROUP BY time(1m), "partition" fill(none)'
    )
    return f'SELECT sum("n") FROM ({inner})'


def _dead_letters() -> Json:
    return _of_workers(
        "wakeline-dead-letters",
        "Many dead letters",
        (_increase("dead_letter_count", "clock"), DEAD_LETTERS_MAX),
        summary="More than 20 messages within 15 minutes could not be read.",
    )


def _results_wait() -> Json:
    return _of_workers(
        "wakeline-results-wait",
        "Results wait for their database",
        (_increase("retry_count", "sink"), 0),
        wait="10m",
        summary="Writing results had to be tried again for 10 minutes; nothing is lost.",
    )
