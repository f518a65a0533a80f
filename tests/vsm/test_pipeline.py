"""The whole way: who belongs to which stream, when work is done and in production, and what was known when."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.config import Config, parse
from vsm.pipeline import Flow, StreamFlow, as_of, newest, read
from vsm.store import Facts

Told = Callable[..., Facts]
Hour = Callable[[float], pd.Timestamp]
MONDAY = pd.Timestamp("2026-03-02", tz="UTC")
BOARD = """
[[streams.stages]]
name = "Dev"
waiting = ["Ready"]
active = ["Doing"]
[[streams.stages]]
name = "Release"
opens = ["pull_request.merged"]
closes = ["deployment.finished:production"]
"""
SHOP = f'[[streams]]\nname = "shop"\nnew = ["Todo"]\ndone = ["Done"]\ncancelled = ["Dropped"]\n{BOARD}'


def config(text: str = "") -> Config:
    return parse(text, Path("vsm.toml"))


def flow(facts: Facts, text: str = "", now: pd.Timestamp | None = None) -> Flow:
    return read(facts, config(text), now)


def only(facts: Facts, text: str = "") -> StreamFlow:
    (one,) = flow(facts, text).streams
    return one


def states(one: StreamFlow) -> dict[str, str]:
    """`done 5`: what became of each item, and since when it is over."""
    over = one.items["done_at"].fillna(one.items["cancelled_at"])
    hours = ((over - MONDAY) / pd.Timedelta(hours=1)).map(lambda at: "" if pd.isna(at) else f" {at:g}")
    return dict(zip(one.items["item"], one.items["state"] + hours.astype("str"), strict=True))


def live(one: StreamFlow) -> dict[str, float]:
    """In production since which hour; only what is."""
    at = one.items.dropna(subset="in_production_at").set_index("item")["in_production_at"]
    return dict((at - MONDAY) / pd.Timedelta(hours=1))


# Streams. --------------------------------------------------------------------------------------------------------------

TICKETS = """
    PAY-1 application=shop team=Reds: Todo 0
    PAY-2 application=pay team=Blues: Todo 0
    WEB-1 application=Shop: Todo 0
    DOC-1: Todo 0
