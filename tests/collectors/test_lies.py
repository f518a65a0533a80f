"""A source that lies: whatever it says, a harvest ends, in a store that is right or with one sentence, and the truth completes it.

Between each collector and its peer stands a liar, who edits the answers. He speaks JSON and knows nothing of what it is about.
"""

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from company import SECRETS, START, github_of, jenkins_of, jira_of
from jira_cloud import EMAIL
from served import Served

from collectors.base import Context
from collectors.handles import Handles
from collectors.harvest import Outcome, harvest
from collectors.rebuild import rebuild
from collectors.sources import collectors
from vsm import cli, store
from vsm.config import Config, Source
from vsm.models import TABLES

WHO = Handles(b"a key")
NO_SUCH = "no-such-cursor"
# Where a list is to go on, in a question.
TOKENS = ("after", "nextPageToken", "page", "startAt", *(f"a{number}" for number in range(20)))
LISTS = ("nodes", "issues", "values", "histories", "workflow_runs", "commits", "allBuilds", "issueChangeLogs", "changeHistories")
TOTALS = ("total", "totalCount", "total_count")
TITLES, TIMES = ("title", "summary", "displayName"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+0000)")


@dataclass
class Liar:
    """Stands before a peer. `lie(answer, request)` gives the answer that is told; None while he tells the truth."""

    peer: Callable[..., Any]
    lie: Callable[["Liar", Any, tuple[str, str]], Any] | None = None
    met: int = 0  # answers that were another than the truth
    dice: random.Random = field(default_factory=lambda: random.Random(5))
    kept: dict[Any, Any] = field(default_factory=dict)

    def __call__(self, method: str, path: str, query: dict, headers: Any, body: bytes) -> Any:
        sent = json.loads(body) if body else {}
        if NO_SUCH in body.decode() or NO_SUCH in str(query):
            if self.lie is None:
                return unknown("variables" in sent)
            query, sent = without(query), without(sent)  # his own tokens lead to the beginning
        told = self.peer(method, path, query, headers, json.dumps(sent).encode() if body else body)
        if self.lie is None or told is None or told[0] != 200:
            return told
        status, more, answer = copy.deepcopy(told)
        answer = json.loads(answer) if isinstance(answer, (bytes, str)) else answer
        before = json.dumps([more, answer], sort_keys=True)
        question = re.sub(
            r"\{\d+,\d+\}", "", f"{without(query, *TOKENS)} {without(sent, *TOKENS)}"
        )  # Jenkins asks from here to there
        given = self.lie(self, [more, answer], (path, question))
        self.met += isinstance(given, str) or json.dumps(given, sort_keys=True) != before
        return (status, more, given) if isinstance(given, str) else (status, *given)


def unknown(graphql: bool) -> Any:
    """What a server says of a token that it has not given."""
    if not graphql:
        return 400, {}, {"errorMessages": ["The page token is not valid."], "errors": {}}
    wrong = {"type": "INVALID_CURSOR_ARGUMENTS", "message": f"`{NO_SUCH}` does not appear to be a valid cursor."}
    return 200, {}, {"data": {"node": None}, "errors": [wrong]}


def without(asked: Any, *names: str) -> Any:
    """What is asked without these, and without tokens that nobody has given."""
    if isinstance(asked, dict):
        return {name: without(told, *names) for name, told in asked.items() if name not in names
                and not str(told).strip("[]'").startswith(NO_SUCH)}  # fmt: skip
    return asked


def parts(answer: Any) -> Iterator[Any]:
    """An object, and all objects in it."""
    if isinstance(answer, dict):
        yield answer
    for one in answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ():
        yield from parts(one)


def lists(answer: Any) -> Iterator[tuple[Any, str | int]]:
    """Where the lists of an answer are: the holder and the name."""
    if isinstance(answer[1], list):
        yield answer, 1
    yield from ((part, name) for part in parts(answer[1]) for name in LISTS if isinstance(part.get(name), list))


# What is said of where a list goes on. -----------------------------------------------------------------


def on_and_on(token: Callable[[Liar], str]) -> Callable[..., Any]:
    """The first page of each list for ever, which goes on at a token."""

    def lie(liar: Liar, told: Any, asked: tuple[str, str]) -> Any:
        first = liar.kept.setdefault(asked, copy.deepcopy(told))
        told[:] = copy.deepcopy(first)
        for part in parts(told[1]):
            if "hasNextPage" in part:
                part.update(hasNextPage=True, endCursor=token(liar))
            if "isLast" in part:
                part["isLast"] = False
            if "nextPageToken" in part or ("isLast" in part and "issues" in part):
                part["nextPageToken"] = token(liar)
            part.update({name: 1_000_000 for name in TOTALS if name in part})
        if isinstance(told[1], list) or set(LISTS) & set(told[1]):
            told[0]["Link"] = f'<https://elsewhere.example{asked[0]}?page={token(liar)}>; rel="next"'
        return told

    return lie


def fresh(liar: Liar) -> str:
    liar.kept["number"] = liar.kept.get("number", 1) + 1
    return f"{NO_SUCH}-{liar.kept['number']}"


