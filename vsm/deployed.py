"""Deployments: which is the one before, which took another back, and which changes each brought first."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vsm.applications import Placed
from vsm.changes import Changes, application_of, to_default
from vsm.config import Config
from vsm.copies import LIKE, SAID, Copies, copies
from vsm.frames import among, empty, looked_up, plain
from vsm.graph import CommitGraph
from vsm.store import Facts

STATED = "the source states the commit"
REACHED = "reachable from the deployed commit, not from an earlier one"
SAME = "its landing commit is the deployed commit"
SETTLED = "in the first deployment known: in production since then at the latest"
GUESSED = "guessed by time: merged after the deployment before it and before this one"
BROUGHT = ("deployment", "change", "rule", "strength")
HISTORY = "in the first deployment known: since the beginning of the data, as the configuration says"
RULES = (
    STATED,
    REACHED,
    SAME,
    SAID,
    LIKE,
    GUESSED,
    HISTORY,
    SETTLED,
)  # where one deployment has a change by several, the first counts
HOTFIX = r"hot[-_ ]?fix(?:es)?(?![a-z])"


@dataclass(frozen=True)
class Deployed:
    """``deployments``: every one, with production, previous, rollback_of, hotfix, hotfix_rule.

    ``brought``: deployment, change, rule, strength: what each successful production deployment
    brought first to production of its application. ``elsewhere``: the same for other environments.
    ``settled``: deployment, change: what the first known production deployment of an application
    held. It is in production since then at the latest; since when is not known.
    """

    deployments: pd.DataFrame
    brought: pd.DataFrame
    elsewhere: pd.DataFrame
    settled: pd.DataFrame


def deployed(facts: Facts, changes: Changes, config: Config, placed: Placed | None = None) -> Deployed:
    """The deployments of a store, and which changes came with which. `placed`: whose of a monorepo's applications a change is."""
    deployments = _deployments(facts, config)
    good = deployments[(deployments["result"] == "success") & deployments["finished_at"].notna()]
    # Several environments may be production (regions, say): they are one line.
    place = good["environment"].mask(good["production"], "")
    code = _Code.of(facts, changes)
    pairs = [code.line(line) for _, line in good.groupby(["application", place], sort=True)]
    every = pd.concat(pairs, ignore_index=True) if pairs else _no_pairs()
    if placed is not None and placed.ruled:
        application = looked_up(every["deployment"], deployments.set_index("id")["application"])
        repository = looked_up(every["change"], changes.changes.set_index("change")["repository"])
        every = every[placed.allows(application, every["change"], repository)]
    every = _once_an_application(every, deployments)
    if config.dora.first_deployment == "history":
        every = _with_history(every)
    live = among(every["deployment"], deployments.loc[deployments["production"], "id"])
    first = every["rule"] == SETTLED
    brought, elsewhere, settled = (every[mask].reset_index(drop=True) for mask in (live & ~first, ~live & ~first, live & first))
    deployments = _hotfixes(deployments, brought, changes.changes)
    return Deployed(deployments, brought, elsewhere, settled[["deployment", "change"]])


def _with_history(every: pd.DataFrame) -> pd.DataFrame:
    """First deployments of which no commits are stated bring all that they hold."""
    stated = every.loc[every["rule"] == STATED, "deployment"]
    first = (every["rule"] == SETTLED) & ~among(every["deployment"], stated)
    return every.assign(rule=every["rule"].mask(first, HISTORY))


def _no_pairs() -> pd.DataFrame:
    return empty(dict.fromkeys(BROUGHT, "str"))


def _deployments(facts: Facts, config: Config) -> pd.DataFrame:
    """Every deployment in the order of its finish, with the ones of its application before it."""
    told = facts.deployments.copy()
    told["finished_at"] = told["finished_at"].fillna(told["started_at"])
    words = {name: config.production.matches(name) for name in told["environment"].unique()}
    told["production"] = told["environment"].map(words).astype("bool")
    told = told.sort_values(["finished_at", "started_at", "id"], kind="stable", ignore_index=True)
    good = told[told["production"] & (told["result"] == "success") & told["finished_at"].notna()]
    told["previous"] = good.groupby("application")["id"].shift(1).reindex(told.index).astype("str")
    told["rollback_of"] = _rollbacks(good).reindex(told.index).astype("str")
    return told


def _rollbacks(good: pd.DataFrame) -> pd.Series:
    """The deployment that each one took back: it returned to a version that was first live before the one that it replaced.

    Each environment has its own order of versions, or a region that comes after the others would
    return to what they had; so has each repository of an application.
    """
    found: dict[int, str] = {}
    for _, line in good.groupby(["application", "environment", good["repository"].fillna("")], sort=False):
        first_live: dict[str, int] = {}
        before: str | None = None
        before_id = ""
        versions = line["sha"].fillna(line["ref"])
        for place, (index, key, version) in enumerate(zip(line.index, plain(line["id"]), plain(versions), strict=True)):
            if version is not None:
                if before is not None and first_live.get(version, place) < first_live[before]:
                    found[index] = before_id
                first_live.setdefault(version, place)
            before, before_id = version, key
    return pd.Series(found, dtype="object")


