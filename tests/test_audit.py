"""`make audit` and a service of our own on the loopback: what is known to be vulnerable fails, so does what nobody answered."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PINS = "click==8.1.0\nnumpy==2.0.0\n"
# As pip-audit is called and answers: it asks a service about each pin, and writes what it was told; without a service nothing.
PIP_AUDIT = """#!{python}
import json, sys, urllib.request
words = sys.argv[1:]
output, listed = words[words.index("--output") + 1], words[words.index("--requirement") + 1]
told = []
for line in open(listed):
    name, _, version = line.strip().partition("==")
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    with directly.open(f"{url}/{{name}}/{{version}}", timeout=5) as answer:
        told.append({{"name": name, "version": version, **json.load(answer)}})
with open(output, "w") as out:
    json.dump({{"dependencies": told}}, out)
sys.exit(any(one.get("vulns") for one in told))
"""
BAD = {"vulns": [{"id": "PYSEC-1"}]}
WELL = {"vulns": []}
UNKNOWN = {"skip_reason": "not found"}
# What the service says: of the canary, of each of our pins. None: it cuts the connection.
CASES = {
    "all is well": ([BAD, WELL, WELL], 0, "2 packages asked about, none is known to be vulnerable"),
    "one is vulnerable": ([BAD, WELL, BAD], 1, "known to be vulnerable: numpy 2.0.0 (PYSEC-1)"),
    "one is vulnerable, and another not known": ([BAD, UNKNOWN, BAD], 1, "known to be vulnerable: numpy 2.0.0 (PYSEC-1)"),
    "one is not known": ([BAD, WELL, UNKNOWN], 2, "NOT ASKED: no answer for numpy: nothing is known of them"),
    "it knows no advisories": ([WELL, WELL, WELL], 2, "NOT ASKED: the service has no advisory even for requests 2.19.1"),
    "it answers nobody": ([None, None, None], 2, "NOT ASKED: no advisory service answered"),
    "it fails in the middle": ([BAD, WELL, None], 2, "NOT ASKED: no advisory service answered"),
    "a page to sign in": (["<html>", "<html>", "<html>"], 2, "NOT ASKED: no advisory service answered"),
}


def audited(program: Path, folder: Path, allowed: str = "") -> tuple[int, list[str]]:
    """The exit status of an audit, and what it said."""
    (folder / "pins.txt").write_text(PINS)
    call = [sys.executable, ROOT / "requirements" / "audit.py", program, folder / "pins.txt"]
    told = os.environ | {"AUDIT_UNANSWERED": allowed}
    done = subprocess.run(call, env=told, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("allowed", ["", "allowed"])
@pytest.mark.parametrize("case", CASES)
def test_only_what_was_asked_about_and_is_well_passes(served, tmp_path, case, allowed):
    answers, status, said = CASES[case]
    told = dict(zip(("requests", "click", "numpy"), answers, strict=True))

    def service(method, path, *asked):
        answer = told[path.split("/")[1]]
        return None if answer is None else (200, {}, answer if isinstance(answer, str) else json.dumps(answer))

    program = tmp_path / "pip-audit"
    program.write_text(PIP_AUDIT.format(python=sys.executable, url=served(service).url))
    program.chmod(0o755)
    ended, lines = audited(program, tmp_path, allowed)
    assert lines[-1].startswith(f"audit: {said}")
    assert ended == (0 if allowed and status == 2 else status)
    assert ("let pass by AUDIT_UNANSWERED=allowed" in lines[-1]) is bool(allowed and status == 2)


def test_a_program_that_is_not_there_is_no_good_answer(tmp_path):
    ended, lines = audited(tmp_path / "none", tmp_path)
    assert (ended, lines[-1]) == (2, "audit: NOT ASKED: no advisory service answered")
    assert not any("Traceback" in line for line in lines)


def test_make_and_continuous_integration_end_with_what_the_audit_ends_with():
    """Nothing stands around it that would let a failure pass; without an answer CI goes on, which the documentation says."""
    recipe = (ROOT / "Makefile").read_text().partition("\naudit:")[2].splitlines()[1]
    assert recipe == "\t$(VENV)/bin/python requirements/audit.py .peers/audit/bin/pip-audit requirements/run.txt"
    run = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in run
    assert "\nAUDIT_UNANSWERED=allowed make audit\n" in run
    assert "`AUDIT_UNANSWERED=allowed` lets that pass" in (ROOT / "docs" / "security.md").read_text()
