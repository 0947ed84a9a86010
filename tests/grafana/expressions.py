"""Grafana's server-side expressions, as its documentation and sources define them.

Enough of them to tell which series a rule marks: queries in the form of time series, ``reduce``
(with its modes), ``math`` (joined by labels), ``threshold``. `evaluate_rule` needs a rule, a
function that asks a data source, and the time.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from tests.grafana.queries import as_sent

Labels = Mapping[str, str]
Rule = Mapping[str, Any]
Ask = Callable[[str, str], Mapping[str, Any]]
"""(uid of the data source, query) -> InfluxDB's decoded answer, its times in ms."""


class Number(Struct, frozen=True):
    """A value with labels; None where there was nothing to reduce."""

    labels: Labels
    value: float | None


class Series(Struct, frozen=True):
    """Values over time with labels, in the order of time."""

    labels: Labels
    values: Sequence[float | None]


class NoData(Struct, frozen=True):
    """What stands for an answer without any series."""


Value = Number | Series | NoData


class Evaluation(Struct, frozen=True):
    """What a rule finds: labels of the series it marks, and whether it found any data."""

    marked: list[Labels]
    has_data: bool

    def subjects(self) -> set[str]:
        """People among what is marked."""
        return {labels["subject"] for labels in self.marked}


def evaluate_rule(rule: Rule, query_fn: Ask, now: float) -> Evaluation:
    """Labels of the series for which a rule's condition holds at ``now`` (s UTC).

    How long it must hold (``for``) is not waited for.
    """
    found: dict[str, list[Value]] = {}
    for step in rule["data"]:
        model = step["model"]
        if step["datasourceUid"] == "__expr__":
            found[step["refId"]] = _EXPRESSIONS[model["type"]](model, found)
        else:
            span = step["relativeTimeRange"]
            sent = as_sent(model["query"], now - span["from"], now - span["to"])
            found[step["refId"]] = series_of(query_fn(step["datasourceUid"], sent))
    results = [value for value in found[rule["condition"]] if not isinstance(value, NoData)]
    if not results:
        return Evaluation([{}] if rule["noDataState"] == "Alerting" else [], has_data=False)
    numbers = [_number(value) for value in results]
    marked = [n.labels for n in numbers if n.value is not None and n.value != 0]
    return Evaluation(marked, has_data=True)


def series_of(answer: Mapping[str, Any]) -> list[Value]:
    """Each column and group of an answer as a series; labels are the tags of its group."""
    (result,) = answer["results"]
    assert "error" not in result, result
    found: list[Value] = []
    for group in result.get("series", []):
        for index, column in enumerate(group["columns"]):
            if column != "time":
                values = [row[index] for row in group["values"]]
                found.append(Series(group.get("tags", {}), values))
    return found or [NoData()]


def _number(value: Value) -> Number:
    assert isinstance(value, Number), "a condition must be one number for each series"
    return value


def _reduce(model: Mapping[str, Any], found: Mapping[str, list[Value]]) -> list[Value]:
    mode = model["settings"]["mode"]
    results: list[Value] = []
    for value in found[model["expression"]]:
        if isinstance(value, NoData):
            results.append(value)
            continue
        assert isinstance(value, Series), "only series are reduced"
        results.append(Number(value.labels, _reduced(value.values, model["reducer"], mode)))
    return results


def _reduced(values: Sequence[float | None], reducer: str, mode: str) -> float | None:
    if mode == "dropNN":
        values = [value for value in values if value is not None and math.isfinite(value)]
    known = [math.nan if value is None else float(value) for value in values]
    if reducer == "count":
        return float(len(known))
    if reducer == "sum":
        result = math.fsum(known)
    elif not known or (reducer != "last" and any(map(math.isnan, known))):
        result = math.nan
    else:
        result = {"last": known[-1], "max": max(known), "min": min(known)}[reducer]
    return None if mode == "dropNN" and math.isnan(result) else result


def _threshold(model: Mapping[str, Any], found: Mapping[str, list[Value]]) -> list[Value]:
    (condition,) = model["conditions"]
    compare = {"gt": operator.gt, "lt": operator.lt}[condition["evaluator"]["type"]]
    (limit,) = condition["evaluator"]["params"]
    results: list[Value] = []
    for value in found[model["expression"]]:
        if isinstance(value, NoData):
            results.append(value)
            continue
        number = _number(value)
        passes = None if number.value is None else float(compare(number.value, limit))
        results.append(Number(number.labels, passes))
    return results


