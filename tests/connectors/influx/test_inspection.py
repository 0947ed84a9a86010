"""Goal: it is known before a worker starts whether InfluxDB would take its results.

Method: a real InfluxDB, asked with a worker's token, a reader's and none.
"""

from pathlib import Path

import pytest

from connectors.influx.administration import Wish, set_up
from connectors.influx.client import Access
from connectors.influx.inspection import missing_buckets
from connectors.influx.tokens import SITE, WORKER, token_store
from streams.errors import BadInput, SinkUnavailable
from tests.connectors.influx.pictures import access_to
from tests.servers.influx import InfluxServer

pytestmark = pytest.mark.influx


@pytest.fixture
def tokens(empty_influx: InfluxServer, tmp_path: Path) -> dict[str, str]:
    """Tokens of the workers and of the site `ward-a`, by name."""
    store = token_store(tmp_path / "influx.env", ["ward-a"])
    set_up(access_to(empty_influx), Wish(sites=["ward-a"], keep_days={}), store)
    return store.read()


def test_workers_token_takes_the_sites_it_was_made_for(
    empty_influx: InfluxServer, tokens: dict[str, str]
) -> None:
    access = access_to(empty_influx, tokens[WORKER])
    assert missing_buckets(access, ["ward-a"]) == []
    missing = missing_buckets(access, ["ward-a", "ward-b"])
    assert missing == [f"wakeline-ward-b-{part}" for part in ("minutes", "features", "alerts")]
    assert empty_influx.query("wakeline-pipeline", "SHOW MEASUREMENTS") == []


def test_token_that_only_reads_takes_nothing(
    empty_influx: InfluxServer, tokens: dict[str, str]
) -> None:
    assert len(missing_buckets(access_to(empty_influx, tokens[f"{SITE}ward-a"]), ["ward-a"])) == 4


def test_wrong_token_organisation_and_address_are_told_apart(
    empty_influx: InfluxServer, tokens: dict[str, str]
) -> None:
    url, token = empty_influx.url, tokens[WORKER]
    with pytest.raises(BadInput, match="WAKELINE_INFLUX_TOKEN"):
        missing_buckets(Access(url=url, token="wrong", org="wakeline"), [])
    with pytest.raises(BadInput, match="WAKELINE_INFLUX_ORG"):
        missing_buckets(Access(url=url, token=token, org="nobody"), [])
    with pytest.raises(SinkUnavailable, match="no InfluxDB answers"):
        missing_buckets(Access(url="http://127.0.0.1:9", token=token, org="wakeline"), [])
