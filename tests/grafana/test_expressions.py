"""Goal: the evaluator says what Grafana would; method: cases from its documentation and sources."""

import math
from typing import Any

import pytest

from tests.grafana.expressions import (
    NoData,
    Number,
    Series,
    Value,
    _calculate,
    _reduce,
    _threshold,
    evaluate_rule,
)

X = {"device_type": "x"}
Y = {"device_type": "y"}
P = {"subject": "p", **X}
Q = {"subject": "q", **Y}


def calculated(formula: str, **found: list[Value]) -> list[Value]:
    return _calculate({"expression": formula}, found)


def test_labels_join_where_one_side_contains_the_other_and_lone_ones_are_dropped() -> None:
    a: list[Value] = [Number(P, 3.0), Number(Q, 4.0)]
    assert calculated("$A + $B", A=a, B=[Number(X, 1.0), Number({"z": "1"}, 9.0)]) == [
        Number(P, 4.0)
    ]
    assert calculated("$A * 2", A=a) == [Number(P, 6.0), Number(Q, 8.0)]
    assert calculated("$A + $B", A=a, B=[]) == []


def test_a_single_value_on_each_side_is_joined_in_any_case() -> None:
    assert calculated("$A + $B", A=[Number(P, 1.0)], B=[Number(Y, 2.0)]) == [Number({}, 3.0)]


def test_no_data_on_either_side_is_no_data() -> None:
    several: list[Value] = [Number(P, 1.0), Number(Q, 1.0)]
    assert calculated("$A && !$B", A=several, B=[NoData()]) == [NoData()]
    assert calculated("$A > 1", A=[NoData()]) == [NoData()]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("$A > 2 && !($A >= 5 && $A / 10 >= 0.2)", 1.0),
        ("round($A - 0.5) == 3", 1.0),
        ("1 + 2 * $A", 7.0),
        ("!$A || $A < 1", 0.0),
    ],
)
def test_formulas_read_as_arithmetic_does(formula: str, expected: float) -> None:
    assert calculated(formula, A=[Number({}, 3.0)]) == [Number({}, expected)]


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(AssertionError, match="cannot read"):
        calculated("$A ? 1", A=[Number({}, 3.0)])


@pytest.mark.parametrize(
    ("mode", "reducer", "expected"),
    [
        ("dropNN", "last", 2.0),
        ("dropNN", "max", 5.0),
        ("dropNN", "sum", 7.0),
        ("dropNN", "count", 2.0),
        ("", "count", 3.0),
    ],
)
def test_reducing_without_empty_points_ignores_them(
    mode: str, reducer: str, expected: float
) -> None:
    model: dict[str, Any] = {"expression": "A", "reducer": reducer, "settings": {"mode": mode}}
    found: dict[str, list[Value]] = {"A": [Series(P, [5.0, 2.0, None])]}
    assert _reduce(model, found) == [Number(P, expected)]


def test_reducing_strictly_gives_nothing_where_a_point_is_empty() -> None:
    model: dict[str, Any] = {"expression": "A", "reducer": "max", "settings": {"mode": ""}}
    (number,) = _reduce(model, {"A": [Series(P, [5.0, None])]})
    assert isinstance(number, Number)
    assert number.value is not None
    assert math.isnan(number.value)


def test_a_threshold_keeps_labels_and_what_is_unknown() -> None:
    condition = {"evaluator": {"type": "gt", "params": [1]}}
    model = {"expression": "A", "conditions": [condition]}
    found: dict[str, list[Value]] = {"A": [Number(P, 1.0), Number(Q, 2.0), Number(X, None)]}
    assert _threshold(model, found) == [Number(P, 0.0), Number(Q, 1.0), Number(X, None)]


@pytest.mark.parametrize(("state", "marked"), [("OK", []), ("Alerting", [{}])])
def test_a_rule_without_data_does_what_its_state_says(
    state: str, marked: list[dict[str, str]]
) -> None:
    query = {"query": "SELECT x WHERE $timeFilter"}
    rule: dict[str, Any] = {
        "condition": "B",
        "noDataState": state,
        "data": [
            {
                "refId": "A",
                "datasourceUid": "some",
                "relativeTimeRange": {"from": 60, "to": 0},
                "model": query,
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "model": {
                    "type": "reduce",
                    "expression": "A",
                    "reducer": "last",
                    "settings": {"mode": "dropNN"},
                },
            },
        ],
    }
    sent = []

    def ask(_: str, query: str) -> dict[str, Any]:
        sent.append(query)
        return {"results": [{}]}

    found = evaluate_rule(rule, ask, 100.0)
    assert (found.marked, found.has_data) == (marked, False)
    assert sent == ["SELECT x WHERE time >= 40000ms and time <= 100000ms"]
