"""The event log: what happened to each item, in order, and of several pull requests the least advanced."""

from collections.abc import Callable
from itertools import islice, pairwise, permutations

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vsm.config import Config
from vsm.events import log
from vsm.links import link
from vsm.models import TABLES
from vsm.ordered import LOG
from vsm.people import People
from vsm.store import Facts
from vsm.tracked import chained

Told = Callable[..., Facts]
MONDAY = pd.Timestamp("2026-03-02", tz="UTC")


def log_of(facts: Facts) -> pd.DataFrame:
    people = People.of(facts)
    return log(facts, link(facts, Config(), people), people)


def words_of(facts: Facts) -> pd.DataFrame:
    """The log with plain text for its categories."""
    return log_of(facts).astype({name: "str" for name, kind in LOG.items() if kind == "category"})


def lines(facts: Facts, item: str, *events: str) -> list[str]:
    """An item's events of some kinds (all that begin so) as `event status@environment hours`."""
    found = words_of(facts)
    mine = found[(found["item"] == item) & found["event"].str.startswith(events or ("",))]
    hours = (mine["at"] - MONDAY) / pd.Timedelta(hours=1)
    told = mine["event"] + (" " + mine["status"]).fillna("") + ("@" + mine["environment"]).fillna("")
    return [f"{what} {at:g}" for what, at in zip(told, hours, strict=True)]


# What a tracker tells. -------------------------------------------------------------------------------------------------


def test_a_ticket_begins_with_the_status_that_its_first_move_left(told: Told) -> None:
    facts = told(tickets="PAY-1: Todo 0, Doing 5, Done 9")
    assert lines(facts, "PAY-1") == ["ticket.created 0", "status Todo 0", "status Doing 5", "status Done 9"]


def test_a_ticket_that_never_moved_has_been_where_it_is(told: Told) -> None:
    assert lines(told(tickets="PAY-1: Todo 3"), "PAY-1", "status") == ["status Todo 3"]
    assert lines(told(tickets="PAY-1 created_at=3"), "PAY-1", "status") == []


def test_where_the_first_move_does_not_say_what_it_left_nothing_is_made_up(told: Told) -> None:
    assert lines(told(tickets="PAY-1 status=Done", transitions="PAY-1 5 to_status=Doing"), "PAY-1", "status") == ["status Doing 5"]


def test_a_ticket_that_moved_before_it_was_created_here_began_with_that_move(told: Told) -> None:
    facts = told(tickets="PAY-1: Doing 10, Done 12", transitions="PAY-1 4 Todo Doing")
    assert lines(facts, "PAY-1", "status") == ["status Todo 4", "status Doing 4", "status Done 12"]


def test_moves_at_one_instant_follow_their_chain(told: Told) -> None:
    facts = told(tickets="PAY-1: Todo 0, Ready 5, Doing 5, Done 5, Todo 9")
    assert lines(facts, "PAY-1", "status")[1:4] == ["status Ready 5", "status Doing 5", "status Done 5"]


def test_of_moves_at_the_instant_of_creation_the_first_status_is_what_nothing_leads_to(told: Told) -> None:
    facts = told(tickets="PAY-1: Zero 0, Doing 0, Alpha 0")
    assert lines(facts, "PAY-1", "status") == ["status Zero 0", "status Doing 0", "status Alpha 0"]


