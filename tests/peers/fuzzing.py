"""What is fuzzed: for each place where text comes in, what makes an input of bytes, and what takes it.

The bytes are decisions: which answer of a source, or which text, to begin with, and what to spoil in it. So random bytes,
Hypothesis and a coverage-guided fuzzer ask the same. An input that a place refuses with an error of ours is as good as one
that it takes. Half of the answers to begin with are real ones where VSM_RECORDED_DATA names the folder of them.
"""

import copy
import json
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import real_payloads

from collectors import telling
from collectors.base import CollectorError, Context
from collectors.handles import Handles
from collectors.reading import _History, _made
from vsm import cdevents, config, event, facts, models
from vsm.errors import UsageError, WorkError

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
OURS = (UsageError, WorkError, CollectorError, models.RowError, real_payloads.Untold)
WHO = Handles(b"a key")
STAMP = datetime(2026, 3, 2, tzinfo=UTC)
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, float("nan"), float("inf"), "", " ", "x" * 100_000,
    "\0", "\ud800", "\u202e\u0000", "🌊", "null", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
    "0000-00-00T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-02T10:00:00", "2026-03-02", "253402300800000", 253402300800000,
    -62135596801000, [], {}, [[]], [None], {"nodes": None}, {"nodes": [None]}, {"name": None}, {"id": {}}, [{}], "a@b.example",
    "PAY-1", ";", "\r\n", "=1+1", "1" * 5_000, "٣", "²",
)  # fmt: skip


class Dice:
    """Decisions from bytes; where these end, always the first choice."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def below(self, most: int) -> int:
        """A number from 0 to below `most`."""
        told = int.from_bytes(self.data[self.at : self.at + 2], "little")
        self.at += 2
        return told % max(most, 1)

    def of(self, several: Any) -> Any:
        """One of several."""
        return several[self.below(len(several))]

    @property
    def over(self) -> bool:
        """Whether nothing is left to decide by."""
        return self.at >= len(self.data)


def spoilt(answer: Any, dice: Dice) -> Any:
    """An answer with something in it that should not be: dropped, put in the place of something else, doubled, nested."""
    holder = [copy.deepcopy(answer)]
    while not dice.over:
        _edit(holder, dice)
    return holder[0]


def _edit(holder: list[Any], dice: Dice) -> None:
    place, key = holder, 0
    for _ in range(dice.below(8)):
        inner = place[key]
        if isinstance(inner, dict) and inner:
            place, key = inner, dice.of(list(inner))
        elif isinstance(inner, list) and inner:
            place, key = inner, dice.below(len(inner))
        else:
            break
    value, how = place[key], dice.below(8)
    if how == 0 and isinstance(place, dict):
        del place[key]
    elif how == 1:
        place[key] = [value]
    elif how == 2:
        place[key] = {"nodes": value}
    elif how == 3 and isinstance(value, list):
        place[key] = value * (1 + dice.below(3)) + value[::-1]
    elif how == 4 and isinstance(value, str):
        place[key] = value + str(dice.of(ODD))
    elif how == 5 and isinstance(value, (int, float)):
        place[key] = dice.of((-value, value * 1000, str(value), value - 1))
    elif how == 6 and dice.below(40) == 0:
        for _ in range(150):
            value = [value]
        place[key] = value
    else:
        place[key] = copy.deepcopy(dice.of(ODD))


# Collectors. --------------------------------------------------------------------------------------


@cache
def collector(kind: str) -> Any:
    """A collector that is never asked for pages, with rules for everything that can be told."""
    from collectors.github.collector import GitHubCollector
    from collectors.jenkins.collector import JenkinsCollector
    from collectors.jira.collector import JiraCollector

    if kind == "github":
        keys = {"repositories": ["acme/shop"], "deploy_workflows": ["Build|deploy"], "deploy_jobs": ["deploy"],
                "release_tags": ["v*"], "tickets": True, "incident_labels": ["incident", "bug"]}  # fmt: skip
        return GitHubCollector.configured(keys, Context(Path()))
    if kind == "jenkins":
        keys = {"url": "https://ci.example.org", "deploy_jobs": ["deploy"], "deploy_stages": ["Deploy"]}
        return JenkinsCollector.configured(keys, Context(Path()))
    keys = {"url": "https://jira.example.org", "projects": ["PAY"], "incident_types": ["Bug"], "incident_labels": ["incident"]}
    return JiraCollector.configured(keys, Context(Path()))


@cache
def answers(kind: str) -> list[tuple[str, str, Any]]:
    """The answers to begin with: resource, id, answer."""
    found = [json.loads(line) for line in (SEEDS / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(one["resource"], one["id"], one["answer"]) for one in found]


def answered(kind: str) -> Callable[[bytes], Any]:
    """Makes one answer of a kind of source, spoilt: resource, id, answer."""

    def made(data: bytes) -> Any:
        dice = Dice(data)
        real = real_payloads.answers(kind)
        resource, key, whole = dice.of(real if real and dice.below(2) else answers(kind))
        return [resource, key, spoilt(whole, dice)]

    return made


def mapped(kind: str) -> Callable[[Any], None]:
    """A collector's way from an answer to rows that a store takes."""

    def take(told: Any) -> None:
        resource, spoiled = real_payloads.trimmed(told[0], told[2])
        key = told[1]
        clean = telling.scrubbed(WHO, resource, key, spoiled)
        for table, rows in telling.told(collector(kind), resource, key, clean).items():
            for row in rows:
                models.validate(table, row)

    return take


