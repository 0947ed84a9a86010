"""Goal: a worker on a broker and a replay give the same bytes. Method: the demo's recording goes
through the embedded broker and a real Faust worker, and through replay; exports are compared."""

import asyncio
from pathlib import Path

import pytest

from connectors.export import Exported, export
from connectors.recordings import inspect_recordings
from streams.cli import main
from streams.cli.demo import stream

SAMPLE = Path(__file__).parents[1] / "samples" / "demo.jsonl.zst"

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Results of the worker, and of a replay."""
    folder = tmp_path_factory.mktemp("parity")
    worker, replayed = folder / "worker.sqlite", folder / "replay.sqlite"
    asyncio.run(stream(inspect_recordings([SAMPLE]), worker, asyncio.Event()))
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(SAMPLE), "-o", str(replayed)])
    assert ended.value.code == 0
    return worker, replayed


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", list(Exported))
def test_worker_and_replay_export_the_same_bytes(runs: tuple[Path, Path], what: Exported) -> None:
    worker, replayed = (b"".join(export(run, what)) for run in runs)
    assert worker
    assert worker == replayed
