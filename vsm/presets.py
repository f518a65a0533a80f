"""DORA by another tool's definition: its rules over the frames of a scope, and its numbers beside ours."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal

import pandas as pd

from vsm.frames import among
from vsm.graph import CommitGraph
from vsm.metrics import beside, devlake, devlake_deployments, middleware, middleware_runs
from vsm.metrics.beside import Difference
from vsm.metrics.figure import Figure, mean
from vsm.pipeline import Flow
from vsm.scope import Scope

if TYPE_CHECKING:
    from vsm.delivery import Delivery
    from vsm.measure import Measures

Definition = Literal["vsm", "devlake", "middleware"]
FIVE = (
    "deployment_frequency", "change_lead_time", "change_fail_rate", "failed_deployment_recovery_time", "deployment_rework_rate",
)  # fmt: skip


def applied(measures: "Measures", definition: Definition, deliveries: Mapping[str, "Delivery"]) -> "Measures":
    """The measures with another tool's five DORA figures in the place of ours: of the whole, its streams and its applications.

    `deliveries`: the delivery frames of each application.
    """
    other = Other(measures.flow, definition)
    whole = other.of(measures)
    streams = {name: other.of(one) for name, one in measures.streams.items()}
    apart = cache(lambda: {name: other.read(one, measures.scope).figures for name, one in deliveries.items()})
    return replace(whole, streams=streams, _apart=apart)


class Other:
    """Another tool's rules over what one flow tells; what all scopes share is made once."""

    def __init__(self, flow: Flow, definition: Definition) -> None:
        self.flow, self.definition = flow, definition

    def of(self, measures: "Measures") -> "Measures":
        """One scope's measures with the other tool's figures."""
        read = self.read(measures.delivery, measures.scope)
        ours = {name: measures.figures[name] for name in FIVE}
        return replace(
            measures,
            definition=self.definition,
            ours=ours,
            figures=measures.figures | read.figures,
            lead_time_parts=read.parts,
            _compared=cache(lambda: read.differences(ours)),
        )

    def read(self, shipped: "Delivery", scope: Scope) -> "_DevLake | _Middleware":
        """The delivery frames of one scope by the other tool's rules."""
        told = self.said[among(self.said["change"], shipped.changes["change"])]
        if self.definition == "middleware":
            return _Middleware(shipped, scope, told.assign(by=told["handle"]))
        facts = self.flow.facts
        commits = devlake_deployments.deployment_commits(shipped.deployments, facts.deployment_commits, facts.commits)
        return _DevLake(shipped, scope, told, commits, self.graphs)

    @cached_property
    def graphs(self) -> dict[str, CommitGraph]:
        """The commits of each repository."""
        return {str(name): CommitGraph.of(some) for name, some in self.flow.facts.commits.groupby("repository", sort=True)}

    @cached_property
    def said(self) -> pd.DataFrame:
        """Reviews and comments: change, at, by (a person), handle, state (missing of a comment)."""
        facts, people = self.flow.facts, self.flow.people
        parts = []
        for table, at, by in (("reviews", "submitted_at", "reviewer"), ("comments", "at", "author")):
            told = getattr(facts, table)
            state = told["state"] if "state" in told else pd.Series(None, index=told.index, dtype="str")
            parts.append(
                pd.DataFrame(
                    {
                        "change": (told["repository"] + "#" + told["number"].astype("str")).astype("str"),
                        "at": told[at],
                        "by": people.persons(told[by], table),
                        "handle": told[by],
                        "state": state,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)


class _DevLake:
    """One scope by DevLake's rules."""

    def __init__(
        self, shipped: "Delivery", scope: Scope, said: pd.DataFrame, commits: pd.DataFrame, graphs: dict[str, CommitGraph]
    ) -> None:
        self.shipped, self.scope, self.said, self.commits = shipped, scope, said, commits
        self.news = devlake_deployments.brought(commits[commits["production"]], graphs)

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """DevLake's five, by our names."""
        commits, incidents, scope = self.commits, self.shipped.incidents, self.scope
        figures = (
            devlake.deployment_frequency(commits, scope),
            devlake.change_lead_time(self.shipped.changes, self.said, commits, self.news, scope),
            devlake.change_fail_rate(commits, incidents, scope),
            devlake.failed_deployment_recovery_time(commits, incidents, scope),
            devlake.deployment_rework_rate(),
        )
        return {figure.name: figure for figure in figures}

    @property
    def parts(self) -> pd.DataFrame:
        """The parts of the change lead time."""
        return devlake.lead_time_parts(self.figures["change_lead_time"].rows)

    def differences(self, ours: dict[str, Figure]) -> tuple[Difference, ...]:
        """DevLake's numbers beside ours."""
        changes, incidents, scope = self.shipped.changes, self.shipped.incidents, self.scope
        times = devlake.lead_times(changes, self.said, self.commits, self.news)
        why_not = devlake.why_not(changes, self.commits, self.news, times, scope)
        pairs = {name: (ours[name], self.figures[name]) for name in FIVE}
        return (
            beside.deployment_frequency(*pairs["deployment_frequency"], "devlake", scope.weeks),
            beside.change_lead_time(*pairs["change_lead_time"], "devlake", why_not, devlake.lower_median),
            beside.change_fail_rate(*pairs["change_fail_rate"], "devlake", incidents),
            beside.failed_deployment_recovery_time(
                *pairs["failed_deployment_recovery_time"], "devlake", incidents, devlake.lower_median
            ),
            beside.deployment_rework_rate(*pairs["deployment_rework_rate"]),
        )


class _Middleware:
    """One scope by middleware's rules."""

    def __init__(self, shipped: "Delivery", scope: Scope, said: pd.DataFrame) -> None:
        self.shipped, self.scope = shipped, scope
        self.reviews = said[said["state"].notna()]
        self.runs = middleware_runs.runs_of(shipped.deployments, shipped.changes)
        self.incidents = middleware_runs.incidents_of(shipped.incidents, shipped.changes)

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """middleware's five, by our names."""
        figures = (
            middleware.deployment_frequency(self.runs, self.scope),
            middleware.change_lead_time(self.shipped.changes, self.reviews, self.runs, self.scope),
            middleware.change_fail_rate(self.runs, self.incidents, self.scope),
            middleware.failed_deployment_recovery_time(self.incidents, self.scope),
            middleware.deployment_rework_rate(),
        )
        return {figure.name: figure for figure in figures}

    @property
    def parts(self) -> pd.DataFrame:
        """The parts of the change lead time."""
        return middleware.lead_time_parts(self.figures["change_lead_time"].rows)

    def differences(self, ours: dict[str, Figure]) -> tuple[Difference, ...]:
        """middleware's numbers beside ours."""
        changes, incidents, scope = self.shipped.changes, self.shipped.incidents, self.scope
        why_not = middleware.why_not(changes, middleware_runs.shipments(changes, self.runs), scope)
        pairs = {name: (ours[name], self.figures[name]) for name in FIVE}
        return (
            beside.deployment_frequency(*pairs["deployment_frequency"], "middleware", scope.weeks),
            beside.change_lead_time(*pairs["change_lead_time"], "middleware", why_not, mean),
            beside.change_fail_rate(*pairs["change_fail_rate"], "middleware", incidents),
            beside.failed_deployment_recovery_time(*pairs["failed_deployment_recovery_time"], "middleware", incidents, mean),
            beside.deployment_rework_rate(*pairs["deployment_rework_rate"]),
        )