def chain(moves: list[tuple[str, str]], before: list[tuple[str, str]] | None = None) -> list[tuple[str, str]]:
    """How moves at one instant are ordered, with one before them."""
    rows = [{"ticket": "T", "at": MONDAY, "from_status": was, "to_status": is_} for was, is_ in before or []]
    rows += [{"ticket": "T", "at": MONDAY + pd.Timedelta(1, "h"), "from_status": was, "to_status": is_} for was, is_ in moves]
    found = chained(Facts.of(transitions=rows).transitions)[len(before or []) :]
    return list(zip(found["from_status"], found["to_status"], strict=True))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("ABCD", id="a line"),
        pytest.param("ABA", id="there and back"),
        pytest.param("ACAB", id="a detour: taking the first that fits would leave some over"),
        pytest.param("ABCABDA", id="twice round"),
    ],
)
def test_moves_at_one_instant_are_chained_in_whatever_order_they_come(path: str) -> None:
    right = list(pairwise(path))
    for order in islice(permutations(right), 0, None, 1 + len(right) ** 2 // 6):
        found = chain(list(order), before=[("Z", path[0])])
        assert found[0][0] == path[0]
        assert all(left[1] == after[0] for left, after in pairwise(found))
        assert found[-1][1] == path[-1]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=7), st.randoms())
def test_a_chain_is_found_where_there_is_one(path: list[str], dice: object) -> None:
    moves = list(dict.fromkeys(pairwise(path)))
    assume(len(moves) == len(path) - 1)  # a store holds each move of one instant once
    dice.shuffle(moves)  # type: ignore[attr-defined]  # random.Random
    found = chain(moves, before=[("Z", path[0])])
    assert sorted(found) == sorted(moves)
    assert all(left[1] == after[0] for left, after in pairwise(found))


def test_chains_of_several_tickets_do_not_mix() -> None:
    rows = [
        {"ticket": ticket, "at": MONDAY, "from_status": was, "to_status": is_}
        for was, is_ in ("BC", "AB") for ticket in ("T1", "T2")
    ]  # fmt: skip
    found = chained(Facts.of(transitions=rows).transitions)
    assert list(found["ticket"].astype("str") + found["from_status"].astype("str")) == ["T1A", "T1B", "T2A", "T2B"]


def test_epics_and_sub_tasks_are_no_items_so_they_have_no_events(told: Told) -> None:
    facts = told(tickets="PAY-1 type=Epic: Todo 0, Done 1\nPAY-2: Todo 0\nPAY-3 type=Sub-task parent=PAY-2: Todo 0, Done 1")
    assert set(log_of(facts)["item"]) == {"PAY-2"}


# What delivery tells. --------------------------------------------------------------------------------------------------


def test_the_whole_way_of_a_change(told: Told) -> None:
    facts = told(
        "a\nm at=7 < a",
        "1 first=1 created=2 ready=3 approved=6 merged=7 sha=m commits=x author=ann title=PAY-1",
        "PAY-1: Todo 0",
        reviews="1 4 ann\n1 5 bob state=commented\n1 6 bob",
        builds="b1 sha=x queued_at=2.1 started=2.2 finished_at=2.3",
        deployments="s1 sha=a at=1 env=staging\nd1 sha=a at=1\ns2 sha=m started=8 at=9 env=staging\nd2 sha=m started=10 at=11",
    )
    assert lines(facts, "PAY-1", "commit", "pull", "review", "build", "deploy") == [
        "commit.first 1", "pull_request.opened 2", "build.queued 2.1", "build.started 2.2", "build.finished 2.3",
        "pull_request.ready 3", "review.submitted 5", "pull_request.approved 6", "review.submitted 6", "pull_request.merged 7",
        "pull_request.closed 7", "deployment.started@staging 8", "deployment.finished@staging 9",
        "deployment.started@production 10",
        "deployment.finished@production 11",
    ]  # fmt: skip


def test_events_know_who_did_them_and_where_they_come_from(told: Told) -> None:
    facts = told("", "1 created=2 author=ann title=PAY-1", "PAY-1: Todo 0, Doing 1 ann-jira", reviews="1 4 bob",
                 identities="github ann person=Ann\njira ann-jira person=Ann")  # fmt: skip
    found = log_of(facts).set_index("event")
    assert found.loc["review.submitted", ["actor", "source", "ref"]].tolist() == ["bob", "reviews", "shop#1"]
    assert found.loc["pull_request.opened", ["actor", "source", "ref"]].tolist() == ["Ann", "pull_requests", "shop#1"]
    assert found.loc["status", "actor"].tolist()[1:] == ["Ann"]


