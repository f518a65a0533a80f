"""Which lists of a repository there are, in the order in which they are read."""

from collectors.github.commits import Commits
from collectors.github.deployments import Deployments
from collectors.github.issues import Issues
from collectors.github.keys import Keys
from collectors.github.pulls import PullRequests
from collectors.github.releases import Releases
from collectors.github.resource import Resource
from collectors.github.runs import Runs


def every(keys: Keys) -> tuple[Resource, ...]:
    """All lists."""
    return PullRequests(), Commits(), Releases(), Deployments(), Runs(keys.rules), Issues()


def asked(keys: Keys) -> tuple[Resource, ...]:
    """The lists that a source's keys ask for."""
    left_out = {"commits": not keys.commits, "issues": not (keys.tickets or keys.rules.incident_labels)}
    return tuple(one for one in every(keys) if not left_out.get(one.name))
