"""Changes: merged pull requests and commits pushed straight to the default branch, with their commits and times."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vsm.frames import Codes, Mask, instants, looked_up, named, no_text, no_times, text
from vsm.history import NONE, History
from vsm.landings import Requests, landings, name
from vsm.meanwhile import meanwhile
from vsm.people import People
from vsm.reverts import reverts
from vsm.store import Facts
from vsm.working_time import NOT_A_TIME, micros

MERGED_BRANCH = r"Merge (?:remote-tracking )?branch '(?:origin/)?([^']+)'(?! of )"
SHORT = 12  # characters of a sha in a change's name

COLUMNS = (
    "change", "kind", "repository", "number", "sha", "title", "author", "branch", "target_branch", "labels", "url", "application",
    "first_commit_at", "opened_at", "ready_at", "first_review_at", "approved_at", "merged_at", "closed_at", "start_rule", "reverts",
    "reapplies",
)  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """``changes``: a row a change (COLUMNS). ``commits``: change, repository, sha, authored_at; of each ``of`` is the row of
    its change and ``number`` that of the commit (NONE where it was never read).

    ``history``: the graph of all commits that were read. ``came``: by commit the row of the change that it came with
    to a default branch; ``landed``: by change the commit that it landed with; NONE: with none.
    """

    changes: pd.DataFrame
    commits: pd.DataFrame
    of: Codes
    number: Codes
    history: History
    came: Codes
    landed: Codes


def changes(facts: Facts, people: People) -> Changes:
    """Every pull request, and every commit on a default branch's main line that no pull request brought.

    A commit of a side branch that was merged without a pull request belongs to the merge.
    """
    read = meanwhile(lambda: History.of(facts.commits))
    proposed, history = _proposed(facts, people), read()
    own = Requests.of_facts(facts, history, proposed)
    pushed, came = landings(facts, history, proposed, own)
    direct = _direct(facts, people, pushed)
    every = pd.concat([proposed, direct], ignore_index=True) if len(direct) else proposed.reset_index(drop=True)
    landed = history.numbers(every)
    commits, of, number = _commits(facts, history, every, own, came, landed)
    merge = landed != NONE
    merge[merge] = history.several[landed[merge]]
    alone = ~(merge[of] & (number == landed[of]))
    every = _started(every, merge, own, _earliest(of[alone], micros(commits["authored_at"])[alone], len(every)))
    every["application"] = _applications(facts, every["repository"])
    every["reverts"], every["reapplies"] = reverts(facts, every, commits)
    every = every[list(COLUMNS)].sort_values("change", kind="stable")
    order = every.index.to_numpy()
    row = np.append(np.argsort(order), NONE)
    return Changes(every.reset_index(drop=True), commits, row[of], number, history, row[came], landed[order])


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
    change, author = name(told), people.persons(told["author"], "pull_requests")
    reviews = reviews_by_others(facts, people, author.set_axis(change))
    approvals = reviews[reviews["state"].str.casefold() == "approved"]
    reviewed, approved = (looked_up(change, some.groupby("change")["submitted_at"].min()) for some in (reviews, approvals))
    return pd.DataFrame(
        {
            "change": change,
            "kind": text("pull_request", told.index),
            "repository": told["repository"],
            "number": told["number"],
            # Of an open pull request some sources name a commit that only tries the merge.
            "sha": told["merge_sha"].where(told["merged_at"].notna()),
            "title": told["title"],
            "author": author,
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


def reviews_by_others(facts: Facts, people: People, authors: pd.Series) -> pd.DataFrame:
    """The reviews, each with its change and the person who gave it; what authors say of their own change is no review.

    `authors`: the person who wrote each change, by change.
    """
    told = facts.reviews.assign(change=name(facts.reviews), reviewer=people.persons(facts.reviews["reviewer"], "reviews"))
    return told[told["reviewer"].isna() | (told["reviewer"] != looked_up(told["change"], authors))]


def _direct(facts: Facts, people: People, pushed: Mask) -> pd.DataFrame:
    """Commits pushed straight to the default branch, as changes: landed when they were committed."""
    told = facts.commits[pushed]
    nothing, none = no_times(told.index), no_text(told.index)
    merges = told.loc[told["subject"].str.contains("Merge ", regex=False).eq(True), "subject"]
    return pd.DataFrame(
        {
            "change": (told["repository"] + "@" + told["sha"].str.slice(0, SHORT)).astype("str"),
            "kind": text("commit", told.index), "repository": told["repository"],
            "number": pd.Series(pd.NA, index=told.index, dtype="Int64"), "sha": told["sha"], "title": told["subject"],
            "author": people.persons(told["author"], "commits"),
            "branch": merges.str.extract(MERGED_BRANCH, expand=False).reindex(told.index).astype("str"), "target_branch": none,
            "labels": none, "url": none, "first_commit_at": nothing, "opened_at": nothing, "ready_at": nothing,
            "first_review_at": nothing, "approved_at": nothing, "merged_at": told["committed_at"], "closed_at": nothing,
            "start_rule": none,
        }
    )  # fmt: skip


def _commits(
    facts: Facts, history: History, every: pd.DataFrame, own: Requests, came: Codes, landed: Codes
) -> tuple[pd.DataFrame, Codes, Codes]:
    """change, repository, sha, authored_at: a request's own commits, and those that came with its landing.

    With them the row of each one's change, and its number.
    """
    known, stated = np.flatnonzero(came != NONE), np.flatnonzero(own.of != NONE)
    lands = np.flatnonzero(every["sha"].notna())
    of = np.concatenate([came[known], own.of[stated], lands])
    number = np.concatenate([known, own.commit[stated], landed[lands]])
    told = facts.pull_request_commits
    sha = pd.concat([facts.commits["sha"].take(known), told["sha"].take(stated), every["sha"].take(lands)], ignore_index=True)
    unread = np.flatnonzero(number == NONE)
    place = number.copy()
    place[unread] = len(history.key) + pd.factorize(sha.take(unread))[0]
    first = np.flatnonzero(~pd.Series(of * (len(history.key) + len(unread) + 1) + place).duplicated().to_numpy())
    authored = micros(facts.commits["authored_at"])
    at = np.concatenate([authored[known], own.authored[stated], np.full(len(lands), NOT_A_TIME)])[first]
    of, number = of[first], number[first]
    at = np.where((at == NOT_A_TIME) & (number != NONE), np.append(authored, NOT_A_TIME)[number], at)
    rows = every.take(of)
    return (
        pd.DataFrame(
            {
                "change": rows["change"].array,
                "repository": rows["repository"].array,
                "sha": sha.take(first).array,
                "authored_at": instants(at),
            }
        ),
        of,
        number,
    )


def _earliest(of: Codes, at: Codes, rows: int) -> pd.Series:
    """The earliest of the times of each row; missing where there is none."""
    dated = at != NOT_A_TIME
    never = np.iinfo("int64").max
    found = np.full(rows, never)
    np.minimum.at(found, of[dated], at[dated])
    return instants(np.where(found == never, NOT_A_TIME, found))


def _started(every: pd.DataFrame, several: Mask, own: Requests, first: pd.Series) -> pd.DataFrame:
    """Add first_commit_at where no source says it: the earliest author date of the change's own commits, given as `first`.

    A squash hides its branch's commits: its own author date is the merge's, so its start stays
    missing. A merge is no work of its own, so it does not count where it stands for others.
    """
    every = every.copy()
    stated = np.zeros(len(every), dtype="bool")
    stated[own.of[own.of != NONE]] = True
    squash = (every["kind"] == "pull_request") & ~several & ~stated & every["sha"].notna()
    told = every["first_commit_at"].notna()
    known = ~told & ~squash & first.notna()
    every["first_commit_at"] = every["first_commit_at"].where(told, first.where(known))
    pushed = every["kind"] == "commit"
    rules = (
        "first commit, as the source says",
        "earliest author date of the commits that were merged",
        "author date of the pushed commit",
        "earliest author date of the pull request's commits",
        "squashed: its branch's commits are not known, and the squash is dated at the merge",
        "its commits are not known",
    )
    which = np.select([told, known & pushed & several, known & pushed, known, squash], range(5), 5)
    every["start_rule"] = named(which, rules)
    return every
