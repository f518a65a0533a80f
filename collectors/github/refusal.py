"""Whether GraphQL was refused lately: then it is not asked for again in every run, only after a day.

By the server's own clock, which is known only once it has answered: a run that finds the day over still
does with REST, and the next one tries GraphQL again. A harvest with --full tries it at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from collectors.github.client import Client
from collectors.github.walks import instant

GRAPHQL = "graphql"  # the name of the cursor
KEPT = timedelta(days=1)


@dataclass
class Refusal:
    """What is known of it: ``known`` is the cursor's state, empty where GraphQL is not refused, ``at`` when it was."""

    client: Client
    known: Mapping[str, Any]
    at: datetime | None = None

    @classmethod
    def recalled(cls, client: Client, cursors: Mapping[str, Mapping[str, Any]], anew: bool) -> "Refusal":
        """What an earlier run found out, so that this one need not, unless it is to look `anew`."""
        known = cursors.get(GRAPHQL, {})
        at = instant(known.get("at")) if known.get("url") == client.url and not anew else None
        client.graphql_refused = client.graphql_refused or at is not None
        return cls(client, known, at)

    def news(self) -> dict[str, Mapping[str, Any]]:
        """The cursor to save; none where it is as it was."""
        now = self._now()
        if now == self.known:
            return {}
        self.known = now
        return {GRAPHQL: now}

    def _now(self) -> dict[str, Any]:
        date, client = self.client.date, self.client
        if not client.graphql_refused or client.auth is None or date is None:
            return {}
        self.at = self.at or date
        return {"at": self.at.isoformat(), "url": client.url} if date - self.at < KEPT else {}
