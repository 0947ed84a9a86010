"""Goal: tokens lie where they were asked for, beside what was there, and nobody else reads them."""

from pathlib import Path

import pytest

from connectors.influx.tokens import SITE, WORKER, site_variable, token_store
from streams.errors import BadInput


def test_env_file_keeps_its_other_lines_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "influx.env"
    path.write_text("# mine\nWAKELINE_INFLUX_URL=u\nWAKELINE_INFLUX_TOKEN=old\n", encoding="utf-8")
    store = token_store(path, ["ward-a", "b.2"])
    assert store.read() == {WORKER: "old"}
    store.write({WORKER: "w==", f"{SITE}ward-a": "a", f"{SITE}b.2": "b"})
    assert path.read_text(encoding="utf-8") == (
        "# mine\nWAKELINE_INFLUX_URL=u\nWAKELINE_INFLUX_TOKEN=w==\n"
        "WAKELINE_INFLUX_READ_TOKEN_WARD_A=a\nWAKELINE_INFLUX_READ_TOKEN_B_2=b\n"
    )
    assert path.stat().st_mode & 0o777 == 0o600
    assert store.read() == {WORKER: "w==", f"{SITE}ward-a": "a", f"{SITE}b.2": "b"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["influx.env"]


def test_folder_holds_a_file_for_workers_and_one_for_the_site(tmp_path: Path) -> None:
    store = token_store(tmp_path, ["ward-a"])
    assert store.read() == {}
    store.write({WORKER: "w", f"{SITE}ward-a": "a"})
    assert store.read() == {WORKER: "w", f"{SITE}ward-a": "a"}
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.token"))
    assert files == ["site/influx.token", "worker/influx.token"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.token")} == {0o600}


def test_sites_that_could_be_mistaken_for_each_other_are_refused(tmp_path: Path) -> None:
    assert site_variable("a.b") == site_variable("A-b")
    with pytest.raises(BadInput, match="share a variable"):
        token_store(tmp_path / "influx.env", ["a.b", "A-b"])
    with pytest.raises(BadInput, match="one --site"):
        token_store(tmp_path, ["a", "b"])


def test_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = token_store(tmp_path / "file" / "influx.env", ["a"])
    with pytest.raises(BadInput, match=r"influx\.env cannot be written"):
        store.write({WORKER: "w"})
