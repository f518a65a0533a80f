"""The derived frames as CSV for spreadsheets and notebooks: items, visits, moves, deployments and what is linked to them."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from vsm.frames import looked_up
from vsm.metrics.figure import hours
from vsm.ocel_json import rows
from vsm.taken import Taken

# A spreadsheet takes a cell that begins with one of these for a formula, and runs it.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
LENGTHS = {"wait": "wait_hours", "work": "work_hours", "dwell": "dwell_hours"}
FILES: Mapping[str, tuple[str, ...]] = {
    "items": (
        "item", "kind", "stream", "title", "type", "state", "stage", "stage_since", "created_at", "committed_at", "first_queued",
        "first_started", "done_at", "cancelled_at", "in_production_at", "reopened", "status", "project", "team", "application",
        "repository", "priority", "parent", "labels", "url", "changes", "deployments",
    ),
    "visits": (
        "item", "stream", "stage", "position", "seq", "queued", "started", "finished", "left", *LENGTHS.values(), "actor", "team",
        "entered_from", "kind_in",
    ),
    "moves": (
        "item", "stream", "from", "to", "at", "left", "backward", "wait_hours", "from_person", "to_person", "from_team", "to_team",
        "person_changed", "team_changed",
    ),
    "changes": (
        "change", "kind", "repository", "number", "sha", "title", "author", "branch", "target_branch", "labels", "application",
        "first_commit_at", "opened_at", "ready_at", "first_review_at", "approved_at", "merged_at", "closed_at", "reverts", "url",
        "tickets",
    ),
    "deployments": (
        "id", "application", "environment", "production", "repository", "sha", "ref", "started_at", "finished_at", "result",
        "previous", "rollback_of", "hotfix", "url", "changes", "tickets", "incidents",
    ),
    "incidents": (
        "id", "application", "title", "severity", "opened_at", "detected_at", "acknowledged_at", "resolved_at", "deployment",
        "rule", "strength", "ticket", "labels", "url",
    ),
    "change_tickets": ("change", "ticket", "rule", "strength"),
    "item_changes": ("item", "change", "rule"),
    "deployment_changes": ("deployment", "change", "rule", "strength"),
}  # fmt: skip


def frames(taken: Taken) -> dict[str, pd.DataFrame]:
    """Each file's frame. Lists of what is linked are joined by ``;``."""
    linked = taken.flow.links
    mine = linked.item_changes[linked.item_changes["item"].isin(taken.items["item"])]
    arrived = mine.merge(taken.brought, on="change")[["item", "deployment"]]
    delivered = taken.brought.merge(taken.pairs, on="change")[["deployment", "ticket"]]
    named = linked.change_tickets[linked.change_tickets["change"].isin(taken.changes["change"])]
    lengths = {hour: hours(taken.visits[name]) for name, hour in LENGTHS.items()}
    moves = taken.moves
    deployments = taken.deployments
    told = {
        "items": taken.items.assign(
            changes=_listed(taken.items["item"], mine[["item", "change"]]),
            deployments=_listed(taken.items["item"], arrived),
        ),
        "visits": taken.visits.assign(**lengths, actor=taken.shown(taken.visits["actor"])),
        "moves": moves.assign(wait_hours=hours(moves["wait"])),
        "changes": taken.changes.assign(
            author=taken.shown(taken.changes["author"]), tickets=_listed(taken.changes["change"], taken.pairs)
        ),
        "deployments": deployments.assign(
            changes=_listed(deployments["id"], taken.brought[["deployment", "change"]]),
            tickets=_listed(deployments["id"], delivered),
            incidents=_listed(deployments["id"], taken.incidents[["deployment", "id"]]),
        ),
        "incidents": taken.incidents,
        "change_tickets": named,
        "item_changes": mine,
        "deployment_changes": taken.brought,
    }
    return {name: told[name][list(columns)] for name, columns in FILES.items()}


def _listed(keys: pd.Series, pairs: pd.DataFrame) -> pd.Series:
    """For each key what it is paired with, in order, with ``;`` between; missing where that is nothing."""
    pairs = pairs.set_axis(["key", "other"], axis=1).dropna().drop_duplicates().sort_values(["key", "other"], kind="stable")
    return looked_up(keys, pairs.astype("str").groupby("key", sort=False)["other"].agg(";".join).astype("str"))


def write(taken: Taken, folder: Path) -> dict[str, int]:
    """Write the files; returns how many rows each has."""
    every = frames(taken)
    for name, frame in every.items():
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(frame.columns)
            writer.writerows(map(_safe, rows(frame)))
    return {name: len(frame) for name, frame in every.items()}


def _safe(row: tuple[object, ...]) -> list[object]:
    return [harmless(cell) if isinstance(cell, str) else cell for cell in row]


def harmless(cell: str) -> str:
    """A text that no spreadsheet takes for a formula, and no reader for the end of a row.

    >>> harmless("=HYPERLINK(1)"), harmless("a-b"), harmless("two\\rlines")
    ("'=HYPERLINK(1)", 'a-b', 'two lines')
    """
    return ("'" + cell if cell.startswith(FORMULA) else cell).replace("\r", " ")
