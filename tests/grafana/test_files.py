"""Goal: the written files are current, fit Grafana's own models, and nothing in them dangles.

Method: read the files as Grafana does, and compare names in one with names in another.
"""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from grafana_foundation_sdk.models import alerting

from grafana.definitions import names
from grafana.definitions.files import all_files, as_json, read_record
from grafana.definitions.routing import mute_timings
from grafana.definitions.site import WEEK, ServiceHours, Site, read_site
from grafana.definitions.sources import rules as rules_file
from tests.grafana import models
from tests.grafana.queries import FOLDER, all_queries, dashboards, provisioned, rules

EXPRESSION = "__expr__"
MIXED = "-- Mixed --"
# Variables of the environment that files may name; docs/GRAFANA.md says what each is for.
ENVIRONMENT = {
    "WAKELINE_SITE",
    "WAKELINE_INFLUX_URL",
    "WAKELINE_GRAFANA_READ_TOKEN",
    "WAKELINE_GRAFANA_ORG_ID",
    "WAKELINE_URGENT_EMAIL",
    "WAKELINE_CARE_EMAIL",
    "WAKELINE_OPERATIONS_EMAIL",
    "WAKELINE_ALERT_WEBHOOK_URL",
}
PROVISIONING = sorted((FOLDER / "provisioning").rglob("*.yaml"))
POLICIES = provisioned("alerting/policies")["policies"]
CONTACTS = provisioned("alerting/contact-points")["contactPoints"]
TIMINGS = provisioned("alerting/mute-timings")["muteTimes"]
TEMPLATES = provisioned("alerting/templates")["templates"]
SOURCES = provisioned("datasources/wakeline")["datasources"]
PROVIDERS = provisioned("dashboards/wakeline")["providers"]
PANELS = [panel for data in dashboards().values() for panel in data["panels"]]
SHOWN = [panel for panel in PANELS if panel["type"] not in {"row", "text"}]


def routes(route: dict[str, Any]) -> list[dict[str, Any]]:
    """A route and all below it."""
    return [route, *(each for below in route.get("routes", []) for each in routes(below))]


ROUTES = [each for tree in POLICIES for each in routes(tree)]


def test_files_are_what_the_definitions_write() -> None:
    wanted = all_files(read_site(FOLDER / "site.toml"), read_record(FOLDER))
    found = {name: (FOLDER / name).read_text(encoding="utf-8") for name in wanted}
    assert found == wanted, "run `make grafana`"
    written = {path.relative_to(FOLDER).as_posix() for path in PROVISIONING}
    written |= {f"dashboards/{path.name}" for path in (FOLDER / "dashboards").iterdir()}
    assert written <= set(wanted)


@pytest.mark.parametrize("name", dashboards())
def test_a_dashboard_fits_grafanas_models(name: str) -> None:
    assert models.unknown_in_dashboard(dashboards()[name]) == []


def test_rules_fit_grafanas_models() -> None:
    msgspec.convert(provisioned("alerting/rules"), models.RulesFile, strict=True)
    assert [path for rule in rules().values() for path in models.unknown_in_rule(rule)] == []


def test_ways_to_people_fit_grafanas_models() -> None:
    msgspec.convert(CONTACTS, list[models.ContactPoint], strict=True)
    lost = [path for tree in POLICIES for path in _lost(alerting.NotificationPolicy, tree)]
    lost += [path for each in TEMPLATES for path in _lost(alerting.NotificationTemplate, each)]
    lost += [path for timing in TIMINGS for path in models.unknown_in_timing(timing)]
    lost += [
        path
        for contact in CONTACTS
        for receiver in contact["receivers"]
        for path in _lost(alerting.ContactPoint, receiver)
    ]
    assert lost == []


_lost = models.unknown_without_org


def test_sources_and_folders_fit_their_files() -> None:
    msgspec.convert(SOURCES, list[models.DataSource], strict=True)
    msgspec.convert(PROVIDERS, list[models.DashboardProvider], strict=True)


def test_no_reference_dangles() -> None:
    sources = {source["uid"] for source in SOURCES}
    asked = {query.source for query in all_queries()}
    asked |= {panel["datasource"]["uid"] for panel in SHOWN} - {MIXED}
    assert asked == sources
    contacts = {contact["name"] for contact in CONTACTS}
    assert {route["receiver"] for route in ROUTES} == contacts
    timings = {timing["name"] for timing in TIMINGS}
    assert {name for r in ROUTES for name in r.get("mute_time_intervals", [])} == timings
    told = {name for t in TEMPLATES for name in re.findall(r'define "([^"]+)"', t["template"])}
    settings = str([receiver["settings"] for c in CONTACTS for receiver in c["receivers"]])
    assert set(re.findall(r'template "([^"]+)"', settings)) == told
    uids = {data["uid"] for data in dashboards().values()}
    text = str(dashboards()) + str(TEMPLATES)
    assert set(re.findall(r"/d/([a-z-]+)", text)) <= uids
    assert {rule["annotations"]["page"] for rule in rules().values()} <= uids


