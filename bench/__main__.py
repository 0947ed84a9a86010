"""Run benchmarks: ``python -m bench`` all of them, ``python -m bench NAME`` one."""

import importlib
import logging
from collections.abc import Callable
from typing import Annotated

import structlog
import typer
from rich.console import Console

from bench.results import Progress, Result, keep, table
from tests.servers import ServerMissing

BENCHMARKS = ("messages", "replay", "science", "memory", "state", "checkpoint", "scaling", "sink")
"""Each is a module of this package whose ``run`` gives results."""


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which of: {', '.join(BENCHMARKS)}. All if none.")
    ] = None,
) -> None:
    """Print figures beside those of peers from the same run, and keep them in results.json.

    Example: python -m bench replay
    """
    unknown = set(names or ()) - set(BENCHMARKS)
    if unknown:
        typer.echo(f"no such benchmark: {', '.join(sorted(unknown))}", err=True)
        raise typer.Exit(2)
    # What a library retries while a broker starts is no news here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.basicConfig(level=logging.CRITICAL)
    console = Console()
    results: list[Result] = []
    for name in names or BENCHMARKS:
        run: Callable[[Progress], list[Result]] = importlib.import_module(f"bench.{name}").run
        try:
            results += run(lambda line: console.print(line, style="dim", highlight=False))
        except ServerMissing as error:
            console.print(f"{name} was left out: {error}", highlight=False)
        keep(results)
    console.print(table(results))


if __name__ == "__main__":
    typer.run(main)
