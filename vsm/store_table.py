"""What a statement on the store begins with: a table, and an insert in its database's own words."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel


def table_of(table: type[SQLModel]) -> sa.Table:
    """A model's table."""
    found: sa.Table = table.__table__  # type: ignore[attr-defined]  # SQLModel adds it to table models
    return found


def insert_into(connection: Connection, table: sa.Table) -> Any:
    """An INSERT that knows ON CONFLICT."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
