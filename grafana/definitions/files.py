"""All files that Grafana reads, as text: tidy, in a stable order, equal for equal sources."""

import json
from pathlib import Path

import yaml

from grafana.definitions.attention import attention
from grafana.definitions.operation import operation
from grafana.definitions.panels import Json
from grafana.definitions.person import person
from grafana.definitions.quality import quality
from grafana.definitions.routing import contact_points, mute_timings, policies, templates
from grafana.definitions.rules import rule_groups
from grafana.definitions.site import Site
from grafana.definitions.sources import dashboard_folder, data_sources, rule_uids, rules

HEADING = "# Written by `make grafana`; change grafana/definitions/ or grafana/site.toml instead.\n"

RECORD = "rule-uids.txt"
RECORD_HEADING = """\
# Every rule uid that was ever given out; no line is ever taken away. `make grafana` adds
# new ones, and tells Grafana to delete those that no rule has any more.
"""


def dashboards() -> dict[str, Json]:
    """File name -> dashboard."""
    return {
        "who-needs-attention": attention(),
        "person": person(),
        "data-quality": quality(),
        "pipeline": operation(),
    }


def provisioning(site: Site, recorded_uids: set[str]) -> dict[str, Json]:
    """Path below ``provisioning`` -> content."""
    return {
        "alerting/contact-points": contact_points(site),
        "alerting/mute-timings": mute_timings(site),
        "alerting/policies": policies(),
        "alerting/rules": rules(recorded_uids),
        "alerting/templates": templates(),
        "dashboards/wakeline": dashboard_folder(),
        "datasources/wakeline": data_sources(),
    }


def all_files(site: Site, recorded_uids: set[str]) -> dict[str, str]:
    """Path -> text of every file that is written, the record of uids included."""
    recorded = sorted(recorded_uids | rule_uids(rule_groups()))
    return {
        **{f"dashboards/{name}.json": as_json(data) for name, data in dashboards().items()},
        **{
            f"provisioning/{name}.yaml": HEADING + as_yaml(data)
            for name, data in provisioning(site, recorded_uids).items()
        },
        RECORD: RECORD_HEADING + "".join(f"{uid}\n" for uid in recorded),
    }


def read_record(folder: Path) -> set[str]:
    """Uids that were given out up to now."""
    path = folder / RECORD
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {line for line in lines if line and not line.startswith("#")}


def as_json(data: Json) -> str:
    """Indented JSON with sorted keys, which shows a change where it is."""
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def as_yaml(data: Json) -> str:
    """YAML in the order of the source, texts of several lines as blocks."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, indent=2)


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, which people cannot read, and long texts as they are."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
