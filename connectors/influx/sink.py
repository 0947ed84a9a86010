"""`InfluxResults`: the ``ResultSink`` over InfluxDB 2."""

import asyncio
import math
import re
import time
from collections.abc import (
    AsyncIterator,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, NamedTuple

import structlog

from connectors.base import Refuse
from connectors.influx.client import (
    BATCH_LINES,
    Access,
    BucketMissing,
    Counts,
    InfluxClient,
    Series,
)
from connectors.influx.decisions import Decisions, key_of, needs
from connectors.influx.known import CellKey, Known
from connectors.influx.lines import PIPELINE_BUCKET
from connectors.influx.reading import (
    Question,
    Reading,
    cell_questions,
    latest_questions,
    latest_times,
)
from connectors.influx.work import Deletion, Lines, Work, index_of, merged
from connectors.outputs import output_message
from streams.events import OUTPUT_TOPICS, DeadLetter, MinuteRows, Output

SLICE_LINES = BATCH_LINES
"""Lines that one turn of decisions leads to, about; two turns are in memory at once."""

REQUESTS_MAX = 3
"""Requests under way at once: one is read by the server while the next is made."""

EXPIRED_INTERVAL_S = 60.0
"""How often it is said at most that points were too old."""

NOWHERE = -1
"""Partition and offset of a dead letter of a sink, which knows neither."""

log = structlog.get_logger(__name__)


class Refused(NamedTuple):
    """A dead letter, and the output that it is about."""

    letter: DeadLetter
    output: Output


class InfluxResults:
    """Results in InfluxDB; a ``ResultSink`` that waits by itself while InfluxDB is away.

    Points whose site has no bucket, and single points that InfluxDB finds wrong, go to where
    ``refuse_to`` says, and everything else is stored. Figures about operation (``Operation``)
    are written as they come, without a look at what is there.

    A subject who moves to another site within a window that is not settled leaves points behind
    if the worker starts anew between the two, for it then looks in the new site's buckets alone.

    Parameters
    ----------
    access
        Where InfluxDB is, and the token of a worker.
    known
        What is remembered of what is stored; bounded.
    """

    def __init__(self, access: Access, known: Known | None = None) -> None:
        self.counts = Counts()
        self._access = access
        self._known = Known() if known is None else known
        self._refuse: Refuse = _log_only
        self._client: InfluxClient | None = None
        self._lock = asyncio.Lock()
        self._homeless: set[str] = set()
        self._expired_said = 0
        self._expired_said_at = -math.inf

    def refuse_to(self, refuse: Refuse) -> None:
        """Say where outputs go that InfluxDB refuses for good."""
        self._refuse = refuse

    def figures(self) -> dict[str, float]:
        """How often a request was tried again, and how many lines were refused."""
        return {
            "refused_count": float(self.counts.refused),
            "retry_count": float(self.counts.retries),
        }

    def forget(self) -> None:
        """Forget what is stored, since somebody else may have written; it is read when needed."""
        self._known.forget()

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def write(self, outputs: Sequence[Output]) -> None:
        """Store ``outputs``; see ``ResultSink``. While InfluxDB is away this waits.

        The first write asks something in any case, so that one without outputs shows whether
        InfluxDB takes the token.

        Raises
        ------
        BadInput
            When InfluxDB refuses the token or the organisation.
        """
        async with self._lock:
            if self._client is None:
                self._client = InfluxClient(self._access, self.counts)
                await self._client.query(PIPELINE_BUCKET, ["SHOW DATABASES"])
            try:
                await self._store(self._client, outputs)
            except BaseException:
                # It is not known how far this came, nor is a thread that decides done by now.
                self._known = self._known.emptied()
                raise
            self._known.shrink()
            self._say_expired()

    async def _store(self, client: InfluxClient, outputs: Sequence[Output]) -> None:
        """Decide on a part of the outputs while the part before it is on its way."""
        doing: asyncio.Future[list[Output]] | None = None
        try:
            for some in _slices(outputs):
                keyed = [(key_of(output), output) for output in some]
                await self._look(client, needs(keyed))
                work = await asyncio.to_thread(_decide, self._known, keyed)
                if doing is not None:
                    self._forget_refused(await doing)
                doing = asyncio.ensure_future(self._do(client, work))
            if doing is not None:
                self._forget_refused(await doing)
        finally:
            if doing is not None and not doing.done():
                doing.cancel()
                await asyncio.wait([doing])

    def _forget_refused(self, outputs: Iterable[Output]) -> None:
        self._known.forget(map(key_of, outputs))

    async def _do(self, client: InfluxClient, work: Work) -> list[Output]:
        """Delete and write; return the outputs of which something is not stored."""
        await self._delete(client, merged(work.deletions))
        letters = await self._write_lines(client, work)
        if letters:
            await self._refuse([letter for letter, _ in letters])
        return [output for _, output in letters]

    async def _look(self, client: InfluxClient, needed: Mapping[CellKey, str]) -> None:
        """Read what is stored, as far as it matters and is not known."""
        unmet = self._known.unmet(needed)
        for key in unmet:
            self._known.met(key.kind, key.subject)
        questions = latest_questions((key, needed[key]) for key in unmet)
        async for question, series in _answers(client, questions):
            for subject, latest_ns in latest_times(series):
                self._known.met(question.kind, subject, latest_ns)
        missing = self._known.missing(needed)
        reading = Reading(missing)
        questions = cell_questions((key, needed[key]) for key in missing)
        async for question, series in _answers(client, questions):
            reading.take(question, series)
        for key, cell in reading.cells.items():
            self._known.add(key, cell)

    async def _delete(self, client: InfluxClient, deletions: Iterable[Deletion]) -> None:
        turns = asyncio.Semaphore(REQUESTS_MAX)

        async def delete(deletion: Deletion) -> None:
            async with turns:
                where = (("_measurement", deletion.measurement), ("subject", deletion.subject))
                await client.delete(
                    deletion.bucket,
                    first_ns=deletion.first_ns,
                    last_ns=deletion.last_ns,
                    tags=(*where, *deletion.tags),
                )

        await _all(delete(deletion) for deletion in deletions)

    async def _write_lines(self, client: InfluxClient, work: Work) -> list[Refused]:
        turns = asyncio.Semaphore(REQUESTS_MAX)
        missing: set[str] = set()
        refused: list[Refused] = []

        async def write(bucket: str, lines: Lines, start: int) -> None:
            async with turns:
                if bucket in missing:
                    return
                texts = lines.texts[start : start + BATCH_LINES]
                try:
                    refusals = await client.write(bucket, texts)
                except BucketMissing:
                    missing.add(bucket)
                    return
            for refusal in refusals:
                refused.extend(_refused_line(lines, start + refusal.position, refusal.reason))

        await _all(
            write(bucket, lines, start)
            for bucket, lines in work.lines.items()
            for start in range(0, len(lines.texts), BATCH_LINES)
        )
        for bucket in sorted(missing):
            refused.extend(self._refused_bucket(bucket, work.lines[bucket].outputs))
        self._homeless -= work.lines.keys() - missing
        return refused

    def _refused_bucket(self, bucket: str, outputs: Sequence[Output]) -> Iterator[Refused]:
        remedy = _remedy(bucket)
        if bucket not in self._homeless:
            self._homeless.add(bucket)
            what = "a bucket is missing, what belongs there goes to the dead letters"
            log.error(what, bucket=bucket, do=remedy)
        reason = f"InfluxDB has no bucket {bucket}: run `{remedy}`"
        for output in outputs:
            yield Refused(dead_letter(output, reason, None), output)

    def _say_expired(self) -> None:
        expired = self.counts.expired - self._expired_said
        if expired and time.monotonic() - self._expired_said_at >= EXPIRED_INTERVAL_S:
            self._expired_said = self.counts.expired
            self._expired_said_at = time.monotonic()
            log.info("points older than their bucket keeps were left out", count=expired)


def dead_letter(output: Output, reason: str, index: int | None) -> DeadLetter:
    """A refused output as a dead letter: its own message, and the minute (``index``) if one only.

    The sink does not know where the output lay in its topic, so partition and offset are -1.
    """
    message = output_message(output, NOWHERE, "")
    topic = OUTPUT_TOPICS[type(output)]
    return DeadLetter(
        topic=topic,
        partition=NOWHERE,
        offset=NOWHERE,
        reason=reason,
        key=message.key,
        value=message.value,
        index=index,
    )


def _decide(known: Known, keyed: Sequence[tuple[CellKey | None, Output]]) -> Work:
    decisions = Decisions(known)
    for key, output in keyed:
        decisions.take(key, output)
    return decisions.work()


def _refused_line(lines: Lines, position: int, reason: str) -> Iterator[Refused]:
    output = lines.output_of(position)
    reason = _without_values(reason)
    log.error("InfluxDB refuses a point, it goes to the dead letters", reason=reason)
    if output is not None:
        index = index_of(lines.texts[position], output)
        yield Refused(dead_letter(output, f"InfluxDB: {reason}", index), output)


async def _answers(
    client: InfluxClient, questions: Sequence[Question]
) -> AsyncIterator[tuple[Question, list[Series]]]:
    by_bucket: dict[str, list[Question]] = {}
    for question in questions:
        by_bucket.setdefault(question.bucket, []).append(question)
    for bucket, some in by_bucket.items():
        answers = await client.query(bucket, [question.text for question in some])
        for question, series in zip(some, answers, strict=True):
            yield question, series


async def _all(requests: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all of them; an error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for request in requests:
                group.create_task(request)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _slices(outputs: Sequence[Output]) -> Iterator[list[Output]]:
    """Cut a write so that each part leads to a bounded number of lines."""
    part: list[Output] = []
    count = 0
    for output in outputs:
        part.append(output)
        count += len(output.minutes) if isinstance(output, MinuteRows) else 1
        if count >= SLICE_LINES:
            yield part
            part, count = [], 0
    if part:
        yield part


def _remedy(bucket: str) -> str:
    """The command that creates a bucket."""
    site = bucket.removeprefix("wakeline-").rpartition("-")[0]
    return f"wakeline setup influx --site {site}" if site else "wakeline setup influx"


def _without_values(reason: str) -> str:
    """Give a reason without the line that InfluxDB repeats in it between single quotes."""
    return re.sub(r"'.*'", "a line", reason, flags=re.DOTALL)


async def _log_only(letters: Sequence[DeadLetter]) -> None:
    log.error("results were refused and nobody takes dead letters", count=len(letters))
