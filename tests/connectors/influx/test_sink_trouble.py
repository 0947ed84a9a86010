"""Goal: whatever InfluxDB refuses, or however it goes away, nothing else is lost or held up.

Method: a real server that is stopped, frozen, has other tokens, buckets, types or retention.
"""

import asyncio
import datetime as dt
import time

import msgspec
import pytest

from connectors.influx import client as influx_client
from connectors.influx.sink import InfluxResults
from streams.errors import BadInput
from streams.events import MinuteRows, Operation, Output
from tests.broker_fixtures import eventually
from tests.connectors.influx.pictures import access_to, make_buckets
from tests.connectors.influx.site import Site, count_points
from tests.connectors.runs import FIRST_DATE, feature_row, minute_rows
from tests.servers.influx import InfluxServer

pytestmark = pytest.mark.influx

Change = msgspec.structs.replace


@pytest.fixture
def site(empty_influx: InfluxServer) -> Site:
    make_buckets(empty_influx, "study")
    return Site(empty_influx)


def _hours(users: int, hours: int = 24) -> list[Output]:
    found: list[Output] = []
    for user in range(users):
        for hour in range(hours):
            name, bpm = f"alder{user}", 60.0 + user % 30
            found.append(minute_rows(dict.fromkeys(range(60), bpm), user_id=name, hour=hour))
    return found


def test_outage_is_waited_out_and_said_once_and_nothing_is_lost_or_doubled(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_client, "RETRY_WAIT_MAX_S", 0.2)

    async def write(sink: InfluxResults) -> None:
        batches = _hours(40)
        await sink.write(batches[:400])
        site.influx.stop()
        writing = asyncio.ensure_future(sink.write(batches[350:]))
        await eventually(lambda: sink.counts.retries >= 3)
        assert not writing.done()
        await asyncio.to_thread(site.influx.start)
        await writing
        assert sink.counts.lines == (400 + len(batches) - 350) * 60

    site.run(write)
    assert count_points(site.influx, "minute", "wakeline-study-minutes") == 40 * 24 * 60
    said = capsys.readouterr().out
    assert said.count("waiting for InfluxDB") == 1
    assert said.count("InfluxDB takes results again") == 1


def test_server_that_hangs_is_given_up_on_and_asked_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_client, "REQUEST_TIMEOUT_S", 0.5)
    monkeypatch.setattr(influx_client, "RETRY_WAIT_MAX_S", 0.2)

    async def write(sink: InfluxResults) -> None:
        site.influx.pause()
        writing = asyncio.ensure_future(sink.write(_hours(1)))
        await eventually(lambda: sink.counts.retries >= 1)
        site.influx.resume()
        await writing

    site.run(write)
    assert count_points(site.influx, "minute", "wakeline-study-minutes") == 24 * 60


def test_wrong_token_and_organisation_stop_with_a_line_that_names_the_setting(
    empty_influx: InfluxServer,
) -> None:
    with pytest.raises(BadInput, match=r"refuses the token.*WAKELINE_INFLUX_TOKEN"):
        Site(empty_influx, token="wrong").write([])
    other = Site(empty_influx)
    other.sink = InfluxResults(Change(access_to(empty_influx), org="nobody"))
    with pytest.raises(BadInput, match=r"'nobody'.*WAKELINE_INFLUX_ORG"):
        other.write([Operation(name="lag", partition=0, time=1.0, values={"lag_messages": 1.0})])


def test_refused_line_goes_alone_to_the_dead_letters(site: Site) -> None:
    # Somebody gave this field another type.
    body = "minute,subject=x heart_rate_mean_bpm=true 1704067200000000000"
    path = "/api/v2/write?org=wakeline&bucket=wakeline-study-minutes"
    site.influx.request("POST", path, body=body)
    bad = minute_rows({5: 61.0, 7: 64.0}, user_id="birch")
    lean = [Change(bad.minutes[0], values={"steps": 1.0}), bad.minutes[1]]
    others = [
        Change(output, minutes=[Change(m, values={"steps": 2.0}) for m in output.minutes])
        for output in _hours(10)
        if isinstance(output, MinuteRows)
    ]
    site.write([*others, Change(bad, minutes=lean)])
    (letter,) = site.letters
    assert (letter.topic, letter.key, letter.index) == ("features", b"birch", 1)
    assert "field type conflict" in letter.reason
    assert letter.value is not None
    assert msgspec.json.decode(letter.value, type=MinuteRows).minutes == lean
    assert site.sink.counts.refused == 1
    assert count_points(site.influx, "minute", "wakeline-study-minutes") == 10 * 24 * 60 + 1


def test_site_without_buckets_is_said_once_and_holds_up_no_other(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    homeless = Change(feature_row("birch"), project_id="new-ward")
    more = Change(homeless, local_date=FIRST_DATE + dt.timedelta(days=1))
    site.write([homeless, feature_row()], [more, homeless])
    assert [letter.key for letter in site.letters] == [b"birch"] * 3
    assert "`wakeline setup influx --site new-ward`" in site.letters[0].reason
    assert capsys.readouterr().out.count("a bucket is missing") == 1
    assert count_points(site.influx, "day", "wakeline-study-features") == 1


def test_points_beyond_retention_are_left_out_and_counted(empty_influx: InfluxServer) -> None:
    make_buckets(empty_influx, "study", keep_s=7 * 86_400)
    today = dt.datetime.fromtimestamp(time.time() - 86_400.0, dt.UTC).date()
    recent = minute_rows({1: 60.0, 2: 61.0}, date=today)
    site = Site(empty_influx)
    site.write([*_hours(1), recent])
    assert site.sink.counts.expired == 24 * 60
    assert site.letters == []
    assert count_points(empty_influx, "minute", "wakeline-study-minutes") == 2


def test_cancelled_write_is_made_good_by_writing_again(site: Site) -> None:
    first = feature_row(values={"step_count": 1.0, "screen_min": 2.0}, settled=False)
    second = feature_row(values={"step_count": 3.0}, settled=False, revision=1)

    async def write(sink: InfluxResults) -> None:
        await sink.write([first])
        site.influx.pause()
        writing = asyncio.ensure_future(sink.write([second]))
        await eventually(lambda: sink.counts.deletions >= 1)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        site.influx.resume()
        await sink.write([second])

    site.run(write)
    (stored,) = site.influx.query("wakeline-study-features", "SELECT * FROM day")
    assert (stored["step_count"], stored.get("screen_min")) == (3, None)
