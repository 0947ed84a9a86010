"""Goal: results go to InfluxDB where there is one, else to SQLite; method: settings of both."""

import asyncio
from pathlib import Path

import pytest

from connectors.influx.sink import InfluxResults
from connectors.sqlite import SqliteResults
from streams.cli.sinks import results_sink
from streams.errors import BadInput
from streams.settings import Settings

URL = "http://127.0.0.1:8086"


def test_without_an_influxdb_results_go_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    sink = results_sink(Settings.load(results=path))
    assert isinstance(sink, SqliteResults)
    asyncio.run(sink.close())
    assert path.is_file()


def test_with_an_influxdb_they_go_there_with_a_token_given_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n", encoding="utf-8")
    in_file = Settings.load(influx_url=URL, influx_token_file=tmp_path / "token")
    assert in_file.influx_worker_token() == "secret"
    given = Settings.load(influx_url=URL, influx_token="secret")
    for settings in (given, in_file):
        assert isinstance(results_sink(settings), InfluxResults)
        assert "secret" not in repr(settings)


def test_missing_token_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="set WAKELINE_INFLUX_TOKEN"):
        results_sink(Settings.load(influx_url=URL))
    absent = Settings.load(influx_url=URL, influx_token_file=tmp_path / "none")
    with pytest.raises(BadInput, match=r"WAKELINE_INFLUX_TOKEN_FILE\) cannot be read"):
        results_sink(absent)
