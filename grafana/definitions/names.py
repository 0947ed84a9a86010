"""Names that several files of Grafana must agree on, each said once."""

GRAFANA_VERSION = "12.4.5"
"""Version of Grafana that these files are written for and tested against (its image's tag)."""

SCHEMA_VERSION = 41
"""Version of the dashboards' JSON, which later Grafanas migrate by themselves when they load it."""

MINUTES = "wakeline-minutes"
FEATURES = "wakeline-features"
ALERTS = "wakeline-alerts"
PIPELINE = "wakeline-pipeline"
"""Uids of the data sources: one for each kind of bucket."""

EXPRESSION = "__expr__"
"""What Grafana calls the source of its own server-side expressions."""

DASHBOARD_FOLDER = "Wakeline"
DASHBOARD_FOLDER_UID = "wakeline"
RULE_FOLDER = "Wakeline rules"
"""Rules name their folder by title: one of its own, or Grafana makes a second of that title."""

ATTENTION = "wakeline-attention"
PERSON = "wakeline-person"
QUALITY = "wakeline-data-quality"
OPERATION = "wakeline-pipeline-health"
"""Uids of the dashboards."""

URGENT_CONTACT = "Wakeline urgent"
CARE_CONTACT = "Wakeline care team"
OPERATIONS_CONTACT = "Wakeline operations"

OUTSIDE_SERVICE_HOURS = "Outside service hours"

ORG = "$WAKELINE_GRAFANA_ORG_ID"
SITE = "$WAKELINE_SITE"
"""Grafana replaces these by the environment when it reads a provisioning file."""

NOT_AN_EMERGENCY_SERVICE = (
    "Wakeline is not an emergency service. It supplements care and never replaces it: it does not "
    "diagnose, and no alert does not mean that a person is well. In an emergency, follow your "
    "local emergency procedure."
)

DATA_STOPPED = "data_stopped"
"""The rule of alerts that are open for as long as nothing arrives from a person."""

UNKNOWN_DEVICE = "unknown"