def test_a_request_without_a_draft_is_ready_when_it_is_opened(told: Told) -> None:
    assert lines(told("", "1 created=2"), "shop#1") == ["pull_request.opened 2", "pull_request.ready 2"]


def test_the_first_review_that_a_source_names_counts_where_no_reviews_are_read(told: Told) -> None:
    assert lines(told("", "1 created=2 first_review_at=5"), "shop#1", "review") == ["review.submitted 5"]
    facts = told("", "1 created=2 first_review_at=5", reviews="1 6 bob")
    assert lines(facts, "shop#1", "review") == ["review.submitted 6"]


def test_an_author_under_another_name_does_not_review_either(told: Told) -> None:
    facts = told("", "1 created=2 author=ann", reviews="1 4 ann-work", identities="github ann person=A\ngithub ann-work person=A")
    assert lines(facts, "shop#1", "review") == []


def test_any_name_of_production_is_production(told: Told) -> None:
    facts = told("a\nb < a", deployments="d1 sha=a at=3 env=live\nd2 sha=b at=4 env=live")
    assert lines(facts, "shop@b", "deployment.finished") == ["deployment.finished@production 4"]


# Several pull requests of an item. -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pulls", "merged"),
    [
        pytest.param("1 created=1 merged=5\n2 created=2 merged=8", "8", id="both begun: the later merge"),
        pytest.param("1 created=1 merged=5\n2 created=6 merged=8", "5 8", id="one after the other: each"),
        pytest.param("1 created=1 merged=5\n2 created=2", "", id="one still open"),
        pytest.param("1 created=1 merged=5\n2 created=2 closed=3", "5", id="one given up before"),
        pytest.param(
            "1 created=1 merged=5\n2 created=2 closed=7", "7", id="one given up later: from then on it does not hold back"
        ),
        pytest.param("1 created=1 merged=5\n2 created=2 closed=7\n3 created=6", "", id="and a third is open by then"),
        pytest.param("1 created=1 closed=5\n2 created=2 closed=7", "", id="all given up"),
        pytest.param("1 created=1 merged=5\n2 created=7 closed=7", "5", id="one that was given up at once"),
    ],
)
def test_of_several_pull_requests_the_least_advanced_counts(told: Told, pulls: str, merged: str) -> None:
    pulls = "\n".join(f"{line} title=PAY-1" for line in pulls.splitlines())
    found = lines(told("", pulls, "PAY-1: Todo 0"), "PAY-1", "pull_request.merged")
    assert found == [f"pull_request.merged {at}" for at in merged.split()]


@pytest.mark.parametrize(
    ("pulls", "approved"),
    [
        pytest.param("1 created=1 approved=3\n2 created=1 approved=4", "4", id="both"),
        pytest.param("1 created=1 approved=3\n2 created=1 merged=6", "6", id="one was merged without: it is further"),
        pytest.param("1 created=1 approved=3\n2 created=1", "", id="one was not"),
        pytest.param("1 created=1 merged=3\n2 created=1 merged=4", "", id="none was"),
        pytest.param("1 created=1 approved=3\n2 created=5 merged=5", "3", id="one was merged at once, later"),
    ],
)
def test_a_change_that_is_further_does_not_hold_back_an_approval(told: Told, pulls: str, approved: str) -> None:
    pulls = "\n".join(f"{line} title=PAY-1" for line in pulls.splitlines())
    found = lines(told("", pulls, "PAY-1: Todo 0"), "PAY-1", "pull_request.approved")
    assert found == [f"pull_request.approved {at}" for at in approved.split()]


def test_an_item_is_deployed_when_all_of_its_changes_are(told: Told) -> None:
    runs = "d0 sha=a at=1\ns0 sha=a at=1 env=staging\ns1 sha=b at=5 env=staging\nd1 sha=b at=6\nd2 sha=c at=9"
    facts = told("a\nb < a | PAY-1\nc at=2 < b | PAY-1", tickets="PAY-1: Todo 0", deployments=runs)
    assert lines(facts, "PAY-1", "deployment.finished") == [
        "deployment.finished@staging 9",  # the second one was never there, but is in production now
        "deployment.finished@production 9",
    ]


