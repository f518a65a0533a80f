"""What GitHub's lists have in common: a repository has several, each is read newest first and told one thing at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from collectors.base import Told

if TYPE_CHECKING:
    from collectors.github.client import Client
    from vsm.models import Fact


@dataclass(frozen=True)
class Repo:
    """One repository: ``id`` stays when the ``name`` (owner/name) changes."""

    id: int
    node_id: str
    name: str
    default_branch: str | None = None
    archived: bool = False
    head: str | None = None  # the newest commit of the default branch
    url: str | None = None
    size: int | None = None  # what its server can give at once, where that is less than was asked for


@dataclass(frozen=True)
class Rules:
    """What the configuration says about what an answer means."""

    application: str | None = None
    deploy_workflows: tuple[str, ...] = ()
    deploy_jobs: tuple[str, ...] = ()
    release_tags: tuple[str, ...] = ()
    incident_labels: tuple[str, ...] = ()
    production: str = "production"
    is_production: Callable[[str], bool] = lambda environment: environment.casefold() == "production"

    def application_of(self, repository: str) -> str:
        """The application that a repository's deployments are of: the configured one, else the repository's own name."""
        return self.application or repository.rpartition("/")[2]


@dataclass(frozen=True)
class Batch:
    """What one answer of the server holds: things by their id, things that are no longer there, and how far we are.

    ``gone``: keys of facts that go with what is lost, though another source may fill them. ``state`` replaces
    the list's cursor; it is None for a batch after which the cursor stays, since a walk from the newest down
    may only move it at its end.
    """

    answers: Sequence[tuple[str, Any]] = ()
    lost: Sequence[str] = ()
    gone: "Mapping[type[Fact], Sequence[Mapping[str, Any]]]" = field(default_factory=dict)
    state: Mapping[str, Any] | None = None
    total: int | None = None
    warnings: Sequence[str] = field(default_factory=tuple)


class Resource(Protocol):
    """One of a repository's lists.

    ``fields`` are GraphQL fields of a Repository that ask for the list's newest things, put into the one
    query that polls a repository; empty where GraphQL has no such list. ``lasting`` are the parts of a
    state that a reading from the beginning takes along, to tell what is no longer there.
    """

    name: ClassVar[str]
    lasting: ClassVar[tuple[str, ...]]
    fields: ClassVar[str]

    def batches(
        self, client: "Client", repo: Repo, state: Mapping[str, Any], since: datetime | None, first: Any
    ) -> Iterator[Batch]:
        """The news of a repository's list since the state (an empty one: all of it).

        `first` is what the poll answered for `fields` (the Repository object), None where GraphQL is
        refused and REST must do. Raises CollectorError.
        """

    def told(self, answer: Any, rules: Rules) -> Told:
        """The facts that one raw answer tells; the answer carries its repository's name as ``repository``."""