"""


@pytest.mark.parametrize(
    ("claim", "items"),
    [
        pytest.param('applications = ["shop"]', "PAY-1 WEB-1", id="by application, in any case"),
        pytest.param('projects = ["pay"]', "PAY-1 PAY-2", id="by project"),
        pytest.param('teams = ["Blues"]', "PAY-2", id="by team"),
        pytest.param('repositories = ["docs"]', "DOC-1 docs#2", id="by repository"),
        pytest.param('teams = ["Blues"]\nprojects = ["WEB"]', "PAY-2 WEB-1", id="by any of them"),
        pytest.param("", "DOC-1 PAY-1 PAY-2 WEB-1 docs#2", id="none given: all"),
        pytest.param('applications = ["nothing"]', "", id="what is not there"),
    ],
)
def test_a_stream_claims_items(told: Told, claim: str, items: str) -> None:
    facts = told("", "1 repo=docs title=DOC-1\n2 repo=docs", TICKETS)
    found = flow(facts, f'[[streams]]\nname = "x"\n{claim}')
    assert " ".join(sorted(found.streams[0].items["item"])) == items
    assert sorted([*found.streams[0].items["item"], *found.homeless["item"]]) == sorted(found.links.items["item"])


def test_the_first_stream_in_the_file_wins_and_the_homeless_are_counted(told: Told) -> None:
    text = '[[streams]]\nname="a"\nprojects=["PAY"]\n[[streams]]\nname="b"\napplications=["shop"]'
    found = flow(told(tickets=TICKETS), text)
    assert [sorted(stream.items["item"]) for stream in found.streams] == [["PAY-1", "PAY-2"], ["WEB-1"]]
    assert list(found.homeless["item"]) == ["DOC-1"]


def test_streams_have_their_own_logs_and_unknown_statuses(told: Told) -> None:
    text = SHOP.replace('name = "shop"', 'name = "shop"\nprojects = ["PAY"]', 1) + '[[streams]]\nname = "rest"\n' + BOARD
    shop, rest = flow(told(tickets="PAY-1: Todo 0, Limbo 1, Doing 2, Limbo 3\nDOC-1: Void 0"), text).streams
    assert (shop.unknown, rest.unknown) == ({"Limbo": 2}, {"Void": 1})
    assert (set(shop.log["item"]), set(rest.log["item"])) == ({"PAY-1"}, {"DOC-1"})


# Done, and in production. ----------------------------------------------------------------------------------------------

PULL = "1 created=1 merged=3 sha=b title=PAY-1"


def test_an_item_is_in_production_with_its_first_successful_deployment(told: Told) -> None:
    runs = "d0 sha=a at=1\nd1 sha=b at=4 result=failure\nd2 sha=b at=5\nd3 sha=b at=6"
    one = only(told("a\nb at=3 < a", PULL, "PAY-1: Todo 0, Done 9", deployments=runs), SHOP)
    assert live(one) == {"PAY-1": 5}
    assert states(one)["PAY-1"] == "done 9"
    assert one.deploys


@pytest.mark.parametrize(
    ("second", "since"),
    [
        pytest.param("2 created=1 merged=4 sha=c", 8, id="the later of two"),
        pytest.param("2 created=1", None, id="one is open"),
        pytest.param("2 created=1 merged=9 sha=d", None, id="one is merged and not deployed"),
        pytest.param("2 created=1 closed=6", 5, id="one was given up"),
    ],
)
def test_the_least_advanced_change_says_whether_an_item_is_in_production(told: Told, second: str, since: float | None) -> None:
    runs = "d0 sha=a at=1\nd1 sha=b at=5\nd2 sha=c at=8"
    facts = told("a\nb at=3 < a\nc at=4 < b\nd at=9 < c", f"{PULL}\n{second} title=PAY-1", "PAY-1: Todo 0", deployments=runs)
    assert live(only(facts, SHOP)).get("PAY-1") == since


def test_what_the_first_deployment_known_held_is_done_but_since_when_is_not_known(told: Told) -> None:
    one = only(told("a\nb < a", deployments="d1 sha=a at=3\nd2 sha=b at=5"), SHOP)
    assert states(one) == {"shop@a": "done", "shop@b": "done 5"}
    assert live(one) == {"shop@b": 5}


def test_an_item_whose_last_change_was_settled_has_no_lead_time_and_one_whose_first_was_has(told: Told) -> None:
    code, tickets = "a | PAY-1\nb < a | PAY-1\nc < b | PAY-2\nd at=6 < c | PAY-2", "PAY-1: Todo 0\nPAY-2: Todo 0"
    assert live(only(told(code, tickets=tickets, deployments="d1 sha=c at=3\nd2 sha=d at=7"), SHOP)) == {"PAY-2": 7}


def test_a_settled_change_does_not_finish_an_item_that_has_an_open_one(told: Told) -> None:
    facts = told("a | PAY-1", "1 created=5 title=PAY-1", "PAY-1 created_at=0", deployments="d1 sha=a at=3")
    assert states(only(facts))["PAY-1"] == "in progress"


def test_a_change_without_a_ticket_is_done_in_production_and_cancelled_when_it_is_closed(told: Told) -> None:
    pulls = "1 created=1 merged=3 sha=b\n2 created=2 closed=6\n3 created=2\n4 created=3 merged=7 sha=c"
    facts = told("a\nb at=3 < a\nc at=7 < b", pulls, deployments="d0 sha=a at=1\nd1 sha=b at=5")
    assert states(only(facts, SHOP)) == {
        "shop@a": "done", "shop#1": "done 5", "shop#2": "cancelled 6", "shop#3": "no events", "shop#4": "in progress",
    }  # fmt: skip


def test_what_is_never_deployed_is_done_when_it_is_merged(told: Told) -> None:
    one = only(told("a", "1 created=1 merged=3"), SHOP)
    assert states(one)["shop#1"] == "done 3"
    assert not one.deploys


def test_a_repository_that_is_never_deployed_does_not_wait_for_the_deployments_of_others(told: Told) -> None:
    facts = told("a\nb < a", "7 repo=docs created=1 merged=3", deployments="d0 sha=a at=1\nd1 sha=b at=5")
    one = only(facts, SHOP)
    assert states(one)["docs#7"] == "done 3"
    assert "docs#7" not in live(one)


def test_tickets_whose_statuses_never_say_done_are_done_by_delivery(told: Told) -> None:
    text = f'[[streams]]\nname = "shop"\nnew = ["Todo"]\n{BOARD}'
    merged = told("", "1 created=1 merged=3 title=PAY-1\n2 created=1 merged=4 title=PAY-1\n3 created=1 closed=2 title=PAY-2",
                  "PAY-1: Todo 0, Doing 1\nPAY-2: Todo 0, Doing 1")  # fmt: skip
    assert states(only(merged, text)) == {"PAY-1": "done 4", "PAY-2": "in progress"}


def test_a_ticket_that_is_done_by_its_status_is_not_done_by_delivery(told: Told) -> None:
    facts = told("a\nb at=3 < a", PULL, "PAY-1: Todo 0, Doing 1", deployments="d0 sha=a at=1\nd1 sha=b at=5")
    one = only(facts, SHOP)
    assert states(one)["PAY-1"] == "in progress"
    assert live(one) == {"PAY-1": 5}


def test_a_monorepos_item_is_in_production_with_its_own_application(told: Told) -> None:
    runs = "d0 sha=a at=1\np0 sha=a at=1 app=pay\nd1 sha=b at=4\np1 sha=b at=9 app=pay"
    facts = told("a\nb at=3 < a | PAY-1 PAY-2", tickets="PAY-1 application=pay: Todo 0\nPAY-2: Todo 0", deployments=runs)
    assert live(only(facts, SHOP)) == {"PAY-1": 9, "PAY-2": 4}


# What is there decides the stages. -------------------------------------------------------------------------------------


def test_git_alone(told: Told) -> None:
    one = only(told("a\nx < a\nm < a x", "1 merged=2 sha=m", deployments="d0 sha=a at=1\nd1 sha=m at=5"))
    assert one.workflow.derived
    assert [stage.name for stage in one.workflow.stages] == ["Change", "Release"]
    assert states(one)["shop#1"] == "done 5"
    assert one.visits.loc[one.visits["item"] == "shop#1", "stage"].tolist() == ["Change", "Release"]


def test_git_alone_without_deployments_waits_for_no_release(told: Told) -> None:
    one = only(told("a\nx < a\nm < a x", "1 merged=2 sha=m"))
    assert [stage.name for stage in one.workflow.stages] == ["Change"]
    assert states(one)["shop#1"] == "done 2"


def test_nothing_at_all(told: Told) -> None:
    found = flow(told())
    assert (found.now, len(found.homeless), len(found.streams)) == (None, 0, 1)
    one = found.streams[0]
    assert (len(one.items), len(one.visits), len(one.log), one.unknown, one.deploys) == (0, 0, 0, {}, False)
    full = only(told("a\nb < a", "1 created=0 merged=1 sha=b title=PAY-1", "PAY-1: Todo 0", deployments="d1 sha=a at=1"))
    assert one.items.dtypes.astype(str).to_dict() == full.items.dtypes.astype(str).to_dict()
    assert one.visits.dtypes.astype(str).to_dict() == full.visits.dtypes.astype(str).to_dict()
    for part in fields(found.links):
        kinds = [getattr(some.links, part.name).dtypes.astype(str).to_dict() for some in (found, flow(told(tickets="P-1: Todo 0")))]
        assert kinds[0] == kinds[1], part.name


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param({"tickets": "PAY-1: Todo 0"}, id="tickets"),
        pytest.param({"code": "a"}, id="commits"),
        pytest.param({"pulls": "1 created=1"}, id="pull requests"),
        pytest.param({"deployments": "d1 at=1 sha=a"}, id="deployments"),
        pytest.param({"incidents": "i1 opened=1"}, id="incidents"),
        pytest.param({"builds": "b1 started=1 sha=a"}, id="builds"),
        pytest.param({"reviews": "1 2 bob"}, id="reviews of nothing"),
        pytest.param({"transitions": "PAY-1 2 Todo Doing"}, id="transitions of nothing"),
        pytest.param({"deployment_commits": "d1 sha=a"}, id="commits of no deployment"),
        pytest.param({"ticket_links": "PAY-1 causes PAY-2"}, id="links of no ticket"),
        pytest.param({"pulls": "1 created=1 commits=x@1", "repositories": "shop head_sha=z"}, id="commits that were never read"),
        pytest.param({"pull_request_commits": "1 x"}, id="commits of no request"),
    ],
)
@pytest.mark.parametrize("text", ["", SHOP])
def test_one_table_alone_is_enough(told: Told, tables: dict[str, str], text: str) -> None:
    found = flow(told(**tables), text)
    assert sum(len(stream.items) for stream in found.streams) == len(found.links.items)
    read(found.facts, config(text), MONDAY - pd.Timedelta(days=1))


# What was known when. --------------------------------------------------------------------------------------------------


def test_now_is_the_newest_fact_unless_it_is_given(told: Told, hour: Hour) -> None:
    facts = told(tickets="PAY-1: Todo 0, Doing 5", incidents="i1 opened=1 resolved=7")
    assert newest(facts) == flow(facts).now == hour(7)
    assert flow(facts, now=hour(3)).now == hour(3)
    assert newest(told()) is None


def test_a_link_was_there_once_both_of_its_tickets_were(told: Told, hour: Hour) -> None:
    """No source tells since when; of a ticket that was never read nobody knows when it came."""
    links = "PAY-1 blocks PAY-2\nPAY-2 causes PAY-3\nPAY-3 causes PAY-1\nGONE-1 blocks PAY-1"
    facts = told(tickets="PAY-1: Todo 0\nPAY-2: Todo 3\nPAY-3: Todo 5", ticket_links=links)
    then = {at: list(as_of(facts, hour(at)).ticket_links["ticket"]) for at in (1, 4, 6)}
    assert then == {1: ["GONE-1"], 4: ["PAY-1", "GONE-1"], 6: ["PAY-1", "PAY-2", "PAY-3", "GONE-1"]}


def test_what_was_going_on_is_told_as_open(told: Told, hour: Hour) -> None:
    facts = told(
        "a\nb < a",
        "1 created=1 first=0 approved=4 merged=6 sha=b commits=x@1,y@5\n2 created=5 first=2 commits=z@2",
        "PAY-1 resolved_at=7 resolution=Fixed: Todo 0, Doing 2, Done 7",
        deployments="d1 started=3 at=5\nd2 at=6\nd3",
        deployment_commits="d1 sha=a\nd2 sha=b",
        builds="b1 started=3 finished_at=5",
        build_stages="b1 test started=3 finished_at=5 result=success",
        incidents="i1 opened=2 acknowledged_at=3 resolved=9",
        repositories="shop head_sha=b",
    )
    then = as_of(facts, hour(4))
    assert then.tickets[["status", "resolution"]].iloc[0].tolist()[0] == "Doing"
    assert then.tickets[["resolved_at", "resolution"]].isna().all(axis=None)
    assert list(then.pull_requests["number"]) == [1]
    assert then.pull_requests[["merged_at", "merge_sha"]].isna().all(axis=None)
    assert list(then.pull_requests["approved_at"]) == [hour(4)]
    assert list(then.pull_request_commits["sha"]) == ["x"]
    assert list(then.deployments["id"] + then.deployments["result"]) == ["d1unknown", "d3success"]
    assert list(then.deployment_commits["deployment"]) == ["d1"]
    assert list(then.builds["result"]) == list(then.build_stages["result"]) == ["unknown"]
    assert then.incidents[["acknowledged_at", "resolved_at"]].notna().values.tolist() == [[True, False]]
    assert list(as_of(facts, hour(0.5)).repositories["head_sha"]) == ["a"]


def test_a_request_that_only_the_history_tells_of_is_known_from_its_merge(told: Told, hour: Hour) -> None:
    facts = told("a", "1 first=0 merged=6")
    assert len(as_of(facts, hour(5)).pull_requests) == 0
    assert len(as_of(facts, hour(6)).pull_requests) == 1


@dataclass
class Story:
    """What happened hour by hour in one repository with a board, as rows of facts."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in TABLES})
    head: str | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    hour: int = 0

    def tell(self, what: str, which: int) -> None:
        """One thing that happened, an hour after the last one; what cannot happen now does not."""
        self.hour += 1
        at = MONDAY + pd.Timedelta(hours=self.hour)
        getattr(self, what)(at, which)

    def commit(self, at: pd.Timestamp, parents: Iterable[str | None], message: str = "Work") -> str:
        sha = f"{self.hour:02x}" + "0" * 38
        row = {"repository": "shop", "sha": sha, "authored_at": at, "committed_at": at, "author": "ann"}
        self.tables["commits"].append(row | {"parents": " ".join(filter(None, parents)), "message": message, "subject": message})
        return sha

    def push(self, at: pd.Timestamp, which: int) -> None:
        self.head = self.commit(at, [self.head], f"PAY-{which} Push")

    def open(self, at: pd.Timestamp, which: int) -> None:
        sha = self.commit(at, [self.head])
        number = len(self.requests) + 1
        row = {
            "repository": "shop",
            "number": number,
            "created_at": at,
            "first_commit_at": at,
            "title": f"PAY-{which}",
            "author": "ann",
        }
        self.requests.append(row)
        self.tables["pull_requests"].append(row)
        self.tables["pull_request_commits"].append({"repository": "shop", "number": number, "sha": sha, "authored_at": at})

    def _request(self, which: int) -> dict[str, Any] | None:
        going_on = [row for row in self.requests if "closed_at" not in row]
        return going_on[which % len(going_on)] if going_on else None

    def merge(self, at: pd.Timestamp, which: int) -> None:
        if row := self._request(which):
            own = next(one["sha"] for one in self.tables["pull_request_commits"] if one["number"] == row["number"])
            self.head = self.commit(at, [self.head] if which % 2 else [self.head, own], "Merge")
            row |= {"merged_at": at, "closed_at": at, "merge_sha": self.head}

    def close(self, at: pd.Timestamp, which: int) -> None:
        if row := self._request(which):
            row["closed_at"] = at

    def review(self, at: pd.Timestamp, which: int) -> None:
        if row := self._request(which):
            who = ("ann", "bob", "cid")[which % 3]
            about = {"repository": "shop", "number": row["number"], "submitted_at": at}
            self.tables["reviews"].append(about | {"reviewer": who, "state": "approved"})

    def deploy(self, at: pd.Timestamp, which: int) -> None:
        application, environment = ("shop", "pay")[which % 2], ("production", "staging")[which // 2 % 2]
        about = {
            "id": f"d{self.hour}",
            "application": application,
            "environment": environment,
            "repository": "shop",
            "result": "success",
        }
        end = at + pd.Timedelta(minutes=90)
        self.tables["deployments"].append(about | {"sha": self.head, "started_at": at, "finished_at": end})
        if which == 5 and self.head:
            self.tables["deployment_commits"].append({"deployment": f"d{self.hour}", "repository": "shop", "sha": self.head})

    def move(self, at: pd.Timestamp, which: int) -> None:
        key, status = f"PAY-{which % 3}", ("Ready", "Doing", "Done", "Todo", "Dropped", "Limbo")[self.hour % 6]
        row = next((row for row in self.tables["tickets"] if row["key"] == key), None)
        if row is None:
            self.tables["tickets"].append({"key": key, "created_at": at, "status": "Todo"})
        elif row["status"] != status:
            move = {"ticket": key, "at": at, "from_status": row["status"], "to_status": status, "actor": "ann"}
            self.tables["transitions"].append(move)
            row["status"] = status

    def fail(self, at: pd.Timestamp, which: int) -> None:
        end = at + pd.Timedelta(minutes=which * 50)
        about = {"id": f"i{self.hour}", "application": "shop", "opened_at": at, "detected_at": at}
        self.tables["incidents"].append(about | {"resolved_at": end})

    def build(self, at: pd.Timestamp, _which: int) -> None:
        about = {"id": f"b{self.hour}", "job": "build", "repository": "shop", "sha": self.head, "result": "success"}
        self.tables["builds"].append(about | {"started_at": at, "finished_at": at + pd.Timedelta(minutes=70)})

    def known(self, now: pd.Timestamp, heads: bool) -> Facts:
        """The facts as their sources would have told them at an instant: cut by hand, row by row."""
        rows = {name: [kept for row in rows if (kept := _then(name, row, now)) is not None] for name, rows in self.tables.items()}
        moves = [move for move in self.tables["transitions"] if move["at"] <= now]
        for row in rows["tickets"]:
            row["status"] = next((move["to_status"] for move in reversed(moves) if move["ticket"] == row["key"]), "Todo")
        runs = {row["id"] for row in rows["deployments"]}
        rows["deployment_commits"] = [row for row in rows["deployment_commits"] if row["deployment"] in runs]
        if heads and self.head:
            pushed = [row["sha"] for row in rows["commits"] if row["sha"] in self.line()]
            rows["repositories"] = [{"name": "shop", "application": "shop", "head_sha": pushed[-1] if pushed else None}]
        return Facts.of(**rows)

    def line(self) -> set[str]:
        """The default branch's own commits."""
        parents = {row["sha"]: row["parents"].split() for row in self.tables["commits"]}
        found, sha = set(), self.head
        while sha is not None:
            found.add(sha)
            sha = parents[sha][0] if parents[sha] else None
        return found


TABLES = (
    "tickets", "transitions", "commits", "pull_requests", "pull_request_commits", "reviews", "deployments", "deployment_commits",
    "incidents", "builds",
)  # fmt: skip
BORN = {
    "tickets": "created_at", "transitions": "at", "commits": "committed_at", "pull_requests": "created_at",
    "pull_request_commits": "authored_at", "reviews": "submitted_at", "deployments": "started_at", "incidents": "opened_at",
    "builds": "started_at",
}  # fmt: skip


def _then(table: str, row: dict[str, Any], now: pd.Timestamp) -> dict[str, Any] | None:
    if table in BORN and row[BORN[table]] > now:
        return None
    kept = {name: value for name, value in row.items() if not (isinstance(value, pd.Timestamp) and value > now)}
    if "merged_at" not in kept:
        kept.pop("merge_sha", None)
    if table in ("deployments", "builds") and "finished_at" not in kept:
        kept["result"] = "unknown"
    return kept


WHAT = ("push", "open", "merge", "close", "review", "deploy", "move", "fail", "build")
STORIES = st.lists(st.tuples(st.sampled_from([*WHAT, "move", "open", "merge", "deploy"]), st.integers(0, 5)), max_size=30)


def story(steps: list[tuple[str, int]]) -> Story:
    made = Story()
    for what, which in steps:
        made.tell(what, which)
    return made


def frames(found: Flow) -> dict[str, pd.DataFrame]:
    """Everything that was derived."""
    made = {f"links.{part.name}": getattr(found.links, part.name) for part in fields(found.links)} | {"homeless": found.homeless}
    for one in found.streams:
        made |= {f"{one.name}.{name}": getattr(one, name) for name in ("log", "visits", "items")}
    return made


def in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as it is read: categories also have names that no row has, such as statuses of moves that were not known yet."""
    return frame.astype(dict.fromkeys(frame.select_dtypes("category"), "str"))


def assert_same(found: Flow, other: Flow) -> None:
    for (name, frame), (_, right) in zip(frames(found).items(), frames(other).items(), strict=True):
        pd.testing.assert_frame_equal(in_words(frame), in_words(right), obj=name)
    assert [one.workflow for one in found.streams] == [one.workflow for one in other.streams]
    assert [(one.unknown, one.deploys) for one in found.streams] == [(one.unknown, one.deploys) for one in other.streams]
    assert found.people.pseudonyms == other.people.pseudonyms


@settings(deadline=None, max_examples=25)
@given(STORIES, st.floats(0, 32), st.booleans(), st.sampled_from(["", SHOP]))
def test_then_is_as_if_what_came_later_had_never_been_collected(
    steps: list[tuple[str, int]], hours: float, heads: bool, text: str
) -> None:
    made = story(steps)
    now = (MONDAY + pd.Timedelta(hours=hours)).as_unit("us")
    everything = made.known(MONDAY + pd.Timedelta(days=99), heads)
    assert_same(flow(everything, text, now), flow(made.known(now, heads), text, now))


@settings(deadline=None, max_examples=15)
@given(STORIES)
def test_what_is_in_production_stays_there_and_what_is_derived_fits_together(steps: list[tuple[str, int]]) -> None:
    found = flow(story(steps).known(MONDAY + pd.Timedelta(days=99), heads=True), SHOP)
    one, linked, last = found.streams[0], found.links, newest(found.facts) or MONDAY
    assert not one.items["item"].duplicated().any()
    assert set(linked.item_changes["change"]) == set(linked.changes["change"]), "every change belongs to an item"
    assert set(linked.item_changes["item"]) <= set(linked.items["item"])
    assert set(one.visits["item"]) <= set(one.items["item"])
    assert not linked.changes["change"].duplicated().any()
    for times in (one.items["in_production_at"], one.items["done_at"], one.log["at"]):
        assert not (times > last).any(), "nothing is later than the facts"
    assert (one.items.loc[one.items["done_at"].notna(), "state"] == "done").all()


def test_a_story_tells_something() -> None:
    """The stories above are no empty ones."""
    steps = [
        ("move", 1),
        ("push", 1),
        ("deploy", 0),
        ("open", 1),
        ("move", 1),
        ("review", 1),
        ("merge", 0),
        ("deploy", 0),
        ("build", 0),
        ("fail", 2),
    ]
    found = flow(story(steps).known(MONDAY + pd.Timedelta(days=99), heads=True), SHOP)
    assert found.links.deployment_changes["change"].tolist() == ["shop#1"]
    assert found.links.incidents["deployment"].tolist() == ["d8"]
    assert live(found.streams[0]) == {"PAY-1": 9.5}
