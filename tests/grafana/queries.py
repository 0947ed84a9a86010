"""Every query that Grafana sends, from the written files, and how Grafana fills it in."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

FOLDER = Path(__file__).resolve().parents[2] / "grafana"

# What Grafana escapes of a variable's value before it puts it into a regular expression.
_ESCAPED = re.compile(r"[\\^$*+?.()|\[\]{}/]")


class Query(Struct, frozen=True):
    """A query and where it stands: a panel, a variable, an annotation or a rule."""

    place: str
    kind: str
    source: str
    text: str
    range_s: float
    """Time up to now that the query is asked for, unless a reader chooses another."""


def dashboards() -> dict[str, dict[str, Any]]:
    """File name -> dashboard, as written."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((FOLDER / "dashboards").glob("*.json"))
    }


def provisioned(name: str) -> dict[str, Any]:
    """Content of a provisioning file, by its path without the ending."""
    path = FOLDER / "provisioning" / f"{name}.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def rules() -> dict[str, dict[str, Any]]:
    """Uid -> alert rule."""
    groups = provisioned("alerting/rules")["groups"]
    return {rule["uid"]: rule for group in groups for rule in group["rules"]}


def all_queries() -> list[Query]:
    """Queries of all panels, variables, annotations and rules."""
    found = [query for name, data in dashboards().items() for query in _of_dashboard(name, data)]
    for uid, rule in rules().items():
        found += [
            Query(
                place=f"{uid} {step['refId']}",
                kind="rule",
                source=step["datasourceUid"],
                text=step["model"]["query"],
                range_s=float(step["relativeTimeRange"]["from"]),
            )
            for step in rule["data"]
            if step["datasourceUid"] != "__expr__"
        ]
    return found


def _of_dashboard(name: str, data: dict[str, Any]) -> Iterator[Query]:
    range_s = _seconds(data["time"]["from"])
    for panel in data["panels"]:
        for target in panel.get("targets", []):
            place = f"{name}: {panel['title']} {target['refId']}"
            yield Query(place, "panel", target["datasource"]["uid"], target["query"], range_s)
    for variable in data["templating"]["list"]:
        place = f"{name}: ${variable['name']}"
        yield Query(place, "variable", variable["datasource"]["uid"], variable["query"], range_s)
    for annotation in data["annotations"]["list"]:
        text = annotation["target"]["query"]
        place = f"{name}: {annotation['name']}"
        yield Query(place, "annotation", annotation["datasource"]["uid"], text, range_s)


def _seconds(since: str) -> float:
    match = re.fullmatch(r"now-(\d+)([hd])", since)
    assert match is not None, since
    return float(match[1]) * {"h": 3_600, "d": 86_400}[match[2]]


def as_sent(
    text: str, start: float, end: float, *, interval: str = "1m", subject: str | None = None
) -> str:
    """A query as Grafana sends it for a time from ``start`` to ``end`` (s UTC)."""
    span = f"time >= {int(start * 1000)}ms and time <= {int(end * 1000)}ms"
    text = text.replace("$timeFilter", span).replace("$__interval", interval)
    if subject is not None:
        text = text.replace("$subject", _ESCAPED.sub(lambda match: f"\\{match[0]}", subject))
    return text