def commits(data: bytes) -> Any:
    """Commits as git prints them: sha, parents, two times, address, name, message."""
    dice = Dice(data)
    found: list[Any] = []
    while not dice.over and len(found) < 40:
        shas = [one[0] for one in found]
        parents = " ".join(dice.of([*shas, "f" * 40, ""]) for _ in range(dice.below(3)))
        times = [str(dice.of(("1767225600", "0", "-1", "253402300799", "253402300800", "9" * 30, "", "x", "٣"))) for _ in range(2)]
        who = dice.of(("ann@example.org", "", "no address", "@", "a@b")), dice.of(("Ann", "", "\ud800"))
        words = real_payloads.messages() if dice.below(4) == 1 else ()
        message = "\n\n".join(dice.of(words or MESSAGES) for _ in range(dice.below(3)))
        found.append([f"{len(found):040x}", parents, *times, *who, message])
    return found


def history(told: Any) -> None:
    """The commits as they are kept, and the pull requests that they tell."""
    seen = _History(WHO, {})
    seen.lines([tuple(one) for one in told])
    _made(seen.commits, seen.claims, _History(WHO, {}), told[-1][0] if told else None, [], False)


MESSAGES = (
    "work", "", "Merge pull request #12 from acme/branch", "A title (#12)", 'Revert "A title (#12)"', "(#" + "9" * 50 + ")",
    "See merge request acme/shop!3", "Merged in feature (pull request #4)", "Merge branch 'a' into 'main'", "PAY-1 " * 50,
    "This reverts commit 0000000000000000000000000000000000000000.", "(cherry picked from commit 0000000)", "#", "\0", "\u2028",
    "Merge pull request #0 from ", "Merge pull request #12 from acme/branch\n\n" + "x" * 5000, "Pull request #٣: x",
    "Merged PR 7: x", "Signed-off-by: A <a@example.org>",
)  # fmt: skip


# Files. -------------------------------------------------------------------------------------------

AT = "2026-03-02T10:00:00Z"
FACTS = {
    "tickets.csv": f'key,title,created_at,parent,status\nPAY-1,A,{AT},,Done\nPAY-2,"B, C",{AT},PAY-1,\n',
    "tickets.jsonl": f'{{"key": "PAY-1", "created_at": "{AT}"}}\n{{"key": "PAY-2", "created_at": "{AT}"}}\n',
    "transitions.csv": f"ticket,at,from_status,to_status\nPAY-1,{AT},,Todo\nPAY-1,2026-03-02 11:00,Todo,Done\n",
    "pull_requests.csv": "repository,number,additions\nshop,1,2\nshop,2,\n",
    "deployments.jsonl": '{"id": "d", "application": "shop", "environment": "production", "result": "success"}\n',
    "facts.toml": 'timezone = "Europe/Vienna"\n',
}
CONFIG = """timezone = "Europe/Vienna"
[[streams]]
name = "checkout"
projects = ["PAY"]
done = ["Done"]
[[streams.stages]]
name = "Review"
waiting = ["Ready for review"]
active = ["In review"]
opens = ["pull_request.ready"]
people = 3
[production]
environments = ["production"]
[incidents]
exclude_titles = ["drill.*"]
link_within_days = 7
[dora]
exclude_authors = ["*bot*"]
[calendar]
hours = "09:00-17:00"
[privacy]
people = "pseudonyms"
[people]
"Ann Lee" = ["git:ann"]
[[applications]]
name = "till"
repository = "shop"
paths = ["services/till/**"]
[[sources]]
kind = "git"
path = "."
"""
EVENTS = tuple(
    json.dumps(one)
    for one in (
        {"kind": "deployment", "application": "shop", "environment": "production", "sha": "4f2c1ab", "finished_at": AT},
        {"kind": "incident", "id": "i", "opened_at": AT, "labels": ["a", "b"]},
        {
            "context": {"id": "1", "source": "/ci", "type": "dev.cdevents.service.deployed.0.1.1", "timestamp": AT},
            "subject": {
                "id": "ns/shop",
                "content": {"environment": {"id": "production"}, "artifactId": "pkg:oci/shop@0f2c1abd9e4b77aa1234"},
            },
            "customData": {"vsm": {"repository": "acme/shop"}},
        },
        {
            "context": {"id": "1", "source": "/ci", "type": "dev.cdevents.change.merged.0.1.2", "timestamp": AT},
            "subject": {"id": "acme/shop/pull/12", "content": {"repository": {"id": "acme/shop"}}},
        },
        {
            "specversion": "1.0", "id": "1", "source": "/ci", "type": "dev.cdevents.pipelinerun.finished.0.2.0", "time": AT,
            "data": {"subject": {"id": "run-1", "content": {"outcome": "failure", "pipelineName": "shop"}}},
        },
        {"specversion": "1.0", "type": "own", "data_base64": "eyJraW5kIjogImJ1aWxkIn0="},
    )
)  # fmt: skip
BYTES = (
    b"", b"\0", b"\xff", b"\xed\xa0\x80", b'"', b"'", b",", b"\n", b"\r", b"[" * 2_000, b"{" * 2_000, b'{"a":' * 2_000, b"]", b"}",
    b"= ", b"# ", b"9" * 5_000, b"1e999", b"NaN", b"-", b"9999-12-31T23:59:59-14:00", b"2026-02-30", b"\xef\xbb\xbf", b"\\u0000",
    b"\\ud800", b"true", b"((a+)+)+$", b"(?P<x", b"env:", "é🌊\u202e".encode(), b"x" * 20_000,
)  # fmt: skip


