"""Pseudonyms for sharing: the same facts with people, tickets and repositories under other names, and the same numbers.

A name is a keyed hash of what it stands for: the same key gives the same names, and without it nobody can try which
name stands for whom. Of texts only what links is kept: which tickets, pull requests and commits they name, whether
they take something back or are a hotfix. Words that a team's numbers are told in stay: statuses, types, teams,
applications, projects, environments. One that holds a replaced name is replaced with it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from hashlib import blake2b
from typing import Any

import pandas as pd

from vsm.changes import MERGED_BRANCH, application_of
from vsm.copies import PICKED
from vsm.deployed import HOTFIX
from vsm.errors import UsageError
from vsm.frames import no_text, plain, recoded
from vsm.mentions import KEY
from vsm.reverts import NUMBER, QUOTED, REVERT_BRANCH, REVERTED_NUMBER, REVERTED_SHA, same_place
from vsm.store import Facts

LETTERS = "bcdfghjklmnpqrstvwxz"  # no vowels: no name is a word by chance
USUAL_BRANCHES = {"main", "master", "trunk", "develop", "development", "staging", "production"}
CUT_SHORT = re.compile(r'(?:Revert|Reapply) "')  # a quoted title that never ends
DEEPEST = 50  # reverts of reverts that are told as such: no history has more
HOT = re.compile(rf"(?<![a-z]){HOTFIX}", re.I)
HOT_BRANCH = re.compile(rf"(?:^|/){HOTFIX}", re.I)
HOT_TITLE = re.compile(rf"^\W*(?:[a-z]\w*-\d+\W+)?{HOTFIX}", re.I)
HOT_LABEL = re.compile(rf"\s*{HOTFIX}\s*", re.I)
BOT = re.compile(r"\b[\w@-]*[-_\[\]@ ]+bot[-_\d\[\]]*\b|_bot_|_bot$|^bot_", re.I)  # a program's name, as others read it
KEPT = {  # what stays as it is, unless a replaced name is in it
    "tickets": ("type", "status", "resolution", "project", "team", "priority", "application"),
    "transitions": ("from_status", "to_status", "team"),
    "ticket_changes": ("field",),
    "ticket_links": ("kind",),
    "repositories": ("application",),
    "reviews": ("state",),
    "build_stages": ("name",),
    "deployments": ("application", "environment"),
    "incidents": ("application", "severity"),
    "identities": ("source",),
}
Name = Callable[[str], str | None]


class Pseudonyms:
    """Other names for what is in a store's facts, by a key."""

    def __init__(self, key: bytes, facts: Facts, labels: Iterable[str] = (), titles: Iterable[str] = ()) -> None:
        """`labels` are words of the configuration, which stay; `titles` its patterns of incidents' titles."""
        self.key = key
        self.labels = {label.casefold() for label in labels}
        self.titles = [(re.compile(told, re.I), f"excluded {self._letters('pattern', told, 10)}") for told in titles]
        self.known = {one.casefold(): one for one in plain(facts.tickets["key"])}
        self.places = {one.casefold(): one for one in _repositories(facts)}
        self._shas = {name: sorted(of) for name, of in facts.commits.groupby("repository")["sha"]}
        self._names = _names(facts)
        self._used: dict[str, str] = {}

    def _digest(self, what: str, name: str) -> int:
        return int.from_bytes(blake2b(f"{what}\0{name}".encode(), key=self.key[:64], digest_size=32).digest(), "big")

    def _letters(self, what: str, name: str, length: int) -> str:
        number, letters = self._digest(what, name), ""
        for _ in range(length):
            number, place = divmod(number, len(LETTERS))
            letters += LETTERS[place]
        return letters

    # What is named. ---------------------------------------------------------------------------

    def ticket(self, key: str) -> str:
        """A ticket's key."""
        return self._once("T" + self._letters("ticket", key, 4).upper() + f"-{self._digest('number', key) % 10**8 + 10**8}", key)

    def _once(self, name: str, of: str) -> str:
        if self._used.setdefault(name, of) != of:
            raise UsageError("two tickets would get one name: give another VSM_PSEUDONYM_KEY")
        return name

    def repository(self, name: str) -> str:
        """A repository's name, with an owner as messages want it."""
        return "code/" + self._letters("repository", name, 10)

    def person(self, name: str) -> str:
        """A person or a handle: alike in any case where the names are, and a program's where it is one."""
        folded = name.casefold()
        letters = self._letters("person", folded, 12)
        if folded != name:
            bits = self._digest("case", name) | 1
            letters = "".join(sign.upper() if bits >> place & 1 else sign for place, sign in enumerate(letters))
        if folded.endswith("[bot]"):
            return letters + "[bot]"
        return ("bot:" if name.startswith("bot:") else "") + letters + ("-bot" if BOT.search(name) else "")

    def id_of(self, what: str) -> Name:
        """The ids of a kind of thing."""
        return lambda name: f"{what}-{self._letters(what, name, 12)}"

    def sha(self, sha: str) -> str:
        """A commit's sha, as long as it was."""
        return f"{self._digest('sha', sha):064x}"[: max(len(sha), 7)]

    def shas(self, several: str) -> str:
        """Shas with spaces between."""
        return " ".join(self.sha(sha) for sha in several.split())

    def kept(self, word: str) -> str:
        """A word that stays, unless a replaced name is in it. An application that is called as its repository goes with it."""
        folded = word.casefold()
        if folded in self.places:
            return self.repository(self.places[folded]).removeprefix("code/")
        named = any(key.casefold() in self.known for key in KEY.findall(word)) or any(name in folded for name in self._names)
        return f"word-{self._letters('word', word, 8)}" if named else word

    # Texts. -----------------------------------------------------------------------------------

    def label_list(self, labels: str) -> str:
        """Labels with ``;`` between: those that the configuration names and those that say hotfix stay."""
        return ";".join(self._label(one) for one in labels.split(";"))

    def _label(self, label: str) -> str:
        if label.strip().casefold() in self.labels:
            return label
        return "hotfix" if HOT_LABEL.fullmatch(label) else f"label-{self._letters('label', label, 8)}"

    def branch(self, name: str) -> str:
        """A branch or a tag: the tickets that it names, what it takes back, and whether it says hotfix."""
        if name.casefold() in USUAL_BRANCHES:
            return name
        back = REVERT_BRANCH.match(name)
        first = back[0].rstrip("-") + "-" if back else ""
        hot = ("b/" if first else "") + "hotfix/" if HOT_BRANCH.search(name) else "x_hotfix_" if HOT.search(name) else ""
        keys = "".join(f"{self.ticket(key)}-" for key in self._keys(name))
        return first + hot + keys + "branch_" + self._letters("branch", name, 10)

    def title(self, text: str, depth: int = 0) -> str:
        """A title or a subject on one line: what links of it, and a word that stands for the rest."""
        if depth == DEEPEST:
            return "text_" + self._letters("text", text, 12)
        if quoted := QUOTED.match(text):
            rest, number = text[quoted.end() :], NUMBER.search(text)
            more = [self.ticket(key) for key in self._keys(rest)] + ([f"(#{number[1]})"] if number and number[0] in rest else [])
            return " ".join([f'{quoted["how"]} "{self.title(quoted["title"], depth + 1)}"', *more])
        if cut := CUT_SHORT.match(text):
            return cut[0] + self.title(text[cut.end() :], depth + 1)
        parts = ["hotfix"] if HOT_TITLE.search(text) else []
        parts += [self.ticket(key) for key in self._keys(text)]
        if merged := re.search(MERGED_BRANCH, text):
            parts.append(f"Merge branch '{self.branch(merged[1])}'")
        number = NUMBER.search(text)
        parts.append("text_" + self._letters("text", text, 12))
        return " ".join([*parts, *([f"(#{number[1]})"] if number else [])])

    def message(self, text: str, repository: str) -> str:
        """A commit's message: its subject's words for it, and a line for each thing that it names."""
        first, _, rest = text.partition("\n")
        lines = [self.title(first)]
        lines += [self.title(found[0]) for found in QUOTED.finditer(rest)]
        lines += [f"This reverts commit {self._cut(sha, repository)}." for sha in REVERTED_SHA.findall(text)]
        lines += [f"(cherry picked from commit {self._cut(sha, repository)})" for sha in PICKED.findall(text)]
        for told in REVERTED_NUMBER.finditer(text):
            where = same_place(told["there"], repository)
            lines.append(f"Reverts {'' if where == repository else self.repository(where)}#{told['number']}")
        keys = " ".join(self.ticket(key) for key in self._keys(rest))
        return "\n".join([*lines, *([keys] if keys else [])])

    def _cut(self, told: str, repository: str) -> str:
        """A sha that a message names, cut short where it was."""
        whole = [sha for sha in self._shas.get(repository, ()) if sha.startswith(told)] if len(told) < 40 else [told]
        return self.sha(whole[0])[: len(told)] if len(whole) == 1 else self.sha(told)

    def incident_title(self, text: str) -> str:
        """An incident's title, which still fits the patterns that the one before did."""
        fits = [word for one, word in self.titles if one.search(text)]
        return " ".join(["title_" + self._letters("text", text, 12), *fits])

    def _keys(self, text: str) -> list[str]:
        found = []
        for key in KEY.findall(text):
            parts = key.casefold().split("_")
            ends = ("_".join(parts[start:]) for start in range(len(parts)))
            found += [self.known[end] for end in ends if end in self.known][:1]
        return list(dict.fromkeys(found))


