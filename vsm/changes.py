"""Changes: merged pull requests and commits pushed straight to the default branch, with their commits and times."""

import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from vsm.frames import among, looked_up, no_text, no_times, plain, text
from vsm.graph import CommitGraph
from vsm.people import People
from vsm.store import Facts
from vsm.working_time import micros

REVERTED_SHA = re.compile(r"This reverts commit ([0-9a-f]{7,64})")
QUOTED = re.compile(r'^(?P<how>Revert|Reapply) "(?P<title>.+)"', re.M)
REVERTED_NUMBER = re.compile(
    r"^(?:Reverts (?P<there>[\w.-]+/[\w.-]+)?#|This reverts merge request (?:[\w./-]+)?!)(?P<number>\d+)", re.M
)
REVERT_BRANCH = re.compile(r"^(?:revert-(?:pr-)?\d+(?:-|$))+")
NUMBER = re.compile(r"\((?:pull request )?#(\d+)\)$")
MERGED_BRANCH = re.compile(r"Merge (?:remote-tracking )?branch '(?:origin/)?([^']+)'(?! of )")
WHOLE = 40  # characters of a sha
SHORT = 12  # characters of a sha in a change's name

COLUMNS = (
    "change", "kind", "repository", "number", "sha", "title", "author", "branch", "target_branch", "labels", "url", "application",
    "first_commit_at", "opened_at", "ready_at", "first_review_at", "approved_at", "merged_at", "closed_at", "start_rule", "reverts",
    "reapplies",
)  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """``changes``: a row a change (COLUMNS). ``commits``: change, repository, sha, authored_at. ``graphs`` by repository.

    ``came``: by `repo@sha` the change that each commit of a default branch came with.
    """

    changes: pd.DataFrame
    commits: pd.DataFrame
    graphs: dict[str, CommitGraph]
    came: dict[str, str] = field(default_factory=dict, repr=False)


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
    every["reverts"], every["reapplies"] = _reverts(facts, every, commits)
    return Changes(every[list(COLUMNS)].sort_values("change", kind="stable", ignore_index=True), commits, graphs, brought)


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
    change, author = _name(told), people.persons(told["author"], "pull_requests")
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
    told = facts.reviews.assign(change=_name(facts.reviews), reviewer=people.persons(facts.reviews["reviewer"], "reviews"))
    return told[told["reviewer"].isna() | (told["reviewer"] != looked_up(told["change"], authors))]


def _name(requests: pd.DataFrame) -> pd.Series:
    """A pull request's name as a change."""
    return (requests["repository"] + "#" + requests["number"].astype("str")).astype("str")