def torn(text: bytes, dice: Dice) -> bytes:
    """A text with something in it that should not be: cut, doubled, other bytes put in."""
    while not dice.over:
        at, end = dice.below(len(text) + 1), dice.below(40)
        how = dice.below(4)
        if how == 0:
            text = text[:at] + text[at + end :]
        elif how == 1:
            text = text[:at] + text[at : at + end] * 2 + text[at + end :]
        elif how == 2:
            text = text[:at] + bytes([dice.below(256)]) + text[at + 1 :]
        else:
            text = text[:at] + dice.of(BYTES) + text[at + (end if end < 20 else 0) :]
    return text


@cache
def _folder() -> Path:
    memory = Path("/dev/shm")  # noqa: S108  # a folder of our own in it, where there is one: a million files
    return Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))


def file(data: bytes) -> Any:
    """A file of facts, torn: its name and its text, a character a byte."""
    dice = Dice(data)
    name = dice.of(list(FACTS))
    return [name, torn(FACTS[name].encode(), dice).decode("latin-1")]


def folder(told: Any) -> None:
    """A folder with a file of facts."""
    name, text = told
    place = _folder()
    (place / name).write_bytes(text.encode("latin-1"))
    if name == "facts.toml":
        (place / "transitions.csv").write_text(FACTS["transitions.csv"])
    try:
        facts.check(place)
    finally:
        for one in place.iterdir():
            one.unlink()


def settings(data: bytes) -> Any:
    """A configuration: torn as text, or well formed with something else in the place of a value."""
    dice = Dice(data)
    if dice.below(2):
        return _toml(spoilt(tomllib.loads(CONFIG), dice))
    return torn(CONFIG.encode(), dice).decode("utf-8", errors="replace")


def configured(text: Any) -> None:
    """The configuration that a text says."""
    config.parse(text, Path("vsm.toml"))


def _toml(told: Any) -> str:
    """TOML in one line a key; what TOML cannot hold is left out."""
    return (
        "".join(f"{json.dumps(str(key))} = {_value(value)}\n" for key, value in told.items() if value is not None)
        if isinstance(told, Mapping)
        else str(told)
    )


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {_value(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value if one is not None) + "]"
    return json.dumps(value, ensure_ascii=True, allow_nan=True).replace("NaN", "nan").replace("Infinity", "inf")


def events(data: bytes) -> Any:
    """Events as JSON: ours, CDEvents, in envelopes; torn as text, or with something else in the place of a value."""
    dice = Dice(data)
    seed = dice.of((*EVENTS, *real_payloads.events()))
    if dice.below(3):
        return json.dumps(spoilt(json.loads(seed), dice))
    return torn(seed.encode(), dice).decode("utf-8", errors="surrogateescape")


def taken(text: Any) -> None:
    """The events of a text, checked as they are before they are saved."""
    told, _ = cdevents.translated(event.lines(text, None, "a file"))
    event.checked(told, STAMP)


class Target(NamedTuple):
    """A place where something comes in: what makes an input of bytes, and what takes it."""

    made: Callable[[bytes], Any]
    take: Callable[[Any], None]

    def asked(self, told: Any) -> bool:
        """Whether an input is taken; False where it is refused with an error of ours. Anything else that is raised is a defect."""
        try:
            self.take(told)
        except OURS:
            return False
        return True


TARGETS = {
    **{kind: Target(answered(kind), mapped(kind)) for kind in ("github", "jenkins", "jira")},
    "git": Target(commits, history),
    "facts": Target(file, folder),
    "config": Target(settings, configured),
    "events": Target(events, taken),
}
