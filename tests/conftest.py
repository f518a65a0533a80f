"""Shared by all tests: the sample, once, and the recorded data where it is."""

import json
import os
from pathlib import Path

import pytest

from vsm import cli

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory) -> str:
    """The URL of a store that holds the sample. Read only: tests share it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sample') / 'sample.db'}"
    assert cli.run(["import", str(SAMPLE / "facts"), "--store", url]) == 0
    return url


@pytest.fixture(scope="session")
def truths() -> dict:
    """What was planted in the sample, from its generator's own books."""
    return json.loads((SAMPLE / "truths.json").read_text())


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded data; tests that need it are skipped where it is absent."""
    folder = os.environ.get("VSM_RECORDED_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("VSM_RECORDED_DATA names no folder of recorded data")
    return Path(folder)
