"""What middleware takes for a deployment, which pull requests it carries, how it reads their reviews, and what an incident is."""

import re
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from vsm.frames import TIME, looked_up, no_text, plain
from vsm.metrics.figure import hours

RUNS = {**dict.fromkeys(("deployment", "application", "repository", "branch", "result"), "str"), "conducted_at": TIME}
BOT = re.compile(r"\b[\w@-]*[-_\[\]@ ]+bot[-_\d\[\]]*\b|\[bot\]|_bot_|_bot$|^bot_", re.IGNORECASE)
REVERT = re.compile(r"revert-(\d+)-\w")


def is_bot(name: str) -> bool:
    """Whether middleware takes a name for a program's: "bot" as a word of its own beside a sign, so not dependabot.

    >>> is_bot("ci-bot"), is_bot("renovate[bot]"), is_bot("dependabot"), is_bot("robotics_expert")
    (True, True, False, False)
    """
    return bool(BOT.search(name))


def reverted(branch: str | None) -> int | None:
    """The number of the pull request that a branch named `revert-12-…` takes back.

    >>> reverted("revert-12-sort"), reverted("revert-12")
    (12, None)
    """
    found = REVERT.search(branch or "")
    return int(found[1]) if found else None


def runs_of(deployments: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Production deployments as runs: at their start, of the branch that they name, else of the one most is merged into.

    A tag is no branch: such a run counts as one of the most usual target of its repository's pull requests.
    """
    mine = deployments[deployments["production"]]
    merged = changes[changes["merged_at"].notna() & changes["target_branch"].notna()]
    usual: dict[str, str] = {}
    for key in ("application", "repository"):
        counts = merged.groupby([key, "target_branch"]).size().sort_values(ascending=False, kind="stable").reset_index()
        usual |= counts.drop_duplicates(key).set_index(key)["target_branch"].to_dict()
    targets = set(merged["repository"] + "\0" + merged["target_branch"])
    named = mine["ref"].where((mine["repository"] + "\0" + mine["ref"]).isin(targets))
    other = mine["repository"].fillna(mine["application"]).map(usual).astype("str")
    began = mine["started_at"].fillna(mine["finished_at"])
    rows = mine.assign(deployment=mine["id"], branch=named.fillna(other), conducted_at=began)[list(RUNS)].astype(RUNS)
    return rows.dropna(subset="conducted_at").sort_values("conducted_at", kind="stable", ignore_index=True)


def carried(pulls: pd.DataFrame, branch: str, at: pd.Timestamp) -> list[str]:
    """The merged pull requests that a run of a branch carries, also through the branches that were merged into it.

    `pulls`: change, branch, target_branch, merged_at. A request counts where it was merged no later than
    its target was last merged on; which of two branches of one name is meant nobody asks.
    """
    waiting = _Waiting()
    for change, head, base, merged in _requests(pulls):
        waiting.put(change, head, base, merged)
    return waiting.take(branch, at)


Request = tuple[str, str, str, pd.Timestamp]


def _requests(pulls: pd.DataFrame) -> list[Request]:
    """change, branch, target branch and merge of merged pull requests, in the order of their merges."""
    told = pulls[pulls["merged_at"].notna()].sort_values("merged_at", kind="stable")
    return list(zip(*(plain(told[name]) for name in ("change", "branch", "target_branch", "merged_at")), strict=True))


class _Waiting:
    """Merged pull requests that no run has carried yet."""

    def __init__(self) -> None:
        self.into: dict[str, list[tuple[str, str, pd.Timestamp]]] = {}
        self.merges: dict[str, list[pd.Timestamp]] = {}

    def put(self, change: str, head: str, base: str, merged: pd.Timestamp) -> None:
        self.into.setdefault(base, []).append((change, head, merged))
        self.merges.setdefault(head, []).append(merged)

    def take(self, branch: str, at: pd.Timestamp) -> list[str]:
        """What a run of a branch carries; it waits no longer."""
        found: list[str] = []
        taken: list[tuple[str, tuple[str, str, pd.Timestamp]]] = []
        seen, queue = set(), deque([branch])
        while queue:
            here = queue.popleft()
            if here in seen:
                continue
            seen.add(here)
            last = max([*self.merges.get(here, ()), *([at] if here == branch else ())])
            for request in self.into.get(here, ()):
                if request[2] <= last:
                    found.append(request[0])
                    taken.append((here, request))
                    queue.append(request[1])
        for base, request in taken:
            self.into[base].remove(request)
            self.merges[request[1]].remove(request[2])
        return found


def shipments(changes: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """change, deployment, deployed_at: the first successful run that carries each merged pull request."""
    pulls = merged_pulls(changes)
    found: list[tuple[str, str, pd.Timestamp]] = []
    for key in ("repository", "application"):
        mine = runs[(runs["result"] == "success") & runs["branch"].notna() & runs["repository"].notna().eq(key == "repository")]
        for name, line in mine.groupby(key, sort=True):
            coming = deque(_requests(pulls[pulls[key] == name]))
            waiting = _Waiting()
            for run, branch, at in zip(*(plain(line[it]) for it in ("deployment", "branch", "conducted_at")), strict=True):
                while coming and coming[0][3] <= at:
                    waiting.put(*coming.popleft())
                found += [(change, run, at) for change in waiting.take(branch, at)]
    told = pd.DataFrame(found, columns=["change", "deployment", "deployed_at"])
    return told.astype({"change": "str", "deployment": "str", "deployed_at": TIME}).drop_duplicates("change", ignore_index=True)


def merged_pulls(changes: pd.DataFrame) -> pd.DataFrame:
    """The changes that are merged pull requests."""
    return changes[(changes["kind"] == "pull_request") & changes["merged_at"].notna()]


def performance(changes: pd.DataFrame, reviews: pd.DataFrame) -> pd.DataFrame:
    """The parts of each pull request in hours, by change: first_commit_to_open, first_response, rework, merge, cycle.

    `reviews`: change, at, by, state; those of programs do not count. The response begins when the request was ready, and
    is negative where the review came before; rework runs to the first approval, merge from there to the merge.
    """
    counted = reviews[~reviews["by"].fillna("").map(is_bot).astype("bool")].sort_values("at", kind="stable")
    first = counted.drop_duplicates("change").set_index("change")
    approved = counted[counted["state"].str.casefold() == "approved"].drop_duplicates("change").set_index("change")["at"]
    key, ready = changes["change"], changes["ready_at"].fillna(changes["opened_at"])
    reviewed, agreed = looked_up(key, first["at"]), looked_up(key, approved)
    merged = changes["merged_at"]
    wait = hours(merged - agreed)
    return pd.DataFrame(
        {
            "change": key,
            "first_commit_to_open": hours(changes["opened_at"] - changes["first_commit_at"]),
            "first_response": hours(reviewed - ready),
            "rework": hours(agreed - reviewed),
            "merge": wait.where(wait >= 0),
            "cycle": hours(merged - ready),
        }
    )


def rework_cycles(reviews: pd.DataFrame, commits: Sequence[pd.Timestamp], reviewers: Sequence[str], author: str | None) -> int:
    """How often commits came after a review that did not approve, between the first such review and the first approval.

    `reviews` of one pull request: at, by, state. What is said at the very instant of the approval is outside.
    middleware shows it beside the lead time; here it is only compared.
    """
    told = reviews.sort_values("at", kind="stable")
    approves = told["state"].str.casefold() == "approved"
    asked = told[~approves & told["by"].isin(list(reviewers))]
    end = told.loc[approves, "at"].min()
    start = asked.loc[~(asked["at"] > end), "at"].min()
    if pd.isna(start) or pd.isna(end):
        return 0
    start -= pd.Timedelta(seconds=1)
    asked = asked[asked["by"] != author] if author is not None else asked
    events = [(at, "commit") for at in sorted(commits)] + [(at, "review") for at in asked["at"]]
    events = sorted((event for event in events if start < event[0] < end), key=lambda event: event[0])
    return sum(a == "review" and b == "commit" for (_, a), (_, b) in pairwise(events))


def incidents_of(incidents: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Incidents, and merged pull requests taken back by one from a branch `revert-12-…`: from its merge to the revert's.

    id, opened_at, resolved_at; the first revert of a request counts.
    """
    pulls = merged_pulls(changes)
    numbers = pd.Series([reverted(branch) for branch in plain(pulls["branch"])], index=pulls.index, dtype="Int64")
    back = pulls.assign(other=(pulls["repository"] + "#" + numbers.astype("str")).where(numbers.notna()))
    back = back.dropna(subset="other").sort_values(["merged_at", "change"], kind="stable").drop_duplicates("other")
    merged = looked_up(back["other"], pulls.set_index("change")["merged_at"])
    told = pd.DataFrame({"id": "revert of " + back["other"], "opened_at": merged, "resolved_at": back["merged_at"]})
    told = told[merged.notna()]
    own = incidents[["id", "opened_at", "resolved_at"]]
    return (pd.concat([own, told], ignore_index=True) if len(told) else own).reset_index(drop=True)


def incident_links(runs: pd.DataFrame, incidents: pd.DataFrame) -> pd.Series:
    """Each incident's run: the last one that had begun by when it was opened, the very instant included.

    Of all repositories and whatever the run's result, however long ago; of runs of one instant the last in the list.
    """
    if runs.empty:
        return no_text(incidents.index)
    order = runs.sort_values("conducted_at", kind="stable")
    place = np.searchsorted(order["conducted_at"].to_numpy(), incidents["opened_at"].to_numpy(), side="right") - 1
    told = order["deployment"].to_numpy(dtype=object)[np.maximum(place, 0)]
    return pd.Series(np.where((place >= 0) & incidents["opened_at"].notna(), told, None), index=incidents.index, dtype="str")
