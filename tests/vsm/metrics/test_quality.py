"""Data quality: each check finds what it is for, nothing else, and opens its rows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from vsm import config, pipeline
from vsm.metrics.quality import findings, quality
from vsm.pipeline import Flow
from vsm.store import Facts

Told = Callable[..., Facts]
BOARD = """
[[streams]]
name = "all"
new = ["Todo"]
done = ["Done"]
cancelled = ["Dropped"]
ignored = ["Filed"]
[[streams.stages]]
name = "Dev"
active = ["Doing"]
[[streams.stages]]
name = "Test"
waiting = ["For test"]
active = ["Testing"]
"""
TWO = """
[[streams]]
name = "one"
projects = ["PAY"]
[[streams]]
name = "other"
teams = ["Core"]
"""
CLEAN = "PAY-1: Todo 0, Doing 1, Done 5"


def read(told: Told, board: str = BOARD, **facts: Any) -> Flow:
    return pipeline.read(told(**facts), config.parse(board, config.Path("vsm.toml")))


def found(flow: Flow) -> dict[str, int]:
    told = quality(flow, flow.streams)
    return dict(zip(told["check"], told["rows"], strict=True))


def rows(check: str, flow: Flow) -> pd.DataFrame:
    (one,) = (one for one in findings(flow, flow.streams) if one.check == check)
    return one.found.reset_index(drop=True)


@pytest.mark.parametrize(
    ("check", "facts", "ids"),
    [
        ("status 'Odd' of stream 'all' has no meaning", {"tickets": "PAY-1: Todo 0, Doing 1, Odd 2, Done 5"}, ["PAY-1"]),
        ("tickets without any change of status", {"tickets": f"{CLEAN}\nPAY-2: Todo 1"}, ["PAY-2"]),
        ("items that were done without ever being started", {"tickets": f"{CLEAN}\nPAY-2: Todo 1, Done 2"}, ["PAY-2"]),
        (
            "items that were reopened after they were done",
            {"tickets": "PAY-1: Todo 0, Doing 1, Done 5, Doing 6, Done 7"},
            ["PAY-1"],
        ),
        (
            "changes of status after the item was done or cancelled",
            {"tickets": f"{CLEAN}\nPAY-2: Todo 0, Doing 1, Done 5, Filed 6\nPAY-3: Todo 0, Doing 1, Dropped 2, Filed 3"},
            ["PAY-2", "PAY-3"],
        ),
        (
            "sub-tasks that are open though their ticket is done",
            {"tickets": "PAY-1: Todo 0, Doing 1, Done 5\nPAY-2 parent=PAY-1: Todo 0, Doing 2"},
            ["PAY-2"],
        ),
        (
            "sub-tasks that were started though their ticket was not",
            {"tickets": "PAY-1: Todo 0, For test 1\nPAY-2 parent=PAY-1: Todo 0, Doing 2, Done 3"},
            ["PAY-2"],
        ),
        (
            "items that were flagged when they were done",
            {
                "tickets": f"{CLEAN}\nPAY-2: Todo 0, Doing 1, Done 5",
                "ticket_changes": "PAY-1 2 flagged X\nPAY-2 2 flagged X\nPAY-2 3 flagged ''",
            },
            ["PAY-1"],
        ),
        (
            "pull requests without a ticket",
            {"tickets": CLEAN, "pulls": "1 branch=PAY-1 created=2 merged=3\n2 branch=tidy created=2 merged=3"},
            ["shop#2"],
        ),
        (
            "reviews before their pull request was opened",
            {"pulls": "1 created=5 merged=9\n2 created=5 merged=9", "reviews": "number=1 submitted_at=4\nnumber=2 submitted_at=6"},
            ["shop"],
        ),
        ("pull requests that ended before they were opened", {"pulls": "1 created=5 merged=4\n2 created=5 merged=9"}, ["shop"]),
        (
            "commits newer than the deployment that holds them",
            {"code": "a at=1\nb at=9 < a", "deployments": "d1 sha=a at=2\nd2 sha=b at=8"},
            ["d2"],
        ),
        (
            "pull requests merged an hour or more before their merge commit was made",
            {"code": "a at=1\nm at=9 < a\nn at=10 < m", "pulls": "1 created=2 merged=3 sha=m\n2 created=2 merged=10 sha=n"},
            ["shop"],
        ),
        (
            "builds, deployments or incidents that ended before they began",
            {"builds": "b1 started_at=3 finished_at=2\nb2 started_at=3 finished_at=4", "incidents": "I-1 opened=5 resolved=4"},
            ["builds", "incidents"],
        ),
        ("incidents that are laid to no deployment", {"incidents": "I-1 opened=5\nI-2 opened=6 app=other"}, ["I-1", "I-2"]),
        ("deployments of which the commit is not known", {"deployments": "d1 sha= at=2"}, ["d1"]),
    ],
)
def test_a_check_finds_what_it_is_for_and_opens_its_rows(told: Told, check: str, facts: dict[str, str], ids: list[str]) -> None:
    flow = read(told, **facts)
    opened = rows(check, flow)
    assert opened.iloc[:, 0].tolist() == ids
    assert found(flow)[check] == len(ids)


def test_items_that_two_streams_claim_are_named_with_both(told: Told) -> None:
    flow = read(told, TWO, tickets="PAY-1 team=Core project=PAY: Todo 0, Doing 1\nPAY-2 project=PAY: Todo 0, Doing 1")
    opened = rows("items that several streams claim", flow)
    assert opened[["item", "streams"]].to_dict("records") == [{"item": "PAY-1", "streams": "one and other"}]


def test_a_history_with_a_hole_is_told_from_both_sides(told: Told, hour: Callable[[float], pd.Timestamp]) -> None:
    facts = told(tickets="PAY-1: Todo 0, Doing 1, Testing 3, Done 5")
    moves = facts.transitions[facts.transitions["to_status"] != "Testing"]
    tickets = facts.tickets.assign(status=pd.Series(["Filed"], dtype="str"))
    flow = pipeline.read(config_of(facts, transitions=moves, tickets=tickets), config.parse(BOARD, config.Path("vsm.toml")))
    broken = rows("transitions that do not begin where the last one ended", flow)
    assert broken[["ticket", "at", "before", "from_status"]].to_numpy().tolist() == [["PAY-1", hour(5), "Doing", "Testing"]]
    apart = rows("tickets whose status is not where their history ends", flow)
    assert apart[["key", "status", "history_ends"]].to_numpy().tolist() == [["PAY-1", "Filed", "Done"]]


def config_of(facts: Facts, **frames: pd.DataFrame) -> Facts:
    return Facts(**{**facts.__dict__, **{name: frame.reset_index(drop=True) for name, frame in frames.items()}})


@pytest.mark.parametrize(("linked", "low"), [(4, True), (6, False)])
def test_where_most_finished_tickets_have_no_change_that_is_said(told: Told, linked: int, low: bool) -> None:
    tickets = "\n".join(f"PAY-{n}: Todo 0, Doing 1, Done 5" for n in range(1, 13))
    pulls = "\n".join(f"{n} branch=PAY-{n} created=2 merged=3" for n in range(1, linked + 1))
    flow = read(told, tickets=tickets, pulls=pulls)
    opened = rows("finished tickets to which no change is linked, and that is most of them", flow)
    assert len(opened) == (12 - linked if low else 0)


def test_without_any_change_at_all_nothing_could_be_linked_and_nothing_is_said(told: Told) -> None:
    flow = read(told, tickets="\n".join(f"PAY-{n}: Todo 0, Doing 1, Done 5" for n in range(1, 13)))
    assert found(flow) == {}


def test_changes_that_were_merged_long_ago_and_never_deployed_are_named(told: Told) -> None:
    flow = read(
        told,
        code="a at=0\nm at=5 < a\nn at=900 < m",
        pulls="1 created=2 merged=5 sha=m\n2 created=3 merged=6 sha=x\n3 created=800 merged=900 sha=n",
        deployments="d0 sha=a at=1\nd1 sha=m at=7",
    )
    assert rows("changes merged four weeks ago or longer that no deployment holds", flow)["change"].tolist() == ["shop#2"]


def test_dates_after_the_harvest_are_named_where_it_is_known(told: Told, hour: Callable[[float], pd.Timestamp]) -> None:
    flow = read(told, tickets=f"{CLEAN}\nPAY-2: Todo 0, Doing 1, Done 500")
    assert "dates in the future" not in found(flow)
    at_ten = replace(flow, harvested=hour(10))
    opened = rows("dates in the future", at_ten)
    assert opened.to_dict("records") == [{"table": "transitions", "row": "PAY-2 Doing Done", "column": "at", "at": hour(500)}]
    assert found(at_ten)["dates in the future"] == 1
    assert "dates in the future" not in found(replace(flow, harvested=hour(500)))


def test_clean_data_has_no_findings(told: Told) -> None:
    flow = read(
        told,
        tickets=CLEAN,
        pulls="1 branch=PAY-1 created=2 ready=2 first=1 merged=3 sha=m",
        code="a at=1 | PAY-1 begin\nm at=3 < a",
    )
    assert found(flow) == {}


def test_of_nothing_nothing_is_found(told: Told) -> None:
    flow = read(told)
    told_ = quality(flow, flow.streams)
    assert told_.columns.tolist() == ["check", "rows", "effect", "remedy"]
    assert told_.empty
    assert all(len(one.found) == 0 for one in findings(flow, flow.streams))


def test_every_check_says_what_it_does_to_the_numbers_and_what_to_do(told: Told) -> None:
    flow = read(told, tickets=CLEAN)
    every = list(findings(replace(flow, harvested=flow.now), flow.streams))
    assert len({one.check for one in every}) == len(every) >= 25
    assert all(one.effect and one.remedy for one in every)
