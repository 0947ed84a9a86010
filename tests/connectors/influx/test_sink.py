"""Goal: InfluxDB shows what SQLite would, and nothing is lost, doubled or held up by others.

Method: the same outputs into both stores, in any order and any batches, with fresh sinks between;
then whatever a real server can do to a sink: go away, refuse the token, a line, a bucket, a time.
"""

import datetime as dt
import random
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.influx.client import Access
from connectors.influx.known import Known
from connectors.influx.sink import InfluxResults
from connectors.sqlite import SqliteResults
from streams.events import (
    Alert,
    AlertKind,
    AlertStatus,
    Anomaly,
    AnomalyState,
    FeatureRow,
    MinuteRows,
    Operation,
    Output,
    Severity,
    WindowKind,
)
from tests.broker_fixtures import run
from tests.connectors.influx.pictures import (
    access_to,
    influx_picture,
    make_buckets,
    sqlite_picture,
)
from tests.connectors.influx.site import Site, count_points
from tests.connectors.runs import FIRST_DATE, alert, anomaly, feature_row, minute_rows
from tests.servers.influx import InfluxServer

pytestmark = pytest.mark.influx

NUMBERS = count()
Windows = st.SearchStrategy[tuple[WindowKind, dt.date]]
WINDOWS: Windows = st.tuples(
    st.sampled_from([WindowKind.HOUR, WindowKind.NIGHT, WindowKind.DAY]),
    st.sampled_from([FIRST_DATE, FIRST_DATE + dt.timedelta(days=1)]),
)
NIGHT: Windows = st.just((WindowKind.NIGHT, FIRST_DATE))
Change = msgspec.structs.replace


def _described(output: Any, said: int) -> Any:
    """Let the team, and now and then the device, change with what is said."""
    teams, devices = ("north", "south, 2=b"), (None, "Watch 3", "Band")
    output = Change(output, care_team=teams[said % 5 == 4])
    return output if isinstance(output, Anomaly) else Change(output, device_type=devices[said % 3])


@st.composite
def rows(draw: st.DrawFn, windows: Windows = WINDOWS) -> FeatureRow:
    window, date = draw(windows)
    epoch, revision = draw(st.integers(0, 2)), draw(st.integers(0, 3))
    said = epoch * 4 + revision
    values = {"step_count": 10.0 * said, "screen_min": 1.5, "sdnn_ms": float(said)}
    row = feature_row(
        window=window,
        date=date,
        values=dict([*values.items()][: 1 + said % 3]),
        coverage={} if said % 4 == 3 else {"steps": said / 12},
        settled=revision == 3,
        revision=revision,
        epoch=epoch,
    )
    return _described(row, said)  # type: ignore[no-any-return]


@st.composite
def anomalies(draw: st.DrawFn) -> Anomaly:
    row = draw(rows())
    said = row.epoch * 4 + row.revision
    found = anomaly(row, draw(st.sampled_from(["sdnn_ms", "step_count"])), score=said / 12)
    if said % 2:
        found = Change(found, value=said / 3, usual_low=1.0, usual_median=2.0, usual_high=3.0)
    state = AnomalyState.ANOMALOUS if said % 3 else AnomalyState.LEARNING
    return Change(found, state=state, version=f"1.{said}")


@st.composite
def minutes(draw: st.DrawFn) -> MinuteRows:
    said = draw(st.integers(0, 4))
    # SQLite takes the provisional ones of a batch first, so that an hour which an earlier owner
    # settled would there depend on the batches.
    epoch = 1 if said == 4 else draw(st.integers(0, 1))
    revision = 10 * epoch + said  # numbers that no other epoch uses, as `sqlite` keys by them
    kept = {0: range(6), 1: (1, 2), 2: (2, 3, 9), 3: (0, 58), 4: (0, 2, 3, 9, 59)}[said]
    found = minute_rows({m: 60.0 + m + said for m in kept}, settled=said == 4, revision=revision)
    if said == 2:
        short = [Change(m, values={"heart_rate_mean_bpm": 61.5}) for m in found.minutes]
        found = Change(found, minutes=short)
    return Change(_described(found, said), epoch=epoch)  # type: ignore[no-any-return]


@st.composite
def alerts(draw: st.DrawFn, windows: Windows = WINDOWS) -> Alert:
    row = Change(draw(rows(windows)), epoch=0)
    revision, rule = draw(st.integers(0, 6)), draw(st.sampled_from(["low_sleep", "limit=1, a"]))
    statuses = [AlertStatus.OPEN, AlertStatus.WITHDRAWN, AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED]
    where = f"{rule}|{row.window}|{row.local_date}"
    found = alert(row, alert_id=where, settled=revision in {4, 6}, revision=revision)
    return Change(  # type: ignore[no-any-return]
        _described(found, revision),
        rule=rule,
        kind=AlertKind.CLINICAL if rule == "low_sleep" else AlertKind.LIMIT,
        severity=Severity.URGENT if revision % 3 == 2 else Severity.WATCH,
        status=statuses[revision % 4],
        owner=None if revision % 2 else 'nurse, \\ "one"',
        detected_at=row.end + (600.0 if revision >= 2 else 0.0),
        summary=f'"Slept" less\\ than\nusual, {revision} times.',
    )


