"""Memory: what stays is walked once, and what was set aside can still go."""

import gc
import tomllib
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import memory


class Kept:
    """A thing that knows itself, so that only a search for garbage frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_aside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory, "EVERY", 1)
    monkeypatch.setattr(memory, "GROWN", 1)
    gc.collect()
    gc.freeze()  # what pytest and its plugins hold is not what is counted here
    yield
    gc.unfreeze()


def stay(count: int) -> list[Kept]:
    found = [Kept() for _ in range(count)]
    gc.collect()
    return found


def walked() -> int:
    return len(gc.get_objects())


def test_what_has_stayed_is_not_walked_again():
    much = stay(memory.MOST + 1)
    assert walked() > memory.MOST

    memory.settle()

    assert walked() < memory.MOST / 10
    assert len(much) == memory.MOST + 1


def test_little_is_left_to_python():
    little = stay(memory.MOST // 4)
    before = gc.get_freeze_count()

    memory.settle()

    assert gc.get_freeze_count() == before
    assert len(little) < walked()


def test_what_was_set_aside_and_is_not_used_any_more_goes_when_as_much_has_come_again():
    much = stay(memory.MOST + 1)
    gone = weakref.ref(much[0])
    memory.settle()
    much.clear()
    gc.collect()
    assert gone() is not None

    more = stay(memory.MOST + 1)
    memory.settle()

    assert gone() is None
    assert len(more) == memory.MOST + 1


def test_all_is_searched_only_once_it_has_grown(monkeypatch):
    monkeypatch.setattr(memory, "GROWN", 1.5)
    monkeypatch.setattr(memory, "_left", 5 * memory.MOST)
    monkeypatch.setattr(memory, "_since", 0)
    kept, searched = [], []
    monkeypatch.setattr(memory, "set_aside", lambda: searched.append(len(kept)))
    for _ in range(3):
        kept += stay(memory.MOST + 1)
        memory.settle()

    assert searched == [len(kept)], "after more than half of what was left"
    assert walked() < 2 * memory.MOST, "the first two were set aside without a search"


def test_garbage_is_searched_for_once_in_so_many_runs(monkeypatch):
    monkeypatch.setattr(memory, "EVERY", 4)
    gone = weakref.ref(Kept())
    gc.disable()  # Python's own search could come first
    try:
        left = [gone() is None for _ in range(4) if memory.settle() is None]
    finally:
        gc.enable()

    assert left.count(False) <= 3
    assert left[-1]


def test_streamlit_searches_for_none_by_itself():
    told = tomllib.loads((Path(memory.__file__).parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))

    assert told["runner"] == {"postScriptGC": False}
