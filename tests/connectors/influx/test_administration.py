"""Goal: setting up is done once, changes only what is asked, and tokens open what they should.

Method: the command on a real server, several times, and what its tokens then can do.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import urllib3

from connectors.influx.tokens import SITE, WORKER, token_store
from streams.cli import main
from streams.errors import BadInput
from streams.events import Output
from tests.connectors.influx.site import Site
from tests.connectors.runs import alert, clock, feature_row, minute_rows
from tests.servers.fixtures import require
from tests.servers.influx import InfluxServer
from tests.servers.installs import INFLUXDB

pytestmark = pytest.mark.influx


@pytest.fixture
def server(empty_influx: InfluxServer, monkeypatch: pytest.MonkeyPatch) -> InfluxServer:
    monkeypatch.setenv("WAKELINE_INFLUX_URL", empty_influx.url)
    monkeypatch.setenv("WAKELINE_INFLUX_ADMIN_TOKEN", empty_influx.token)
    return empty_influx


def _setup(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["setup", "influx", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def _done(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, err = _setup(capsys, "--json", *arguments)
    assert code == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


def _retention(server: InfluxServer) -> dict[str, int]:
    buckets = server.request("GET", "/api/v2/buckets", fields={"limit": "100"})["buckets"]
    return {
        bucket["name"]: sum(rule["everySeconds"] for rule in bucket["retentionRules"]) // 86_400
        for bucket in buckets
        if bucket["type"] == "user"
    }


def _descriptions(server: InfluxServer) -> list[str]:
    found = server.request("GET", "/api/v2/authorizations")["authorizations"]
    return sorted(token["description"] for token in found if "operator" not in token["description"])


def _reads(server: InfluxServer, token: str, bucket: str) -> bool:
    """Whether a token finds the one point that is put into a bucket for it."""
    path = f"/api/v2/write?org={server.org}&bucket={bucket}"
    server.request("POST", path, body="probe,subject=x v=1.0")
    answer = urllib3.request(
        "GET",
        f"{server.url}/query",
        fields={"db": bucket, "q": "SELECT * FROM probe"},
        headers={"Authorization": f"Token {token}"},
        retries=False,
    )
    return answer.status == 200 and "series" in answer.json()["results"][0]


def test_second_run_changes_nothing(
    server: InfluxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "influx.env")
    first = _done(capsys, "--site", "ward-a", "-o", out)
    buckets = {"wakeline-ward-a-minutes": 90, "wakeline-ward-a-features": 730}
    buckets |= {"wakeline-ward-a-alerts": 0, "wakeline-pipeline": 90}
    assert _retention(server) == buckets
    assert set(first["created"]) == set(buckets)
    written = Path(out).read_text(encoding="utf-8")
    again = _done(capsys, "--site", "ward-a", "-o", out)
    assert (again["created"], again["changed"], again["tokens_made"]) == ([], [], [])
    assert Path(out).read_text(encoding="utf-8") == written
    assert _descriptions(server) == ["wakeline site/ward-a", "wakeline worker"]


def test_workers_write_all_sites_and_each_site_reads_its_own_only(
    server: InfluxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, sites = tmp_path / "influx.env", ["study", "ward-b"]
    for_ever = ("--keep-minutes", "0", "--keep-features", "0", "--keep-pipeline", "0")
    _done(capsys, "--site", "study", "-o", str(path), *for_ever)
    # A further site: workers need a token that opens it too, and the first one ends.
    first = token_store(path, sites).read()[WORKER]
    more = _done(capsys, "--site", "study", "--site", "ward-b", "-o", str(path))
    assert more["tokens_made"] == [WORKER, f"{SITE}ward-b"]
    tokens = token_store(path, sites).read()
    assert not _reads(server, first, "wakeline-study-alerts")

    row = feature_row(settled=False)
    all_kinds: list[Output] = [row, alert(row), minute_rows({1: 60.0}), clock(1_704_067_200.0)]
    Site(server, tokens[WORKER]).write(all_kinds, [feature_row(values={}, revision=1)])
    (day,) = server.query("wakeline-study-features", "SELECT * FROM day")
    assert (day["revision"], "step_count" in day) == (1, False)
    own = tokens[f"{SITE}study"]
    for part in ("minutes", "features", "alerts"):
        assert _reads(server, own, f"wakeline-study-{part}")
        assert not _reads(server, own, f"wakeline-ward-b-{part}")
    assert _reads(server, own, "wakeline-pipeline")
    with pytest.raises(BadInput, match="WAKELINE_INFLUX_TOKEN"):
        Site(server, own).write([clock(1_704_067_200.0)])


def test_lost_file_leads_to_new_tokens_in_place_of_the_old(
    server: InfluxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "influx.env"
    _done(capsys, "--site", "study", "-o", str(path))
    lost = token_store(path, ["study"]).read()
    path.unlink()
    made = _done(capsys, "--site", "study", "-o", str(path))
    assert made["tokens_made"] == [WORKER, f"{SITE}study"]
    assert _descriptions(server) == ["wakeline site/study", "wakeline worker"]
    found = token_store(path, ["study"]).read()
    assert _reads(server, found[f"{SITE}study"], "wakeline-study-alerts")
    assert not _reads(server, lost[f"{SITE}study"], "wakeline-study-alerts")


def test_retention_changes_when_it_is_asked_for_and_is_said(
    server: InfluxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--site", "study", "-o", str(tmp_path / "influx.env"))
    _done(capsys, *arguments, "--keep-minutes", "30")
    assert _retention(server)["wakeline-study-minutes"] == 30
    assert _done(capsys, *arguments)["changed"] == []
    code, out, _ = _setup(capsys, *arguments, "--keep-minutes", "0", "--keep-alerts", "365")
    assert code == 0
    assert "wakeline-study-minutes (kept 30 days, now for ever)" in out
    assert "wakeline-study-alerts (kept for ever, now 365 days)" in out
    assert _retention(server)["wakeline-study-minutes"] == 0


def test_tokens_are_shown_only_when_asked(
    server: InfluxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "influx.env"
    said = "".join(_setup(capsys, "--site", "study", "-o", str(path))[1:])
    tokens = token_store(path, ["study"]).read()
    assert not [token for token in tokens.values() if token in said]
    _, shown, _ = _setup(capsys, "--site", "study", "-o", str(path), "--show")
    assert all(token in shown for token in tokens.values())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("WAKELINE_INFLUX_ADMIN_TOKEN", "wrong", "refuses the token.*WAKELINE_INFLUX_ADMIN_TOKEN"),
        ("WAKELINE_INFLUX_URL", "http://127.0.0.1:9", "no InfluxDB answers at http://127.0.0.1:9"),
        ("WAKELINE_INFLUX_ORG", "nobody", "organi.ation"),
    ],
)
def test_what_is_wrong_is_one_line(
    server: InfluxServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(variable, value)
    code, _, err = _setup(capsys, "--site", "study", "-o", str(tmp_path / "influx.env"))
    assert code == 1
    assert len(err.splitlines()) == 1
    assert re.search(said, err)
    assert not (tmp_path / "influx.env").exists()


def test_names_that_are_no_project_are_refused(
    server: InfluxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _setup(capsys, "--site", "ward a", "-o", str(tmp_path / "influx.env"))
    assert (code, "'ward a' is no projectId" in err) == (1, True)
    assert _retention(server) == {}


class FreshInfluxServer(InfluxServer):
    """A server that nobody has set up."""

    def _set_up(self) -> None:
        pass


def test_fresh_server_is_set_up_with_what_the_environment_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require(INFLUXDB)
    with FreshInfluxServer() as fresh:
        monkeypatch.setenv("WAKELINE_INFLUX_URL", fresh.url)
        monkeypatch.setenv("WAKELINE_INFLUX_ADMIN_TOKEN", fresh.token)
        arguments = ("--site", "study", "-o", str(tmp_path / "influx.env"))
        code, _, err = _setup(capsys, *arguments)
        assert (code, "WAKELINE_INFLUX_ADMIN_PASSWORD" in err) == (1, True)
        monkeypatch.setenv("WAKELINE_INFLUX_ADMIN_PASSWORD", "a long password")
        first = _done(capsys, *arguments)
        assert first["server"] == "is set up now"
        assert "wakeline-pipeline" in first["created"]
        assert _retention(fresh)["wakeline-pipeline"] == 90
        assert _done(capsys, *arguments)["tokens_made"] == []
