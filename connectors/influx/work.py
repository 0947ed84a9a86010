"""What is to be done to the database: deletions first, then lines by bucket."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from connectors.influx.lines import HOUR_NS, MINUTE_NS
from streams.events import MinuteRows, Output

_STEP_NS = {"minute": MINUTE_NS, "hour": HOUR_NS, "night": 24 * HOUR_NS, "day": 24 * HOUR_NS}


class Deletion(NamedTuple):
    """Points of one subject to delete, both times included; ``tags`` narrow it down further.

    A predicate cannot ask for the absence of a tag. So a detector must either score whole rows or
    features of them, and a rule must either have windows or none.
    """

    bucket: str
    measurement: str
    subject: str
    first_ns: int
    last_ns: int
    tags: tuple[tuple[str, str], ...] = ()


def merged(deletions: Iterable[Deletion]) -> list[Deletion]:
    """Join deletions of neighbouring windows, for each takes milliseconds whatever its length.

    Between a window and the next there is no point of the same kind.
    """
    found: list[Deletion] = []
    for deletion in sorted(deletions, key=lambda one: (one[:3], one.tags, one.first_ns)):
        last = found[-1] if found else None
        if last is not None and _follows(deletion, last):
            last_ns = max(last.last_ns, deletion.last_ns)
            found[-1] = last._replace(last_ns=last_ns)
        else:
            found.append(deletion)
    return found


def _follows(deletion: Deletion, last: Deletion) -> bool:
    if deletion[:3] != last[:3] or deletion.tags != last.tags:
        return False
    kind = dict(deletion.tags).get("window", deletion.measurement)
    return deletion.first_ns - last.last_ns <= _STEP_NS.get(kind, 0)


class Lines:
    """Lines for one bucket, and which output each of them came from."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._starts: list[int] = []
        self._outputs: list[Output | None] = []

    def add(self, texts: Sequence[str], output: Output | None) -> None:
        """Add the lines of an output; None where it was stored before."""
        self._starts.append(len(self.texts))
        self._outputs.append(output)
        self.texts.extend(texts)

    def output_of(self, position: int) -> Output | None:
        """Give the output that a line came from."""
        return self._outputs[bisect_right(self._starts, position) - 1]

    @property
    def outputs(self) -> list[Output]:
        """All outputs that lines came from."""
        return [output for output in self._outputs if output is not None]


class Work:
    """Deletions, and lines by bucket."""

    def __init__(self) -> None:
        self.deletions: list[Deletion] = []
        self.lines: dict[str, Lines] = {}

    def delete(self, deletion: Deletion) -> None:
        """Add a deletion."""
        self.deletions.append(deletion)

    def write(self, bucket: str, texts: Sequence[str], output: Output | None) -> None:
        """Add the lines of an output; None for a change to what was stored before."""
        found = self.lines.get(bucket)
        if found is None:
            found = self.lines[bucket] = Lines()
        found.add(texts, output)


def index_of(text: str, output: Output) -> int | None:
    """Place of the minute that a line tells of; None for what has one line only."""
    if not isinstance(output, MinuteRows):
        return None
    at_s = int(text.rsplit(" ", 1)[1]) / 1e9
    times = [abs(minute.start - at_s) for minute in output.minutes]
    return times.index(min(times))
