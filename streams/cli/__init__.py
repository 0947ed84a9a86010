"""The command line: ``wakeline COMMAND``. Every command's ``--help`` ends with an example.

Exit codes: 0 done, 1 what was asked could not be done (one line on standard error says why),
2 wrong usage, 130 interrupted. A module of this package holds a group of commands and registers
them; what it needs that is slow to load, it imports inside the command.
"""

import sys
from collections.abc import Sequence

import typer

from streams.cli import (
    cohorts,
    contract,
    demo,
    doctor,
    evaluation,
    planting,
    recordings,
    replay,
    results,
    setup,
    streaming,
)
from streams.errors import WakelineError, fault_trace

FAULT = 70
"""Exit code where the program itself is at fault (EX_SOFTWARE)."""

GROUPS = (
    demo,
    streaming,
    recordings,
    planting,
    replay,
    cohorts,
    results,
    evaluation,
    setup,
    doctor,
    contract,
)
"""Modules with commands, each with ``register(app)``."""


def command_line() -> typer.Typer:
    """Build the command line with all groups of commands."""
    app = typer.Typer(
        name="wakeline",
        help="Event-driven processing of wearable and passive-sensing streams "
        "for mental-health care.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for group in GROUPS:
        group.register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    try:
        command_line()(args=None if arguments is None else list(arguments))
    except WakelineError as error:
        typer.echo(f"wakeline: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # a message of an unforeseen error may hold data
        typer.echo(f"wakeline: a fault of the program: {fault_trace(error)}", err=True)
        sys.exit(FAULT)
