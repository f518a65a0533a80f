"""Deployments: which is the one before, which took another back, and which changes each brought first."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vsm.changes import Changes, application_of
from vsm.config import Config
from vsm.frames import empty, looked_up
from vsm.graph import CommitGraph
from vsm.store import Facts

STATED = "the source states the commit"
REACHED = "reachable from the deployed commit, not from an earlier one"
SAME = "its landing commit is the deployed commit"
SETTLED = "in the first deployment known: in production since then at the latest"
GUESSED = "guessed by time: merged after the deployment before it and before this one"
BROUGHT = ("deployment", "change", "rule", "strength")


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


def deployed(facts: Facts, changes: Changes, config: Config) -> Deployed:
    """The deployments of a store, and which changes came with which."""
    deployments = _deployments(facts, config)
    good = deployments[(deployments["result"] == "success") & deployments["finished_at"].notna()]
    # Several environments may be production (regions, say): they are one line.
    place = good["environment"].mask(good["production"], "")
    pairs = [_line(line, changes, facts) for _, line in good.groupby(["application", place], sort=True)]
    every = pd.concat(pairs, ignore_index=True) if pairs else _no_pairs()
    brought = _once_an_application(every[every["rule"] != SETTLED], deployments)
    settled = every.loc[(every["rule"] == SETTLED) & every["deployment"].isin(deployments.loc[deployments["production"], "id"])]
    live = brought["deployment"].isin(deployments.loc[deployments["production"], "id"])
    deployments = _hotfixes(deployments, brought[live], changes.changes)
    return Deployed(
        deployments,
        brought[live].reset_index(drop=True),
        brought[~live].reset_index(drop=True),
        settled[["deployment", "change"]].reset_index(drop=True),
    )


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
    """The deployment that each one took back: it returned to a version that was live before the one before it."""
    found: dict[int, str] = {}
    for _, line in good.groupby("application", sort=False):
        live: set[str] = set()
        before: str | None = None
        before_id = ""
        for index, key, sha, ref in line[["id", "sha", "ref"]].itertuples():
            version = sha if isinstance(sha, str) else ref if isinstance(ref, str) else None
            if version is not None and before is not None and version != before and version in live:
                found[index] = before_id
            if version is not None:
                live.add(version)
            before, before_id = version, key
    return pd.Series(found, dtype="object")


def _line(line: pd.DataFrame, changes: Changes, facts: Facts) -> pd.DataFrame:
    """What each deployment of one application to one environment brought first, in the order of their finish.

    The first one known has nothing to be compared with: it brings only what its source states.
    """
    application = str(line["application"].iloc[0])
    landing = _landing(changes)
    stated = facts.deployment_commits[facts.deployment_commits["deployment"].isin(line["id"])]
    commits_of = {key: list(zip(rows["repository"], rows["sha"], strict=True)) for key, rows in stated.groupby("deployment")}
    seen: dict[str, set[str]] = {}
    pairs: list[tuple[str, str, str, str]] = []
    for place, (key, repository, sha) in enumerate(line[["id", "repository", "sha"]].itertuples(index=False)):
        home = _home(repository, sha, changes.graphs)
        for commit in commits_of.get(key, ()):
            pairs += [(key, change, STATED, "stated") for change in landing.get(commit, ())]
        if home is None:
            pairs += [] if commits_of.get(key) else _same(key, repository, sha, landing)
            continue
        fresh = changes.graphs[home].unseen(sha, seen.setdefault(home, set()))
        if not commits_of.get(key):
            rule = REACHED if place else SETTLED
            pairs += [(key, change, rule, "stated") for commit in fresh for change in landing.get((home, commit), ())]
    found = pd.DataFrame(pairs, columns=list(BROUGHT)).astype("str")
    return pd.concat([found, _guesses(line, found, changes, facts, application)], ignore_index=True)


def _landing(changes: Changes) -> dict[tuple[str, str], list[str]]:
    """The changes that land with a commit: a merged change is deployed when its landing commit is."""
    merged = changes.changes[changes.changes["merged_at"].notna() & changes.changes["sha"].notna()]
    found: dict[tuple[str, str], list[str]] = {}
    for repository, sha, change in merged[["repository", "sha", "change"]].itertuples(index=False):
        found.setdefault((repository, sha), []).append(change)
    return found


def _home(repository: object, sha: object, graphs: dict[str, CommitGraph]) -> str | None:
    """The repository whose commits hold the deployed one."""
    if not isinstance(sha, str):
        return None
    if isinstance(repository, str):
        return repository if repository in graphs and sha in graphs[repository] else None
    return next((name for name, graph in graphs.items() if sha in graph), None)


def _same(key: str, repository: object, sha: object, landing: dict[tuple[str, str], list[str]]) -> list[tuple[str, str, str, str]]:
    if not isinstance(sha, str) or not isinstance(repository, str):
        return []
    return [(key, change, SAME, "stated") for change in landing.get((repository, sha), ())]


def _guesses(line: pd.DataFrame, found: pd.DataFrame, changes: Changes, facts: Facts, application: str) -> pd.DataFrame:
    """For deployments that name no commit we know: what was merged since the one before. A guess, and labelled as one."""
    homes = [_home(r, s, changes.graphs) for r, s in zip(line["repository"], line["sha"], strict=True)]
    blind = np.array([home is None for home in homes], dtype=bool) & ~line["id"].isin(found["deployment"]).to_numpy()
    if not blind[1:].any():
        return _no_pairs()
    mine = changes.changes[(changes.changes["application"] == application) & changes.changes["merged_at"].notna()]
    mine = mine[~mine["change"].isin(found["change"])]
    ends = line["started_at"].fillna(line["finished_at"]).to_numpy()
    place = np.searchsorted(np.maximum.accumulate(ends), mine["merged_at"].to_numpy(), side="left")
    held = (place > 0) & (place < len(line))
    held[held] = blind[place[held]]
    rows = pd.DataFrame({"deployment": line["id"].to_numpy()[place[held]], "change": mine["change"].to_numpy()[held]})
    return rows.assign(rule=GUESSED, strength="guessed").astype("str")


def _once_an_application(brought: pd.DataFrame, deployments: pd.DataFrame) -> pd.DataFrame:
    """A change comes to production of an application once, and to each other environment once: the first time."""
    about = deployments.set_index("id")
    key = brought["deployment"]
    # Several environments may be production: to be in one of them is to be in production.
    where = looked_up(key, about["environment"].mask(about["production"], ""))
    order = brought.assign(where=where, application=looked_up(key, about["application"]), at=looked_up(key, about["finished_at"]))
    order = order.sort_values(["at", "deployment"], kind="stable").drop_duplicates(["change", "application", "where"])
    return order[list(BROUGHT)].sort_values(["deployment", "change"], kind="stable", ignore_index=True)


def _hotfixes(deployments: pd.DataFrame, brought: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Mark the deployments that brought a hotfix: by the branch, a label, the title or the deployed ref."""
    says = {
        "branch": changes["branch"].str.contains(r"^hot-?fix\b", case=False),
        "label": changes["labels"].str.contains(r"(?:^|;)\s*hot-?fix\s*(?:;|$)", case=False),
        "title": changes["title"].str.contains(r"^\W*hot-?fix\b", case=False),
    }
    rule = np.select([mask.eq(True).to_numpy() for mask in says.values()], [f"a change's {what} says hotfix" for what in says], "")
    by_change = pd.Series(rule, index=changes["change"], dtype="str")
    pairs = brought.assign(hotfix=looked_up(brought["change"], by_change))
    by_deployment = pairs[pairs["hotfix"].fillna("") != ""].drop_duplicates("deployment").set_index("deployment")["hotfix"]
    ref = deployments["ref"].str.contains(r"\bhot-?fix\b", case=False).eq(True) & deployments["production"]
    told = looked_up(deployments["id"], by_deployment).where(~ref, "the deployed ref says hotfix").astype("str")
    return deployments.assign(hotfix=told.notna(), hotfix_rule=told)


def applications(facts: Facts) -> list[str]:
    """Every application that a deployment, a repository, a ticket or an incident names."""
    told = facts.repositories.dropna(subset="application").set_index("name")["application"].to_dict()
    of_code = {application_of(name, told) for name in facts.repositories["name"]}
    named = {*facts.deployments["application"], *facts.incidents["application"].dropna(), *facts.tickets["application"].dropna()}
    return sorted(of_code | named)
