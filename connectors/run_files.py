"""The file format of results: how one is told from other files, created, and read."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from streams.errors import BadInput, SinkUnavailable
from streams.events import Alert

APPLICATION_ID = 0x57414B45
"""``WAKE`` in the header of the file, by which SQLite files of other programs are told apart."""

SCHEMA_VERSION = 1
"""Version of the tables below."""

REPLAY_CACHE_KIB = 65_536
"""Memory for pages while a replay writes (KiB): windows of many people settle side by side."""

_MAGIC = b"SQLite format 3\x00"

_TABLES = """
CREATE TABLE IF NOT EXISTS run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS features (
    user_id TEXT NOT NULL, window TEXT NOT NULL, at NOT NULL,
    epoch INTEGER NOT NULL, revision INTEGER NOT NULL, settled INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (user_id, window, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS minutes (
    user_id TEXT NOT NULL, start REAL NOT NULL,
    epoch INTEGER NOT NULL, revision INTEGER NOT NULL, settled INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (user_id, start, revision)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS anomalies (
    user_id TEXT NOT NULL, window TEXT NOT NULL, at NOT NULL,
    detector TEXT NOT NULL, feature TEXT NOT NULL,
    epoch INTEGER NOT NULL, revision INTEGER NOT NULL, settled INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (user_id, window, at, detector, feature)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
    alert_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, window TEXT NOT NULL, at NOT NULL,
    epoch INTEGER NOT NULL, revision INTEGER NOT NULL, settled INTEGER NOT NULL,
    detected_at REAL NOT NULL, pending INTEGER NOT NULL, canonical INTEGER NOT NULL,
    body BLOB NOT NULL, settled_body BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pending_alerts ON alerts (user_id, window, at) WHERE pending;
CREATE TABLE IF NOT EXISTS clocks (partition INTEGER PRIMARY KEY, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS operations (
    name TEXT NOT NULL, partition INTEGER NOT NULL, user_id TEXT NOT NULL, time REAL NOT NULL,
    epoch INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (name, partition, user_id, time)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
    "index" INTEGER NOT NULL, reason TEXT NOT NULL, key BLOB, value BLOB,
    PRIMARY KEY (topic, partition, "offset", "index")) WITHOUT ROWID;
"""


@contextmanager
def open_run(path: Path) -> Iterator[sqlite3.Connection]:
    """Open results for reading only; a worker may go on writing meanwhile.

    Raises
    ------
    BadInput
        When there is no such file, it is not Wakeline's, or of another schema version.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    _refuse_foreign(path)
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("BEGIN")  # all reads see one state of the file
        yield connection
    except sqlite3.DatabaseError as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    finally:
        connection.close()


def read_facts(connection: sqlite3.Connection) -> dict[str, str]:
    """Read what was noted about how a run was made, such as its code version."""
    return dict(connection.execute("SELECT key, value FROM run ORDER BY key").fetchall())


def settled_alerts(connection: sqlite3.Connection) -> list[Alert]:
    """Alerts that rang on settled rows, whole, in order of their id."""
    bodies = connection.execute("SELECT settled_body FROM alerts WHERE canonical ORDER BY alert_id")
    return [msgspec.json.decode(body, type=Alert) for (body,) in bodies]


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open results to continue them, or create the file; a commit reaches the disk.

    Raises
    ------
    BadInput
        When ``path`` holds something else, or cannot be opened.
    SinkUnavailable
        When the disk is full or somebody else writes to the file.
    """
    if path.exists():
        _refuse_foreign(path)
    with _connect(path) as connection:
        # The tables go first: in WAL mode the header on the disk would not yet name the program.
        _create_tables(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def replace_run(path: Path, facts: Mapping[str, str]) -> sqlite3.Connection:
    """Create a fresh file in place of an earlier Wakeline file, with ``facts`` about the run.

    Commits do not wait for the disk. Raises as ``open_for_writing`` does.
    """
    if path.exists():
        _refuse_foreign(path)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    with _connect(path) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA cache_size = {-REPLAY_CACHE_KIB}")
        _create_tables(connection)
        connection.executemany("INSERT INTO run (key, value) VALUES (?, ?)", facts.items())
    return connection


@contextmanager
def made_whole(path: Path) -> Iterator[Path]:
    """Give a file to write a run into; it takes its place at ``path`` when the block is done.

    Left by an error or an interrupt, nothing remains of it, and an earlier run stays as it was.

    Raises
    ------
    BadInput
        When ``path`` holds something else than results, or there is no such folder.
    """
    if not path.parent.is_dir():
        raise BadInput(f"{path}: there is no folder {path.parent}")
    if path.exists():
        _refuse_foreign(path)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect, and on an error in the block close and say in one line what is wrong."""
    try:
        # Explicit transactions; writes happen in a thread beside the event loop, one at a time.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise BadInput(f"{path}: cannot be opened for writing: {error}") from error
    try:
        yield connection
    except sqlite3.OperationalError as error:
        connection.close()
        raise SinkUnavailable(f"{path}: cannot be written: {error}") from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise BadInput(f"{path}: damaged: {error}") from error


def _create_tables(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    connection.executescript(_TABLES)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _refuse_foreign(path: Path) -> None:
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    # Both numbers lie at fixed places of SQLite's file header, so a foreign file is never opened.
    version = int.from_bytes(header[60:64])
    is_ours = header.startswith(_MAGIC) and int.from_bytes(header[68:72]) == APPLICATION_ID
    if header and not is_ours:
        raise BadInput(f"{path}: not results of Wakeline")
    if header and version != SCHEMA_VERSION:
        raise BadInput(f"{path}: results of schema version {version}, not {SCHEMA_VERSION}")
