"""Ways from a ringing rule to people: contact points, policies, words, service hours."""

from grafana.definitions import names
from grafana.definitions.panels import Json
from grafana.definitions.site import Site

_TITLE = "wakeline.title"
_MESSAGE = "wakeline.message"

# Plain text; the person is named in the message alone, for titles show on locked screens.
TEMPLATE = f"""\
{{{{ define "{_TITLE}" -}}}}
Wakeline {{{{ .CommonLabels.site }}}}: \
{{{{ len .Alerts.Firing }}}} {{{{ .CommonLabels.severity }}}} open\
{{{{ if .Alerts.Resolved }}}}, {{{{ len .Alerts.Resolved }}}} no longer ringing{{{{ end }}}}
{{{{- end }}}}

{{{{ define "{_MESSAGE}" -}}}}
{{{{ range .Alerts.Firing }}}}
{{{{ .Labels.alertname }}}}: {{{{ .Annotations.summary }}}}
{{{{ if .Labels.subject -}}}}
This person: {{{{ reReplaceAll "/$" "" $.ExternalURL }}}}/d/{names.PERSON}\
?var-subject={{{{ urlquery .Labels.subject }}}}
{{{{ else if .Annotations.page -}}}}
More: {{{{ reReplaceAll "/$" "" $.ExternalURL }}}}/d/{{{{ .Annotations.page }}}}
{{{{ end }}}}{{{{ end }}}}\
{{{{- range .Alerts.Resolved }}}}
No longer ringing: {{{{ .Labels.alertname }}}}\
{{{{ if .Labels.subject }}}}, person {{{{ .Labels.subject }}}}{{{{ end }}}}
{{{{ end }}}}
{{{{- if .Alerts.Resolved }}}}
That may be because it was answered, withdrawn or is over, or because it cannot be told at present;
it says nothing about how a person is.
{{{{ end }}}}
All open alerts: {{{{ reReplaceAll "/$" "" .ExternalURL }}}}/d/{names.ATTENTION}

{names.NOT_AN_EMERGENCY_SERVICE}
{{{{- end }}}}
"""


def templates() -> Json:
    """Words of the notifications."""
    template = {"orgId": names.ORG, "name": "wakeline", "template": TEMPLATE}
    return {"apiVersion": 1, "templates": [template]}


def contact_points(site: Site) -> Json:
    """E-mail, and a webhook where the site has one; addresses come from the environment."""
    contacts = (
        (names.URGENT_CONTACT, "wakeline-urgent", "$WAKELINE_URGENT_EMAIL"),
        (names.CARE_CONTACT, "wakeline-care", "$WAKELINE_CARE_EMAIL"),
        (names.OPERATIONS_CONTACT, "wakeline-operations", "$WAKELINE_OPERATIONS_EMAIL"),
    )
    return {
        "apiVersion": 1,
        "contactPoints": [
            {"orgId": names.ORG, "name": name, "receivers": _receivers(uid, email, site)}
            for name, uid, email in contacts
        ],
    }


def _receivers(uid: str, email: str, site: Site) -> list[Json]:
    def words(title: str) -> Json:
        return {
            title: f'{{{{ template "{_TITLE}" . }}}}',
            "message": f'{{{{ template "{_MESSAGE}" . }}}}',
        }

    receivers: list[Json] = [
        {
            "uid": f"{uid}-email",
            "type": "email",
            "disableResolveMessage": False,
            "settings": {"addresses": email, "singleEmail": True, **words("subject")},
        }
    ]
    if site.webhook:
        address: Json = {"url": "$WAKELINE_ALERT_WEBHOOK_URL", "httpMethod": "POST"}
        receivers.append(
            {
                "uid": f"{uid}-webhook",
                "type": "webhook",
                "disableResolveMessage": False,
                "settings": {**address, **words("title")},
            }
        )
    return receivers


def policies() -> Json:
    """Who is told, by site and severity. The file replaces the organisation's whole tree."""
    urgent = _route(
        [["severity", "=", "urgent"]],
        names.URGENT_CONTACT,
        group_by=["site", "subject"],
        group_wait="30s",
        group_interval="1m",
        repeat_interval="1h",
    )
    watch = _route([["severity", "=", "watch"]], names.CARE_CONTACT, **_in_service_hours("1d"))
    data = _route([["severity", "=", "data"]], names.CARE_CONTACT, **_in_service_hours("2d"))
    pipeline = _route([["severity", "=", "pipeline"]], names.OPERATIONS_CONTACT)
    # Grafana gives a rule that fails or finds nothing another name but the rule's own labels, so
    # these go first: a failing query is no matter for a ward.
    broken = _route(
        [["alertname", "=~", "DatasourceError|DatasourceNoData"]], names.OPERATIONS_CONTACT
    )
    here = _route(
        [["site", "=", names.SITE]],
        names.OPERATIONS_CONTACT,
        routes=[urgent, watch, data, pipeline],
    )
    tree = {
        "orgId": names.ORG,
        "receiver": names.OPERATIONS_CONTACT,
        "group_by": ["grafana_folder", "alertname"],
        "group_wait": "1m",
        "group_interval": "5m",
        "repeat_interval": "4h",
        "routes": [broken, here],
    }
    return {"apiVersion": 1, "policies": [tree]}


def _route(matchers: list[list[str]], receiver: str, **more: object) -> Json:
    return {"receiver": receiver, "object_matchers": matchers, **more}


def _in_service_hours(repeat: str) -> Json:
    """One message a batch, held until the team is there."""
    return {
        "group_by": ["site", "severity"],
        "group_wait": "5m",
        "group_interval": "30m",
        "repeat_interval": repeat,
        "mute_time_intervals": [names.OUTSIDE_SERVICE_HOURS],
    }


def mute_timings(site: Site) -> Json:
    """When watch and data alerts wait; urgent ones never do."""
    hours = site.service_hours
    nights = [
        {"start_time": start, "end_time": end}
        for start, end in (("00:00", hours.start), (hours.end, "24:00"))
        if start != end
    ]
    intervals: list[Json] = []
    if nights:
        intervals.append({"times": nights, "weekdays": list(hours.weekdays)})
    if hours.days_off:
        intervals.append({"weekdays": list(hours.days_off)})
    for interval in intervals:
        interval["location"] = hours.time_zone
    timing = {
        "orgId": names.ORG,
        "name": names.OUTSIDE_SERVICE_HOURS,
        "time_intervals": intervals,
    }
    return {"apiVersion": 1, "muteTimes": [timing]}