def test_every_step_of_a_rule_leads_to_its_condition() -> None:
    for uid, rule in rules().items():
        refs = [step["refId"] for step in rule["data"]]
        assert len(set(refs)) == len(refs), uid
        used = {rule["condition"]}
        for step in rule["data"]:
            formula = str(step["model"].get("expression", ""))
            uses = set(re.findall(r"\$(\w+)", formula)) or {formula} - {""}
            assert uses <= set(refs[: refs.index(step["refId"])]), uid
            used |= uses
        assert used == set(refs), uid


def test_uids_and_titles_stand_once() -> None:
    uids = [rule["uid"] for rule in rules().values()] + [d["uid"] for d in dashboards().values()]
    uids += [receiver["uid"] for c in CONTACTS for receiver in c["receivers"]]
    assert len(set(uids)) == len(uids)
    assert max(map(len, uids)) <= 40
    assert len({rule["title"] for rule in rules().values()}) == len(rules())


def test_rules_have_a_folder_of_their_own() -> None:
    folders = {group["folder"] for group in provisioned("alerting/rules")["groups"]}
    assert folders.isdisjoint({provider["folder"] for provider in PROVIDERS})


def test_rules_keep_their_series_apart_and_say_what_happens_without_data() -> None:
    for uid, rule in rules().items():
        kinds = {s["model"].get("type") for s in rule["data"] if s["datasourceUid"] == EXPRESSION}
        assert kinds <= {"reduce", "math", "threshold"}, uid
        assert rule["execErrState"] == "Error", uid
        expected = "Alerting" if uid == "wakeline-no-results" else "OK"
        assert rule["noDataState"] == expected, uid


def test_queries_of_a_rule_need_no_dashboard_and_share_their_range() -> None:
    for uid, rule in rules().items():
        ranges: dict[str, set[tuple[int, int]]] = {}
        for step in rule["data"]:
            if step["datasourceUid"] != EXPRESSION:
                query = step["model"]["query"]
                assert set(re.findall(r"\$\w+", query)) == {"$timeFilter"}, uid
                span = step["relativeTimeRange"]
                ranges.setdefault(step["datasourceUid"], set()).add((span["from"], span["to"]))
        assert all(len(spans) == 1 for spans in ranges.values()), uid


def test_queries_of_people_ring_by_the_time_of_detection() -> None:
    people = {"urgent", "watch", "data"}
    texts = [
        step["model"]["query"]
        for rule in rules().values()
        if rule["labels"]["severity"] in people
        for step in rule["data"]
        if step["datasourceUid"] == names.ALERTS
    ]
    assert texts
    assert all('"alert_feed"' in text and '"open" = 1' in text for text in texts)


def test_labels_double_their_dollar_signs_and_annotations_do_not() -> None:
    for uid, rule in rules().items():
        for value in rule["labels"].values():
            assert re.sub(r"\$\$|\$WAKELINE_SITE\b", "", value).count("$") == 0, uid
        assert all("$$" not in value for value in rule["annotations"].values()), uid
        assert all("$WAKELINE" not in value for value in rule["annotations"].values()), uid


def test_files_name_only_variables_that_are_documented() -> None:
    named = {
        name
        for path in PROVISIONING
        for name in re.findall(r"\$\{?(WAKELINE_\w+)", path.read_text(encoding="utf-8"))
    }
    assert named == ENVIRONMENT
    text = (FOLDER.parent / "docs" / "GRAFANA.md").read_text(encoding="utf-8")
    assert [name for name in ENVIRONMENT if f"`{name}`" not in text] == []
    assert names.GRAFANA_VERSION in text


def test_no_file_holds_a_secret_or_an_address() -> None:
    for source in SOURCES:
        assert source["url"] == "$WAKELINE_INFLUX_URL"
        assert source["secureJsonData"] == {
            "httpHeaderValue1": "Token ${WAKELINE_GRAFANA_READ_TOKEN}"
        }
    addresses = [r["settings"].get("addresses") for c in CONTACTS for r in c["receivers"]]
    addresses += [r["settings"].get("url") for c in CONTACTS for r in c["receivers"]]
    assert all(address.startswith("$WAKELINE_") for address in addresses if address)


def test_failing_rules_go_to_operations_before_any_other_route() -> None:
    (tree,) = POLICIES
    first = tree["routes"][0]
    assert first["receiver"] == names.OPERATIONS_CONTACT
    assert first["object_matchers"] == [["alertname", "=~", "DatasourceError|DatasourceNoData"]]


