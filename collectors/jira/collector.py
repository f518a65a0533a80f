"""Jira as a source: projects, or a query, of one Jira."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from collectors.base import Check, Context, Page, Told
from collectors.jira.issues import ISSUE, told
from collectors.jira.settings import Settings, settings
from collectors.patience import Patience

if TYPE_CHECKING:
    from collectors.jira.client import Client


@dataclass(eq=False)
class JiraCollector:
    """Projects, or a query, of one Jira: Cloud, Server or Data Center."""

    kind: ClassVar[str] = "jira"
    fills: ClassVar[frozenset[str]] = frozenset({"identities"})
    name: str
    settings: Settings
    context: Context

    @classmethod
    def configured(cls, keys: Mapping[str, Any], context: Context) -> Self:
        """A collector from one ``[[sources]]`` table. Raises ConfigError."""
        told = settings(keys, context)
        return cls(told.name, told, context)

    @cached_property
    def client(self) -> "Client":
        """The server, as whom the configuration says that we are."""
        from collectors.jira.client import Client  # the jira package takes half a second

        patience = Patience(self.name, most=self.settings.most, pause=self.context.pause)
        user = self.settings.user
        return Client(self.settings.url, patience, self.settings.token, user.reveal() if user else None)

    def scope(self) -> str:
        """What this source speaks of: "PAY, SHOP at https://example.atlassian.net"."""
        what = ", ".join(self.settings.projects) or f"issues of {self.settings.scopes[0].jql}"
        return f"{what} at {self.settings.url}"

    def recall(self, cursors: Mapping[str, Mapping[str, Any]]) -> None:
        """Nothing: an answer carries all that it is read by."""

    def told(self, resource: str, external_id: str, answer: Any) -> Told:
        """The facts that one raw answer tells."""
        return told(answer, self.settings.rules, self.settings.url) if resource == ISSUE else {}

    def pages(self, cursors: Mapping[str, Mapping[str, Any]], full: bool) -> Iterator[Page]:
        """The news of each project since its cursor. Raises CollectorError, for a project when all others have been read."""
        from collectors.jira.reading import Reading

        yield from Reading(self.client, self.settings, self.context.since, cursors, full).pages()

    def checks(self) -> Iterator[Check]:
        """Version, credentials, rights, clock. Raises CollectorError."""
        from collectors.jira.examine import checks

        yield from checks(self.client, self.settings)

    def proposal(self) -> str:
        """Streams and stages for vsm.toml, from the columns of the boards. Raises CollectorError."""
        from collectors.jira.boards import proposal

        return proposal(self.client, self.settings)
