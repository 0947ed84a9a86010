"""``wakeline plant``: a change of known size in a recording, and the labels that say where."""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from msgspec import Struct

from streams.cli.progress import progress
from streams.errors import BadInput
from streams.events import ENVELOPE_SCHEMAS, SCHEMA_OF_TYPE, TOPIC_OF_SCHEMA, Envelope, Subject
from streams.planting.changes import CHANGES, Change, Effect, sized

if TYPE_CHECKING:
    from connectors.recordings import RecordingMessage, RecordingSummary
    from streams.planting.places import Places
    from streams.planting.plan import Plan

PROGRESS_MESSAGES = 1_000

SizeOption = Annotated[
    list[str] | None,
    typer.Option(help="Another size, such as sleep_min=-90; can be given several times."),
]


class PlantSummary(Struct, frozen=True, kw_only=True):
    """What was planted: people with a change and without a place for one, stretches, messages."""

    change: str
    effect: Effect
    days: int
    people: int
    people_without_place: int
    stretches: int
    messages_changed: int
    messages_dropped: int


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command("plant")(plant)


def plant(
    recording: Annotated[Path, typer.Argument(help="Recording to plant the change in.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Recording to write.")],
    labels: Annotated[Path, typer.Option(help="CSV to write: userId,start,end,label.")],
    change: Annotated[str, typer.Option(help=f"One of {', '.join(CHANGES)}.")],
    size: SizeOption = None,
    days: Annotated[int | None, typer.Option(min=1, help="Local dates it lasts.")] = None,
    per_person: Annotated[int, typer.Option(min=1, help="Most stretches of one person.")] = 1,
    gap_days: Annotated[int, typer.Option(min=0, help="Fewest dates between two of them.")] = 21,
    first_day: Annotated[int, typer.Option(min=0, help="Valid dates before the first one.")] = 28,
    seed: Annotated[int, typer.Option(min=0, help="Draws other places.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Insert changes of known size into a recording, and write where they are.

    Everything else stays byte for byte: ticks, offsets, keys, and the records of other dates.

    Example: wakeline plant people.jsonl.gz -o planted.jsonl.gz --labels labels.csv --change
    compound
    """
    from connectors.recordings import inspect_recordings
    from streams.planting.places import Places

    chosen = _chosen(change, size or [], days)
    if len({path.resolve() for path in (recording, output, labels)}) < 3:
        raise BadInput("recording, output and labels have to be three files")
    places = Places(
        days=chosen.days, per_person=per_person, gap_days=gap_days, first_day=first_day, seed=seed
    )
    found = inspect_recordings([recording])
    with progress("reading", found.messages) as advance:
        plans = _plans(found, chosen.effect, places, advance)
    placed = _placed(plans, f"{recording}: nobody has a place for {change}", places)
    with progress("writing", found.messages) as advance:
        changed, dropped = _write(found, output, placed, advance)
    _write_labels(labels, placed, change)
    summary = PlantSummary(
        change=change,
        effect=chosen.effect,
        days=chosen.days,
        people=len(placed),
        people_without_place=len(plans) - len(placed),
        stretches=sum(len(plan.stretches) for plan in placed.values()),
        messages_changed=changed,
        messages_dropped=dropped,
    )
    _tell(summary, output, as_json=as_json)


def _chosen(name: str, sizes: list[str], days: int | None) -> Change:
    if name not in CHANGES:
        raise BadInput(f"no change {name!r}: there are {', '.join(CHANGES)}")
    change = CHANGES[name]
    given: dict[str, float] = {}
    for text in sizes:
        key, _, number = text.partition("=")
        try:
            given[key] = float(number)
        except ValueError:
            raise BadInput(f"a size is name=number, not {text!r}") from None
    try:
        effect = sized(change.effect, given)
    except msgspec.ValidationError as error:
        known = ", ".join(Effect.__struct_fields__)
        raise BadInput(f"a size does not fit: {error}; sizes are {known}") from error
    if not effect.signals:
        raise BadInput("all sizes are 0: there is nothing to plant")
    return Change(days=change.days if days is None else days, effect=effect)


def _placed(plans: "Mapping[str, Plan]", nowhere: str, places: "Places") -> "dict[str, Plan]":
    """Plans with a stretch; if there is none, ``nowhere`` begins what is said."""
    placed = {user_id: plan for user_id, plan in plans.items() if plan.stretches}
    if not placed:
        raise BadInput(
            f"{nowhere}: {places.days} dates running with its signals, after "
            f"{places.first_day} such dates"
        )
    return placed


def _plans(
    found: "RecordingSummary", effect: Effect, places: "Places", advance: Callable[[int], None]
) -> "dict[str, Plan]":
    """What is done to each person who is registered, with no stretches where none fits."""
    from streams.planting.changes import SIGNALS
    from streams.planting.material import Clock, Material
    from streams.planting.places import draw
    from streams.planting.plan import plan

    subjects = _subjects(found)
    materials = {user_id: Material(Clock.of(subjects[user_id])) for user_id in sorted(subjects)}
    wanted = {schema for schema, signals in SIGNALS.items() if signals & effect.signals}
    for message in _read(found, advance):
        material = materials.get(_key(message))
        envelope = None if material is None else _envelope(message)
        if material is None or envelope is None:
            continue
        schema = ENVELOPE_SCHEMAS[type(envelope)]
        if schema in wanted:
            material.add(schema, envelope)
    return {
        user_id: plan(material, effect, draw(material.valid_dates(effect.signals), places, user_id))
        for user_id, material in materials.items()
    }


def _subjects(found: "RecordingSummary") -> "dict[str, Subject]":
    """What the registry says of everybody in the end."""
    from connectors.recordings import read_recordings

    topic = TOPIC_OF_SCHEMA[SCHEMA_OF_TYPE[Subject]]
    subjects: dict[str, Subject] = {}
    for message in read_recordings(found.paths):
        envelope = _envelope(message) if message.topic == topic else None
        if envelope is not None:
            subjects |= {record.user_id: record for record in envelope.records}
    if not subjects:
        raise BadInput(f"{found.paths[0]}: nobody is registered in it")
    return subjects


def _write(
    found: "RecordingSummary",
    output: Path,
    plans: "Mapping[str, Plan]",
    advance: Callable[[int], None],
) -> tuple[int, int]:
    """Write the recording with the changes; how many messages changed, and how many went."""
    from connectors.recordings import RecordingWriter
    from streams.planting.records import planted

    changed = dropped = 0
    with RecordingWriter(output) as writer:
        for message in _read(found, advance):
            plan = plans.get(_key(message))
            if plan is None or message.value is None:
                writer.write(message)
                continue
            value = planted(message.value, plan)
            if value is None:
                dropped += 1
                continue
            changed += value is not message.value
            writer.write(msgspec.structs.replace(message, value=value))
    return changed, dropped


def _read(
    found: "RecordingSummary", advance: Callable[[int], None]
) -> "Iterator[RecordingMessage]":
    from connectors.recordings import read_recordings

    count = 0
    for count, message in enumerate(read_recordings(found.paths), start=1):
        yield message
        if count % PROGRESS_MESSAGES == 0:
            advance(PROGRESS_MESSAGES)
    advance(count % PROGRESS_MESSAGES)


def _key(message: "RecordingMessage") -> str:
    return (message.key or b"").decode("utf-8", "replace")


def _envelope(message: "RecordingMessage") -> "Envelope | None":
    """What is good of a message; None for ticks and for what a worker would refuse."""
    from streams.decoding import Partial, decode

    decoded = decode(message.value)
    if isinstance(decoded, Partial):
        return decoded.envelope
    return decoded if isinstance(decoded, Envelope) else None


def _write_labels(path: Path, plans: "Mapping[str, Plan]", name: str) -> None:
    from streams.localtime import date_of_index

    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("userId", "start", "end", "label"))
            writer.writerows(
                (user_id, date_of_index(stretch.first), date_of_index(stretch.last), name)
                for user_id, plan in plans.items()
                for stretch in plan.stretches
            )
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from error


def _tell(summary: PlantSummary, output: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())
        return
    sizes = ", ".join(
        f"{name} {size:+g}" for name, size in msgspec.structs.asdict(summary.effect).items() if size
    )
    typer.echo(
        f"{summary.stretches} stretches of {summary.days} days in {summary.people} people into "
        f"{output}: {sizes}"
    )
    typer.echo(
        f"{summary.messages_changed} messages changed, {summary.messages_dropped} left out; "
        f"{summary.people_without_place} people have no place for it"
    )
