"""What all tests share: real servers, and where the project's development recordings are."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.servers.fixtures"]

SHARED_DATA = Path(
    os.environ.get("WAKELINE_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data")
)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development recordings; the test is left out where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no development recordings: set WAKELINE_SHARED_DATA to their folder")
    return SHARED_DATA
