"""Goal: what a worker logs names nobody and shows no data. Method: the sample, with messages that
cannot be used and a subject on whom the code fails, goes through a worker with logs as in earnest.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.recordings import (
    RecordingMessage,
    RecordingWriter,
    inspect_recordings,
    read_recordings,
)
from connectors.run_files import open_run
from streams.cli.demo import stream
from streams.cli.logs import configure_logs
from streams.events import TICK_KEY, Output
from streams.subject import SubjectState
from tests.broker_fixtures import run

SAMPLE = Path(__file__).parents[3] / "samples" / "demo.jsonl.zst"
FAILING = "user_5"
STRANGER = "somebody-not-enrolled"
# No number or word of the sample's: a worker's log may hold neither.
PAYLOAD = "8712369"


def with_faults() -> Iterator[RecordingMessage]:
    """The sample, and behind it messages that cannot be used."""
    last: dict[tuple[str, int], RecordingMessage] = {}
    for message in read_recordings([SAMPLE]):
        last[message.topic, message.partition] = message
        yield message
    values = [f'{{"broken": {PAYLOAD}', f'{{"schema": "heart_rate/9", "userId": "{FAILING}"}}']
    for message in last.values():
        for place, value in enumerate(values, start=1):
            key = STRANGER if place == 1 else FAILING
            offset = message.offset + place
            yield RecordingMessage(
                message.topic,
                message.partition,
                offset,
                message.timestamp_ms,
                key.encode(),
                value.encode(),
            )


@pytest.mark.broker
@pytest.mark.usefixtures("logging_restored")
@pytest.mark.timeout(300)
def test_log_of_a_worker_names_nobody_and_shows_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    advance = SubjectState.advance

    def fail_for_one(self: SubjectState, clock: float) -> list[Output]:
        outputs = advance(self, clock)
        if any(getattr(output, "user_id", None) == FAILING for output in outputs):
            raise ValueError(f"{FAILING}: {PAYLOAD}")
        return outputs

    monkeypatch.setattr(SubjectState, "advance", fail_for_one)
    recording, results = tmp_path / "faults.jsonl.zst", tmp_path / "results.sqlite"
    with RecordingWriter(recording) as writer:
        for message in with_faults():
            writer.write(message)
    people = {message.key for message in read_recordings([SAMPLE])} - {TICK_KEY, None}
    configure_logs()
    run(stream(inspect_recordings([recording]), results, asyncio.Event()), timeout_s=240.0)
    with open_run(results) as connection:
        (letters,) = connection.execute("SELECT count(*) FROM dead_letters").fetchone()
        alerts = connection.execute("SELECT body FROM alerts").fetchall()
    assert letters > 0
    assert any(b'"OPERATIONAL"' in body for (body,) in alerts)
    log = capfd.readouterr().err
    assert '"event": "worker ready"' in log
    names = [key.decode() for key in people if key is not None]
    assert len(names) > 10
    assert [name for name in [*names, STRANGER, PAYLOAD] if name in log] == []
