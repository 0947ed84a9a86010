"""Goal: secrets that are drawn once, for their owner alone; method: run `make secrets`."""

import re
from pathlib import Path

import pytest

from tests.env_files import assignments, make_secrets

SECRET = re.compile(r"PASSWORD|TOKEN|SECRET")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("env") / "drawn.env"
    made = make_secrets(file, "SITE=ward-a")
    assert made.returncode == 0, made.stderr
    return file


def test_secrets_are_drawn_once_for_their_owner_alone(drawn: Path) -> None:
    before = drawn.read_bytes()
    again = make_secrets(drawn, "SITE=ward-b")
    assert again.returncode != 0
    assert "stays as it is" in again.stderr
    assert drawn.read_bytes() == before
    assert drawn.stat().st_mode & 0o777 == 0o600
    values = assignments(drawn)
    assert values["WAKELINE_SITE"] == "ward-a"
    secrets = [value for name, value in values.items() if SECRET.search(name)]
    assert len(set(secrets)) == len(secrets) == 6
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in secrets)


def test_two_deployments_share_no_secret(drawn: Path, tmp_path: Path) -> None:
    assert make_secrets(tmp_path / "other.env", "SITE=ward-b").returncode == 0
    other = assignments(tmp_path / "other.env")
    shared = assignments(drawn).items() & other.items()
    assert [name for name, _ in shared if SECRET.search(name)] == []


def test_a_site_that_is_no_project_id_is_refused(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "refused.env", "SITE=ward a")
    assert made.returncode != 0
    assert "project id" in made.stderr
    assert not (tmp_path / "refused.env").exists()
