"""Deployments: which is the one before, which took another back, and which changes each brought first."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from vsm.applications import Placed
from vsm.brought import CODE, HISTORY, RULES, SETTLED, STATED, STRENGTHS, Pairs, brought
from vsm.changes import Changes, application_of
from vsm.config import Config
from vsm.frames import looked_up, named, plain
from vsm.store import Facts
from vsm.working_time import micros

BROUGHT = ("deployment", "change", "rule", "strength")
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
    pairs = brought(facts, changes, good)
    if placed is not None and placed.ruled:
        application = deployments["application"].take(pairs.deployment).reset_index(drop=True)
        told = changes.changes[["change", "repository"]].take(pairs.change).reset_index(drop=True)
        pairs = pairs[placed.allows(application, told["change"], told["repository"]).to_numpy()]
    pairs = _once_an_application(pairs, deployments)
    if config.dora.first_deployment == "history":
        pairs = _with_history(pairs, len(deployments))
    live, first = deployments["production"].to_numpy()[pairs.deployment], pairs.rule == CODE[SETTLED]
    first_there, elsewhere, settled = (
        _frame(pairs[mask], deployments, changes.changes) for mask in (live & ~first, ~live & ~first, live & first)
    )
    deployments = _hotfixes(deployments, first_there, changes.changes)
    return Deployed(deployments, first_there, elsewhere, settled[["deployment", "change"]])


def _frame(pairs: Pairs, deployments: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "deployment": deployments["id"].array.take(pairs.deployment), "change": changes["change"].array.take(pairs.change),
            "rule": named(pairs.rule, RULES), "strength": named(pairs.strength, STRENGTHS),
        }
    )  # fmt: skip


def _with_history(pairs: Pairs, deployments: int) -> Pairs:
    """First deployments of which no commits are stated bring all that they hold."""
    stated = np.zeros(deployments, dtype="bool")
    stated[pairs.deployment[pairs.rule == CODE[STATED]]] = True
    first = (pairs.rule == CODE[SETTLED]) & ~stated[pairs.deployment]
    return replace(pairs, rule=np.where(first, CODE[HISTORY], pairs.rule))


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


def _once_an_application(pairs: Pairs, deployments: pd.DataFrame) -> Pairs:
    """A change comes to production of an application once, and to each other environment once: the first time.

    The pairs that count, by deployment and change.
    """
    # Several environments may be production: to be in one of them is to be in production.
    where = deployments["environment"].mask(deployments["production"], "")
    line = deployments.groupby([deployments["application"], where], sort=False).ngroup().to_numpy()
    rank = np.argsort(deployments["id"].array.argsort(kind="stable"))[pairs.deployment]
    order = np.lexsort((pairs.rule, rank, micros(deployments["finished_at"])[pairs.deployment]))
    key = pairs.change * (int(line.max(initial=0)) + 1) + line[pairs.deployment]
    first = order[~pd.Series(key[order]).duplicated().to_numpy()]
    return pairs[first[np.lexsort((pairs.change[first], rank[first]))]]


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