def test_a_change_that_was_in_the_first_deployment_known_does_not_hold_back(told: Told) -> None:
    facts = told("a | PAY-1\nb at=4 < a | PAY-1", tickets="PAY-1: Todo 0", deployments="d1 sha=a at=2\nd2 sha=b at=5")
    assert lines(facts, "PAY-1", "deployment.finished") == ["deployment.finished@production 5"]


def test_a_monorepos_other_applications_do_not_move_an_item(told: Told) -> None:
    runs = "d1 sha=a at=1\np1 sha=a at=1 app=pay\nd2 sha=b at=3\np2 sha=b at=9 app=pay"
    facts = told("a\nb < a | PAY-1", tickets="PAY-1 application=pay: Todo 0", deployments=runs)
    assert lines(facts, "PAY-1", "deployment.finished") == ["deployment.finished@production 9"]


def test_a_change_for_several_tickets_moves_them_all(told: Told) -> None:
    facts = told("", "1 created=1 merged=5 title=PAY-1,PAY-2\n2 created=1 merged=7 title=PAY-2", "PAY-1: Todo 0\nPAY-2: Todo 0")
    assert lines(facts, "PAY-1", "pull_request.merged") == ["pull_request.merged 5"]
    assert lines(facts, "PAY-2", "pull_request.merged") == ["pull_request.merged 7"]


PULLS = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(["merged", "closed", "open"]), st.integers(0, 8)), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=30)
@given(PULLS)
def test_an_item_is_merged_exactly_when_none_of_its_requests_is_missing(told: Told, pulls: list[tuple[int, str, int]]) -> None:
    """Against the rule said slowly: hour by hour, of those that had begun and were not given up, were all merged?"""
    rows = [(begun, end, begun + more) for begun, end, more in pulls]
    text = "\n".join(
        f"{number} title=PAY-1 created={begun}" + ("" if end == "open" else f" {end}={at}")
        for number, (begun, end, at) in enumerate(rows, start=1)
    )
    found = {float(line.split()[-1]) for line in lines(told("", text, "PAY-1: Todo 0"), "PAY-1", "pull_request.merged")}

    def all_there(hour: int) -> bool:
        alive = [(end, at) for begun, end, at in rows if begun <= hour and not (end == "closed" and at <= hour)]
        return bool(alive) and all(end == "merged" and at <= hour for end, at in alive)

    becomes = {float(hour) for hour in range(18) if all_there(hour) and not all_there(hour - 1)}
    merges = {float(at) for _, end, at in rows if end == "merged" and all_there(at)}
    assert found == becomes | merges


# The frame. ------------------------------------------------------------------------------------------------------------


def test_the_log_is_by_item_and_time_and_typed_also_when_it_is_empty(told: Told) -> None:
    assert log_of(told()).dtypes.astype(str).to_dict() == LOG
    found = log_of(told("a\nb < a", "1 created=1 merged=3 title=PAY-1", "PAY-2: Todo 0, Done 4\nPAY-1: Todo 0, Done 2"))
    assert found.dtypes.astype(str).to_dict() == LOG
    assert found[["item", "at"]].apply(tuple, axis=1).is_monotonic_increasing
    assert set(found["source"]) <= set(TABLES)


def test_at_one_instant_delivery_comes_before_what_the_tracker_made_of_it(told: Told) -> None:
    facts = told("", "1 created=3 merged=5 title=PAY-1", "PAY-1: Todo 0, Review 3, Done 5")
    assert lines(facts, "PAY-1")[2:] == [
        "pull_request.opened 3", "pull_request.ready 3", "status Review 3", "pull_request.merged 5", "pull_request.closed 5",
        "status Done 5",
    ]  # fmt: skip
