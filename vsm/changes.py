"""Changes: merged pull requests and commits pushed straight to the default branch, with their commits and times."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vsm.frames import looked_up, no_text, no_times, text
from vsm.graph import CommitGraph
from vsm.people import People
from vsm.store import Facts

REVERTED_SHA = re.compile(r"This reverts commit ([0-9a-f]{7,64})")
REVERTED_TITLE = re.compile(r'^Revert "(?!Revert ")(.+)"', re.M)
REVERT_BRANCH = re.compile(r"^revert-(\d+)-")
NUMBER = re.compile(r"\(#(\d+)\)$")
WHOLE = 40  # characters of a sha
SHORT = 12  # characters of a sha in a change's name

COLUMNS = (
    "change", "kind", "repository", "number", "sha", "title", "author", "branch", "target_branch", "labels", "url", "application",
    "first_commit_at", "opened_at", "ready_at", "first_review_at", "approved_at", "merged_at", "closed_at", "start_rule", "reverts",
)  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """``changes``: a row a change (COLUMNS). ``commits``: change, repository, sha, authored_at. ``graphs`` by repository."""

    changes: pd.DataFrame
    commits: pd.DataFrame
    graphs: dict[str, CommitGraph]


def changes(facts: Facts, people: People) -> Changes:
    """Every pull request, and every commit on a default branch's main line that no pull request brought.

    A commit of a side branch that was merged without a pull request belongs to the merge.
    """
    graphs = {str(name): CommitGraph.of(commits) for name, commits in facts.commits.groupby("repository", sort=True)}
    proposed = _proposed(facts, people)
    pushed, brought = _landings(facts, graphs, proposed)
    direct = _direct(facts, people, pushed)
    every = pd.concat([proposed, direct], ignore_index=True) if len(direct) else proposed
    commits = _commits(facts, every, brought)
    every = _started(every, commits, facts)
    every["application"] = _applications(facts, every["repository"])
    every["reverts"] = _reverts(facts, every, commits)
    return Changes(every[list(COLUMNS)].sort_values("change", kind="stable", ignore_index=True), commits, graphs)


def application_of(repository: str, told: dict[str, str]) -> str:
    """The application that a repository is: what the facts say, else the repository's own name without its owner."""
    return told.get(repository) or repository.rpartition("/")[2]


def _applications(facts: Facts, repositories: pd.Series) -> pd.Series:
    told = facts.repositories.dropna(subset="application").set_index("name")["application"].to_dict()
    names = {repository: application_of(repository, told) for repository in repositories.dropna().unique()}
    return repositories.map(names).astype("str")


def _proposed(facts: Facts, people: People) -> pd.DataFrame:
    """Pull requests as changes."""
    told = facts.pull_requests
    reviewed = _first(facts.reviews, "submitted_at", told, by_others="reviewer")
    approved = _first(facts.reviews[facts.reviews["state"].str.casefold() == "approved"], "submitted_at", told)
    return pd.DataFrame(
        {
            "change": _name(told),
            "kind": text("pull_request", told.index),
            "repository": told["repository"],
            "number": told["number"],
            "sha": told["merge_sha"],
            "title": told["title"],
            "author": people.persons(told["author"], "pull_requests"),
            "branch": told["source_branch"],
            "target_branch": told["target_branch"],
            "labels": told["labels"],
            "url": told["url"],
            "first_commit_at": told["first_commit_at"],
            "opened_at": told["created_at"],
            "ready_at": told["ready_at"].fillna(told["created_at"]),
            "first_review_at": told["first_review_at"].fillna(reviewed),
            "approved_at": told["approved_at"].fillna(approved),
            "merged_at": told["merged_at"],
            "closed_at": told["closed_at"].where(told["merged_at"].isna()),
            "start_rule": text("first commit, as the source says", told.index),
        }
    )


def _first(reviews: pd.DataFrame, time: str, requests: pd.DataFrame, by_others: str | None = None) -> pd.Series:
    """The first time for each pull request; with `by_others` only by somebody who is not its author."""
    key = ["repository", "number"]
    if by_others is not None:
        reviews = reviews.merge(requests[[*key, "author"]], on=key)
        reviews = reviews[(reviews[by_others] != reviews["author"]) | reviews["author"].isna()]
    # As text, since a key of several columns has no type when it is empty.
    first = reviews.groupby(_name(reviews))[time].min()
    return looked_up(_name(requests), first)


