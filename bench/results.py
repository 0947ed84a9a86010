"""Figures: what a benchmark gives, the table, and the file that keeps them all."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")

Progress = Callable[[str], None]
"""Takes a line on how far a benchmark has come."""


class Goal(Struct, frozen=True, kw_only=True):
    """What is to be reached: a smallest ratio, a smallest value or a largest value."""

    ratio_at_least: float = -math.inf
    value_at_least: float = -math.inf
    value_at_most: float = math.inf

    def is_met(self, value: float, ratio: float | None) -> bool:
        """Whether a figure reaches the goal."""
        return self.value_at_least <= value <= self.value_at_most and (
            ratio is None or ratio >= self.ratio_at_least
        )

    def __str__(self) -> str:
        limits = (
            ("ratio ≥", self.ratio_at_least),
            ("≥", self.value_at_least),
            ("≤", self.value_at_most),
        )
        return ", ".join(f"{sign} {limit:,g}" for sign, limit in limits if math.isfinite(limit))


class Result(Struct, frozen=True, kw_only=True):
    """A figure, its peers in the same run and unit, and the ratio to the strongest of them."""

    name: str
    value: float
    unit: str
    peers: dict[str, float] = {}
    ratio: float | None = None
    goal: Goal | None = None


class _Kept(Struct, frozen=True, kw_only=True):
    """A result as the file keeps it; goals belong to the benchmarks."""

    name: str
    value: float
    unit: str
    peers: dict[str, float]
    ratio: float | None


def keep(results: Iterable[Result], path: Path = RESULTS) -> None:
    """Write results to the file; they replace those of the same name and join the others."""
    kept = {}
    if path.exists():
        earlier = msgspec.json.decode(path.read_bytes(), type=list[_Kept])
        kept = {result.name: result for result in earlier}
    for result in results:
        kept[result.name] = msgspec.convert(result, _Kept, from_attributes=True)
    encoded = msgspec.json.encode(list(kept.values()))
    path.write_bytes(msgspec.json.format(encoded, indent=2) + b"\n")


def table(results: Iterable[Result]) -> Table:
    """Give a table: a line per figure, and one under it per peer."""
    shown = Table("benchmark", title="Wakeline's benchmarks")
    for heading in ("figure", "ratio", "goal"):
        shown.add_column(heading, justify="right")
    shown.add_column("met")
    for result in results:
        goal = result.goal
        met = "" if goal is None else "yes" if goal.is_met(result.value, result.ratio) else "no"
        shown.add_row(
            result.name,
            f"{result.value:,.0f} {result.unit}",
            "" if result.ratio is None else f"{result.ratio:.2f}",
            "" if goal is None else str(goal),
            met,
            style="bold",
        )
        for name, value in result.peers.items():
            ratio = f"{result.value / value:.2f}"
            shown.add_row(f"  {name}", f"{value:,.0f} {result.unit}", ratio)
    return shown
