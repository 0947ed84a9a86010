"""The features as Markdown tables: what each value of a row is, and when it is told."""

import inspect
import sys
from collections.abc import Iterable
from itertools import groupby

from streams.contract.tables import with_tables
from streams.events import WindowKind
from streams.features import features_of
from streams.features.base import UNITS, Figure
from streams.features.coverage import CHANNELS

BEGIN_FIGURES = "<!-- generated features: make contract -->"
END_FIGURES = "<!-- end of generated features -->"


def with_current_figures(page: str) -> str:
    """Replace the generated tables of the features' Markdown page (see `with_tables`)."""
    return with_tables(page, BEGIN_FIGURES, END_FIGURES, figure_tables())


def figure_tables() -> str:
    """Markdown: units, then the values of each kind of window by module, then the channels."""
    units = [f"| `{unit}` | {meaning} |" for unit, meaning in UNITS.items()]
    channels = [f"| `{name}` | {meaning} |" for name, meaning in CHANNELS.items()]
    return "\n".join(
        [
            _section("## Units", "| name ends with | unit |", units),
            *(_windows(kind) for kind in WindowKind),
            _section("## Coverage", "| channel | share (0 to 1) of the window's |", channels),
        ]
    )


def _windows(kind: WindowKind) -> str:
    parts = [f"## {kind.value.capitalize()}s\n"]
    for module, features in groupby(features_of(kind), key=lambda feature: feature.module):
        figures = [figure for feature in features for figure in feature.gives]
        parts.append(_section(f"### {_topic(module)}", _HEAD, map(_row, figures)))
    return "\n".join(parts)


def _topic(module: str) -> str:
    """Give the topic of a module: what its docstring's first line says before the colon."""
    docstring = inspect.cleandoc(sys.modules[module].__doc__ or "")
    return docstring.splitlines()[0].partition(":")[0].rstrip(".")


def _row(figure: Figure) -> str:
    cells = (f"`{figure.name}`", figure.meaning, figure.minimum, figure.source)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _section(title: str, head: str, rows: Iterable[str]) -> str:
    line = "|" + "---|" * (head.count("|") - 1)
    return "\n".join([title, "", head, line, *rows, ""])


_HEAD = "| value | meaning | least data | source |"