def _name(requests: pd.DataFrame) -> pd.Series:
    """A pull request's name as a change."""
    return (requests["repository"] + "#" + requests["number"].astype("str")).astype("str")


def _landings(
    facts: Facts, graphs: dict[str, CommitGraph], proposed: pd.DataFrame
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """Which change each landing commit is, and which change each commit came with.

    Walks each main line from its beginning: what a landing reaches and no earlier one did came with it.
    """
    owner = {
        (repository, sha): change
        for repository, sha, change in zip(proposed["repository"], proposed["sha"], proposed["change"], strict=True)
        if isinstance(sha, str)
    }
    # A rebase merge leaves a request's own commits on the main line, its landing commit last.
    branch = {
        (repository, sha): f"{repository}#{number}"
        for repository, sha, number in facts.pull_request_commits[["repository", "sha", "number"]].itertuples(index=False)
    }
    brought: dict[tuple[str, str], str] = {}
    direct: dict[tuple[str, str], str] = {}
    for repository, graph in graphs.items():
        seen: set[str] = set()
        landed = [sha for name, sha in owner if name == repository]
        for sha in graph.main_line(landed):
            place = (repository, sha)
            change = owner.get(place) or branch.get(place)
            if change is None:
                change = direct[place] = f"{repository}@{sha[:SHORT]}"
            for commit in graph.unseen(sha, seen):
                brought[repository, commit] = change
    return direct, brought


def _direct(facts: Facts, people: People, direct: dict[tuple[str, str], str]) -> pd.DataFrame:
    """Commits pushed straight to the default branch, as changes: landed when they were committed."""
    names = _came_with(facts.commits, direct)
    told = facts.commits[names.notna()]
    nothing, none = no_times(told.index), no_text(told.index)
    return pd.DataFrame(
        {
            "change": names[names.notna()], "kind": text("commit", told.index),
            "repository": told["repository"], "number": pd.Series(pd.NA, index=told.index, dtype="Int64"), "sha": told["sha"],
            "title": told["subject"], "author": people.persons(told["author"], "commits"), "branch": none, "target_branch": none,
            "labels": none, "url": none, "first_commit_at": nothing, "opened_at": nothing, "ready_at": nothing,
            "first_review_at": nothing, "approved_at": nothing, "merged_at": told["committed_at"], "closed_at": nothing,
            "start_rule": none,
        }
    )  # fmt: skip


def _commits(facts: Facts, every: pd.DataFrame, brought: dict[tuple[str, str], str]) -> pd.DataFrame:
    """change, repository, sha, authored_at: a request's own commits, and those that came with its landing."""
    own = facts.pull_request_commits
    stated = pd.DataFrame(
        {
            "change": _name(own),
            "repository": own["repository"], "sha": own["sha"], "authored_at": own["authored_at"],
        }
    )  # fmt: skip
    landed = every.loc[every["sha"].notna(), ["change", "repository", "sha"]]
    landed = landed.assign(authored_at=no_times(landed.index))
    came = facts.commits.assign(change=_came_with(facts.commits, brought)).dropna(subset="change")
    came = came[["change", "repository", "sha", "authored_at"]]
    every_commit = pd.concat([came, stated, landed], ignore_index=True)
    every_commit = every_commit[every_commit["change"].isin(every["change"])]
    return every_commit.drop_duplicates(["change", "repository", "sha"], ignore_index=True)


def _came_with(commits: pd.DataFrame, named: dict[tuple[str, str], str]) -> pd.Series:
    """The change that is named for each commit; missing where none is."""
    places = zip(commits["repository"], commits["sha"], strict=True)
    return pd.Series([named.get(place) for place in places], index=commits.index, dtype="str")


def _started(every: pd.DataFrame, commits: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Add first_commit_at where no source says it: the earliest author date of the change's own commits.

    A squash hides its branch's commits: its own author date is the merge's, so its start stays missing.
    """
    every = every.copy()
    commits_at = facts.commits["repository"] + "@" + facts.commits["sha"]
    parents = looked_up(every["repository"] + "@" + every["sha"], facts.commits["parents"].set_axis(commits_at))
    single = ~parents.fillna("").str.contains(" ", regex=False)
    own = facts.pull_request_commits
    stated = every["change"].isin(_name(own))
    squash = (every["kind"] == "pull_request") & single & ~stated & every["sha"].notna()
    first = looked_up(every["change"], commits.groupby("change")["authored_at"].min())
    told = every["first_commit_at"].notna()
    known = ~told & ~squash & first.notna()
    every["first_commit_at"] = every["first_commit_at"].where(told, first.where(known))
    pushed = every["kind"] == "commit"
    every["start_rule"] = np.select(
        [told, known & pushed, known, squash],
        [
            "first commit, as the source says",
            "author date of the pushed commit",
            "earliest author date of the pull request's commits",
            "squashed: its branch's commits are not known, and the squash is dated at the merge",
        ],
        "its commits are not known",
    )
    return every


def _reverts(facts: Facts, every: pd.DataFrame, commits: pd.DataFrame) -> pd.Series:
    """The change that each change takes back: by the sha in a message, by number, or by the title in quotes.

    A re-application (`Revert "Revert …`) takes nothing back, nor does a change that reverts its own commits.
    """
    of_commit = dict(zip(zip(commits["repository"], commits["sha"], strict=True), commits["change"], strict=True))
    messages = facts.commits[facts.commits["message"].str.contains("revert", case=False, regex=False).eq(True)]
    found = _named_reverts(every)
    if len(messages):
        titles = _titles(facts, of_commit)
        for repository, sha, message, at in messages[["repository", "sha", "message", "committed_at"]].itertuples(index=False):
            change = of_commit.get((repository, sha))
            if change is None or message.startswith('Revert "Revert "'):
                continue
            by_sha = [of_commit.get((repository, _whole(told, repository, facts))) for told in REVERTED_SHA.findall(message)]
            by_title = [_titled(titles, repository, quoted, at) for quoted in REVERTED_TITLE.findall(message)]
            other = next((one for one in [*by_sha, *by_title] if one is not None and one != change), None)
            if other is not None:
                found.setdefault(change, other)
    return every["change"].map(found).astype("str")


def _whole(sha: str, repository: str, facts: Facts) -> str:
    """A sha that a message cut short, whole; as it is where it is whole, or could be several."""
    if len(sha) >= WHOLE:
        return sha
    shas = facts.commits["sha"]
    found = shas[shas.str.startswith(sha) & (facts.commits["repository"] == repository)]
    return str(found.iloc[0]) if len(found) == 1 else sha


Titles = dict[tuple[str, str], list[tuple[pd.Timestamp, str]]]


def _titles(facts: Facts, of_commit: dict[tuple[str, str], str]) -> Titles:
    """For each repository and subject: when it was committed and with which change, oldest first."""
    found: Titles = {}
    ordered = facts.commits.dropna(subset="subject").sort_values("committed_at", kind="stable")
    for repository, sha, subject, at in ordered[["repository", "sha", "subject", "committed_at"]].itertuples(index=False):
        change = of_commit.get((repository, sha))
        if change is not None:
            found.setdefault((repository, subject), []).append((at, change))
    return found


def _titled(titles: Titles, repository: str, quoted: str, at: pd.Timestamp) -> str | None:
    """The newest change before an instant whose commit has the quoted subject."""
    before = [change for when, change in titles.get((repository, quoted), []) if when <= at]
    return before[-1] if before else None


def _named_reverts(every: pd.DataFrame) -> dict[str, str]:
    """Reverts that say what they take back by a branch `revert-12-…`, by a number, or by the title in quotes."""
    names = set(every["change"])
    by_title = dict(zip(zip(every["repository"], every["title"].fillna(""), strict=True), every["change"], strict=True))
    found: dict[str, str] = {}
    for change, repository, title, branch in every[["change", "repository", "title", "branch"]].itertuples(index=False):
        by_branch = REVERT_BRANCH.match(branch) if isinstance(branch, str) else None
        quoted = REVERTED_TITLE.match(title) if isinstance(title, str) else None
        number = by_branch or (quoted and NUMBER.search(quoted[1]))
        other = f"{repository}#{number[1]}" if number else by_title.get((repository, quoted[1]), "") if quoted else ""
        if other in names and other != change:
            found[change] = other
    return found
