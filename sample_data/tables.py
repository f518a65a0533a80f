"""The facts as they are collected during the run, and how they are written."""

import csv
from pathlib import Path
from typing import Any

from clock import stamp

# The columns of the facts folder (docs/facts.md), key first. Kept here, so that the generator
# runs without the project installed; a test compares them with vsm.models.
COLUMNS: dict[str, tuple[str, ...]] = {
    "tickets": ("key", "title", "type", "status", "created_at", "resolved_at", "resolution", "project", "team",
                "priority", "parent", "labels", "application", "url"),
    "transitions": ("ticket", "at", "from_status", "to_status", "actor", "team"),
    "ticket_changes": ("ticket", "at", "field", "to", "from", "actor"),
    "ticket_links": ("ticket", "kind", "other"),
    "repositories": ("name", "url", "default_branch", "application", "head_sha"),
    "commits": ("repository", "sha", "authored_at", "committed_at", "author", "subject", "message", "parents", "paths"),
    "tags": ("repository", "name", "sha", "tagged_at", "subject"),
    "pull_requests": ("repository", "number", "title", "author", "source_branch", "target_branch", "created_at",
                      "ready_at", "first_commit_at", "first_review_at", "approved_at", "merged_at", "closed_at",
                      "merge_sha", "head_sha", "labels", "additions", "deletions", "url"),
    "pull_request_commits": ("repository", "number", "sha", "authored_at"),
    "reviews": ("repository", "number", "submitted_at", "reviewer", "state"),
    "comments": ("repository", "number", "at", "author"),
    "builds": ("id", "job", "repository", "sha", "branch", "queued_at", "started_at", "finished_at", "result", "url"),
    "build_stages": ("build", "name", "started_at", "finished_at", "result"),
    "deployments": ("id", "application", "environment", "repository", "sha", "ref", "started_at", "finished_at",
                    "result", "url"),
    "deployment_commits": ("deployment", "repository", "sha"),
    "incidents": ("id", "application", "title", "severity", "opened_at", "detected_at", "acknowledged_at",
                  "resolved_at", "deployment", "ticket", "labels", "url"),
    "identities": ("source", "handle", "person"),
}  # fmt: skip

KEYS = {
    "tickets": 1, "transitions": 4, "ticket_changes": 4, "ticket_links": 3, "repositories": 1, "commits": 2, "tags": 2,
    "pull_requests": 2, "pull_request_commits": 3, "reviews": 4, "comments": 4, "builds": 1, "build_stages": 3,
    "deployments": 1, "deployment_commits": 3, "incidents": 1, "identities": 2,
}  # fmt: skip

Row = dict[str, Any]


class Facts:
    """All rows of all tables; a row may still be filled in while the run goes on."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {table: [] for table in COLUMNS}

    def add(self, table: str, **values: Any) -> Row:
        """Keep a new row and return it. ``from_`` stands for the column ``from``."""
        row = {name.rstrip("_"): value for name, value in values.items()}
        unknown = row.keys() - set(COLUMNS[table])
        if unknown:
            raise KeyError(f"{table} has no {unknown}")
        self.tables[table].append(row)
        return row

    def remove(self, table: str, rows: list[Row]) -> None:
        """Forget these very rows: what a deleted branch held is gone from the repository."""
        gone = {id(row) for row in rows}
        self.tables[table] = [row for row in self.tables[table] if id(row) not in gone]

    def count(self) -> dict[str, int]:
        """Rows per table."""
        return {table: len(rows) for table, rows in self.tables.items()}

    def newest(self) -> int:
        """The latest instant of any column."""
        return max(
            int(value)
            for rows in self.tables.values()
            for row in rows
            for name, value in row.items()
            if _is_time(name) and value is not None
        )

    def write(self, folder: Path) -> None:
        """One CSV a table, sorted by key."""
        folder.mkdir(parents=True, exist_ok=True)
        for table, columns in COLUMNS.items():
            keys = columns[: KEYS[table]]
            rows = sorted(self.tables[table], key=lambda row: [_sortable(row.get(key)) for key in keys])
            with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(columns)
                writer.writerows([_cell(name, row.get(name)) for name in columns] for row in rows)


def _is_time(column: str) -> bool:
    return column == "at" or column.endswith("_at")


def _sortable(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int) else (2, str(value))


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    return stamp(value) if _is_time(column) else str(value)
