"""Goal: the SQLite sink keeps the right row of each key; method: write in hard orders, read back.

The order-independence that redelivery needs is stated as a property over generated outputs.
"""

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.export import Exported, export
from connectors.run_files import open_run, settled_alerts
from connectors.sqlite import SqliteResults
from streams.errors import BadInput, DiskFull
from streams.events import (
    Alert,
    AlertStatus,
    DeadLetter,
    FeatureRow,
    Operation,
    Output,
    Severity,
    SubjectStatus,
    WindowKind,
)
from tests.connectors.runs import alert, clock, feature_row, minute_rows, write_run


def _rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    with open_run(path) as connection:
        return connection.execute(statement).fetchall()


def _stored(path: Path) -> FeatureRow:
    ((body,),) = _rows(path, "SELECT body FROM features")
    assert isinstance(body, bytes)
    return msgspec.json.decode(body, type=FeatureRow)


def _alert_statuses(path: Path) -> dict[object, object]:
    rows = _rows(path, "SELECT alert_id, json_extract(CAST(body AS TEXT), '$.status') FROM alerts")
    return {row[0]: row[1] for row in rows}


def test_revision_that_takes_a_value_back_replaces_the_whole_row(tmp_path: Path) -> None:
    first = feature_row(values={"step_count": 1.0, "screen_min": 2.0}, settled=False)
    second = feature_row(values={"step_count": 3.0}, settled=False, revision=1)
    path = write_run(tmp_path / "run.sqlite", [first], [second], [first])
    assert _stored(path) == second


def test_former_owner_cannot_change_what_the_present_owner_wrote(tmp_path: Path) -> None:
    present = feature_row(settled=False, epoch=7)
    former = feature_row(settled=False, epoch=6, revision=9)
    path = write_run(tmp_path / "run.sqlite", [present], [former])
    assert _stored(path) == present


def test_provisional_row_of_a_new_owner_does_not_hide_a_settled_row(tmp_path: Path) -> None:
    settled = feature_row(settled=True, epoch=1)
    provisional = feature_row(settled=False, epoch=2, revision=9)
    path = write_run(tmp_path / "run.sqlite", [settled, provisional])
    assert _stored(path) == settled


