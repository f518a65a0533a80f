"""What one commit reaches and another does not is exactly the difference of what each reaches, in any history."""

from hypothesis import given
from hypothesis import strategies as st

from vsm.between import ages, between
from vsm.graph import CommitGraph


def graph(*lines: str) -> CommitGraph:
    """`c < a b`: c has the parents a and b."""
    told = (line.partition("<") for line in lines)
    return CommitGraph({sha.strip(): tuple(parents.split()) for sha, _, parents in told})


def told(one: CommitGraph, new: str, old: str | None) -> list[str]:
    return between(one, ages(one), new, old)


def test_a_merge_brings_its_branch_and_a_rollback_brings_nothing() -> None:
    history = graph("a", "b < a", "x < a", "m < b x", "c < m")

    assert told(history, "m", "b") == ["m", "x"]
    assert told(history, "a", "c") == []
    assert told(history, "c", "a")[0] == "c"
    assert sorted(told(history, "c", "x")) == ["b", "c", "m"]


def test_after_a_rollback_everything_comes_again() -> None:
    history = graph("a", "b < a", "c < b")
    assert told(history, "c", "a") == ["c", "b"]


def test_without_one_before_all_that_is_reached_and_of_what_was_never_read_nothing() -> None:
    history = graph("b < a", "c < b")  # a was never read
    assert told(history, "c", None) == told(history, "c", "unknown") == ["c", "b"]
    assert told(history, "unknown", "c") == []


def reached(one: CommitGraph, tip: str) -> set[str]:
    found, stack = set(), [tip]
    while stack:
        if (sha := stack.pop()) in one and sha not in found:
            found.add(sha)
            stack += one.parents[sha]
    return found


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=30), st.data())
def test_it_is_the_difference_of_what_both_reach_children_first(parents: list[list[int]], data: st.DataObject) -> None:
    history = CommitGraph({str(place): tuple(str(one) for one in some if one < place) for place, some in enumerate(parents)})
    new, old = (data.draw(st.sampled_from(list(history.parents))) for _ in range(2))

    found = told(history, new, old)

    assert set(found) == reached(history, new) - reached(history, old)
    assert len(set(found)) == len(found)
    place = {sha: at for at, sha in enumerate(found)}
    assert all(place[sha] < place[parent] for sha in found for parent in history.parents[sha] if parent in place)


def test_a_history_that_goes_in_a_circle_ends_too() -> None:
    history = graph("a < b", "b < a", "c < a")
    assert sorted(told(history, "c", None)) == ["a", "b", "c"]
