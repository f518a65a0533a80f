"""Asks an advisory service about every pinned run-time package: `make audit`.

Ends with 1 where one is known to be vulnerable, and with 2 where the service did not answer for all of them: a question
that nobody answered is not a good answer. AUDIT_UNANSWERED=allowed lets that pass, and says so.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Known to be vulnerable since 2018 (PYSEC-2018-28): a service that has nothing to say about it does not know advisories.
CANARY = ("requests", "2.19.1")
PATIENCE = 300  # seconds for all answers to a list


def judged(told: dict | None, canary: dict | None) -> tuple[int, str]:
    """The exit status and the sentence for what pip-audit wrote, None where it wrote nothing.

    >>> well, bad = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1"}]}
    >>> known = {"dependencies": [bad]}
    >>> judged({"dependencies": [well]}, known)
    (0, '1 packages asked about, none is known to be vulnerable')
    >>> judged({"dependencies": [well, bad]}, known)
    (1, 'known to be vulnerable: b 2 (PYSEC-1)')
    >>> judged({"dependencies": [well, {"name": "c", "skip_reason": "not found"}]}, known)
    (2, 'NOT ASKED: no answer for c: nothing is known of them')
    >>> judged({"dependencies": [well]}, {"dependencies": [well]})[1]
    'NOT ASKED: the service has no advisory even for requests 2.19.1: it knows none'
    >>> judged(None, known)
    (2, 'NOT ASKED: no advisory service answered')
    """
    if told is None or not told.get("dependencies"):
        return 2, "NOT ASKED: no advisory service answered"
    found = told["dependencies"]
    bad = [f"{one['name']} {one['version']} ({', '.join(v['id'] for v in one['vulns'])})" for one in found if one.get("vulns")]
    if bad:
        return 1, f"known to be vulnerable: {'; '.join(bad)}"
    if silent := [one["name"] for one in found if "vulns" not in one]:
        return 2, f"NOT ASKED: no answer for {', '.join(silent)}: nothing is known of them"
    if canary is None or not any(one.get("vulns") for one in canary.get("dependencies", [])):
        return 2, f"NOT ASKED: the service has no advisory even for {CANARY[0]} {CANARY[1]}: it knows none"
    return 0, f"{len(found)} packages asked about, none is known to be vulnerable"


def asked(program: str, *arguments: str) -> dict | None:
    """What pip-audit writes about some requirements."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        call = [program, "--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", str(answer), *arguments]
        try:
            done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=PATIENCE)
        except (OSError, subprocess.TimeoutExpired) as error:  # it is not there, or the service never ends
            print(str(error).partition("', '--")[0], file=sys.stderr)
            return None
        try:
            return json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            print(done.stderr.strip()[-2000:], file=sys.stderr)
            return None


def main(program: str, requirements: str) -> int:
    """Ask about the requirements, and about one that is known to be vulnerable."""
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder, "canary.txt")
        known.write_text(f"{CANARY[0]}=={CANARY[1]}\n", encoding="utf-8")
        canary = asked(program, "--no-deps", "--requirement", str(known))
    status, said = judged(asked(program, "--require-hashes", "--requirement", requirements), canary)
    if status == 2 and os.environ.get("AUDIT_UNANSWERED") == "allowed":
        status, said = 0, f"{said} (let pass by AUDIT_UNANSWERED=allowed)"
    print(f"audit: {said}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