async def _write_both(
    path: Path, access: Access, batches: Sequence[Sequence[Output] | None], known: int
) -> None:
    """Write batches into both; None stands for a fresh sink."""
    sqlite, influx = SqliteResults(path), InfluxResults(access, Known(known))
    for batch in batches:
        if batch is None:
            await influx.close()
            influx = InfluxResults(access, Known(known))
        else:
            await sqlite.write(batch)
            await influx.write(batch)
    await influx.close()
    await sqlite.close()


@pytest.fixture(scope="module")
def study(influx: InfluxServer) -> InfluxServer:
    influx.start()
    influx.clear()
    make_buckets(influx, "study", "other")
    return influx


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    outputs=st.one_of(
        st.lists(st.one_of(rows(), anomalies(), minutes(), alerts()), min_size=1, max_size=40),
        st.lists(st.one_of(rows(NIGHT), alerts(NIGHT)), min_size=2, max_size=12),
    ),
    known=st.sampled_from([1, 5, 10_000]),
    lots=st.randoms(use_true_random=False),
)
def test_influxdb_shows_what_sqlite_does_in_any_order_and_after_restarts(
    tmp_path_factory: pytest.TempPathFactory,
    study: InfluxServer,
    outputs: list[Output],
    known: int,
    lots: random.Random,
) -> None:
    user = f"alder{next(NUMBERS)}"
    mine = [Change(output, user_id=user) for output in outputs]
    mine += lots.sample(mine, len(mine) // 2)
    lots.shuffle(mine)
    batches: list[Sequence[Output] | None] = []
    while mine:
        size = lots.randint(1, 8)
        batches += [mine[:size]] if lots.random() < 0.7 else [None, mine[:size]]
        mine = mine[size:]
    path = tmp_path_factory.mktemp("both") / "results.sqlite"
    run(_write_both(path, access_to(study), batches, known))
    assert influx_picture(study, "study", users=user) == sqlite_picture(path)


@pytest.fixture
def site(empty_influx: InfluxServer) -> Site:
    make_buckets(empty_influx, "study")
    return Site(empty_influx)


def test_subject_who_moves_to_another_site_leaves_nothing_behind(site: Site) -> None:
    make_buckets(site.influx, "other")
    row, rows_of = feature_row(settled=False), minute_rows({1: 60.0}, settled=False)
    before: list[Output] = [row, rows_of]
    moved = {"project_id": "other", "revision": 1}
    after: list[Output] = [Change(row, **moved), Change(rows_of, **moved)]
    site.write(before, after)
    assert influx_picture(site.influx, "study") == set()
    assert len(influx_picture(site.influx, "other")) == 2


def test_alert_that_rings_anew_moves_within_the_feed(site: Site) -> None:
    rang = alert(feature_row(settled=False))
    gone = Change(rang, status=AlertStatus.WITHDRAWN, revision=1)
    again = Change(rang, detected_at=rang.detected_at + 7_200.0, revision=2)
    site.write([rang], [gone], [again])
    (feed,) = site.influx.query("wakeline-study-alerts", "SELECT * FROM alert_feed")
    assert feed["time"] == int(again.detected_at)
    assert (feed["status"], feed["open"]) == ("OPEN", 1)


def test_two_alerts_of_one_second_are_two_in_the_feed(site: Site) -> None:
    hours = [feature_row(window=WindowKind.HOUR, hour=hour) for hour in range(24)]
    rang = [alert(row, alert_id=f"id{row.start}") for row in hours]
    at_once = [Change(one, detected_at=rang[0].detected_at) for one in rang]
    site.write([*hours, *at_once])
    assert len(site.influx.query("wakeline-study-alerts", "SELECT * FROM alert_feed")) == 24


def test_figures_go_to_the_pipeline_and_those_about_a_subject_to_its_site(site: Site) -> None:
    values = {"lag_messages": 3.0}
    lag = Operation(name="lag", partition=2, time=1_704_067_215.5, values=values, epoch=4)
    quality = Operation(
        name="data_quality",
        partition=2,
        time=1_704_067_200.0,
        values={"late_count": 2.0},
        user_id="alder",
        project_id="study",
    )
    site.write([lag, quality], [lag])
    (stored,) = site.influx.query("wakeline-pipeline", "SELECT * FROM pipeline")
    assert stored == {
        "time": 1_704_067_215,
        "name": "lag",
        "partition": "2",
        "lag_messages": 3,
        "epoch": 4,
    }
    (about,) = site.influx.query("wakeline-study-features", "SELECT * FROM data_quality")
    assert (about["subject"], about["site"], about["late_count"]) == ("alder", "study", 2)


def test_restart_with_many_subjects_asks_few_questions(site: Site) -> None:
    some = [feature_row(f"alder{user}", settled=False) for user in range(1_000)]
    site.write(some)
    fresh = Site(site.influx)
    fresh.write([Change(row, settled=True, revision=1) for row in some])
    # One request each for the latest times of rows and of alerts, one for cells, one to write.
    assert fresh.sink.counts.requests <= 5
    assert count_points(site.influx, "day", "wakeline-study-features") == 1_000