def _names(facts: Facts) -> list[str]:
    """Names of people and repositories, folded, that are no plain words: for a handle such as "review" no status is lost."""
    people = [*facts.identities["person"], *facts.identities["handle"]]
    known = {name.casefold() for name in (*people, *_repositories(facts))}
    return sorted(name for name in known if re.search(r"\S[ @/.]\S", name))


def _repositories(facts: Facts) -> list[str]:
    """Every repository that any fact names."""
    found: set[str] = set(facts.repositories["name"])
    for table in fields(facts):
        frame = getattr(facts, table.name)
        if "repository" in frame:
            found |= set(frame["repository"].dropna().unique())
    return sorted(found)


def pseudonymised(facts: Facts, names: Pseudonyms, placed: Callable[[str, str], str | None] | None = None) -> Facts:
    """The facts under other names. `placed`: for a repository and its paths what stands for them, where path rules need it."""
    told = _with_applications(facts)
    columns: dict[str, dict[str, Name]] = {
        "tickets": {"key": names.ticket, "parent": names.ticket, "title": names.incident_title, "labels": names.label_list},
        "transitions": {"ticket": names.ticket, "actor": names.person},
        "ticket_changes": {"ticket": names.ticket, "actor": names.person},
        "ticket_links": {"ticket": names.ticket, "other": names.ticket},
        "repositories": {"name": names.repository, "default_branch": names.branch, "head_sha": names.sha},
        "commits": {"sha": names.sha, "author": names.person, "subject": names.title, "parents": names.shas},
        "tags": {"name": names.branch, "sha": names.sha, "subject": names.title},
        "pull_requests": {
            "title": names.title, "author": names.person, "source_branch": names.branch, "target_branch": names.branch,
            "merge_sha": names.sha, "head_sha": names.sha, "labels": names.label_list,
        },
        "pull_request_commits": {"sha": names.sha},
        "reviews": {"reviewer": names.person},
        "comments": {"author": names.person},
        "builds": {"id": names.id_of("build"), "job": names.id_of("job"), "sha": names.sha, "branch": names.branch},
        "build_stages": {"build": names.id_of("build")},
        "deployments": {"id": names.id_of("deployment"), "sha": names.sha, "ref": names.branch},
        "deployment_commits": {"deployment": names.id_of("deployment"), "sha": names.sha},
        "incidents": {
            "id": names.id_of("incident"), "deployment": names.id_of("deployment"), "ticket": names.ticket,
            "title": names.incident_title, "labels": names.label_list,
        },
        "identities": {"handle": names.person, "person": names.person},
    }  # fmt: skip
    frames = {}
    for table in fields(told):
        frame = getattr(told, table.name)
        new = columns.get(table.name, {}) | dict.fromkeys(KEPT.get(table.name, ()), names.kept)
        if "repository" in frame:
            new["repository"] = names.repository
        ready = {name: _renamed(frame[name], name_of) for name, name_of in new.items()}
        ready |= {name: no_text(frame.index) for name in ("url",) if name in frame}
        frames[table.name] = frame.assign(**ready)
    frames["commits"]["message"] = _messages(told.commits, names)
    frames["commits"]["paths"] = _paths(told.commits, placed)
    frames["ticket_changes"] = _field_values(told, frames["ticket_changes"], names)
    known = frames["identities"]
    frames["identities"] = known[~known.duplicated(["source", "handle"], keep="last")]
    return Facts(**frames)