def _landings(facts: Facts, graphs: dict[str, CommitGraph], proposed: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    """Which change each commit straight to a main line is, and which change each commit came with; by `repo@sha`.

    Walks each main line from its beginning: what a landing reaches and no earlier one did came with it.
    """
    owner = _owners(facts, graphs, proposed)
    brought: dict[str, str] = {}
    direct: dict[str, str] = {}
    for repository, line in _main_lines(facts, graphs, proposed).items():
        home = f"{repository}@"
        for sha, came in _came(graphs[repository], line):
            change = owner.get(home + sha)
            if change is None:
                change = direct[home + sha] = home + sha[:SHORT]
            for commit in came:
                brought[home + commit] = change
    return direct, brought


def _came(graph: CommitGraph, line: list[str]) -> Iterator[tuple[str, list[str]]]:
    """What came with each commit of a main line.

    Where the line and a merged branch both run into what was not read, nobody can tell where they
    parted: what the branch reaches may have been on the line for years. Then the merge came alone.
    """
    seen: set[str] = set()
    cut = False
    for sha in line:
        came = graph.unseen(sha, seen)
        loose = bool(graph.edge) and not graph.edge.isdisjoint(came)
        yield sha, [sha] if loose and (cut or sha in graph.edge) else came
        cut = cut or loose


def _owners(facts: Facts, graphs: dict[str, CommitGraph], proposed: pd.DataFrame) -> dict[str, str]:
    """The pull request that each commit is of, where it may lie on a main line; by `repo@sha`.

    A rebase merge leaves a request's commits on the main line, its landing commit last: as they
    were, or written anew, and then they are known by the instants at which they were authored.
    """
    merged = proposed[proposed["merged_at"].notna()]
    own = facts.pull_request_commits.assign(change=_name(facts.pull_request_commits))
    own = own[among(own["change"], merged.loc[to_default(facts, merged), "change"])]
    owner = dict(zip(plain(_place(own)), plain(own["change"]), strict=True))
    landed = merged.dropna(subset="sha")
    owner |= dict(zip(plain(_place(landed)), plain(landed["change"]), strict=True))
    several = own[own["authored_at"].notna() & own["change"].duplicated(keep=False)]
    instants: dict[str, set[int]] = {}
    for change, at in zip(plain(several["change"]), micros(several["authored_at"]).tolist(), strict=True):
        instants.setdefault(change, set()).add(at)
    authored = facts.commits.loc[among(facts.commits["repository"], several["repository"])]
    when = dict(zip(plain(_place(authored)), micros(authored["authored_at"]).tolist(), strict=True))
    rebased = landed[among(landed["change"], several["change"])]
    for change, repository, sha in zip(*(plain(rebased[name]) for name in ("change", "repository", "sha")), strict=True):
        for before in graphs[repository].single_parents(sha) if repository in graphs else ():
            if when.get(f"{repository}@{before}") not in instants[change]:
                break
            owner.setdefault(f"{repository}@{before}", change)
    return owner


def to_default(facts: Facts, merged: pd.DataFrame) -> pd.Series:
    """Which merged pull requests went to the default branch: the one that the facts name, else the most usual target."""
    told = facts.repositories.dropna(subset="default_branch").set_index("name")["default_branch"]
    usual = merged.groupby(["repository", "target_branch"]).size().sort_values(ascending=False, kind="stable").reset_index()
    usual = usual.drop_duplicates("repository").set_index("repository")["target_branch"]
    default = looked_up(merged["repository"], told).fillna(looked_up(merged["repository"], usual))
    return merged["target_branch"].isna() | (merged["target_branch"] == default)


def _main_lines(facts: Facts, graphs: dict[str, CommitGraph], proposed: pd.DataFrame) -> dict[str, list[str]]:
    """The commits of each default branch's main line, oldest first."""
    heads = facts.repositories.dropna(subset="head_sha").set_index("name")["head_sha"]
    merged = proposed[proposed["merged_at"].notna()]
    merged = merged[to_default(facts, merged)]
    offered = facts.pull_requests[["repository", "head_sha"]].rename(columns={"head_sha": "sha"})
    offered = pd.concat([facts.pull_request_commits[["repository", "sha"]], offered]).dropna()
    # Branches are deployed too, to try them; a commit that was proposed says nothing of the default branch.
    live = facts.deployments[["repository", "sha"]].dropna()
    live = live[~among(_place(live), _place(offered))]
    landed = _shas(pd.concat([merged[["repository", "sha"]].dropna(), live]))
    own = _shas(offered)
    return {name: graph.main_line(landed.get(name, set()), heads.get(name), own.get(name, set())) for name, graph in graphs.items()}


def _shas(places: pd.DataFrame) -> dict[str, set[str]]:
    return {str(repository): set(shas) for repository, shas in places.groupby("repository")["sha"]}


def _place(commits: pd.DataFrame) -> pd.Series:
    """A commit's name in all repositories."""
    return (commits["repository"] + "@" + commits["sha"]).astype("str")


def _direct(facts: Facts, people: People, direct: dict[str, str]) -> pd.DataFrame:
    """Commits pushed straight to the default branch, as changes: landed when they were committed."""
    names = _came_with(facts.commits, direct)
    told = facts.commits[names.notna()]
    nothing, none = no_times(told.index), no_text(told.index)
    return pd.DataFrame(
        {
            "change": names[names.notna()], "kind": text("commit", told.index),
            "repository": told["repository"], "number": pd.Series(pd.NA, index=told.index, dtype="Int64"), "sha": told["sha"],
            "title": told["subject"], "author": people.persons(told["author"], "commits"),
            "branch": told["subject"].str.extract(MERGED_BRANCH, expand=False).astype("str"), "target_branch": none,
            "labels": none, "url": none, "first_commit_at": nothing, "opened_at": nothing, "ready_at": nothing,
            "first_review_at": nothing, "approved_at": nothing, "merged_at": told["committed_at"], "closed_at": nothing,
            "start_rule": none,
        }
    )  # fmt: skip


def _commits(facts: Facts, every: pd.DataFrame, brought: dict[str, str]) -> pd.DataFrame:
    """change, repository, sha, authored_at: a request's own commits, and those that came with its landing."""
    own = facts.pull_request_commits
    stated = own[["repository", "sha", "authored_at"]].assign(change=_name(own))
    landed = every.loc[every["sha"].notna(), ["change", "repository", "sha"]]
    landed = landed.assign(authored_at=no_times(landed.index))
    came = facts.commits.assign(change=_came_with(facts.commits, brought)).dropna(subset="change")
    parts = [part[["change", "repository", "sha", "authored_at"]] for part in (came, stated, landed)]
    found = pd.concat(parts, ignore_index=True)
    found = found[among(found["change"], every["change"])].drop_duplicates(["change", "repository", "sha"], ignore_index=True)
    authored = facts.commits["authored_at"].set_axis(_place(facts.commits))
    return found.assign(authored_at=found["authored_at"].fillna(looked_up(_place(found), authored)))


def _came_with(commits: pd.DataFrame, named: dict[str, str]) -> pd.Series:
    """The change that is named for each commit; missing where none is."""
    return looked_up(_place(commits), pd.Series(named, dtype="str"))


def _started(every: pd.DataFrame, commits: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Add first_commit_at where no source says it: the earliest author date of the change's own commits.

    A squash hides its branch's commits: its own author date is the merge's, so its start stays
    missing. A merge is no work of its own, so it does not count where it stands for others.
    """
    every = every.copy()
    parents = looked_up(_place(every), facts.commits["parents"].set_axis(_place(facts.commits))).fillna("")
    several = parents.str.contains(" ", regex=False)
    merges = every.loc[several, "change"] + "@" + every.loc[several, "sha"]
    work = commits[~among(commits["change"] + "@" + commits["sha"], merges)]
    first = looked_up(every["change"], work.groupby("change")["authored_at"].min())
    stated = among(every["change"], _name(facts.pull_request_commits))
    squash = (every["kind"] == "pull_request") & ~several & ~stated & every["sha"].notna()
    told = every["first_commit_at"].notna()
    known = ~told & ~squash & first.notna()
    every["first_commit_at"] = every["first_commit_at"].where(told, first.where(known))
    pushed = every["kind"] == "commit"
    every["start_rule"] = np.select(
        [told, known & pushed & several, known & pushed, known, squash],
        [
            "first commit, as the source says",
            "earliest author date of the commits that were merged",
            "author date of the pushed commit",
            "earliest author date of the pull request's commits",
            "squashed: its branch's commits are not known, and the squash is dated at the merge",
        ],
        "its commits are not known",
    )
    every["start_rule"] = every["start_rule"].astype("str")
    return every


class Claim(NamedTuple):
    """A change says that it takes another one back; ``again``: it says itself that this brings something again."""

    change: str
    other: str
    again: bool


def _reverts(facts: Facts, every: pd.DataFrame, commits: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The change that each change takes back, and the revert that each change takes back, so that its subject is live again.

    Told by its branch, a sha or number in a message, or the title in quotes; a change that reverts its own
    commits takes nothing back. Of several changes of one title the newest before the revert is meant.
    """
    of_commit = _of_commit(every, commits)
    names = set(every["change"])
    claims = [*_by_branch(every), *_by_message(facts, of_commit), *_by_title(facts, every, of_commit)]
    titled = [*zip(plain(every["change"]), plain(every["title"]), strict=True)]
    bringing = {change for change, title in titled if _brings_again(title)}
    taking = {change for change, title in titled if takes_back(title or "")}
    stated: dict[str, Claim] = {}
    for claim in claims:
        if claim.other in names and claim.other != claim.change:
            stated.setdefault(claim.change, claim._replace(again=claim.again or claim.change in bringing))
    order = every.assign(at=every["merged_at"].fillna(every["opened_at"])).sort_values(["at", "change"], kind="stable")["change"]
    taking = {
        change for change, title in zip(plain(every["change"]), plain(every["title"]), strict=True) if takes_back(title or "")
    }
    reverts, again = _resolved(stated, plain(order), taking)
    return every["change"].map(reverts).astype("str"), every["change"].map(again).astype("str")


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


def _of_commit(every: pd.DataFrame, commits: pd.DataFrame) -> dict[str, str]:
    """The change that each commit is of, by `repo@sha`: the one that landed with it, else the first one that was merged with it.

    A merge of a long-lived branch has the commits of all the changes that were merged into that branch,
    and one that brings a release branch back may come at the same instant: then the pull request is meant.
    """
    about = every.set_index("change")
    merged = looked_up(commits["change"], about["merged_at"])
    own = looked_up(commits["change"], about["sha"]) == commits["sha"]
    pushed = looked_up(commits["change"], about["kind"]) == "commit"
    order = commits.assign(own=~own, at=merged, pushed=pushed).sort_values(["own", "at", "pushed"], kind="stable")
    order = order.drop_duplicates(["repository", "sha"])
    return dict(zip(plain(_place(order)), plain(order["change"]), strict=True))


def takes_back(subject: str) -> bool:
    """Whether a subject says that something is taken back; a revert of a revert brings it again.

    >>> [takes_back(said) for said in ('Revert "Sort"', 'Revert "Revert "Sort""', 'Revert "Reapply "Sort""', 'Reapply "Sort"')]
    [True, False, True, False]
    """
    rest = subject.removeprefix('Revert "')
    return rest != subject and not takes_back(rest)


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


def _by_message(facts: Facts, of_commit: dict[str, str]) -> Iterator[Claim]:
    """The change and what it takes back by the messages of its commits: shas, also short ones, and numbers."""
    likely = facts.commits[facts.commits["message"].str.contains("This reverts|Reverts ").eq(True)]
    whole = _Whole(facts.commits)
    for repository, sha, message in zip(*(plain(likely[name]) for name in ("repository", "sha", "message")), strict=True):
        change, again = of_commit.get(f"{repository}@{sha}"), _brings_again(message)
        if change is None:
            continue
        for told in REVERTED_SHA.findall(message):
            if other := of_commit.get(f"{repository}@{whole.of(told, repository)}"):
                yield Claim(change, other, again)
        for told in REVERTED_NUMBER.finditer(message):
            yield Claim(change, f"{_same_place(told['there'], repository)}#{told['number']}", again)


def _same_place(told: str | None, repository: str) -> str:
    """The repository that a message names: our own where only the owner is another word for it, as in a folder's name.

    >>> _same_place("ann/shop", "shop"), _same_place("ann/till", "ann/shop"), _same_place(None, "shop")
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


def _by_title(facts: Facts, every: pd.DataFrame, of_commit: dict[str, str]) -> Iterator[Claim]:
    """The change and what it takes back by the title in quotes, in its own title or the messages of its commits."""
    said = _quoting(facts, every, of_commit)
    if not said:
        return
    titles = _titles(facts, every, of_commit, {quoted for _, _, quoted, _, _ in said})
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


def _quoting(facts: Facts, every: pd.DataFrame, of_commit: dict[str, str]) -> list[Saying]:
    """Each change whose title or messages quote a title to take it back, or to apply it again."""
    likely = every[every["title"].str.startswith(('Revert "', 'Reapply "')).eq(True)]
    at = likely["opened_at"].fillna(likely["merged_at"])
    told = [*zip(plain(likely["change"]), plain(likely["repository"]), plain(likely["title"]), plain(at), strict=True)]
    messages = facts.commits[facts.commits["message"].str.contains('(?:Revert|Reapply) "').eq(True)]
    changes = [of_commit.get(place) for place in plain(_place(messages))]
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
    facts: Facts, every: pd.DataFrame, of_commit: dict[str, str], quoted: set[str]
) -> dict[tuple[str, str], list[tuple[pd.Timestamp, str]]]:
    """For each repository and quoted title: the changes that have it, as title or as a commit's subject, and since when."""
    found: dict[tuple[str, str], list[tuple[pd.Timestamp, str]]] = {}
    subjects = facts.commits[among(facts.commits["subject"], quoted)]
    changes = [of_commit.get(place) for place in plain(_place(subjects))]
    rows = [*zip(plain(subjects["repository"]), plain(subjects["subject"]), plain(subjects["committed_at"]), changes, strict=True)]
    titled = every[every["merged_at"].notna() & among(every["title"], quoted)]
    rows += [*zip(*(plain(titled[name]) for name in ("repository", "title", "merged_at", "change")), strict=True)]
    for repository, title, at, change in rows:
        if change is not None:
            found.setdefault((repository, title), []).append((at, change))
    return found
