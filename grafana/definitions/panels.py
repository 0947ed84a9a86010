"""Pieces of a dashboard: queries, panels, variables, and their places on the page."""

from collections.abc import Iterable, Mapping, Sequence

from grafana.definitions.names import SCHEMA_VERSION

Json = dict[str, object]

GRID_WIDTH = 24
SUBJECT_IS_CHOSEN = '"subject" =~ /^$subject$/'
"""As a regular expression, since every version of Grafana escapes a variable rightly in one."""


def source_of(uid: str) -> Json:
    """Reference to a data source."""
    return {"type": "influxdb", "uid": uid}


def series(uid: str, query: str, *, ref: str = "A", alias: str = "") -> Json:
    """A query whose answer is drawn over time; each field and group is a series."""
    return {
        "alias": alias,
        "datasource": source_of(uid),
        "query": query,
        "rawQuery": True,
        "refId": ref,
        "resultFormat": "time_series",
    }


def table(uid: str, query: str, *, ref: str = "A") -> Json:
    """A query whose answer is a table.

    It groups by one tag at most: with more of them, some versions of Grafana mix up the columns.
    """
    return {**series(uid, query, ref=ref), "resultFormat": "table"}


def panel(kind: str, title: str, description: str, queries: Sequence[Json], **more: object) -> Json:
    """A panel over queries of one data source; ``more`` are further keys of its JSON."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": queries[0]["datasource"],
        "targets": list(queries),
        "fieldConfig": fields("none"),
        "options": {},
        **more,
    }


def fields(unit: str, *overrides: Json, **more: object) -> Json:
    """How a panel shows its fields; ``more`` are further defaults such as ``min``, ``custom``."""
    defaults: Json = {"unit": unit, "custom": {}, **more}
    return {"defaults": defaults, "overrides": list(overrides)}


def override(name: str, **properties: object) -> Json:
    """What differs for the field of a name; ``custom__x`` stands for the property ``custom.x``."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": key.replace("__", "."), "value": value} for key, value in properties.items()
        ],
    }


def steps(*values: tuple[float | None, str]) -> Json:
    """Thresholds with their colours; the first has no value."""
    return {
        "mode": "absolute",
        "steps": [{"value": value, "color": color} for value, color in values],
    }


def text(title: str, content: str) -> Json:
    """A panel of words."""
    return {
        "type": "text",
        "title": title,
        "description": "",
        "options": {"mode": "markdown", "content": content},
    }


def stat(title: str, description: str, query: Json, **more: object) -> Json:
    """One large figure; ``more`` are defaults of its field, such as ``unit``."""
    unit = str(more.pop("unit", "none"))
    return panel(
        "stat",
        title,
        description,
        [query],
        fieldConfig=fields(unit, **more),
        options={
            "colorMode": "background",
            "graphMode": "none",
            "justifyMode": "center",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value",
        },
    )


def lines(
    title: str, description: str, queries: Sequence[Json], field: Json, **more: object
) -> Json:
    """Lines over time, with the last value in the legend."""
    return panel(
        "timeseries",
        title,
        description,
        queries,
        fieldConfig=field,
        options={
            "legend": {
                "calcs": ["lastNotNull"],
                "displayMode": "list",
                "placement": "bottom",
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        **more,
    )


def rows_of(
    title: str, description: str, queries: Sequence[Json], field: Json, **more: object
) -> Json:
    """A table; ``sort`` names the columns to sort by, each with whether the largest goes first."""
    sort = more.pop("sort", [])
    assert isinstance(sort, list)
    return panel(
        "table",
        title,
        description,
        queries,
        fieldConfig=field,
        options={
            "cellHeight": "md",
            "showHeader": True,
            "sortBy": [{"displayName": name, "desc": desc} for name, desc in sort],
        },
        **more,
    )


def hide(*names: str) -> Json:
    """Transformation that leaves columns out of a table."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(names, True),
            "indexByName": {},
            "renameByName": {},
        },
    }


def ordered(*columns: tuple[str, bool]) -> list[Json]:
    """Transformations that sort by columns, the first before all; True: the largest first.

    A table's own order knows no hidden columns. Sorting keeps what is equal in its order, so the
    last column is sorted by first.
    """
    return [
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": name, "desc": desc}]}}
        for name, desc in reversed(columns)
    ]


def joined_by(column: str) -> Json:
    """Transformation that makes one row of the rows that several queries have for a column."""
    return {"id": "joinByField", "options": {"byField": column, "mode": "outer"}}


def placed(sections: Iterable[tuple[str, int, Sequence[tuple[int, Json]]]]) -> list[Json]:
    """Number panels and give them places: sections of (heading, height, (width, panel)...)."""
    found: list[Json] = []
    y = 0
    for heading, height, members in sections:
        if heading:
            found.append({"type": "row", "title": heading, "collapsed": False, "panels": []})
            found[-1]["gridPos"] = {"h": 1, "w": GRID_WIDTH, "x": 0, "y": y}
            y += 1
        x = 0
        for width, member in members:
            if x + width > GRID_WIDTH:
                x, y = 0, y + height
            found.append({**member, "gridPos": {"h": height, "w": width, "x": x, "y": y}})
            x += width
        y += height
    return [{**member, "id": number} for number, member in enumerate(found, start=1)]


def dashboard(uid: str, title: str, panels: Sequence[Json], **more: object) -> Json:
    """A dashboard; ``more`` are further keys of its JSON."""
    return {
        "uid": uid,
        "title": title,
        "panels": list(panels),
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "1m",
        "tags": ["wakeline"],
        "timezone": "browser",
        "time": {"from": "now-180d", "to": "now"},
        "templating": {"list": []},
        "annotations": {"list": []},
        "links": [_link_to_all()],
        **more,
    }


def _link_to_all() -> Mapping[str, object]:
    """Links to the other dashboards of Wakeline, at the top of the page."""
    return {
        "title": "Wakeline",
        "type": "dashboards",
        "tags": ["wakeline"],
        "asDropdown": False,
        "icon": "dashboard",
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }
