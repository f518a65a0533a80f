"""One level a map: who counts for whom, and where an item is by the statuses of its parts."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.config import parse
from vsm.metrics.quality import findings
from vsm.pipeline import Flow, read
from vsm.store import Facts

Told = Callable[..., Facts]
MONDAY = pd.Timestamp("2026-03-02", tz="UTC")
BOARD = """
[[streams]]
name = "shop"
new = ["Todo"]
done = ["Done"]
cancelled = ["Dropped"]
[[streams.stages]]
name = "Dev"
waiting = ["Ready"]
active = ["Doing"]
[[streams.stages]]
name = "Test"
waiting = ["For test"]
active = ["Testing"]
opens = ["pull_request.merged"]
"""
FAMILY = """
PAY-9 type=Epic: Todo 0
PAY-1 type=Story parent=PAY-9: Todo 0, Doing 1, Done 9
PAY-2 type='Technical task' parent=PAY-1: Todo 0, Doing 2, Done 4
PAY-3 type=Sub-task parent=PAY-1: Todo 0, Doing 3, Done 8
PAY-4 type=Story parent=PAY-9: Todo 0, Doing 5, Testing 7
PAY-5 type=Bug: Todo 0, Doing 2, Done 3
PAY-6 type=Epic: Todo 0
"""


def flow(facts: Facts, board: str = BOARD, **more: str) -> Flow:
    return read(facts, parse(board, Path("vsm.toml")), **more)


def hour(time: pd.Timestamp) -> str:
    return "…" if pd.isna(time) else f"{(time - MONDAY) / pd.Timedelta(hours=1):g}"


def path(told_: Flow, item: str = "PAY-1") -> str:
    """`Dev 1 (2) 5, Test …`: each stay, since when, from when in work, until when; then what became of the item."""
    one = told_.streams[0]
    stays = one.visits[one.visits["item"] == item]
    said = []
    for row in stays.to_dict("records"):
        work = "" if pd.isna(row["started"]) else f" ({hour(row['started'])})"
        said.append(f"{row['stage']} {hour(row['queued'])}{work} {hour(row['left'])}")
    end = one.items.set_index("item").loc[item]
    return ", ".join([*said, f"{end['state']} {hour(end['done_at'])}".removesuffix(" …")])


# Who counts for whom. --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "items"),
    [
        (None, ["PAY-1", "PAY-4", "PAY-5"]),
        ("item", ["PAY-1", "PAY-4", "PAY-5"]),
        ("parent", ["PAY-1", "PAY-4", "PAY-5"]),
        ("sub-task", ["PAY-2", "PAY-3", "PAY-4", "PAY-5"]),
        ("epic", ["PAY-9", "PAY-5", "PAY-6"]),
    ],
)
def test_a_level_counts_all_work_once(told: Told, level: str | None, items: list[str]) -> None:
    found = flow(told(tickets=FAMILY), level=level).streams[0].items
    assert sorted(found["item"]) == sorted(items)


@pytest.mark.parametrize(
    ("level", "pairs"),
    [
        ("item", ["PAY-1 shop#1", "PAY-1 shop#2", "PAY-4 shop#3"]),
        ("sub-task", ["PAY-2 shop#1", "shop#2 shop#2", "PAY-4 shop#3"]),
        ("epic", ["PAY-9 shop#1", "PAY-9 shop#2", "PAY-9 shop#3"]),
    ],
)
def test_a_parts_changes_count_for_what_it_counts_for(told: Told, level: str, pairs: list[str]) -> None:
    pulls = "1 title=PAY-2 created=2 merged=3\n2 title=PAY-1 created=2 merged=3\n3 title=PAY-4 created=6 merged=7"
    linked = flow(told("", pulls, FAMILY), level=level).links.item_changes
    assert sorted(linked["item"] + " " + linked["change"]) == sorted(pairs)
    assert set(linked.loc[linked["item"] == "shop#2", "rule"]) <= {"the ticket that it names is no item here"}


def test_each_stream_may_have_its_own_level_and_nothing_is_in_two(told: Told) -> None:
    board = BOARD.replace('name = "shop"', 'name = "shop"\nteams = ["Core"]\nlevel = "epic"', 1)
    board += BOARD.replace('name = "shop"', 'name = "rest"\nlevel = "sub-task"', 1)
    tickets = """
        PAY-9 type=Epic: Todo 0
        PAY-1 team=Core parent=PAY-9: Todo 0, Doing 1
        PAY-2 parent=PAY-1: Todo 0, Doing 1
        PAY-3 parent=PAY-9: Todo 0, Doing 1
        PAY-4 parent=PAY-3: Todo 0, Doing 2
    """
    told_ = flow(told(tickets=tickets), board)
    assert {one.name: sorted(one.items["item"]) for one in told_.streams} == {"shop": ["PAY-9"], "rest": ["PAY-4"]}
    assert len(told_.homeless) == 0


@pytest.mark.parametrize(
    ("tickets", "items"),
    [
        pytest.param("PAY-2 type=Sub-task parent=PAY-1: Todo 0", ["PAY-2"], id="a parent that was never read"),
        pytest.param("PAY-1 parent=PAY-1: Todo 0", ["PAY-1"], id="its own parent"),
        pytest.param(
            "PAY-1 parent=PAY-2: Todo 0\nPAY-2 parent=PAY-3: Todo 0\nPAY-3 parent=PAY-1: Todo 0\nPAY-4 parent=PAY-3: Todo 0",
            ["PAY-1", "PAY-2", "PAY-3"],
            id="a circle, and a part of one in it",
        ),
        pytest.param("PAY-1 type=Epic parent=PAY-2: Todo 0\nPAY-2: Todo 0", ["PAY-2"], id="an epic under a story"),
        pytest.param("PAY-1 type=Saga: Todo 0\nPAY-2 parent=PAY-1: Todo 0", ["PAY-1"], id="a type that is not known to hold"),
    ],
)
@pytest.mark.parametrize("level", ["item", "parent"])
def test_tickets_flow_on_their_own_where_there_is(told: Told, level: str, tickets: str, items: list[str]) -> None:
    assert sorted(flow(told(tickets=tickets), level=level).streams[0].items["item"]) == items


def test_what_holds_items_is_configured_by_its_type(told: Told) -> None:
    facts = told(tickets="PAY-1 type='Great saga': Todo 0\nPAY-2 parent=PAY-1: Todo 0")
    found = flow(facts, f'{BOARD}\n[levels]\nepics = ["great-saga"]').streams[0].items
    assert list(found["item"]) == ["PAY-2"]


# Where it is. ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tickets", "expected"),
    [
        pytest.param("PAY-1: Todo 0, Doing 1, Testing 5, Done 9", "Dev 1 (1) 5, Test 5 (5) 9, done 9", id="without parts"),
        pytest.param(
            "PAY-1: Todo 0, Doing 1, Done 9\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Testing 5, Done 6",
            "Dev 1 (1) 5, Test 5 (5) 9, done 9",
            id="one part tells, its own done ends it",
        ),
        pytest.param(
            "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Done 6\nPAY-3 parent=PAY-1: Todo 0, Doing 3, Done 8",
            "Dev 2 (2) 8, done 8",
            id="never moved itself: from the first start to the last end",
        ),
        pytest.param(
            "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 1, Testing 3, Done 9\n"
            "PAY-3 parent=PAY-1: Todo 0, Doing 2, Testing 6, Done 7",
            "Dev 1 (1) 6, Test 6 (6) 9, done 9",
            id="the least advanced counts",
        ),
        pytest.param(
            "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 1, Testing 3, Done 4\n"
            "PAY-3 parent=PAY-1: Todo 0, Doing 6, Testing 7, Done 8",
            "Dev 1 (1) 3, Dev 3 (6) 7, Test 7 (7) 8, done 8",
            id="a part that is still to come holds it, and it waits",
        ),
        pytest.param(
            "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 1, Testing 3, Done 8\nPAY-3 parent=PAY-1: Todo 5, Doing 6, Done 7",
            "Dev 1 (1) 3, Test 3 (3) 8, done 8",
            id="a part that begins late does not pull it back",
        ),
        pytest.param(
            "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 1, Testing 3, Doing 5, Testing 6, Done 7",
            "Dev 1 (1) 3, Test 3 (3) 5, Dev 5 (5) 6, Test 6 (6) 7, done 7",
            id="a part that goes back takes it back",
        ),
        pytest.param(
            "PAY-1: Todo 0, Doing 1, For test 6, Testing 7, Done 9\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Done 5",
            "Dev 1 (1) 6, Test 6 (7) 9, done 9",
            id="before and after its parts it tells itself",
        ),
        pytest.param(
            "PAY-1: Todo 0, Doing 1, Done 5\nPAY-2 parent=PAY-1: Todo 0, Doing 2",
            "Dev 1 (1) 5, done 5",
            id="its own done ends it, whatever a part does",
        ),
        pytest.param(
            "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Dropped 3\nPAY-3 parent=PAY-1: Todo 0, Doing 1, Done 2",
            "Dev 1 (1) 3, done 3",
            id="done with what was not dropped",
        ),
        pytest.param("PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Dropped 3", "Dev 2 (2) 3, cancelled", id="all dropped"),
        pytest.param(
            "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0\nPAY-3 parent=PAY-2: Todo 0, Doing 2, Done 3",
            "Dev 2 (2) 3, done 3",
            id="parts of parts: the smallest tell",
        ),
        pytest.param(
            "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Done 3\nPAY-3 parent=PAY-1: Todo 5, Doing 6, Done 7",
            "Dev 2 (2) 3, Dev 6 (6) 7, done 7",
            id="a part that is made after all were done opens it again",
        ),
    ],
)
def test_the_parts_tell_where_their_ticket_is(told: Told, tickets: str, expected: str) -> None:
    assert path(flow(told(tickets=tickets), level="parent")) == expected


def test_by_default_a_tickets_own_statuses_tell(told: Told) -> None:
    tickets = "PAY-1: Todo 0, Doing 4, Done 9\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Testing 5, Done 6"
    assert path(flow(told(tickets=tickets))) == "Dev 4 (4) 9, done 9"


def test_an_epic_is_where_the_tickets_in_it_are_which_tell_of_themselves(told: Told) -> None:
    told_ = flow(told(tickets=FAMILY), level="epic")
    assert path(told_, "PAY-9") == "Dev 1 (1) 9, Test 9 (9) …, in progress"
    assert path(told_, "PAY-5") == "Dev 2 (2) 3, done 3"


def test_delivery_tells_only_of_what_is_one(told: Told) -> None:
    """PAY-2's change is merged at 4; that says nothing of PAY-3, which is still to be made."""
    pulls = "1 branch=PAY-2 created=2 merged=4"
    one = "PAY-1: Todo 0\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Done 6"
    assert path(flow(told("", pulls, one), level="parent")) == "Dev 2 (2) 4, Test 4 6, done 6"
    two = f"{one}\nPAY-3 parent=PAY-1: Todo 0, Doing 7, Done 9"
    assert path(flow(told("", pulls, two), level="parent")) == "Dev 2 (2) 6, Dev 6 (7) 9, done 9"


def test_who_moved_one_part_is_not_said_to_have_moved_the_other(told: Told) -> None:
    tickets = """
        PAY-1: Todo 0
        PAY-2 parent=PAY-1: Todo 0, Doing 1 ann, Done 4 ann
        PAY-3 parent=PAY-1: Todo 0, Doing 2 bob, Testing 3 bob, Done 9 bob
    """
    visits = flow(told(tickets=tickets), level="parent").streams[0].visits
    assert visits["stage"].tolist() == ["Dev", "Test"]
    assert visits["actor"].isna().tolist() == [False, False]
    log = flow(told(tickets=tickets), level="parent").streams[0].log
    at_four = log[(log["event"] == "status") & (log["at"] == MONDAY + pd.Timedelta(hours=4))]
    assert at_four[["ref", "status"]].to_numpy().tolist() == [["PAY-3", "Testing"]]
    assert at_four["actor"].isna().all()


WORDS = st.sampled_from(["Todo", "Ready", "Doing", "For test", "Testing", "Done", "Dropped"])


@settings(max_examples=8, deadline=None)
@given(st.lists(st.lists(st.tuples(WORDS, st.integers(0, 9)), min_size=1, max_size=6), min_size=1, max_size=4))
def test_of_any_parts_the_stays_follow_each_other_and_lie_within_the_parts_own(
    told: Told, histories: list[list[tuple[str, int]]]
) -> None:
    lines = ["PAY-1: Todo 0"]
    for number, words in enumerate(histories, 2):
        at, steps = 0, ["Todo 0"]
        for word, gap in words:
            at += gap + 1
            steps.append(f"{word} {at}")
        lines.append(f"PAY-{number} parent=PAY-1: {', '.join(steps)}")
    facts = told(tickets="\n".join(lines))
    whole, small = (flow(facts, level=level).streams[0] for level in ("parent", "sub-task"))
    stays, parts = whole.visits, small.visits
    assert list(whole.items["item"]) == ["PAY-1"]
    assert (stays["queued"].iloc[1:].array >= stays["left"].iloc[:-1].array).all()
    if len(parts):
        assert stays["queued"].min() == parts["queued"].min()
        # Out of a stage straight back: what was over, and began again in an earlier one, was sent back by nobody.
        straight = (stays["kind_in"] == "back") & (stays["queued"] == stays["left"].shift())
        assert not straight.any() or (parts["kind_in"] == "back").any()
    state = set(small.items["state"])
    if state <= {"done", "cancelled"}:
        assert whole.items["state"].item() == ("done" if "done" in state else "cancelled")


# What is said of it. ---------------------------------------------------------------------------------------------------


def doubts(told_: Flow) -> dict[str, list[str]]:
    return {one.check: one.found.iloc[:, 0].tolist() for one in findings(told_, told_.streams) if len(one.found)}


def test_what_was_rolled_up_is_counted_and_can_be_looked_at(told: Told) -> None:
    found = doubts(flow(told(tickets=FAMILY)))
    assert found["sub-tasks that count for the ticket that they are parts of"] == ["PAY-2", "PAY-3"]
    (note,) = flow(told(tickets=FAMILY), level="parent").streams[0].workflow.notes
    assert note == (
        "Tickets are rolled up (level parent): the statuses of 2 tell where 1 tickets are; 2 without such parts tell of themselves."
    )


def test_circles_and_lost_parents_are_doubts(told: Told) -> None:
    tickets = "PAY-1 parent=PAY-2: Todo 0\nPAY-2 parent=PAY-1: Todo 0\nPAY-3 type=Sub-task parent=GONE-1: Todo 0"
    found = doubts(flow(told(tickets=tickets)))
    assert found["tickets that are parts of themselves, by way of their parents"] == ["PAY-1", "PAY-2"]
    assert found["sub-tasks whose ticket was never read"] == ["PAY-3"]


def test_a_ticket_without_parents_is_the_same_at_every_level_but_the_epics(told: Told) -> None:
    facts = told(tickets="PAY-1: Todo 0, Doing 1, Testing 3, Done 5\nPAY-2: Todo 0, Doing 2")
    usual = flow(facts).streams[0]
    for level in ("parent", "sub-task", "epic"):
        pd.testing.assert_frame_equal(flow(facts, level=level).streams[0].visits, usual.visits)
