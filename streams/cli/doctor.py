"""``wakeline doctor``: whether all that workers need is there and set as they need it."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.errors import BadInput, WakelineError

if TYPE_CHECKING:
    from connectors.inspection import BrokerView, LogView, Place
    from streams.cli.findings import Census, Finding, Wanted
    from streams.settings import Settings

READ_LIMIT_S = 10.0
"""How long logs are read (s), so that an answer comes however long they are."""


def register(app: typer.Typer) -> None:
    """Add the command of this group."""
    app.command()(doctor)


def doctor(
    broker: Annotated[
        str | None, typer.Option("--broker", help="Broker as host:port (WAKELINE_BROKER).")
    ] = None,
    site_config: Annotated[
        Path | None, typer.Option("--site-config", help="TOML file with the site's configuration.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="SQLite file, if workers write to one.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check broker, topics, clock, workers, sink and registry, and say what to do.

    It changes nothing, and needs the same WAKELINE_ variables as the workers. One line for each
    check: ok, warn or fail. The exit code is 1 if anything fails.

    Example: wakeline doctor --broker 127.0.0.1:9092
    """
    from streams.cli.findings import Level
    from streams.cli.logs import configure_logs

    configure_logs()
    options = {"broker": broker, "site_config": site_config, "results": results}
    found = asyncio.run(_examine(options))
    _print(found, as_json=json)
    if any(finding.level is Level.FAIL for finding in found):
        raise typer.Exit(1)


async def _examine(options: Mapping[str, object]) -> "list[Finding]":
    from streams.cli.findings import fault, ok
    from streams.settings import Settings

    try:
        settings = Settings.load(**options)
        if options["results"] is not None:
            settings = settings.model_copy(update={"influx_url": None})
        wanted = _wanted(settings)
    except WakelineError as error:
        return [fault("settings", error)]
    about = settings.site_config or "none"
    found = [ok("settings", f"valid; file of the site: {about}")]
    of_broker, sites = await _of_broker(settings, wanted)
    return [*found, *of_broker, await asyncio.to_thread(_of_sink, settings, sites)]


def _wanted(settings: "Settings") -> "Wanted":
    from connectors.ticks import parse_ticks
    from streams.cli.findings import Wanted

    config = settings.pipeline_config()
    return Wanted(
        partitions=config.partitions,
        replication=settings.replication,
        lateness_s=config.lateness_s,
        compaction_lag_s=settings.compaction_lag_s,
        session_timeout_s=settings.session_timeout_s,
        writes_ticks=parse_ticks(settings.ticks) is not None,
    )


async def _of_broker(
    settings: "Settings", wanted: "Wanted"
) -> "tuple[list[Finding], Collection[str]]":
    """What is found at the broker, and the projects of who is enrolled there."""
    from connectors.inspection import describe_broker
    from connectors.kafka import ALL_TOPICS, wait_for_broker
    from streams.cli.findings import Census, fault, of_session, of_topics, ok

    address, found, census = settings.broker, [], Census()
    try:
        await wait_for_broker(address, min(settings.connect_timeout_s, READ_LIMIT_S))
        view = await describe_broker(address, ALL_TOPICS)
        found.append(ok("broker", f"{address} answers; nodes: {view.nodes}"))
        found.append(of_session(view.settings, wanted.session_timeout_s))
        found.extend(of_topics(view, wanted))
        found.extend(await _of_logs(address, view, wanted, census))
    except WakelineError as error:
        found.append(fault("broker", error))
    return found, census.sites


async def _of_logs(
    address: str, view: "BrokerView", wanted: "Wanted", census: "Census"
) -> "list[Finding]":
    """What the logs and those who read them say, as far as the topics are there."""
    from connectors.inspection import describe_group, describe_logs, read_values
    from streams.app import PROCESS_GROUP, RESULTS_GROUP
    from streams.cli.findings import of_group, of_registry, of_ticks
    from streams.events import INGEST_TOPICS
    from streams.pipeline import SUBJECTS_TOPIC
    from streams.topics import RESULT_TOPICS

    ingest, results = _places(view, INGEST_TOPICS), _places(view, RESULT_TOPICS)
    subjects = _places(view, [SUBJECTS_TOPIC])
    if not (ingest and results and subjects):
        return []
    logs = await describe_logs(address, [*ingest, *results], READ_LIMIT_S)
    found = [of_ticks(_of(logs, ingest), time.time(), wanted)]
    for group, places in ((PROCESS_GROUP, ingest), (RESULTS_GROUP, results)):
        members = await describe_group(address, group, places)
        found.append(of_group(group, members, _of(logs, places)))
    is_whole = await read_values(address, subjects, census.take, READ_LIMIT_S)
    return [*found, *of_registry(census, time.time(), is_whole=is_whole)]


def _places(view: "BrokerView", topics: Sequence[str]) -> "list[Place]":
    there = [(topic, view.topics[topic].partitions) for topic in topics if topic in view.topics]
    return [(topic, number) for topic, count in there for number in range(count)]


def _of(logs: "dict[Place, LogView]", places: "list[Place]") -> "dict[Place, LogView]":
    return {place: logs[place] for place in places if place in logs}


def _of_sink(settings: "Settings", sites: Collection[str]) -> "Finding":
    from streams.cli.findings import failure, fault, ok

    try:
        if settings.influx_url is None:
            return ok("sink", _of_file(settings.results))
        from connectors.influx.client import Access
        from connectors.influx.inspection import missing_buckets

        token = settings.influx_worker_token()
        access = Access(url=settings.influx_url, token=token, org=settings.influx_org)
        missing = missing_buckets(access, sites)
    except WakelineError as error:
        return fault("sink", error)
    if missing:
        advice = "`wakeline setup influx --site PROJECT` makes them, and a token for all of them"
        detail = f"the workers' token cannot write to {', '.join(missing)}"
        return failure("sink", detail, advice)
    return ok("sink", f"InfluxDB at {settings.influx_url} takes results of {len(sites)} project(s)")


def _of_file(path: Path) -> str:
    """What is the case with a SQLite file that workers can write to.

    Raises
    ------
    BadInput
        If they cannot.
    """
    import os

    from connectors.run_files import open_run

    if not path.exists():
        if not os.access(path.absolute().parent, os.W_OK):
            raise BadInput(f"{path} (WAKELINE_RESULTS) cannot be created there")
        return f"{path} is not there yet, and will be created"
    with open_run(path):
        pass
    if not os.access(path, os.W_OK):
        raise BadInput(f"{path} (WAKELINE_RESULTS) cannot be written to")
    return f"{path} can be written to"


def _print(found: "Sequence[Finding]", *, as_json: bool) -> None:
    import msgspec

    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    width = max(len(finding.check) for finding in found)
    for finding in found:
        advice = f": {finding.advice}" if finding.advice else ""
        typer.echo(f"{finding.level:4}  {finding.check:{width}}  {finding.detail}{advice}")