VERSIONS = st.lists(
    st.builds(
        lambda epoch, revision: feature_row(
            epoch=epoch,
            revision=revision,
            settled=revision == 3,
            values={"step_count": epoch * 10.0 + revision},
        ),
        st.just(2),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(versions=VERSIONS, order=st.randoms(use_true_random=False))
def test_order_and_repetition_of_writes_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, versions: list[FeatureRow], order: object
) -> None:
    path = tmp_path_factory.mktemp("order") / "run.sqlite"
    shuffled = [*versions, *versions]
    order.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' random has no public type
    write_run(path, *([version] for version in shuffled))
    assert _stored(path) == max(versions, key=lambda version: version.revision)


def test_night_is_keyed_by_local_date_so_a_moved_start_leaves_no_second_row(tmp_path: Path) -> None:
    first = feature_row(window=WindowKind.NIGHT, settled=False)
    moved = msgspec.structs.replace(first, start=first.start + 3_600, revision=1)
    path = write_run(tmp_path / "run.sqlite", [first], [moved])
    assert _stored(path) == moved


def test_settled_minutes_replace_all_provisional_ones_of_their_hour(tmp_path: Path) -> None:
    path = write_run(
        tmp_path / "run.sqlite",
        [minute_rows({0: 60.0, 1: 61.0}, settled=False)],
        [minute_rows({2: 62.0}, settled=False, revision=1)],
        [minute_rows({0: 70.0, 2: 62.0}, revision=2)],
        [minute_rows({5: 99.0}, settled=False, revision=3)],
    )
    exported = [msgspec.json.decode(line) for line in export(path, Exported.FEATURES)]
    means = [line["values"]["heart_rate_mean_bpm"] for line in exported]
    assert means == [70.0, 62.0]
    assert len(_rows(path, "SELECT * FROM minutes")) == 1


@pytest.mark.parametrize("is_one_write", [True, False])
@pytest.mark.parametrize("is_late", [True, False])
def test_minutes_that_two_owners_settled_are_stored_once(
    tmp_path: Path, *, is_one_write: bool, is_late: bool
) -> None:
    """The owner before counted revisions otherwise; a frozen one may even come last."""
    said = [
        minute_rows({0: 60.0}, settled=False, epoch=1),
        minute_rows({0: 60.0, 1: 61.0}, revision=2, epoch=1),
        minute_rows({0: 60.0, 1: 61.0}, revision=3, epoch=2),
    ]
    ordered = [said[0], said[2], said[1]] if is_late else said
    writes = [ordered] if is_one_write else [[one] for one in ordered]
    path = write_run(tmp_path / "run.sqlite", *writes)
    assert _rows(path, "SELECT epoch, revision, settled FROM minutes") == [(2, 3, 1)]


@pytest.mark.parametrize("row_comes_first", [True, False])
def test_unsettled_alert_of_a_settled_window_is_withdrawn(
    tmp_path: Path, row_comes_first: bool
) -> None:
    provisional, settled = feature_row(settled=False), feature_row(settled=True)
    kept = alert(provisional, alert_id="kept")
    batches: list[list[Output]] = [[alert(provisional, alert_id="lost"), kept], [settled]]
    if row_comes_first:
        batches.reverse()
    batches.append([alert(settled, alert_id="kept")])
    path = write_run(tmp_path / "run.sqlite", *batches)
    assert _alert_statuses(path) == {"lost": AlertStatus.WITHDRAWN, "kept": AlertStatus.OPEN}


def test_status_set_later_replaces_the_alert_and_keeps_it_settled(tmp_path: Path) -> None:
    rang = alert(feature_row())
    seen = msgspec.structs.replace(rang, status=AlertStatus.ACKNOWLEDGED, revision=1)
    path = write_run(tmp_path / "run.sqlite", [rang], [seen])
    assert _alert_statuses(path) == {"alert-1": AlertStatus.ACKNOWLEDGED}
    with open_run(path) as connection:
        assert settled_alerts(connection) == [seen]


def test_what_new_data_make_urgent_is_shown_at_once_and_exported_once_settled(
    tmp_path: Path,
) -> None:
    rang = alert(feature_row())
    graver = msgspec.structs.replace(
        rang, severity=Severity.URGENT, settled=False, revision=rang.revision + 1
    )
    path = write_run(tmp_path / "run.sqlite", [rang], [graver], [rang])
    ((body,),) = _rows(path, "SELECT body FROM alerts")
    assert isinstance(body, bytes)
    assert msgspec.json.decode(body, type=Alert) == graver
    with open_run(path) as connection:
        assert settled_alerts(connection) == [rang]


def test_largest_clock_and_every_dead_letter_are_kept_once(tmp_path: Path) -> None:
    letter = DeadLetter(topic="sleep", partition=1, offset=5, reason="range", key=b"k", value=None)
    ninth = msgspec.structs.replace(letter, index=9)
    quality = Operation(name="quality", partition=0, time=5.0, values={"late_count": 1.0})
    batch: list[Output] = [clock(20.0), clock(10.0), letter, ninth, quality]
    path = write_run(tmp_path / "run.sqlite", batch, batch)
    assert _rows(path, "SELECT * FROM clocks") == [(0, 20.0)]
    assert _rows(path, 'SELECT "index" FROM dead_letters') == [(-1,), (9,)]
    assert len(_rows(path, "SELECT * FROM operations")) == 1


def test_results_without_run_are_continued_and_a_run_is_made_afresh(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run.sqlite", [feature_row()], facts={"configuration": "{}"})

    async def continue_with(row: FeatureRow) -> None:
        sink = SqliteResults(path)
        await sink.write([row])
        await sink.close()

    asyncio.run(continue_with(feature_row("birch")))
    assert len(_rows(path, "SELECT * FROM features")) == 2
    assert _rows(path, "SELECT * FROM run") == [("configuration", "{}")]
    write_run(path, [feature_row("cedar")])
    assert _rows(path, "SELECT user_id FROM features") == [("cedar",)]


def test_file_that_a_worker_has_just_opened_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "live.sqlite"
    sink = SqliteResults(path)
    asyncio.run(sink.write([feature_row()]))
    assert len(list(export(path, Exported.FEATURES))) == 1
    asyncio.run(sink.close())


@pytest.mark.parametrize("run", [None, {"code_version": "1"}])
def test_files_of_others_are_refused_and_left_as_they_are(
    tmp_path: Path, run: dict[str, str] | None
) -> None:
    text, database = tmp_path / "thesis.txt", tmp_path / "photos.sqlite"
    text.write_text("years of work, longer than any header of a database could be " * 3)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE photos (name)")
    connection.close()
    for path in (text, database):
        before = path.read_bytes()
        with pytest.raises(BadInput, match="not results of Wakeline"):
            SqliteResults(path, run=run)
        with pytest.raises(BadInput, match="not results of Wakeline"), open_run(path):
            pass
        assert path.read_bytes() == before


def test_other_schema_version_and_missing_places_are_refused_in_one_line(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run.sqlite", [feature_row()])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(BadInput, match="schema version 99, not 1"):
        SqliteResults(path)
    with pytest.raises(BadInput, match="no such file"), open_run(tmp_path / "nowhere.sqlite"):
        pass
    with pytest.raises(BadInput, match="cannot be opened"):
        SqliteResults(tmp_path / "no" / "folder.sqlite")
    with pytest.raises(BadInput):
        SqliteResults(tmp_path)


def test_truncated_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run.sqlite", [feature_row(f"user-{i}") for i in range(200)])
    path.write_bytes(path.read_bytes()[:9_000])
    with pytest.raises(BadInput, match="cannot be read"):
        list(export(path, Exported.FEATURES))


def test_full_disk_is_reported_and_the_same_write_succeeds_later(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    sink = SqliteResults(path)
    (pages,) = sink._connection.execute("PRAGMA page_count").fetchone()
    sink._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    rows = [feature_row(f"user-{i}") for i in range(500)]
    with pytest.raises(DiskFull, match="make room"):
        asyncio.run(sink.write(rows))
    assert _rows(path, "SELECT * FROM features") == []
    sink._connection.execute("PRAGMA max_page_count = 100000")
    asyncio.run(sink.write(rows))
    assert len(_rows(path, "SELECT * FROM features")) == 500
    asyncio.run(sink.close())


def test_paused_subject_keeps_its_status(tmp_path: Path) -> None:
    row = msgspec.structs.replace(feature_row(), status=SubjectStatus.PAUSED)
    assert _stored(write_run(tmp_path / "run.sqlite", [row])) == row