@dataclass
class _Walk:
    """How far one line of deployments has come in one repository: what it has seen, and of which copies."""

    seen: set[str] = field(default_factory=set)
    got: dict[str, set[str]] = field(default_factory=dict)
    cut: bool = False
    before: pd.Timestamp | None = None


@dataclass(frozen=True)
class _Code:
    """What there is to deploy: the merged changes of default branches, and which change lands with each commit of a repository."""

    graphs: dict[str, CommitGraph]
    merged: pd.DataFrame
    landing: dict[str, dict[str, list[str]]]
    stated: dict[str, list[tuple[str, str]]]
    copies: Copies
    merged_at: dict[str, pd.Timestamp]

    @classmethod
    def of(cls, facts: Facts, changes: Changes) -> "_Code":
        """A merged change is deployed when its landing commit is."""
        merged = changes.changes[changes.changes["merged_at"].notna()]
        landing: dict[str, dict[str, list[str]]] = {}
        landed = merged.dropna(subset="sha")
        for repository, sha, change in zip(*(plain(landed[name]) for name in ("repository", "sha", "change")), strict=True):
            landing.setdefault(repository, {}).setdefault(sha, []).append(change)
        stated: dict[str, list[tuple[str, str]]] = {}
        told = facts.deployment_commits
        for key, repository, sha in zip(*(plain(told[name]) for name in ("deployment", "repository", "sha")), strict=True):
            stated.setdefault(key, []).append((repository, sha))
        merges = {
            f"{repository}@{sha}": change
            for repository, shas in landing.items()
            if repository in changes.graphs
            for sha, names in shas.items()
            for change in names
            if len(changes.graphs[repository].parents.get(sha, ())) > 1
        }
        edges = any(graph.edge for graph in changes.graphs.values())
        at = dict(zip(plain(merged["change"]), plain(merged["merged_at"]), strict=True)) if edges else {}
        default = merged[to_default(facts, merged)]
        return cls(changes.graphs, default, landing, stated, copies(facts, changes.came, merges), at)

    def home(self, repository: str | None, sha: str | None) -> str | None:
        """The repository whose commits hold the deployed one."""
        if sha is None:
            return None
        if repository is not None:
            return repository if sha in self.graphs.get(repository, ()) else None
        return next((name for name, graph in self.graphs.items() if sha in graph), None)

    def landed(self, repository: str | None, sha: str | None) -> list[str]:
        """The changes that land with a commit."""
        return self.landing.get(repository or "", {}).get(sha or "", [])

    def line(self, line: pd.DataFrame) -> pd.DataFrame:
        """What each deployment of one application to one environment brought first, in the order of their finish.

        The first one of a repository has nothing to be compared with: it settles what it holds.
        """
        walks: dict[str, _Walk] = {}
        pairs: list[tuple[str, str, str]] = []
        homes: list[str | None] = []
        for key, repository, sha, at in zip(
            *(plain(line[name]) for name in ("id", "repository", "sha", "finished_at")), strict=True
        ):
            told = self.stated.get(key, [])
            home = self.home(repository, sha)
            homes.append(home)
            pairs += [(key, change, STATED) for repo, commit in told for change in self.landed(repo, commit)]
            if home is None and not told:
                pairs += [(key, change, SAME) for change in self.landed(repository, sha)]
            tips = [(home, sha)] if home is not None else []
            tips += [(repo, commit) for repo, commit in told if commit in self.graphs.get(repo, ())]
            first = {repo for repo, _ in tips if repo not in walks}
            for repo, tip in tips:
                found = self._reached(walks.setdefault(repo, _Walk()), repo, tip)
                pairs += [(key, change, SETTLED if repo in first else rule) for change, rule in found]
            for repo, _ in tips:
                walks[repo].before = at
        found = pd.DataFrame(pairs, columns=list(BROUGHT[:3])).astype("str")
        strength = np.where(found["rule"] == LIKE, "named", "stated")
        every = pd.concat([found.assign(strength=strength), *self._guesses(line, homes, found)], ignore_index=True)
        return every.astype("str")

    def _reached(self, walk: _Walk, repository: str, tip: str) -> list[tuple[str, str]]:
        """The changes that a tip reaches and no earlier one did, each with the rule.

        Where this walk and one before it both run into what was not read (the edge of a shallow
        clone), nobody can tell what was there already: then a change that was merged before the
        deployment before this one is taken to have come with that or an earlier one.
        """
        graph, landing = self.graphs[repository], self.landing.get(repository, {})
        fresh = graph.unseen(tip, walk.seen)
        found = [(change, REACHED) for sha in fresh if sha in landing for change in landing[sha]]
        found += self.copies.brought(repository, fresh, walk.got)
        loose = bool(graph.edge) and not graph.edge.isdisjoint(fresh)
        if loose and walk.cut and walk.before is not None:
            found = [(change, SETTLED if self.merged_at[change] <= walk.before else rule) for change, rule in found]
        walk.cut |= loose
        return found

    def _guesses(self, line: pd.DataFrame, homes: list[str | None], found: pd.DataFrame) -> list[pd.DataFrame]:
        """For deployments that name no commit we know: what was merged since the one before. A guess, and labelled as one."""
        named = pd.Series(homes, index=line.index, dtype="str")
        blind = named.isna() & ~among(line["id"], found["deployment"])
        if not blind.any():
            return []
        mine = self.merged[~among(self.merged["change"], found.loc[found["rule"] != SETTLED, "change"])]
        own = mine.loc[mine["application"] == line["application"].iloc[0], "repository"]
        repositories = sorted({*own, *line.loc[blind, "repository"].dropna()})
        place = line["repository"].where(named.isna(), named)
        return [
            self._guessed(line[mask], blind[mask], mine[mine["repository"] == repository], found)
            for repository in repositories
            if (mask := place.isna() | (place == repository)).any()
        ]

    def _guessed(self, line: pd.DataFrame, blind: pd.Series, mine: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
        """Of one repository: the change to the deployment that began next after its merge, where that one is blind.

        What the first deployment with a known commit holds was guessed of those before it, or came with it.
        """
        ends = line["started_at"].fillna(line["finished_at"]).to_numpy()
        place = np.searchsorted(np.maximum.accumulate(ends), mine["merged_at"].to_numpy(), side="left")
        held = place < len(line)
        place = place[held]
        pairs = pd.DataFrame({"deployment": line["id"].to_numpy()[place], "change": mine["change"].to_numpy()[held]}).astype("str")
        pairs = pairs.assign(rule=np.where(place == 0, SETTLED, GUESSED), strength="guessed")
        settled = found[found["rule"] == SETTLED]
        known = among(pairs["deployment"] + pairs["change"], settled["deployment"] + settled["change"])
        return pairs[blind.to_numpy()[place] | known.to_numpy()]


def _once_an_application(brought: pd.DataFrame, deployments: pd.DataFrame) -> pd.DataFrame:
    """A change comes to production of an application once, and to each other environment once: the first time."""
    about = deployments.set_index("id")
    key = brought["deployment"]
    # Several environments may be production: to be in one of them is to be in production.
    where = looked_up(key, about["environment"].mask(about["production"], ""))
    rank = brought["rule"].map({rule: place for place, rule in enumerate(RULES)})
    order = brought.assign(where=where, application=looked_up(key, about["application"]), at=looked_up(key, about["finished_at"]))
    order = order.assign(rank=rank).sort_values(["at", "deployment", "rank"], kind="stable")
    order = order.drop_duplicates(["change", "application", "where"])
    return order[list(BROUGHT)].sort_values(["deployment", "change"], kind="stable", ignore_index=True)


def hotfix_rules(changes: pd.DataFrame) -> pd.Series:
    """By change: what of it says that it is a hotfix; only of those that are one."""
    every = changes[["change", "branch", "labels", "title"]]
    # The full patterns are asked of the few that a plain one finds, which Arrow asks far faster.
    near = [every[name].str.contains("[Hh][Oo][Tt][-_ ]?[Ff][Ii][Xx]").eq(True) for name in ("branch", "labels", "title")]
    changes = every[near[0] | near[1] | near[2]]
    says = {
        "branch": changes["branch"].str.contains(rf"(?:^|/){HOTFIX}", case=False),
        "label": changes["labels"].str.contains(rf"(?:^|;)\s*{HOTFIX}\s*(?:;|$)", case=False),
        "title": changes["title"].str.contains(rf"^\W*(?:[a-z]\w*-\d+\W+)?{HOTFIX}", case=False),
    }
    rule = np.select([mask.eq(True).to_numpy() for mask in says.values()], [f"a change's {what} says hotfix" for what in says], "")
    return pd.Series(rule[rule != ""], index=changes.loc[rule != "", "change"], dtype="str")


def _hotfixes(deployments: pd.DataFrame, brought: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Mark the deployments that brought a hotfix: by the branch, a label, the title or the deployed ref."""
    pairs = brought.assign(hotfix=looked_up(brought["change"], hotfix_rules(changes))).dropna(subset="hotfix")
    by_deployment = pairs.drop_duplicates("deployment").set_index("deployment")["hotfix"]
    ref = deployments["ref"].str.contains(rf"(?<![a-z]){HOTFIX}", case=False).eq(True) & deployments["production"]
    told = looked_up(deployments["id"], by_deployment).where(~ref, "the deployed ref says hotfix").astype("str")
    return deployments.assign(hotfix=told.notna(), hotfix_rule=told)


def applications(facts: Facts) -> list[str]:
    """Every application that a deployment, a repository, a ticket or an incident names."""
    told = facts.repositories.dropna(subset="application").set_index("name")["application"].to_dict()
    of_code = {application_of(name, told) for name in facts.repositories["name"]}
    named = {*facts.deployments["application"], *facts.incidents["application"].dropna(), *facts.tickets["application"].dropna()}
    return sorted(of_code | named)
