"""What Grafana accepts: the models of its own SDK, and of its provisioning files.

The SDK knows dashboards, panels, expressions and alerting as its API has them. What files add to
that, and InfluxDB's queries, stand here as structs that know no further fields.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import alerting, common, dashboard, expr
from msgspec import Struct, convert, field

register_default_plugins()

Json = dict[str, Any]

EXPRESSIONS = {
    "reduce": expr.TypeReduce,
    "math": expr.TypeMath,
    "threshold": expr.TypeThreshold,
}
CUSTOM_FIELDS = {"timeseries": common.GraphFieldConfig, "table": common.TableFieldOptions}


def unknown(model: Any, data: Any) -> list[str]:
    """Paths in ``data`` that a model of the SDK does not keep as they are."""
    kept = json.loads(JSONEncoder().encode(model.from_json(data)))
    return list(_lost(data, kept, ""))


def _lost(data: Any, kept: Any, path: str) -> Iterator[str]:
    if isinstance(data, dict) and isinstance(kept, dict):
        for key, value in data.items():
            if key in kept:
                yield from _lost(value, kept[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(data, list) and isinstance(kept, list) and len(data) == len(kept):
        for index, (value, other) in enumerate(zip(data, kept, strict=True)):
            yield from _lost(value, other, f"{path}[{index}]")
    elif data != kept:
        yield f"{path}: {data!r} became {kept!r}"


def unknown_in_dashboard(data: Json) -> list[str]:
    """What Grafana's models do not know of a dashboard; raises on a query that does not fit."""
    panels = [_with_plain_source(panel) for panel in data["panels"]]
    found = unknown(dashboard.Dashboard, {**data, "panels": panels})
    for panel in data["panels"]:
        for target in panel.get("targets", []):
            convert(target, InfluxQuery, strict=True)
        custom = CUSTOM_FIELDS.get(panel["type"])
        for override in panel.get("fieldConfig", {}).get("overrides", []):
            for each in override["properties"]:
                if custom is not None and each["id"].startswith("custom."):
                    name = each["id"].removeprefix("custom.")
                    found += unknown(custom, {name: each["value"]})
                elif each["id"] not in STANDARD_PROPERTIES:
                    found.append(f"{panel['title']}: {each['id']}")
    for annotation in data["annotations"]["list"]:
        target = annotation["target"]
        convert(target, AnnotationQuery, strict=True)
        # The SDK only has the target of Grafana's own annotation store.
        found = [path for path in found if not _is_below_target(path, target)]
    return found


def _with_plain_source(panel: Json) -> Json:
    """The panel with its first query's source: the SDK reads queries by their panel's."""
    targets = panel.get("targets")
    return {**panel, "datasource": targets[0]["datasource"]} if targets else panel


def _is_below_target(path: str, target: Json) -> bool:
    return any(path.startswith(f".annotations.list[0].target.{key}") for key in target)


STANDARD_PROPERTIES = {"color", "decimals", "displayName", "links", "mappings", "noValue", "unit"}


class InfluxQuery(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A query of Grafana's InfluxDB data source, in InfluxQL."""

    ref_id: str
    query: str
    raw_query: Literal[True]
    result_format: Literal["time_series", "table"]
    datasource: "SourceRef"
    alias: str = ""


class RuleQuery(InfluxQuery, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The same in a rule."""

    interval_ms: int = 0
    max_data_points: int = 0


class AnnotationQuery(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What the annotation editor of the InfluxDB data source keeps."""

    ref_id: str
    query: str
    text_column: str
    tags_column: str
    raw_query: Literal[True]
    text_editor: Literal[True]
    from_annotations: Literal[True]


class SourceRef(Struct, frozen=True, forbid_unknown_fields=True):
    """Reference to a data source."""

    type: str
    uid: str


class RuleStep(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One query or expression of a rule in a file."""

    ref_id: str
    datasource_uid: str
    relative_time_range: dict[Literal["from", "to"], int]
    model: Json


class RuleFile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An alert rule in a file."""

    uid: str
    title: str
    condition: str
    data: list[RuleStep]
    no_data_state: Literal["OK", "NoData", "Alerting"]
    exec_err_state: Literal["OK", "Error", "Alerting"]
    labels: dict[str, str]
    annotations: dict[str, str]
    is_paused: bool
    for_: str = field(name="for")
    missing: int = field(name="missing_series_evals_to_resolve")


class GroupFile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A group of rules in a file."""

    org_id: str
    name: str
    folder: str
    interval: str
    rules: list[RuleFile]


class DeletedRule(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A rule to be deleted."""

    org_id: str
    uid: str


class RulesFile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The file of rules."""

    api_version: Literal[1]
    groups: list[GroupFile]
    delete_rules: list[DeletedRule] = []


class Receiver(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One way of a contact point."""

    uid: str
    type: Literal["email", "webhook"]
    disable_resolve_message: bool
    settings: dict[str, str | bool]


class ContactPoint(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A contact point in a file."""

    org_id: str
    name: str
    receivers: list[Receiver]


class TimeRange(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a day."""

    start_time: str
    end_time: str


class TimeInterval(Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of some days of the week, by the clock of a place."""

    location: str
    weekdays: list[
        Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    ]
    times: list[TimeRange] = []


class TimingFile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A mute timing in a file."""

    org_id: str
    name: str
    time_intervals: list[TimeInterval] = field(name="time_intervals")


class DataSource(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A data source in a file."""

    org_id: str
    uid: str
    name: str
    type: Literal["influxdb"]
    access: Literal["proxy"]
    url: str
    is_default: bool
    editable: bool
    json_data: dict[str, str]
    secure_json_data: dict[str, str]


class DashboardProvider(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A folder of dashboards in a file."""

    org_id: str
    name: str
    folder: str
    folder_uid: str
    type: Literal["file"]
    disable_deletion: bool
    allow_ui_updates: bool
    update_interval_seconds: int
    options: dict[Literal["path"], str]


def unknown_in_rule(rule: Json) -> list[str]:
    """What Grafana's models do not know of a rule, once it is put as its API has it."""
    renamed = {"missing_series_evals_to_resolve": "missingSeriesEvalsToResolve"}
    put = {renamed.get(key, key): value for key, value in rule.items()}
    found = unknown(alerting.Rule, put)
    for step in rule["data"]:
        model = step["model"]
        if step["datasourceUid"] == "__expr__":
            found += unknown(EXPRESSIONS[model["type"]], model)
        else:
            convert(model, RuleQuery, strict=True)
    return found


def unknown_in_timing(timing: Json) -> list[str]:
    """What Grafana's models do not know of a mute timing.

    The SDK names the ends of its times otherwise, and has days of the week as empty objects.
    """
    convert(timing, TimingFile, strict=True)
    names = {"start_time": "from", "end_time": "to"}
    intervals = [
        {
            "location": interval["location"],
            "times": [{names[key]: at for key, at in each.items()} for each in interval["times"]],
        }
        for interval in timing["time_intervals"]
        if "times" in interval
    ]
    return unknown(alerting.MuteTiming, {"name": timing["name"], "time_intervals": intervals})


def unknown_without_org(model: Any, data: Json) -> list[str]:
    """The same for what only adds its organisation in a file."""
    return unknown(model, {key: value for key, value in data.items() if key != "orgId"})