def _renamed(column: pd.Series, name: Name) -> pd.Series:
    return recoded(column, name).astype("str")


def _with_applications(facts: Facts) -> Facts:
    """The facts with what a repository's name says of its application said aloud, since the name will say it no more."""
    told = facts.repositories
    own = told.dropna(subset="application").set_index("name")["application"].to_dict()
    missing = [name for name in _repositories(facts) if name not in set(told["name"])]
    more = pd.DataFrame({"name": pd.Series(missing, dtype="str")}).reindex(columns=told.columns)
    every = pd.concat([told, more.astype(told.dtypes.to_dict())], ignore_index=True) if missing else told
    named = [application_of(name, own) for name in plain(every["name"])]
    repositories = every.assign(application=pd.Series(named, index=every.index, dtype="str"))
    projects = facts.tickets["project"].fillna(facts.tickets["key"].str.extract(r"^(.+)-\d+$", expand=False))
    frames: Mapping[str, Any] = {table.name: getattr(facts, table.name) for table in fields(facts)}
    return Facts(**{**frames, "repositories": repositories, "tickets": facts.tickets.assign(project=projects.astype("str"))})


def _messages(commits: pd.DataFrame, names: Pseudonyms) -> pd.Series:
    pairs = zip(plain(commits["message"]), plain(commits["repository"]), strict=True)
    told = [None if message is None else names.message(message, repository) for message, repository in pairs]
    return pd.Series(told, index=commits.index, dtype="str")


def _paths(commits: pd.DataFrame, placed: Callable[[str, str], str | None] | None) -> pd.Series:
    if placed is None:
        return no_text(commits.index)
    pairs = zip(plain(commits["repository"]), plain(commits["paths"]), strict=True)
    told = [None if paths is None else placed(repository, paths) for repository, paths in pairs]
    return pd.Series(told, index=commits.index, dtype="str")


def _field_values(facts: Facts, ready: pd.DataFrame, names: Pseudonyms) -> pd.DataFrame:
    """Old and new values of a ticket's fields: people as people, a flag as it is, anything else as a word."""
    field = facts.ticket_changes["field"].str.casefold()
    values = {}
    for side in ("from", "to"):
        told = facts.ticket_changes[side]
        other = _renamed(told, lambda value: f"value-{names._letters('value', value, 10)}" if value.strip() else value)
        values[side] = other.mask(field == "assignee", _renamed(told, names.person)).mask(
            field == "flagged", _renamed(told, names.kept)
        )
    return ready.assign(**values)