_TOKEN = re.compile(r"\s*(\$\w+|\d+(?:\.\d+)?|&&|\|\||[<>=!]=|[-+*/<>!()]|[a-z]+)")
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "||": lambda a, b: float(a != 0 or b != 0),
    "&&": lambda a, b: float(a != 0 and b != 0),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else math.copysign(math.inf, a) if a else math.nan,
}
# Rounds halves away from zero, as Go does.
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "round": lambda a: math.copysign(math.floor(abs(a) + 0.5), a),
    "abs": abs,
}


class _Formula:
    """One reading of a formula, by operator precedence."""

    def __init__(self, text: str, found: Mapping[str, list[Value]]) -> None:
        self._tokens = _TOKEN.findall(text)
        assert "".join(self._tokens) == re.sub(r"\s", "", text), f"cannot read {text}"
        self._found = found
        self._at = 0

    def result(self) -> list[Value]:
        """Values of the whole formula."""
        values = self._binary(0)
        assert self._at == len(self._tokens), "something is left over"
        return values

    def _take(self) -> str:
        self._at += 1
        return str(self._tokens[self._at - 1])

    def _next_is_in(self, wanted: Sequence[str]) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at] in wanted

    def _binary(self, level: int) -> list[Value]:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._next_is_in(_LEVELS[level]):
            name = self._take()
            left = joined(_OPERATORS[name], left, self._binary(level + 1))
        return left

    def _unary(self) -> list[Value]:
        if self._next_is_in(("!",)):
            self._take()
            return _mapped(lambda a: float(a == 0), self._unary())
        token = self._take()
        if token == "(":
            inside = self._binary(0)
            assert self._take() == ")"
            return inside
        if token in _FUNCTIONS:
            assert self._take() == "("
            inside = self._binary(0)
            assert self._take() == ")"
            return _mapped(_FUNCTIONS[token], inside)
        if token.startswith("$"):
            return list(self._found[token[1:]])
        return [Number({}, float(token))]


def joined(
    operation: Callable[[float, float], float], left: Sequence[Value], right: Sequence[Value]
) -> list[Value]:
    """Values of both sides joined by labels; what has no partner is dropped.

    Labels join when equal, when one side has none, or when one side's contain the other's. Where
    either side is one answer without data, so is the result. A single value on each side is
    joined in any case.
    """
    if not left or not right:
        return []
    if (len(left) == 1 or len(right) == 1) and (
        isinstance(left[0], NoData) or isinstance(right[0], NoData)
    ):
        return [NoData()]
    results: list[Value] = []
    for a in map(_number, left):
        for b in map(_number, right):
            labels = _union(a.labels, b.labels)
            if labels is not None:
                results.append(Number(labels, _applied(operation, a.value, b.value)))
    if not results and len(left) == len(right) == 1:
        a, b = _number(left[0]), _number(right[0])
        results.append(Number({}, _applied(operation, a.value, b.value)))
    return results


def _union(left: Labels, right: Labels) -> Labels | None:
    if left.items() <= right.items():
        return right
    return left if right.items() <= left.items() else None


def _applied(
    operation: Callable[[float, float], float], a: float | None, b: float | None
) -> float | None:
    return None if a is None or b is None else operation(a, b)


def _mapped(function: Callable[[float], float], values: Sequence[Value]) -> list[Value]:
    results: list[Value] = []
    for value in values:
        if isinstance(value, NoData):
            results.append(value)
            continue
        number = _number(value)
        changed = None if number.value is None else function(number.value)
        results.append(Number(number.labels, changed))
    return results


def _calculate(model: Mapping[str, Any], found: Mapping[str, list[Value]]) -> list[Value]:
    return _Formula(model["expression"], found).result()


_EXPRESSIONS: dict[str, Callable[[Mapping[str, Any], Mapping[str, list[Value]]], list[Value]]] = {
    "reduce": _reduce,
    "math": _calculate,
    "threshold": _threshold,
}
