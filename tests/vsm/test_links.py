"""Links: which ticket, change, build, deployment and incident belong together, and by which rule."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from vsm.config import Config, Incidents
from vsm.links import Links, arrivals, link
from vsm.people import People
from vsm.store import Facts

Told = Callable[..., Facts]


def made(facts: Facts, **incidents: Any) -> Links:
    return link(facts, Config(incidents=Incidents(**incidents)), People.of(facts))


def pairs(frame: pd.DataFrame, left: str, right: str) -> list[str]:
    return sorted(frame[left] + " " + frame[right])


def of_items(facts: Facts) -> list[str]:
    return pairs(made(facts).item_changes, "item", "change")


# Tickets. --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "tickets"),
    [
        pytest.param("PAY-1 Sort the cart", ["PAY-1"], id="first"),
        pytest.param("Sort the cart (PAY-1)", ["PAY-1"], id="in brackets"),
        pytest.param("pay-1: sort", ["PAY-1"], id="in lower case"),
        pytest.param("feature/PAY-1-sort", ["PAY-1"], id="in a path"),
        pytest.param("feature_PAY-1_sort", ["PAY-1"], id="between underscores"),
        pytest.param("PAY-1, PAY-2 and PAY-1", ["PAY-1", "PAY-2"], id="several, each once"),
        pytest.param("OLD_PAY-3", ["OLD_PAY-3"], id="a project's key may have an underscore"),
        pytest.param("PAY-12", [], id="another number"),
        pytest.param("XPAY-1", [], id="another project"),
        pytest.param("PAY-1x", [], id="no number"),
        pytest.param("feature/pay-1-fix", ["PAY-1"], id="in a path, in lower case"),
        pytest.param("ann/fix-pay-1-and-Pay-2", ["PAY-1", "PAY-2"], id="several among words with dashes"),
        pytest.param("release/pay-1.2", [], id="a version"),
        pytest.param("Sort as of PAY-1.", ["PAY-1"], id="at the end of a sentence"),
        pytest.param("Write it as UTF-8, of 2026-03", [], id="UTF-8 and a month are no tickets"),
        pytest.param("PAY 1", [], id="no key"),
        pytest.param("", [], id="nothing"),
    ],
)
@pytest.mark.parametrize("where", ["title", "branch"])
def test_known_tickets_that_a_title_or_branch_names(told: Told, said: str, tickets: list[str], where: str) -> None:
    facts = told("", f"1 '{where}={said}'", "PAY-1: Todo 0\nPAY-2: Todo 0\nOLD_PAY-3: Todo 0")
    found = made(facts).change_tickets
    assert sorted(found["ticket"]) == sorted(tickets)
    assert set(found["rule"]) <= {"key in the title", "key in the branch's name"}
    assert set(found["strength"]) <= {"named"}


def test_a_commits_message_counts_where_neither_title_nor_branch_names_a_ticket(told: Told) -> None:
    code = "a\nx < a | Work for PAY-1\nm < a x | Merge\ny < m | PAY-2\nn < m y | Merge"
    facts = told(code, "1 merged=2 sha=m title=Sort\n2 merged=4 sha=n title=PAY-1", "PAY-1: Todo 0\nPAY-2: Todo 0")
    found = made(facts).change_tickets
    assert pairs(found, "change", "ticket") == ["shop#1 PAY-1", "shop#2 PAY-1"]
    assert list(found["rule"]) == ["key in a commit's message", "key in the title"]


def test_a_merge_without_a_pull_request_names_its_ticket_by_its_branch(told: Told) -> None:
    code = "a\nx < a | Sort\nm < a x | Merge branch 'feature/pay-1-sort' into main"
    found = made(told(code, tickets="PAY-1: Todo 0")).change_tickets
    assert found.to_dict("records") == [
        {"change": "shop@m", "ticket": "PAY-1", "rule": "key in the branch's name", "strength": "named"}
    ]


def test_a_push_names_its_ticket_in_its_subject(told: Told) -> None:
    assert of_items(told("a | Begin\nb < a | PAY-1 Sort", tickets="PAY-1: Todo 0")) == ["PAY-1 shop@b", "shop@a shop@a"]


def test_a_squash_merge_names_its_ticket_too(told: Told) -> None:
    assert of_items(told("a\ns < a | Sort (#1)\\n\\n* PAY-1 begin", "1 merged=1 sha=s", "PAY-1: Todo 0"))[0] == "PAY-1 shop#1"


def test_one_change_for_several_tickets_and_several_changes_for_one(told: Told) -> None:
    facts = told("", "1 title=PAY-1,PAY-2\n2 title=PAY-1", "PAY-1: Todo 0\nPAY-2: Todo 0")
    assert of_items(facts) == ["PAY-1 shop#1", "PAY-1 shop#2", "PAY-2 shop#1"]


def test_an_unknown_key_links_to_nothing_so_the_change_flows_on_its_own(told: Told) -> None:
    facts = told("", "1 title=GONE-1 created=3 url=there labels=a;b", "PAY-1: Todo 0")
    assert of_items(facts) == ["shop#1 shop#1"]
    item = made(facts).items.set_index("item").loc["shop#1"]
    assert (item["kind"], item["title"], item["url"], item["labels"]) == ("change", "GONE-1", "there", "a;b")


@pytest.mark.parametrize("kind", ["Sub-task", "Subtask", "sub task"])
def test_a_sub_tasks_changes_count_for_the_ticket_that_it_is_a_part_of(told: Told, kind: str) -> None:
    facts = told("", "1 title=PAY-2", f"PAY-1: Todo 0\nPAY-2 'type={kind}' parent=PAY-1: Todo 0")
    assert of_items(facts) == ["PAY-1 shop#1"]
    assert list(made(facts).items["item"]) == ["PAY-1"]


def test_a_sub_task_of_a_sub_task_counts_for_the_whole(told: Told) -> None:
    tickets = "PAY-1: Todo 0\nPAY-2 type=Sub-task parent=PAY-1: Todo 0\nPAY-3 type=Sub-task parent=PAY-2: Todo 0"
    assert of_items(told("", "1 title=PAY-3", tickets)) == ["PAY-1 shop#1"]


@pytest.mark.parametrize(
    "tickets",
    [
        pytest.param("PAY-2 type=Sub-task parent=PAY-1: Todo 0", id="was never read"),
        pytest.param("PAY-1 type=Epic: Todo 0\nPAY-2 type=Sub-task parent=PAY-1: Todo 0", id="holds items itself"),
        pytest.param("PAY-2 type=Sub-task: Todo 0", id="is not told"),
        pytest.param("PAY-2 type=Sub-task parent=PAY-2: Todo 0", id="is itself"),
    ],
)
def test_a_sub_task_flows_on_its_own_where_its_parent(told: Told, tickets: str) -> None:
    facts = told("", "1 title=PAY-2", tickets)
    assert of_items(facts) == ["PAY-2 shop#1"]
    assert list(made(facts).items["item"]) == ["PAY-2"]


@pytest.mark.parametrize("kind", ["Epic", "Initiative", "theme"])
def test_what_holds_items_is_none(told: Told, kind: str) -> None:
    facts = told("", "1 title=PAY-1", f"PAY-1 type={kind}: Todo 0\nPAY-2 type=Story parent=PAY-1: Todo 0")
    assert of_items(facts) == ["shop#1 shop#1"]
    assert list(made(facts).items["item"]) == ["PAY-2", "shop#1"]


def test_a_ticket_takes_what_it_does_not_say_from_the_change_that_was_begun_first(told: Told) -> None:
    facts = told(
        "",
        "1 repo=web title=PAY-1 created=5\n2 title=PAY-1 created=3\n3 repo=web title=PAY-2 created=1",
        "PAY-1: Todo 0\nPAY-2 application=desk project=Money: Todo 0",
    )
    items = made(facts).items.set_index("item")
    assert items.loc["PAY-1", ["application", "repository", "project"]].tolist() == ["shop", "shop", "PAY"]
    assert items.loc["PAY-2", ["application", "repository", "project"]].tolist() == ["desk", "web", "Money"]


def test_a_change_without_a_ticket_was_created_when_it_was_begun(told: Told, hour: Callable[[float], pd.Timestamp]) -> None:
    facts = told("a at=4 authored=2", "1 created=9 first=7\n2 created=9")
    assert list(made(facts).items["created_at"]) == [hour(7), hour(9), hour(2)]


# Builds. ---------------------------------------------------------------------------------------------------------------


def test_builds_belong_to_the_changes_whose_commits_they_built(told: Told) -> None:
    facts = told(
        "a\nx < a\nm < a x",
        "1 merged=2 sha=m commits=x",
        builds="b1 sha=x started=1\nb2 sha=m started=3\nb3 repo= sha=x started=4\nb4 repo=web sha=x started=5\nb5 started=6",
    )
    found = made(facts).change_builds
    assert pairs(found, "change", "build") == ["shop#1 b1", "shop#1 b2", "shop#1 b3"]
    assert dict(found.set_index("build")["rule"])["b3"] == "built a commit of the same sha"


# Incidents. ------------------------------------------------------------------------------------------------------------

RUNS = "d1 at=0 sha=1\nd2 at=100 sha=2\np1 at=101 app=pay"


def laid(facts: Facts, **how: Any) -> dict[str, str]:
    found = made(facts, **how).incidents.dropna(subset="deployment").set_index("id")
    return dict(found["deployment"] + ", " + found["strength"])


@pytest.mark.parametrize(
    ("incident", "deployment"),
    [
        pytest.param("opened=102 deployment=d1", "d1, stated", id="that it names, however long ago"),
        pytest.param("app=pay opened=102 deployment=d1", "d1, stated", id="that it names, of another application"),
        pytest.param("opened=102", "d2, guessed", id="the latest"),
        pytest.param("opened=102 deployment=gone", "d2, guessed", id="the latest, where it names one that nobody knows"),
        pytest.param("opened=100", "d1, guessed", id="at the finish of the latest, which cannot have caused it"),
        pytest.param("opened=100.001", "d2, guessed", id="just after its finish"),
        pytest.param("opened=0", None, id="at the finish of the first"),
        pytest.param("opened=99", "d1, guessed", id="before the next"),
        pytest.param("opened=110 detected=99", "d1, guessed", id="noticed before it was opened"),
        pytest.param("opened=99 detected=110", "d1, guessed", id="opened before it was detected"),
        pytest.param(f"opened={100 + 24 * 7}", "d2, guessed", id="seven days after"),
        pytest.param(f"opened={100 + 24 * 7 + 0.1}", None, id="more than seven days after"),
        pytest.param("opened=-1", None, id="before any deployment"),
        pytest.param("app=desk opened=102", None, id="never over applications"),
        pytest.param("app= opened=102", None, id="without an application"),
    ],
)
def test_the_deployment_to_which_an_incident_is_laid(told: Told, incident: str, deployment: str | None) -> None:
    found = laid(told(deployments=RUNS, incidents=f"i1 {incident}"))
    assert found == ({"i1": deployment} if deployment else {})


@pytest.mark.parametrize("days", [0, 1, 7, 1e9])
def test_the_configuration_says_for_how_many_days(told: Told, days: float) -> None:
    facts = told(deployments="d1 at=0", incidents="i1 opened=0\ni2 opened=24\ni3 opened=168\ni4 opened=20000")
    assert len(laid(facts, link_within_days=days)) == {0: 0, 1: 1, 7: 2, 1e9: 3}[days]


@pytest.mark.parametrize("run", ["env=staging", "result=failure", "result=unknown"])
def test_an_incident_is_laid_to_what_reached_production(told: Told, run: str) -> None:
    assert laid(told(deployments=f"d1 at=0\nd2 at=1 {run}", incidents="i1 opened=2")) == {"i1": "d1, guessed"}


def test_incidents_of_an_excluded_label_do_not_count_and_are_told_apart(told: Told) -> None:
    facts = told(incidents="i1 opened=1 labels=Maintenance;db\ni2 opened=1 labels=maintenance-db\ni3 opened=1")
    found = made(facts, exclude_labels=("maintenance",))
    assert list(found.incidents["id"]) == ["i2", "i3"]
    assert list(found.excluded_incidents["id"]) == ["i1"]


def test_a_rollback_while_an_incident_is_open_says_what_caused_it(told: Told) -> None:
    runs = "d1 at=0 sha=1\nd2 at=10 sha=2\nd3 at=20 sha=1"
    facts = told(deployments=runs, incidents="i1 opened=12 resolved=21\ni2 opened=12 resolved=15\ni3 opened=21")
    found = made(facts).incidents.set_index("id")
    assert dict(found["deployment"]) == {"i1": "d2", "i2": "d2", "i3": "d3"}
    assert found["rule"].str.startswith("taken back").to_dict() == {"i1": True, "i2": False, "i3": False}


def test_a_revert_while_an_incident_is_open_says_what_caused_it_though_others_were_deployed_since(told: Told) -> None:
    code = 'a\nb < a | Sort\nc < b | Count\nd < c | Revert "Sort"'
    runs = "d1 sha=a at=4\nd2 sha=b at=5\nd3 sha=c at=6\nd4 sha=d at=9"
    incidents = "i1 opened=7 resolved=10\ni2 opened=7 resolved=8\ni3 opened=4.5\ni4 app=pay opened=7"
    assert laid(told(code, deployments=runs, incidents=incidents)) == {
        "i1": "d2, guessed", "i2": "d3, guessed", "i3": "d1, guessed",
    }  # fmt: skip


CAUSED = {
    "code": "a\nb < a\nc < b\nd < c",
    "pulls": "1 merged=1 sha=b title=PAY-1\n2 merged=2 sha=c title=PAY-2\n3 merged=3 sha=d title=PAY-1",
    "tickets": "PAY-1: Todo 0\nPAY-2: Todo 0\nINC-1: Todo 15",
    "deployments": "d0 sha=a at=0\nd1 sha=b at=10\nd2 sha=c at=11\nd3 sha=d at=20",
}


@pytest.mark.parametrize(
    ("links", "incident", "deployment"),
    [
        pytest.param("PAY-1 causes INC-1", "", "d1, named", id="what it was caused by"),
        pytest.param("INC-1 'is caused by' PAY-1", "", "d1, named", id="told inward"),
        pytest.param("INC-1 'Was  introduced by' PAY-1", "", "d2, guessed", id="in words that nobody set down"),
        pytest.param("INC-1 'Is  Introduced BY' PAY-1", "", "d1, named", id="in any case, with any spaces"),
        pytest.param("INC-1 causes PAY-1", "", "d2, guessed", id="the other way round it says something else"),
        pytest.param("PAY-1 'is caused by' INC-1", "", "d2, guessed", id="the other way round, told inward"),
        pytest.param("PAY-1 'relates to' INC-1", "", "d2, guessed", id="to what it only relates to"),
        pytest.param("PAY-1 blocks INC-1", "", "d2, guessed", id="to what only blocks it"),
        pytest.param("PAY-1 causes INC-1", "deployment=d0", "d0, stated", id="what it names goes before"),
        pytest.param("PAY-1 causes INC-1", "opened=21", "d3, named", id="of several changes the latest before"),
        pytest.param("PAY-1 causes INC-1", "opened=21 detected=12", "d1, named", id="before it was noticed, not opened"),
        pytest.param("PAY-1 causes INC-1\nPAY-2 causes INC-1", "", "d2, named", id="of several causes the latest"),
        pytest.param("PAY-1 causes INC-1", "opened=9", "d0, guessed", id="before the change was deployed"),
        pytest.param("PAY-1 causes INC-1", "opened=999", "d3, named", id="however long ago"),
        pytest.param("PAY-1 causes INC-1", "ticket=", "d2, guessed", id="an incident without a ticket"),
        pytest.param("PAY-1 causes INC-1", "app=", "d1, named", id="an incident without an application"),
        pytest.param("PAY-1 causes INC-1", "app=desk", "d1, named", id="an incident of another application"),
        pytest.param("GONE-1 causes INC-1", "", "d2, guessed", id="a ticket that was never read"),
    ],
)
def test_a_link_says_which_tickets_change_caused_an_incident(told: Told, links: str, incident: str, deployment: str) -> None:
    facts = told(**CAUSED, ticket_links=links, incidents=f"i1 opened=15 ticket=INC-1 {incident}")
    assert laid(facts) == {"i1": deployment}


def test_the_rule_by_which_a_link_was_followed_is_told(told: Told) -> None:
    facts = told(**CAUSED, ticket_links="PAY-1 causes INC-1", incidents="i1 opened=15 ticket=INC-1")
    assert list(made(facts).incidents["rule"]) == ["the incident's ticket is linked to a ticket of the deployment"]


def test_the_configuration_says_which_links_tell_a_cause(told: Told) -> None:
    links = "PAY-1 verursacht INC-1\nINC-2 'wird verursacht durch' PAY-1\nPAY-1 causes INC-3"
    facts = told(**CAUSED, ticket_links=links, incidents="\n".join(f"i{n} opened=15 ticket=INC-{n}" for n in (1, 2, 3)))
    found = laid(facts, causing_links=("Verursacht", "wird verursacht durch"))
    assert found == {"i1": "d1, named", "i2": "d1, named", "i3": "d2, guessed"}


def test_of_the_deployments_that_a_link_leads_to_the_incidents_own_application_goes_first(told: Told) -> None:
    tables = CAUSED | {"deployments": "d0 sha=a at=0\np0 app=pay sha=a at=0\nd1 sha=b at=10\np1 app=pay sha=b at=12"}
    incidents = "i1 opened=15 ticket=INC-1\ni2 app=pay opened=15 ticket=INC-1"
    facts = told(**tables, ticket_links="PAY-1 causes INC-1", incidents=incidents)
    assert laid(facts) == {"i1": "d1, named", "i2": "p1, named"}


def test_a_link_to_a_story_counts_for_the_changes_of_its_sub_tasks(told: Told) -> None:
    tables = CAUSED | {"tickets": "PAY-1 type=Sub-task parent=PAY-9: Todo 0\nPAY-9: Todo 0\nINC-1: Todo 15"}
    facts = told(**tables, ticket_links="PAY-9 causes INC-1", incidents="i1 opened=15 ticket=INC-1")
    assert laid(facts) == {"i1": "d1, named"}


REVERTED = 'a\nb < a | Sort\nc < b | Revert "Sort"\nd < c | Reapply "Sort"\ne < d | Count\nf < e | Revert "Sort"'


@pytest.mark.parametrize(
    ("runs", "reverts"),
    [
        pytest.param("d1 sha=b at=2\nd2 sha=c at=3\nd3 sha=d at=4\nd4 sha=f at=9", {"c": "b", "f": "d"}, id="each on its own"),
        pytest.param("d1 sha=b at=2\nd3 sha=d at=4\nd4 sha=f at=9", {"f": "b"}, id="the revert with what took it back"),
        pytest.param("d1 sha=b at=2\nd4 sha=f at=9", {"f": "b"}, id="all at once"),
        pytest.param("d1 sha=b at=2\nd2 sha=c at=3", {"c": "b", "f": "d"}, id="brought again, but not yet there"),
        pytest.param("", {"c": "b", "f": "d"}, id="nothing is deployed"),
    ],
)
def test_a_revert_that_came_only_with_what_took_it_back_has_taken_back_nothing(
    told: Told, runs: str, reverts: dict[str, str]
) -> None:
    found = made(told(REVERTED, deployments=runs)).changes.dropna(subset="reverts")
    assert {change[-1]: other[-1] for change, other in zip(found["change"], found["reverts"], strict=True)} == reverts


# Which deployments count for an item. ----------------------------------------------------------------------------------

MONO = "a\nb < a | PAY-1\nc < b | Tidy"


@pytest.mark.parametrize(
    ("ticket", "repository", "counted"),
    [
        pytest.param("application=pay", "shop", "p2", id="of its own application"),
        pytest.param("", "shop app=shop", "d2", id="else of the change's"),
        pytest.param(
            "application=desk", "shop app=shop", "d2", id="else of the change's, where its own is not deployed from there"
        ),
        pytest.param("application=desk", "shop app=mono", "d2 p2", id="else of any"),
    ],
)
def test_of_a_monorepos_applications_the_items_own_counts(told: Told, ticket: str, repository: str, counted: str) -> None:
    runs = "d1 sha=a at=3\np1 sha=a at=3 app=pay\nd2 sha=c at=4\np2 sha=c at=9 app=pay"
    found = made(told(MONO, tickets=f"PAY-1 {ticket}: Todo 0", repositories=repository, deployments=runs))
    mine = arrivals(found, found.deployment_changes)
    assert " ".join(sorted(mine.loc[mine["item"] == "PAY-1", "deployment"])) == counted


def test_nothing_at_all(told: Told) -> None:
    found = made(told())
    assert {name: len(getattr(found, name)) for name in found.__dataclass_fields__ if len(getattr(found, name))} == {}
    assert str(found.items["created_at"].dtype) == "datetime64[us, UTC]"
    assert str(found.incidents["deployment"].dtype) == "str"


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_facts_changes_no_link(told: Told, seed: int) -> None:
    code = 'a\nb < a | PAY-1 Sort\nx < b\nm < b x\nd < m | Revert "Sort"\ne < d'
    runs = "d1 sha=a at=1\nd2 sha=b at=2\nd3 sha=m at=4\nd4 sha=b at=5\nd5 sha=d at=5\nd6 at=7\nd7 sha=e at=9 ref=hotfix"
    runs += "\np1 app=pay sha=e at=9"
    facts = told(
        code, "1 merged=3 sha=m commits=x branch=hotfix/x\n2 merged=6", "PAY-1: Todo 0, Done 9", deployments=runs,
        incidents="i1 opened=4.5 resolved=6\ni2 opened=5 resolved=4\ni3 opened=9.5\ni4 deployment=d2 opened=3",
        repositories="shop default_branch=main head_sha=e",
    )  # fmt: skip
    mixed = Facts(**{
        name: getattr(facts, name).sample(frac=1, random_state=seed).reset_index(drop=True) for name in facts.__dataclass_fields__
    })  # fmt: skip
    here, there = made(facts), made(mixed)
    for name in here.__dataclass_fields__:
        left, right = (getattr(one, name) for one in (here, there))
        key = [column for column in left.columns if left[column].dtype != "object"]
        left, right = (one.sort_values(key, ignore_index=True) for one in (left, right))
        pd.testing.assert_frame_equal(left, right)
