"""Reverts: which change takes which back, and which revert: told by branches, messages and titles."""

import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from vsm.frames import among, no_text, places, plain
from vsm.history import keys
from vsm.store import Facts

REVERTED_SHA = re.compile(r"This reverts commit ([0-9a-f]{7,64})")
QUOTED = re.compile(r'^(?P<how>Revert|Reapply) "(?P<title>.+)"', re.M)
REVERTED_NUMBER = re.compile(
    r"^(?:Reverts (?P<there>[\w.-]+/[\w.-]+)?#|This reverts merge request (?:[\w./-]+)?!)(?P<number>\d+)", re.M
)
REVERT_BRANCH = re.compile(r"^(?:revert-(?:pr-)?\d+(?:-|$))+")
NUMBER = re.compile(r"\((?:pull request )?#(\d+)\)$")
WHOLE = 40  # characters of a sha


class Claim(NamedTuple):
    """A change says that it takes another one back; ``again``: it says itself that this brings something again."""

    change: str
    other: str
    again: bool


def reverts(facts: Facts, every: pd.DataFrame, commits: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The change that each change takes back, and the revert that each change takes back, so that its subject is live again.

    Told by its branch, a sha or number in a message, or the title in quotes; a change that reverts its own
    commits takes nothing back. Of several changes of one title the newest before the revert is meant.
    """
    claims = [*_by_branch(every), *_by_message(facts, every, commits), *_by_title(facts, every, commits)]
    if not claims:
        return no_text(every.index), no_text(every.index)
    known = among(pd.Series([claim.other for claim in claims], dtype="str"), every["change"])
    # Of many thousand titles few say so, and Arrow finds these far faster than a loop.
    near = every[every["title"].str.startswith(('Revert "', 'Reapply "')).eq(True)]
    titled = [*zip(plain(near["change"]), plain(near["title"]), strict=True)]
    bringing = {change for change, title in titled if _brings_again(title)}
    taking = {change for change, title in titled if takes_back(title)}
    stated: dict[str, Claim] = {}
    for claim, is_known in zip(claims, known, strict=True):
        if is_known and claim.other != claim.change:
            stated.setdefault(claim.change, claim._replace(again=claim.again or claim.change in bringing))
    mine = every[among(every["change"], stated)]
    order = mine.assign(at=mine["merged_at"].fillna(mine["opened_at"])).sort_values(["at", "change"], kind="stable")["change"]
    found, again = _resolved(stated, plain(order), taking)
    return every["change"].map(found).astype("str"), every["change"].map(again).astype("str")


def _resolved(stated: Mapping[str, Claim], order: Iterable[str], taking: Container[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What each change takes back, and which revert each change takes back, of what they state in the order of time.

    Who takes back a revert (it did take something back, or is one of those `taking`) brings its subject
    again. Who then takes back the subject takes back the change that brought it last.
    """
    reverts: dict[str, str] = {}
    again: dict[str, str] = {}
    live: dict[str, str] = {}
    for change in _targets_first(stated, order):
        _, other, brings = stated[change]
        if other in reverts:
            again[change] = other
            live[reverts[other]] = change
        elif other in taking:
            again[change] = other
        elif not brings:
            while other in live:
                other = live[other]
            reverts[change] = other
    return reverts, again


def _targets_first(stated: Mapping[str, Claim], order: Iterable[str]) -> Iterator[str]:
    """The changes that state something, oldest first, but none before the one that it takes back: they may be of one instant."""
    done: set[str] = set()
    for change in order:
        chain = []
        while change in stated and change not in done:
            done.add(change)
            chain.append(change)
            change = stated[change].other
        yield from reversed(chain)


def _of_commit(every: pd.DataFrame, commits: pd.DataFrame, asked: pd.Series) -> dict[str, str]:
    """The change that each commit asked for is of, by `repo@sha`: the one that landed with it, else the first merged with it.

    A merge of a long-lived branch has the commits of all the changes that were merged into that branch,
    and one that brings a release branch back may come at the same instant: then the pull request is meant.
    """
    commits = commits[among(keys(commits), asked)] if len(asked) else commits.head(0)
    about = every.take(places(commits["change"], every["change"])).set_index(commits.index)
    own, pushed = about["sha"] == commits["sha"], about["kind"] == "commit"
    order = commits.assign(own=~own, at=about["merged_at"], pushed=pushed).sort_values(["own", "at", "pushed"], kind="stable")
    order = order.drop_duplicates(["repository", "sha"])
    return dict(zip(plain(keys(order)), plain(order["change"]), strict=True))


def _changes_of(every: pd.DataFrame, commits: pd.DataFrame, some: pd.DataFrame) -> list[str | None]:
    """For each of some commits the change that it is of."""
    asked = keys(some)
    of_commit = _of_commit(every, commits, asked)
    return [of_commit.get(one) for one in plain(asked)]


REVERTS = re.compile(r'(?:Revert ")+')


def takes_back(subject: str) -> bool:
    """Whether a subject says that something is taken back; a revert of a revert brings it again.

    >>> [takes_back(said) for said in ('Revert "Sort"', 'Revert "Revert "Sort""', 'Revert "Reapply "Sort""', 'Reapply "Sort"')]
    [True, False, True, False]
    """
    told = REVERTS.match(subject)
    return told is not None and len(told[0]) // len('Revert "') % 2 == 1


def _brings_again(subject: str | None) -> bool:
    """Whether a subject says that something which was taken back is brought again."""
    return subject is not None and subject.startswith(('Revert "', 'Reapply "')) and not takes_back(subject)


def _by_branch(every: pd.DataFrame) -> Iterator[Claim]:
    """GitHub's button names the branch of a revert `revert-12-…`; that of its revert `revert-13-revert-12-…`."""
    likely = every[every["branch"].str.startswith("revert-").eq(True)]
    for change, repository, branch in zip(*(plain(likely[name]) for name in ("change", "repository", "branch")), strict=True):
        if named := REVERT_BRANCH.match(branch):
            numbers = re.findall(r"\d+", named[0])
            yield Claim(change, f"{repository}#{numbers[0]}", again=len(numbers) % 2 == 0)


def _by_message(facts: Facts, every: pd.DataFrame, commits: pd.DataFrame) -> Iterator[Claim]:
    """The change and what it takes back by the messages of its commits: shas, also short ones, and numbers."""
    likely = facts.commits[facts.commits["message"].str.contains("This reverts|Reverts ").eq(True)]
    whole = _Whole(facts.commits)
    said = [
        (f"{repository}@{sha}", repository, message, [f"{repository}@{whole.of(one, repository)}" for one in shas])
        for repository, sha, message in zip(*(plain(likely[name]) for name in ("repository", "sha", "message")), strict=True)
        for shas in (REVERTED_SHA.findall(message),)
    ]
    of_commit = _of_commit(every, commits, pd.Series([one for own, _, _, shas in said for one in (own, *shas)], dtype="str"))
    for own, repository, message, shas in said:
        change, again = of_commit.get(own), _brings_again(message)
        if change is None:
            continue
        for one in shas:
            if other := of_commit.get(one):
                yield Claim(change, other, again)
        for told in REVERTED_NUMBER.finditer(message):
            yield Claim(change, f"{same_place(told['there'], repository)}#{told['number']}", again)


def same_place(told: str | None, repository: str) -> str:
    """The repository that a message names: our own where only the owner is another word for it, as in a folder's name.

    >>> same_place("ann/shop", "shop"), same_place("ann/till", "ann/shop"), same_place(None, "shop")
    ('shop', 'ann/till', 'shop')
    """
    if told is None or (told.rpartition("/")[2].casefold() == repository.casefold()):
        return repository
    return repository if told.casefold() == repository.casefold() else told


class _Whole:
    """Whole shas for those that messages cut short."""

    def __init__(self, commits: pd.DataFrame) -> None:
        self.commits = commits
        self.known: dict[str, list[str]] = {}

    def of(self, sha: str, repository: str) -> str:
        """The whole sha; as it is where it is whole, or could be several."""
        if len(sha) >= WHOLE:
            return sha
        if repository not in self.known:
            self.known[repository] = sorted(self.commits.loc[self.commits["repository"] == repository, "sha"])
        shas = self.known[repository]
        place = bisect_left(shas, sha)
        found = [one for one in shas[place : place + 2] if one.startswith(sha)]
        return found[0] if len(found) == 1 else sha


def _by_title(facts: Facts, every: pd.DataFrame, commits: pd.DataFrame) -> Iterator[Claim]:
    """The change and what it takes back by the title in quotes, in its own title or the messages of its commits."""
    said = _quoting(facts, every, commits)
    if not said:
        return
    titles = _titles(facts, every, commits, {quoted for _, _, quoted, _, _ in said})
    for change, repository, quoted, again, at in said:
        number = NUMBER.search(quoted)
        if number:
            yield Claim(change, f"{repository}#{number[1]}", again)
        before = [(when, other) for when, other in titles.get((repository, quoted), ()) if at is None or when <= at]
        before = [(when, other) for when, other in before if other != change]
        if before:
            yield Claim(change, max(before)[1], again)


# change, repository, the title that is taken back, whether that brings something again, when
Saying = tuple[str, str, str, bool, pd.Timestamp | None]


def _quoting(facts: Facts, every: pd.DataFrame, commits: pd.DataFrame) -> list[Saying]:
    """Each change whose title or messages quote a title to take it back, or to apply it again."""
    likely = every[every["title"].str.startswith(('Revert "', 'Reapply "')).eq(True)]
    at = likely["opened_at"].fillna(likely["merged_at"])
    told = [*zip(plain(likely["change"]), plain(likely["repository"]), plain(likely["title"]), plain(at), strict=True)]
    messages = facts.commits[facts.commits["message"].str.contains('(?:Revert|Reapply) "').eq(True)]
    changes = _changes_of(every, commits, messages)
    columns = (plain(messages[name]) for name in ("repository", "message", "committed_at"))
    told += [row for row in zip(changes, *columns, strict=True) if row[0] is not None]
    return [
        (change, repository, _taken_back(found), _brings_again(found[0]), at)
        for change, repository, text, at in told
        for found in QUOTED.finditer(text)
    ]


def _taken_back(found: "re.Match[str]") -> str:
    """The title that a subject takes back: what it quotes; who applies something again takes back its revert."""
    return found["title"] if found["how"] == "Revert" else f'Revert "{found["title"]}"'


def _titles(
    facts: Facts, every: pd.DataFrame, commits: pd.DataFrame, quoted: set[str]
) -> dict[tuple[str, str], list[tuple[pd.Timestamp, str]]]:
    """For each repository and quoted title: the changes that have it, as title or as a commit's subject, and since when."""
    found: dict[tuple[str, str], list[tuple[pd.Timestamp, str]]] = {}
    subjects = facts.commits[among(facts.commits["subject"], quoted)]
    changes = _changes_of(every, commits, subjects)
    rows = [*zip(plain(subjects["repository"]), plain(subjects["subject"]), plain(subjects["committed_at"]), changes, strict=True)]
    titled = every[every["merged_at"].notna() & among(every["title"], quoted)]
    rows += [*zip(*(plain(titled[name]) for name in ("repository", "title", "merged_at", "change")), strict=True)]
    for repository, title, at, change in rows:
        if change is not None:
            found.setdefault((repository, title), []).append((at, change))
    return found