def test_every_severity_has_a_route_and_urgent_ones_are_never_muted() -> None:
    matched = {
        value: route
        for route in ROUTES
        for name, _, value in route.get("object_matchers", [])
        if name == "severity"
    }
    assert set(matched) == {rule["labels"]["severity"] for rule in rules().values()}
    assert "mute_time_intervals" not in matched["urgent"]
    assert matched["watch"]["mute_time_intervals"] == [names.OUTSIDE_SERVICE_HOURS]


def test_every_panel_has_a_title_a_unit_and_a_description() -> None:
    assert [panel["id"] for panel in PANELS if not panel["title"]] == []
    for panel in SHOWN:
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_panels_lie_beside_one_another() -> None:
    for name, data in dashboards().items():
        taken: set[tuple[int, int]] = set()
        for panel in data["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24, panel["title"]
            cells = {
                (place["x"] + dx, place["y"] + dy)
                for dx in range(place["w"])
                for dy in range(place["h"])
            }
            assert taken.isdisjoint(cells), f"{name}: {panel['title']}"
            taken |= cells


def test_every_plot_of_a_person_has_its_coverage_beside_it() -> None:
    panels = dashboards()["person"]["panels"]
    for left, right in itertools.pairwise(panels):
        if left["type"] == "timeseries" and left["gridPos"]["w"] in {9, 18}:
            assert right["gridPos"]["y"] == left["gridPos"]["y"], left["title"]
            assert right["title"] in {"Coverage", "Answers a week"}, left["title"]


def test_tables_group_by_one_tag_at_most() -> None:
    for panel in SHOWN:
        for target in panel["targets"]:
            if target["resultFormat"] == "table":
                _, _, tags = target["query"].rpartition("GROUP BY")
                grouped = tags if "GROUP BY" in target["query"] else ""
                assert grouped.count(",") == 0, panel["title"]


def test_every_text_says_that_this_is_no_emergency_service() -> None:
    said = "not an emergency service"
    for name, data in dashboards().items():
        assert said in data["description"], name
    for panel in PANELS:
        if panel["type"] == "text":
            assert said in panel["options"]["content"], panel["title"]
    for uid, rule in rules().items():
        assert said in rule["annotations"]["description"], uid
    (template,) = TEMPLATES
    message = template["template"].partition('define "wakeline.message"')[2]
    assert said in message
    assert "supplements care" in message


def test_open_alerts_are_shown_whatever_time_is_chosen() -> None:
    texts = [query.text for query in all_queries() if query.place.startswith("who-needs-attention")]
    assert len(texts) == 6
    assert all('"open" = 1' in text and "$timeFilter" not in text for text in texts)


def test_titles_of_notifications_name_no_person() -> None:
    (template,) = TEMPLATES
    title = template["template"].partition('define "wakeline.message"')[0]
    assert "subject" not in title


def test_a_removed_rule_is_deleted_for_ever() -> None:
    recorded = read_record(FOLDER)
    written = provisioned("alerting/rules")
    deleted = {each["uid"] for each in written.get("deleteRules", [])}
    assert set(rules()) | deleted == recorded
    assert deleted.isdisjoint(rules())
    later = rules_file(recorded | {"wakeline-former"})
    assert later["deleteRules"] == [{"orgId": names.ORG, "uid": "wakeline-former"}]


@pytest.mark.parametrize(
    ("days", "start", "end", "expected"),
    [(5, "08:00", "18:00", 2), (5, "00:00", "18:00", 2), (7, "00:00", "24:00", 0)],
)
def test_service_hours_mute_what_lies_outside_them(
    days: int, start: str, end: str, expected: int
) -> None:
    hours = ServiceHours(time_zone="Europe/London", weekdays=WEEK[:days], start=start, end=end)
    content = json.loads(as_json(mute_timings(Site(service_hours=hours))))
    (timing,) = content["muteTimes"]
    assert models.unknown_in_timing(timing) == []
    assert len(timing["time_intervals"]) == expected
    for interval in timing["time_intervals"]:
        assert all(each["start_time"] < each["end_time"] for each in interval.get("times", []))


@pytest.mark.parametrize("line", ['start = "19:00"', 'weekdays = ["mon"]', 'start = "8"', "x = 1"])
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, line: str) -> None:
    text = (FOLDER / "site.toml").read_text(encoding="utf-8")
    key = line.partition(" ")[0]
    kept = "\n".join(row for row in text.splitlines() if not row.startswith(f"{key} ="))
    path = tmp_path / "site.toml"
    path.write_text(f"{kept}\n{line}\n", encoding="utf-8")
    with pytest.raises(msgspec.ValidationError):
        read_site(path)
