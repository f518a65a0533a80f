"""A store that tests harvest into, and what is in it as plain rows; a watcher that keeps what it is told."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import cycle

import pytest
import sqlalchemy as sa

from collectors.base import Page
from collectors.harvest import Outcome
from vsm.models import TABLES

# A test that compares what a harvest kept, on SQLite and on PostgreSQL.
both = pytest.mark.parametrize("where", ["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)], indirect=True)


def in_turn(name: str, values: Iterable[object]) -> pytest.MarkDecorator:
    """A test with several values of an argument: one on SQLite, the next on PostgreSQL, which costs no test more."""
    places = cycle(["sqlite", "postgresql"])
    marks = {"sqlite": [], "postgresql": [pytest.mark.peer]}
    told = [pytest.param(value, place, marks=marks[place]) for value, place in zip(values, places, strict=False)]
    return pytest.mark.parametrize((name, "where"), told, indirect=["where"])


class Killed(KeyboardInterrupt):
    """The process ends here."""


@dataclass
class Silent:
    """A watcher that keeps what it is told; with `until` the process ends at that page, once it is saved."""

    until: int | None = None
    pages: list[Page] = field(default_factory=list)

    def begins(self, source: str, scope: str) -> None:
        """Nothing."""

    def page(self, source: str, page: Page) -> None:
        """Keep the page."""
        self.pages.append(page)
        if len(self.pages) == self.until:
            raise Killed

    def ends(self, outcome: Outcome) -> None:
        """Nothing."""


@dataclass
class Shelf:
    """A store, and what is in it as plain rows."""

    engine: sa.Engine

    def rows(self, table: str) -> list[dict[str, object]]:
        """A table's rows in the order of its key, without what is missing in them."""
        target = TABLES[table].__table__
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(target).order_by(*target.primary_key)).mappings().all()
        left_out = ("origin", "uid")
        return [{name: value for name, value in row.items() if value is not None and name not in left_out} for row in found]

    def everything(self) -> dict[str, list[dict[str, object]]]:
        """All rows of all tables that have any."""
        return {name: rows for name in TABLES if (rows := self.rows(name))}