def numbered(liar: Liar) -> str:
    liar.kept["number"] = liar.kept.get("number", 1) + 1
    return str(liar.kept["number"])


def shuffled(liar: Liar, told: Any, asked: tuple[str, str]) -> Any:
    """Rows in no order, and those of the page before once more."""
    for place, (part, name) in enumerate(list(lists(told))):
        mine = part[name]
        again = liar.kept.get((asked, name, place), []) if asked[1].count("POST") == 0 else []
        liar.kept[asked, name, place] = copy.deepcopy(mine)
        if place == 0:
            mine = [*copy.deepcopy(again[:3]), *mine]
        liar.dice.shuffle(mine)
        part[name] = mine
    return told


def total(told_as: Any) -> Callable[..., Any]:
    """Another total, everywhere."""

    def lie(liar: Liar, told: Any, asked: tuple[str, str]) -> Any:
        for part in parts(told[1]):
            part.update({name: told_as(part[name]) for name in TOTALS if name in part})
        return told

    return lie


def half(liar: Liar, told: Any, asked: tuple[str, str]) -> Any:
    text = json.dumps(told[1])
    return text[: len(text) // 2]


# What is said of things. ---------------------------------------------------------------------------------


def titles(liar: Liar, told: Any, asked: tuple[str, str]) -> Any:
    """One title of ten megabytes."""
    for part in parts(told[1]):
        for name in TITLES:
            if isinstance(part.get(name), str) and liar.kept.setdefault("title", part[name]) == part[name]:
                part[name] = "PAY-1 é" * 1_400_000
    return told


def year(number: str) -> Callable[..., Any]:
    """One time of an answer in another year; the clock of the server stays right."""

    def lie(liar: Liar, told: Any, asked: tuple[str, str]) -> Any:
        def other(found: re.Match[str]) -> str:
            return found[0] if liar.dice.random() < 0.9 else number + found[0][4:]

        told[1] = json.loads(TIMES.sub(other, json.dumps(told[1])))
        for part in parts(told[1]):
            if isinstance(part.get("timestamp"), int) and liar.dice.random() < 0.1:
                part["timestamp"] = 253_402_300_799_000 if number == "9999" else -62_135_596_800_000
        return told

    return lie


def circles(liar: Liar, told: Any, asked: tuple[str, str]) -> Any:
    """Each thing is the parent of the one before it, and the last one's is the first."""
    text = json.dumps(told[1])
    keys = list(dict.fromkeys(re.findall(r'"key": "((?:PAY|SHOP)-\d+)"', text)))
    following = dict(zip(keys, keys[1:] + keys[:1], strict=True))
    for part in list(parts(told[1])):
        if part.get("key") in following and isinstance(part.get("fields"), dict):
            part["fields"]["parent"] = {"key": following[part["key"]]}
        if ("parents" in part and part.get("oid")) or part.get("sha"):
            sha = part.get("oid") or part["sha"]
            part["parents"] = {"nodes": [{"oid": sha}]} if isinstance(part.get("parents"), dict) else [{"sha": sha}]
        if "parent" in part and "number" in part:
            part["parent"] = {"number": part["number"], "repository": {"nameWithOwner": "acme/shop"}}
    return told


LIES: dict[str, Callable[..., Any]] = {
    "the same page for ever, at one token": on_and_on(lambda liar: NO_SUCH),
    "the same page for ever, at new tokens": on_and_on(fresh),
    "the same page for ever, by numbers": on_and_on(numbered),
    "pages in no order that overlap": shuffled,
    "too many in all": total(lambda told: 1_000_000),
    "too few in all": total(lambda told: 1),
    "fewer than nothing in all": total(lambda told: -7),
    "a number in words": total(lambda told: "many"),
    "no number": total(lambda told: None),
    "half an answer": half,
    "a title of ten megabytes": titles,
    "the year 9999": year("9999"),
    "the first year": year("0001"),
    "circles": circles,
}
NO_END = {name for name in LIES if name.startswith("the same page")}
OF_THINGS = {"a title of ten megabytes", "the year 9999", "the first year", "circles"}


class Silent:
    """A watcher that says nothing."""

    begins = page = ends = lambda self, *told: None


@dataclass
class Place:
    """A source behind a liar."""

    kind: str
    liar: Liar
    keys: dict
    folder: Path
    waits: list[float] = field(default_factory=list)
    served: Served | None = None

    def harvest(self, name: str, lie: Callable[..., Any] | None = None, full: bool = False, days: int = 0) -> Outcome:
        """Harvest into a store, with or without a lie."""
        self.liar.lie, self.liar.kept, self.liar.met = lie, {}, 0
        source = Source(kind=self.kind, name=self.kind, keys=self.keys)
        ready = collectors(Config(sources=(source,)), (), Context(self.folder, who=WHO, pause=self.waits.append))
        with store.opened(self.url(name)) as engine:
            (outcome,) = harvest(engine, ready, Silent(), full, now=lambda: START + timedelta(days=days), who=WHO)
        return outcome

    def told_again(self, name: str) -> None:
        """Tell the facts again from the answers that are kept."""
        source = Source(kind=self.kind, name=self.kind, keys=self.keys)
        with store.opened(self.url(name)) as engine:
            rebuild(engine, collectors(Config(sources=(source,)), (), Context(self.folder, who=WHO)), lambda: START)

    def url(self, name: str) -> str:
        return f"sqlite:///{self.folder / name}.db"

    def rows(self, name: str) -> dict[str, list]:
        """All facts of a store."""
        with store.opened(self.url(name)) as engine, engine.connect() as connection:
            return {
                table: connection.execute(sa.select(kind.__table__).order_by(*kind.__table__.primary_key)).all()
                for table, kind in TABLES.items()
            }


def paged(peer: Callable[..., Any]) -> Callable[..., Any]:
    """The peer, with pages of ten by REST."""

    def handler(method: str, path: str, query: dict, *rest: Any) -> Any:
        return peer(method, path, {**query, "per_page": ["10"]} if "per_page" in query else query, *rest)

    return handler


def github(schema: Any, rest: bool) -> tuple[Callable[..., Any], dict]:
    peer = github_of(schema, 60, random.Random(3))
    peer.refuses = rest
    keys = {"repositories": ["acme/shop"], "token": "env:T_GITHUB", "tickets": True, "deploy_workflows": ["deploy"]}
    return paged(peer) if rest else peer, keys


def jira(cloud: bool) -> tuple[Callable[..., Any], dict]:
    peer = jira_of(70, random.Random(3))
    peer.cloud, peer.page, peer.log_page = cloud, 20, 30
    return peer.handle, {**({"email": EMAIL} if cloud else {}), "token": "env:T_JIRA", "projects": ["PAY", "SHOP"]}


SOURCES: dict[str, tuple[str, Callable[[Any], tuple[Callable[..., Any], dict]]]] = {
    "github by GraphQL": ("github", lambda schema: github(schema, False)),
    "github by REST": ("github", lambda schema: github(schema, True)),
    "jenkins": ("jenkins", lambda schema: (jenkins_of(130), {"user": "builder", "token": "env:T_JENKINS"})),
    "jira cloud": ("jira", lambda schema: jira(True)),
    "jira server": ("jira", lambda schema: jira(False)),
}


TEN_MB, TOKENED = "a title of ten megabytes", {"the same page for ever, at one token", "the same page for ever, at new tokens"}
OF_TOTALS = {"too many in all", "too few in all", "fewer than nothing in all", "a number in words", "no number"}
# What a source cannot tell (Jenkins knows no totals, titles, parents and tokens), or goes the same way as another one's.
SILENT = {
    "jenkins": {*TOKENED, *OF_TOTALS, "circles", TEN_MB},
    "github by REST": {TEN_MB, "the first year", "the same page for ever, at new tokens", "no number", "fewer than nothing in all"},
    "github by GraphQL": {"no number", "fewer than nothing in all"},
    "jira cloud": OF_TOTALS,
    "jira server": {TEN_MB, "the first year", "circles", "the same page for ever, at new tokens"},
}
CASES = [(source, name) for source in SOURCES for name in LIES if name not in SILENT.get(source, ())]


@pytest.fixture(scope="module")
def place(request, graphql_schema, tmp_path_factory) -> Iterator[Place]:
    """A source behind a liar, harvested once while he tells the truth."""
    kind, made = SOURCES[request.param]
    peer, keys = made(graphql_schema)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        liar = Liar(peer)
        server = Served(liar)
        here = Place(kind, liar, {"url": server.url, **keys}, tmp_path_factory.mktemp("lies"), served=server)
        assert here.harvest("whole").error is None
        yield here
        server.close()


@pytest.fixture(scope="module")
def honest(place) -> tuple[dict[str, list], int]:
    """What the truth is, and how many questions it takes."""
    return place.rows("whole"), place.served.count()


@pytest.mark.parametrize(("place", "name"), CASES, indirect=["place"], ids=[f"{source}: {name}" for source, name in CASES])
def test_a_lie_ends_in_a_right_store_or_a_sentence_and_the_truth_completes_it(place, honest, name, capsys):
    whole, asked = honest
    place.served.forget()
    outcome = place.harvest("lie", LIES[name])
    try:
        assert place.liar.met
        assert place.served.count() < 6 * asked + 200
        if outcome.error is not None:
            assert len(outcome.error.splitlines()) == 1, outcome.error
            assert len(outcome.error) < 1200
            assert "please report" not in outcome.error
        elif name not in OF_THINGS:
            assert place.rows("lie") == whole
        if name in NO_END:
            assert "again" in outcome.error
        if name in OF_THINGS:  # which others have to read then
            assert cli.run(["report", "--format", "json", "--store", place.url("lie")]) in (0, 1, 2)
            assert "Traceback" not in capsys.readouterr().err
            place.told_again("lie")
        again = place.harvest("lie", full=name in OF_THINGS, days=1)
        assert again.error is None
        assert place.rows("lie") == whole
    finally:
        for file in place.folder.glob("lie.db*"):
            file.unlink()
