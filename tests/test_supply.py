"""What is shipped with us: every pinned run-time package stands in the bill of materials, and none is under the GPL or AGPL."""

import doctest
import importlib.util
import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PINNED = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / "requirements" / "run.txt").read_text(), re.M)


def bill(into: Path) -> bytes:
    """The bill as `make sbom` writes it."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    call = [
        "requirements",
        "requirements/run.txt",
        "--pyproject",
        "pyproject.toml",
        "--output-reproducible",
        "--output-file",
        str(into),
    ]
    subprocess.run([program, *call], cwd=ROOT, check=True, capture_output=True)
    return into.read_bytes()


def named(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_pinned_package_is_in_the_bill_and_the_bill_is_the_same_each_time(tmp_path):
    first = bill(tmp_path / "first.json")
    assert bill(tmp_path / "second.json") == first
    found = {(named(one["name"]), one["version"]) for one in json.loads(first)["components"]}
    assert len(PINNED) > 30
    assert found == {(named(name), version) for name, version in PINNED}


@pytest.mark.parametrize("name", sorted({named(name) for name, _ in PINNED}))
def test_no_package_that_runs_with_us_is_under_the_gpl_or_agpl(name):
    try:
        told = metadata(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is for another kind of machine")
    short = [told.get("License-Expression") or "", (told.get("License") or "").partition("\n")[0][:200]]
    licences = " | ".join([*short, *(one for one in told.get_all("Classifier") or [] if one.startswith("License ::"))])
    strong = re.sub(r"LGPL|Lesser General Public|Library General Public", "", licences)
    assert not re.search(r"GPL|General Public License", strong), licences


def test_an_audit_that_nobody_answered_is_no_good_answer():
    """The examples in the program: found, not found, skipped, an empty service, none at all."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / "requirements" / "audit.py")
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    done = doctest.testmod(audit)
    assert (done.failed, done.attempted) == (0, 7)
