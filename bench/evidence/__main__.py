"""What detection is worth, on LifeSnaps: ``python -m bench.evidence``.

Everybody is judged by priors and thresholds that were fitted without them; intervals are bootstrap
intervals over people. A hit is an alert that opens within a planted change or the day after.
"""

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bench.evidence import replays
from bench.evidence.changes import CHANGES, COMPOUND, FAST_HEART, HEART_RATE, SHORT_SLEEP, SLEEP
from bench.evidence.figures import Interval, rate_of, share_difference
from bench.evidence.peers import peers
from bench.evidence.trial import People, Trial, cohorts, folds, only, try_peer, try_system
from detectors.cohort import Cohort, load_cohort
from detectors.config import DetectionConfig
from streams.events import FeatureRow

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("WAKELINE_SHARED_DATA", ROOT.parent / "shared" / "data"))
SMALLEST_GROUP = 5
"""People below whom a group's figures are not shown."""

BEFORE_MOOD_DAYS = 3
"""Days before an answer within which an alert counts as being before it."""

console = Console(width=110)
kept: dict[str, object] = {}


def main(
    data: Annotated[Path, typer.Option(help="Folder of LifeSnaps' daily table.")] = SHARED
    / "lifesnaps_daily",
    output: Annotated[Path, typer.Option(help="JSON file for the figures.")] = ROOT
    / "bench"
    / "evidence.json",
) -> None:
    """Print what detection finds at one alert per person-month, and keep the figures.

    Example: python -m bench.evidence --data path/to/lifesnaps_daily
    """
    console.print("replaying LifeSnaps", style="dim")
    rows = replays.replayed(data, load_cohort(), replays.as_they_came).rows
    people = _people(rows)
    config = DetectionConfig()
    fitted = cohorts(people, config)
    whole = try_system(people, config, fitted, CHANGES)
    _tell_system("whole system", whole)
    _tell_peers("compound", people, whole)
    for name, key, change in (
        ("resting heart rate alone", HEART_RATE, FAST_HEART),
        ("sleep duration alone", SLEEP, SHORT_SLEEP),
    ):
        config = only(key)
        single = try_system(people, config, cohorts(people, config), [change])
        _tell_system(name, single)
        _tell_peers(change.name, people, single, key)
    _tell_shown(data, people, fitted, whole)
    _tell_groups(replays.groups(data), whole)
    _tell_moods(replays.moods(data), whole)
    output.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")


def _people(rows: list[FeatureRow]) -> People:
    people: dict[str, list[FeatureRow]] = {}
    for row in rows:
        people.setdefault(row.user_id, []).append(row)
    return dict(sorted(people.items()))


def _tell_system(name: str, trial: Trial) -> None:
    title = f"{name}: {trial.rate} alerts per watched person-month"
    table = Table("change", "found", "opened there by chance", "changes", "people", title=title)
    for change, found in trial.found.items():
        count = sum(map(len, found.hits.values()))
        told = (str(found.sensitivity), f"{found.chance:.2f}", str(count), str(len(found.hits)))
        table.add_row(change, *told)
        eligible = sorted(found.hits)
        kept[f"{name}, {change}"] = {
            "rate": trial.rate,
            "found": found.sensitivity,
            "chance": found.chance,
            "changes": count,
            "eligible": eligible,
        }
    console.print(table)
    console.print(f"the busiest tenth of people take {trial.busiest:.0%} of the alerts")
    kept[f"{name}, share of the busiest tenth"] = trial.busiest


def _tell_peers(name: str, people: People, trial: Trial, key: object = None) -> None:
    change = next(change for change in CHANGES if change.name == name)
    table = Table("rule", "rate", "found", "chance", "difference", title=f"{name}: rules")
    for peer in peers():
        if key not in {None, peer.key}:
            continue
        other = try_peer(people, peer, trial.rate.value, [change])
        found = other.found[name]
        difference = trial.found[name].above(found)
        told = (str(other.rate), str(found.sensitivity), f"{found.chance:.2f}", str(difference))
        table.add_row(peer.name, *told)
        kept[f"{name}, {peer.name}, {'all' if key is None else 'single'}"] = {
            "rate": other.rate,
            "found": found.sensitivity,
            "chance": found.chance,
            "difference": difference,
        }
    console.print(table)


def _tell_shown(data: Path, people: People, fitted: Mapping[str, Cohort], whole: Trial) -> None:
    """Alerts that were ever shown, withdrawn ones included, against the budget."""
    for name, arrivals in (
        ("as they came", replays.as_they_came),
        ("half-synced nights, weekends out of reach", replays.troubled),
    ):
        shown = dict.fromkeys(people, 0)
        for own in folds(people):
            done = replays.replayed(data, fitted[own[0]], arrivals, own)
            shown |= {user: len(ids) for user, ids in done.shown.items()}
        rate = rate_of(shown, whole.watched)
        console.print(f"alerts shown, {name}: {rate} per watched person-month (budget 1)")
        kept[f"shown, {name}"] = rate


def _tell_groups(groups: Mapping[str, Mapping[str, str]], whole: Trial) -> None:
    table = Table("group", "people", "alerts per person-month", "compound found", title="groups")
    values = sorted({pair for own in groups.values() for pair in own.items()})
    for name, value in values:
        users = [user for user in whole.watched if groups.get(user, {}).get(name) == value]
        found = whole.found[COMPOUND.name].of(users)
        if len(users) < SMALLEST_GROUP or len(found.hits) < SMALLEST_GROUP:
            continue
        opened = {user: len(whole.opened[user]) for user in users}
        rate = rate_of(opened, {user: whole.watched[user] for user in users})
        table.add_row(f"{name} {value}", str(len(users)), str(rate), str(found.sensitivity))
        kept[f"group {name} {value}"] = {"rate": rate, "found": found.sensitivity}
    console.print(table)


def _tell_moods(moods: Mapping[str, Mapping[dt.date, bool]], whole: Trial) -> None:
    """How much more often an alert opened in the days before somebody said they were low."""
    low: dict[str, list[bool]] = {}
    other: dict[str, list[bool]] = {}
    for user, answers in moods.items():
        for date, is_low in answers.items():
            before = [(date - opened).days for opened in whole.opened.get(user, ())]
            is_before = any(0 <= days <= BEFORE_MOOD_DAYS for days in before)
            (low if is_low else other).setdefault(user, []).append(is_before)
    difference: Interval = share_difference(low, other)
    other_count, low_count = (sum(map(len, some.values())) for some in (other, low))
    console.print(
        f"an alert opened in the {BEFORE_MOOD_DAYS} days before an answer: difference between "
        f"{low_count} answers of sad, tense or anxious and {other_count} others: {difference}"
    )
    kept["moods"] = difference


if __name__ == "__main__":
    typer.run(main)
