"""Goal: one command says what is wrong and what to do, by its lines and by its exit code.

Method: the command itself against the embedded broker and Apache Kafka, with worlds that are well
and such that are not.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.broker import EmbeddedBroker, free_port
from connectors.kafka import ensure_topics
from connectors.outputs import OutboundMessage
from streams.cli import doctor, main
from streams.events import INGEST_TOPICS, TICK_KEY, encode_envelope
from tests.broker_fixtures import run, send
from tests.logs import subject
from tests.servers.kafka import KafkaServer

PARTITIONS = 4

pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite"


def examine(
    capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the findings by what they are about."""
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json", *map(str, arguments)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(ended.value.code, int)
    return ended.value.code, {finding["check"]: finding for finding in found}


async def live(address: str) -> None:
    """Topics with a tick of now in each log and one enrolled subject."""
    await ensure_topics(address, PARTITIONS)
    value = encode_envelope(
        [subject("someone")],
        "subject/1",
        project_id="p",
        user_id="someone",
        source_id="registry",
        time_received=1_700_000_000.0,
    )
    ticks = [
        OutboundMessage(topic, number, TICK_KEY, b"{}")
        for topic in INGEST_TOPICS
        for number in range(PARTITIONS)
    ]
    await send(address, [*ticks, OutboundMessage("subjects", 0, b"someone", value)])


@pytest.mark.broker
def test_well_set_up_site_passes_and_nobody_is_named(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main_() -> tuple[int, dict[str, dict[str, Any]]]:
        async with EmbeddedBroker() as broker:
            await live(broker.address)
            options = ("--broker", broker.address, "--results", results)
            return await asyncio.to_thread(examine, capsys, *options)

    code, found = run(main_())
    assert code == 0
    assert {name for name, one in found.items() if one["level"] != "ok"} == {
        "group wakeline-process",
        "group wakeline-results",
    }
    assert found["registry"]["detail"].startswith("1 enrolled, in 1 project")
    assert "someone" not in str(found)
    assert not results.exists()


@pytest.mark.kafka
def test_worker_that_would_wait_for_ever_on_kafka_is_found(
    empty_kafka: KafkaServer,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(live(empty_kafka.address))
    monkeypatch.setenv("WAKELINE_SESSION_TIMEOUT_S", "3")
    monkeypatch.setenv("WAKELINE_COMPACTION_LAG_S", "7200")
    monkeypatch.setenv("WAKELINE_PARTITIONS", "8")
    code, found = examine(capsys, "--broker", empty_kafka.address, "--results", results)
    assert code == 1
    assert {name for name, one in found.items() if one["level"] == "fail"} == {
        "session",
        "partitions",
        "state",
    }
    assert "6 to 1800 s" in found["session"]["detail"]
    assert found["retention"]["detail"].startswith("events are kept 168 h")


def test_without_a_broker_the_rest_is_still_looked_at(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAKELINE_CONNECT_TIMEOUT_S", "0.2")
    results.write_text("something else", encoding="utf-8")
    code, found = examine(capsys, "--broker", f"127.0.0.1:{free_port()}", "--results", results)
    assert code == 1
    assert found["settings"]["level"] == "ok"
    assert "no broker answers" in found["broker"]["detail"]
    assert "not results of Wakeline" in found["sink"]["detail"]


@pytest.mark.parametrize("text", ["partitions = 'many'", "[detection.concerns]\nstep_cuont = 'up'"])
def test_settings_that_do_not_fit_are_the_only_finding(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(text, encoding="utf-8")
    code, found = examine(capsys, "--site-config", site)
    assert (code, list(found)) == (1, ["settings"])


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", None])
def test_sink_that_cannot_be_written_to_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    from streams.settings import Settings

    token = "secret"
    settings = Settings.load(
        influx_url=url, influx_token=token, results=tmp_path / "absent" / "results.sqlite"
    )
    found = doctor._of_sink(settings, [])
    assert found.level == "fail"
    assert token not in found.detail


def test_lines_are_for_people(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAKELINE_CONNECT_TIMEOUT_S", "0.2")
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--broker", f"127.0.0.1:{free_port()}", "--results", str(results)])
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "settings"],
        ["fail", "broker"],
        ["ok", "sink"],
    ]
