"""What Apache DevLake takes for a deployment, what each one brought, and which incident belongs to which."""

import numpy as np
import pandas as pd

from vsm.between import ages, between
from vsm.frames import TIME, among, looked_up, no_text, plain
from vsm.graph import CommitGraph

COMMITS = {
    **dict.fromkeys(("id", "deployment", "application", "repository", "environment", "result", "sha"), "str"),
    "production": "bool", "started_at": TIME, "finished_at": TIME,
}  # fmt: skip
BROUGHT = {"repository": "str", "old": "str", "new": "str", "sha": "str", "place": "int64"}


def deployment_commits(deployments: pd.DataFrame, stated: pd.DataFrame, commits: pd.DataFrame) -> pd.DataFrame:
    """A row for each deployment and repository: the deployment's own commit, and in every other repository the newest stated one.

    `stated`: deployment, repository, sha, as the source says; `commits`: the facts, for which one is the newest.
    """
    own = deployments.assign(deployment=deployments["id"])[list(COMMITS)]
    about = own.set_index("deployment")
    more = stated[among(stated["deployment"], own["deployment"])]
    place = more["repository"] + "@" + more["sha"]
    when = commits["committed_at"].set_axis(commits["repository"] + "@" + commits["sha"])
    more = more.assign(at=looked_up(place, when)).sort_values("at", kind="stable", na_position="first")
    more = more.drop_duplicates(["deployment", "repository"], keep="last")
    more = more[looked_up(more["deployment"], about["repository"]).fillna("") != more["repository"]]
    same = [name for name in COMMITS if name not in ("id", "deployment", "repository", "sha")]
    rest = {name: looked_up(more["deployment"], about[name]) for name in same}
    rows = more.assign(**rest, id=more["deployment"] + " " + more["repository"])[list(COMMITS)]
    blind = own["repository"].isna() & among(own["deployment"], rows["deployment"])
    return pd.concat([own[~blind], rows], ignore_index=True).astype(COMMITS)


def previous(commits: pd.DataFrame) -> pd.Series:
    """The successful deployment commit before each successful one: of the same application, repository and environment."""
    there = commits["environment"].fillna("") != ""
    good = commits[(commits["result"] == "success") & there].sort_values(["finished_at", "id"], kind="stable")
    where = good["environment"].mask(good["production"], "\0production")
    before = good.groupby([good["application"].fillna(""), good["repository"].fillna(""), where])["id"].shift(1)
    return before.reindex(commits.index).astype("str")


def brought(commits: pd.DataFrame, graphs: dict[str, CommitGraph]) -> pd.DataFrame:
    """The commits that each deployment commit has and the one before has not: repository, old, new, sha, place (1, 2, …).

    Of the first one, which has none before it, all that it reaches; `old` is missing then.
    """
    known = commits[["repository", "sha"]].set_axis(commits["id"])
    before = looked_up(previous(commits), known["sha"])
    age: dict[str, dict[str, int]] = {}
    found: list[tuple[str, str | None, str, str, int]] = []
    seen = set()
    for repository, old, new in zip(plain(commits["repository"]), plain(before), plain(commits["sha"]), strict=True):
        graph = graphs.get(repository)
        if graph is None or new is None or new not in graph or (repository, old, new) in seen:
            continue
        seen.add((repository, old, new))
        if repository not in age:
            age[repository] = ages(graph)
        fresh = between(graph, age[repository], new, old)
        found += [(repository, old, new, sha, place) for place, sha in enumerate(fresh, start=1)]
    return pd.DataFrame(found, columns=list(BROUGHT)).astype(BROUGHT)


def incident_links(commits: pd.DataFrame, incidents: pd.DataFrame) -> pd.Series:
    """Each incident's deployment: that of the last successful production deployment commit finished before it was opened.

    Of all applications, however long ago; one that finished at the very instant does not count.
    """
    good = good_ones(commits).sort_values(["finished_at", "id"], kind="stable")
    place = np.searchsorted(good["finished_at"].to_numpy(), incidents["opened_at"].to_numpy(), side="left") - 1
    if not len(good):
        return no_text(incidents.index)
    told = good["deployment"].to_numpy(dtype=object)[np.maximum(place, 0)]
    return pd.Series(np.where((place >= 0) & incidents["opened_at"].notna(), told, None), index=incidents.index, dtype="str")


RUNS = ("success", "failure")
RANK = ("PRODUCTION", "STAGING", "TESTING")


def deployments_of_runs(runs: pd.DataFrame, run_commits: pd.DataFrame, jobs: pd.DataFrame) -> pd.DataFrame:
    """Which pipeline runs are deployments: succeeded or failed, and said to deploy, themselves or by such a job of theirs.

    `runs`: id, application, result, deploys, environment, started_at, finished_at, seconds; `run_commits`: run, repository,
    sha; `jobs`: run, result, deploys, environment. A run without an environment has the most productive of its jobs'.
    The presets read the deployments that a source told; this rule is here to be compared.
    """
    over = runs[runs["result"].isin(RUNS)]
    deploying = jobs[jobs["deploys"] & jobs["result"].isin(RUNS)]
    over = over[over["deploys"] | among(over["id"], deploying["run"])]
    rank = deploying["environment"].map({name: place for place, name in enumerate(RANK)})
    best = deploying.assign(rank=rank).dropna(subset="rank").sort_values("rank", kind="stable").drop_duplicates("run")
    environment = over["environment"].fillna(looked_up(over["id"], best.set_index("run")["environment"]))
    began = over["started_at"].fillna(over["finished_at"] - pd.to_timedelta(over["seconds"], unit="s"))
    about = over.assign(environment=environment, started_at=began, production=environment == RANK[0])
    rows = run_commits.merge(about.rename(columns={"id": "deployment"}), left_on="run", right_on="deployment")
    return rows.assign(id=rows["deployment"] + ":" + rows["repository"])[list(COMMITS)].astype(COMMITS)


def deployments_of(commits: pd.DataFrame) -> pd.DataFrame:
    """Successful production deployments by the finish of their last deployment commit: deployment, deployed_at and more."""
    good = good_ones(commits).sort_values(["finished_at", "id"], kind="stable")
    rows = good.drop_duplicates("deployment", keep="last").rename(columns={"finished_at": "deployed_at"})
    return rows[["deployment", "application", "environment", "repository", "sha", "started_at", "deployed_at"]].reset_index(
        drop=True
    )


def good_ones(commits: pd.DataFrame) -> pd.DataFrame:
    """Successful commits of production deployments whose finish is known."""
    return commits[commits["production"] & (commits["result"] == "success") & commits["finished_at"].notna()]
