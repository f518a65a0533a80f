"""A program that ends soon keeps the memory that it once had; where it cannot, it works all the same."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from vsm import memory

# How many pages are asked for by large things that live one after the other.
PAGES = """
import resource
{first}
def asked():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        b"x" * 40_000_000
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(asked())
"""


def pages(first: str) -> int:
    made = subprocess.run([sys.executable, "-c", PAGES.format(first=first)], stdout=subprocess.PIPE, check=True)
    return int(made.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library of this system has no such allocator")
def test_what_was_dropped_is_used_again_and_not_asked_for_anew():
    kept, given_back = pages("from vsm import memory; memory.of_a_short_run()"), pages("")

    assert kept < given_back / 10


@pytest.fixture
def another(monkeypatch):
    """A system without such an allocator; the environment and the thresholds that were set there."""
    told: tuple[dict[str, str], list[tuple[int, ...]]] = ({}, [])
    system = SimpleNamespace(environ=told[0])
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr(memory, "os", system)
    monkeypatch.setattr(memory.gc, "set_threshold", lambda *numbers: told[1].append(numbers))
    return told


def test_a_c_library_without_such_an_allocator_changes_nothing_else(another):
    memory.of_a_short_run()

    assert another == (memory.ENVIRONMENT, [memory.THRESHOLDS])


def test_what_a_user_has_set_stays(another):
    another[0]["ARROW_DEFAULT_MEMORY_POOL"] = "mimalloc"

    memory.of_a_short_run()

    assert another[0] == memory.ENVIRONMENT | {"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}
