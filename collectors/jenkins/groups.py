"""Many jobs with few builds, such as the branches of a project: the first time they are read together.

A question for a folder tells the newest builds of the jobs that stand side by side in it.
"""

from collections.abc import Iterator, Sequence

from collectors.jenkins import builds, history
from collectors.jenkins.client import Client, Missing
from collectors.jenkins.history import History

TOGETHER = 200  # builds that one question for several jobs may bring


def groups(histories: Sequence[History]) -> dict[str, list[History]]:
    """The jobs that are read together, by the name of each."""
    fresh = [one for one in histories if one.fresh and one.job.kind not in builds.PARTS]
    return {one.job.name: group for group in _neighbours(fresh) if len(group) > 1 for one in group}


def _neighbours(fresh: Sequence[History]) -> Iterator[list[History]]:
    group: list[History] = []
    for one in sorted(fresh, key=lambda one: (one.job.folder, one.job.place)):
        if group and not (_beside(group[-1], one) and sum(map(_many, [*group, one])) <= TOGETHER):
            yield group
            group = []
        group.append(one)
    yield group


def _beside(one: History, other: History) -> bool:
    return one.job.folder == other.job.folder and one.job.place + 1 == other.job.place


def _many(one: History) -> int:
    """How many builds the job's first page may have."""
    return min(one.job.number or 0, history.PAGE + 1)


def newest(client: Client, group: Sequence[History]) -> None:
    """Give each job of a group its newest builds. Raises CollectorError."""
    first, last = group[0].job.place, group[-1].job.place
    tree = f"jobs[fullName,allBuilds[{builds.TREE}]{{0,{history.PAGE + 1}}}]{{{first},{last + 1}}}"
    folder = group[0].job.folder
    try:
        answer = client.job(folder, tree) if folder else client.server(tree)
    except Missing:  # the folder went away in between
        return
    told = {job.get("fullName"): job.get("allBuilds") for job in answer.get("jobs") or ()}
    for one in group:  # one that has moved within its folder meanwhile is asked for by itself
        one.given = told.get(one.job.name)
