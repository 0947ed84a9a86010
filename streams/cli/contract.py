"""``wakeline schema``: print the event contract, or bring its files up to date."""

from pathlib import Path
from typing import Annotated

import typer

from connectors.influx.catalogue import BEGIN_TABLES, END_TABLES, result_tables
from streams.errors import BadInput


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command("schema")(schema)


def schema(
    write: Annotated[
        Path | None,
        typer.Option(
            help="File to bring up to date: a .json file is written anew, "
            "of a .md page the generated tables are replaced."
        ),
    ] = None,
) -> None:
    """Print the event contract: an AsyncAPI 3 document with JSON Schemas.

    Example: wakeline schema > asyncapi.json
    """
    from streams.contract import contract_json

    if write is None:
        typer.echo(contract_json(), nl=False)
        return
    try:
        _bring_up_to_date(write)
    except OSError as error:
        raise BadInput(f"cannot write {write}: {error.strerror}") from error


def _bring_up_to_date(path: Path) -> None:
    from streams.contract import contract_json, with_current_figures, with_current_tables
    from streams.contract.figures import BEGIN_FIGURES

    if path.suffix != ".md":
        path.write_text(contract_json(), encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    try:
        if BEGIN_TABLES in text:
            page = with_current_results(text)
        elif BEGIN_FIGURES in text:
            page = with_current_figures(text)
        else:
            page = with_current_tables(text)
    except ValueError as error:
        raise BadInput(f"cannot bring {path} up to date: {error}") from error
    path.write_text(page, encoding="utf-8")


def with_current_results(page: str) -> str:
    """Replace the generated tables of the results' Markdown page (see `with_tables`)."""
    from streams.contract import with_tables

    return with_tables(page, BEGIN_TABLES, END_TABLES, result_tables())
