"""Builds the page: one HTML file with everything in it, which opens offline and calls nobody."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly has no types

from connectors.report import words
from connectors.report.people import (
    Person,
    by_attention,
    read_person,
    run_clock_s,
    user_ids,
)
from connectors.report.plots import plots_of
from connectors.run_files import open_run, read_facts
from streams.errors import BadInput
from streams.events import Alert, AlertKind, Severity

REASONS_SHOWN = 4
"""Reasons of one alert that the page spells out."""

ATTENTION_SHOWN = 12
"""People at the top of the page who are shown without opening the rest of the list."""


class ReportSummary(Struct, frozen=True):
    """What a report holds; ``size_bytes`` is the length of the file."""

    people: int
    people_waiting: int
    alerts_open: int
    alerts_urgent: int
    size_bytes: int


class AlertView(Struct, frozen=True):
    """An alert in words."""

    kind: str
    kind_class: str
    symbol: str
    is_urgent: bool
    status: str
    opened: str
    age: str
    summary: str
    reasons: list[str]
    gaps: str


class PlotView(Struct, frozen=True):
    """A plot with its caption; ``is_wide`` where it needs the width of the page."""

    title: str
    caption: str
    is_wide: bool


class PersonView(Struct, frozen=True):
    """A person as the page shows them.

    ``counts``: symbol, class and words of each kind of open alerts; ``figures``: JSON that is
    safe inside a script; ``record``: where the team's own record is, if the site tells.
    """

    user_id: str
    anchor: str
    care_team: str
    state: str
    last_data: str
    is_urgent: bool
    counts: list[tuple[str, str, str]]
    alerts: list[AlertView]
    closed: list[AlertView]
    plots: list[PlotView]
    figures: Markup
    record: str | None


def write_report(
    run: Path, output: Path, *, on_person: Callable[[int], None] = lambda _: None
) -> ReportSummary:
    """Write the report of a run as one HTML file; ``on_person`` is called with 1 for each person.

    Raises
    ------
    BadInput
        When ``run`` does not hold results of Wakeline, or ``output`` cannot be written.
    """
    with open_run(run) as connection:
        now = run_clock_s(connection)
        facts = read_facts(connection)
        people: dict[str, Person] = {}
        views: dict[str, PersonView] = {}
        configuration = msgspec.json.decode(facts.get("configuration", "{}"))
        for user_id in user_ids(connection):
            people[user_id] = person = read_person(connection, user_id, now)
            record = _record_of(person, configuration)
            views[user_id] = _person_view(person, now, record)
            on_person(1)
    waiting = [views[person.user_id] for person in by_attention(people.values())]
    others = [view for view in views.values() if not view.alerts]
    page = _page(waiting, others, now=now, facts=facts).encode()
    try:
        output.write_bytes(page)
    except OSError as error:
        raise BadInput(f"cannot write {output}: {error.strerror}") from error
    alerts = [alert for view in waiting for alert in view.alerts]
    return ReportSummary(
        people=len(people),
        people_waiting=len(waiting),
        alerts_open=len(alerts),
        alerts_urgent=sum(alert.is_urgent for alert in alerts),
        size_bytes=len(page),
    )


def _page(
    waiting: list[PersonView], others: list[PersonView], *, now: float, facts: dict[str, str]
) -> str:
    environment = Environment(
        loader=PackageLoader("connectors.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    as_of = dt.datetime.fromtimestamp(now, dt.UTC)
    return environment.get_template("report.html.j2").render(
        waiting=waiting,
        shown=ATTENTION_SHOWN,
        others=others,
        people=waiting + others,
        urgent=sum(view.is_urgent for view in waiting),
        as_of=f"{words.date_in_words(as_of.date())}, {as_of:%H:%M} UTC",
        version=facts.get("wakeline", ""),
        legend=[
            (words.KIND_SYMBOLS[kind], kind.value.lower(), words.KIND_WORDS[kind], meaning)
            for kind, meaning in _KIND_MEANINGS.items()
        ],
        # The library is trusted text; escaping would break it.
        plotly=Markup(get_plotlyjs()),  # noqa: S704
    )


_KIND_MEANINGS = {
    AlertKind.CLINICAL: "something differs from what is usual for this one person",
    AlertKind.LIMIT: "a limit that the site has set was passed",
    AlertKind.DATA: "data stopped or the device was not worn; nothing can be told",
}


def _record_of(person: Person, configuration: dict[str, Any]) -> str | None:
    """Link to the team's own record of a person, as the configuration of the run tells."""
    site = configuration.get("detection", {})
    own = configuration.get("projects", {}).get(person.project_id, site)
    template = own.get("link_template")
    return template and str(template).replace("{userId}", quote(person.user_id, safe=""))


def _person_view(person: Person, now: float, record: str | None) -> PersonView:
    plots = plots_of(person)
    open_alerts = person.open_alerts
    closed = [alert for alert in person.alerts if alert not in open_alerts]
    return PersonView(
        user_id=person.user_id,
        anchor=f"person-{person.user_id}",
        care_team=person.care_team,
        state=person.state.value,
        last_data=(
            "no data yet"
            if person.last_data_at is None
            else words.age_in_words(person.last_data_at, now)
        ),
        is_urgent=any(alert.severity is Severity.URGENT for alert in open_alerts),
        counts=[
            (words.KIND_SYMBOLS[kind], kind.value.lower(), text)
            for kind, text in words.counts_in_words(open_alerts)
        ],
        alerts=[_alert_view(alert, person, now) for alert in open_alerts],
        closed=[_alert_view(alert, person, now) for alert in closed],
        plots=[PlotView(plot.title, plot.caption, plot.is_wide) for plot in plots],
        figures=_script_json([plot.figure for plot in plots]),
        record=record,
    )


def _alert_view(alert: Alert, person: Person, now: float) -> AlertView:
    return AlertView(
        kind=words.KIND_WORDS[alert.kind],
        kind_class=alert.kind.value.lower(),
        symbol=words.KIND_SYMBOLS[alert.kind],
        is_urgent=alert.severity is Severity.URGENT,
        status=words.STATUS_WORDS[alert.status],
        opened=words.date_in_words(alert.local_date),
        age=words.age_in_words(alert.opened_at, now),
        summary=alert.summary,
        reasons=[words.reason_in_words(reason) for reason in alert.reasons[:REASONS_SHOWN]],
        gaps=words.evidence_gaps(alert),
    )


def _script_json(value: object) -> Markup:
    """Encode for a script element: no text of it can end the element or begin another."""
    text = msgspec.json.encode(value).decode()
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704
