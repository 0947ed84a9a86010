"""Parts of an alert rule: queries of a data source, and Grafana's expressions over their answers.

Every rule reduces each series to one number and compares that, so that each series (a person, a
partition) rings on its own. Grafana's *classic conditions* would melt them into one.
"""

from grafana.definitions.names import EXPRESSION
from grafana.definitions.panels import Json, series


def asks(ref: str, uid: str, query: str, range_s: int) -> Json:
    """A query over the last ``range_s`` seconds.

    Queries of one rule to one source share their range: Grafana may send them as one request, and
    InfluxDB's plugin then takes the range of the first for all.
    """
    model = {key: value for key, value in series(uid, query, ref=ref).items() if key != "alias"}
    return {
        "refId": ref,
        "datasourceUid": uid,
        "relativeTimeRange": {"from": range_s, "to": 0},
        "model": {**model, "intervalMs": 60_000, "maxDataPoints": 43_200},
    }


def reduced(ref: str, of: str, reducer: str = "last") -> Json:
    """One number for each series, without its empty points."""
    return _expression(
        ref,
        {"type": "reduce", "expression": of, "reducer": reducer, "settings": {"mode": "dropNN"}},
    )


def calculated(ref: str, formula: str) -> Json:
    """A formula over numbers, joined by their labels.

    Two numbers are joined where the labels of one contain those of the other. One without a
    partner is dropped without a word, so every series that must not be lost needs one.
    """
    return _expression(ref, {"type": "math", "expression": formula})


def passes(ref: str, of: str, kind: str, limit: float) -> Json:
    """Where a number passes a limit: ``gt`` or ``lt``."""
    condition = {"evaluator": {"type": kind, "params": [limit]}}
    return _expression(ref, {"type": "threshold", "expression": of, "conditions": [condition]})


def _expression(ref: str, model: Json) -> Json:
    return {
        "refId": ref,
        "datasourceUid": EXPRESSION,
        "relativeTimeRange": {"from": 0, "to": 0},
        "model": {"refId": ref, "datasource": {"type": EXPRESSION, "uid": EXPRESSION}, **model},
    }
