"""Provisioning of data sources, of the folder with dashboards, and of rules."""

from collections.abc import Iterable

from grafana.definitions import names
from grafana.definitions.panels import Json
from grafana.definitions.rules import rule_groups

_BUCKETS = {
    names.MINUTES: "wakeline-${WAKELINE_SITE}-minutes",
    names.FEATURES: "wakeline-${WAKELINE_SITE}-features",
    names.ALERTS: "wakeline-${WAKELINE_SITE}-alerts",
    names.PIPELINE: "wakeline-pipeline",
}


def data_sources() -> Json:
    """One source for each bucket, read by InfluxQL with the site's own token."""
    return {
        "apiVersion": 1,
        "prune": True,
        "datasources": [_data_source(uid, bucket) for uid, bucket in _BUCKETS.items()],
    }


def _data_source(uid: str, bucket: str) -> Json:
    return {
        "orgId": names.ORG,
        "uid": uid,
        "name": uid.replace("-", " ").capitalize(),
        "type": "influxdb",
        "access": "proxy",
        "url": "$WAKELINE_INFLUX_URL",
        "isDefault": uid == names.FEATURES,
        "editable": False,
        "jsonData": {
            "dbName": bucket,
            "httpMode": "GET",
            "httpHeaderName1": "Authorization",
            "version": "InfluxQL",
        },
        "secureJsonData": {"httpHeaderValue1": "Token ${WAKELINE_GRAFANA_READ_TOKEN}"},
    }


def dashboard_folder() -> Json:
    """Where Grafana finds the dashboards."""
    provider = {
        "orgId": names.ORG,
        "name": "wakeline",
        "folder": names.DASHBOARD_FOLDER,
        "folderUid": names.DASHBOARD_FOLDER_UID,
        "type": "file",
        "disableDeletion": False,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": "/etc/grafana/dashboards"},
    }
    return {"apiVersion": 1, "providers": [provider]}


def rules(recorded_uids: Iterable[str]) -> Json:
    """All rules, and the removal of those that earlier versions had.

    A rule that is only missing from the file stays in Grafana and goes on ringing.
    """
    groups = rule_groups()
    gone = sorted(set(recorded_uids) - rule_uids(groups))
    found: Json = {"apiVersion": 1, "groups": groups}
    if gone:
        found["deleteRules"] = [{"orgId": names.ORG, "uid": uid} for uid in gone]
    return found


def rule_uids(groups: Iterable[Json]) -> set[str]:
    """Uids of all rules of groups."""
    found = set()
    for group in groups:
        members = group["rules"]
        assert isinstance(members, list)
        found |= {str(rule["uid"]) for rule in members}
    return found
