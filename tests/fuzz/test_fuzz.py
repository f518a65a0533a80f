"""Whatever comes in from outside, it is taken or refused with a sentence of ours: by spoilt inputs, and by a corpus that is kept.

The corpus has inputs that once broke something or went a way of their own. `python tests/fuzz/test_fuzz.py SEED` looks for
more of the latter.
"""

import json
import random
import re
import sys
import traceback
from pathlib import Path

import pytest
from fuzzing import OURS, TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
EXAMPLES = 400  # of each target; a million in `make bench`


def kept(name: str) -> list:
    return [json.loads(line) for line in (CORPUS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.filterwarnings("ignore:Possible nested set")  # of an expression in a configuration that nobody would write
@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=48))
def test_a_spoilt_input_is_taken_or_refused_with_a_sentence(name, data):
    target = TARGETS[name]
    assert target.asked(target.made(data)) in (True, False)


@pytest.mark.filterwarnings("ignore:Possible nested set")
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_the_corpus_breaks_anything(name):
    several = kept(name)
    assert len(several) >= 5
    outcomes = {TARGETS[name].asked(one) for one in several}
    assert True in outcomes


def way(name: str, data: bytes) -> tuple[str, ...]:
    """By which way an input went: the line of each of the last calls before it was refused."""
    target = TARGETS[name]
    try:
        target.take(target.made(data))
    except OURS as error:
        cause = error.__cause__ or error
        said = re.sub("[^a-z ]+", "", str(error).lower())[:80]
        return said, *(f"{Path(one.filename).name}:{one.lineno}" for one in traceback.extract_tb(cause.__traceback__)[-2:])
    return (data.hex()[:3],) if name == "git" else ()


if __name__ == "__main__":
    dice = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    CORPUS.mkdir(exist_ok=True)
    for target_name in sys.argv[2:] or TARGETS:
        place, seen = CORPUS / f"{target_name}.jsonl", {}
        for _ in range(3_000):
            some = dice.randbytes(dice.choice((0, 2, 6, 10, 16)))
            line = json.dumps(TARGETS[target_name].made(some))
            if len(line) < 4_000:
                seen.setdefault(way(target_name, some), line)
        found = [*(place.read_text(encoding="utf-8").splitlines() if place.exists() else []), *list(seen.values())[:40]]
        place.write_text("\n".join(dict.fromkeys(found)) + "\n", encoding="utf-8")
