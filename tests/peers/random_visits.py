"""Random logs for engines: items that skip stages, go back, begin again, end in every way, several events at one instant."""

import random
from typing import Any

import numpy as np
import pandas as pd

from vsm.frames import no_times
from vsm.ordered import LOG, in_order
from vsm.workflow import Stage, Workflow

MONDAY = pd.Timestamp("2026-03-02", tz="UTC").as_unit("us")
ENDS: dict[str, Any] = {"new": ("Todo",), "done": ("Done", "Closed"), "cancelled": ("Dropped",), "ignored": ("Parked",)}
EVERYTHING = Workflow(
    "everything",
    (
        Stage("Code", waiting=("Ready",), active=("Doing", "Fixing"), starts=("commit.first",), closes=("pull_request.opened",)),
        Stage("Review", waiting=("For review",), opens=("pull_request.ready",), starts=("review.submitted",),
              closes=("pull_request.approved", "review.submitted"), team="Reviewers", wip_limit=12),
        Stage("Test", active=("Testing",), opens=("deployment.finished:staging",), starts=("deployment.finished:staging",)),
        Stage("Release", waiting=("Waiting",), opens=("pull_request.merged",),
              closes=("deployment.finished", "deployment.started")),
    ),
    **ENDS,
)  # fmt: skip
STATUSES = Workflow(
    "statuses",
    (
        Stage("Code", waiting=("Ready",), active=("Doing", "Fixing")),
        Stage("Review", waiting=("For review",), team="Reviewers", wip_limit=3),
        Stage("Test", active=("Testing",)),
    ),
    **ENDS,
)
BARE = Workflow("bare", done=("Done",), new=("Todo",))
WORDS = [
    *("Todo", "Ready", "Doing", "Fixing", "For review", "Testing", "Waiting", "Done", "Closed", "Dropped", "Parked", "Limbo"),
    *("commit.first", "pull_request.opened", "pull_request.ready", "review.submitted", "pull_request.approved"),
    *("pull_request.merged", "deployment.started@Production", "deployment.finished@staging", "deployment.finished@production"),
    *("deployment.finished", "deployment.finished@qa", "item.done", "item.cancelled", "item.settled", "ticket.created"),
]
EVENTS = ["item", "at", "place", "event", "status", "environment", "actor", "team"]


def log(seed: int, items: int, words: list[str] = WORDS) -> pd.DataFrame:
    """A log with a random history for each item, in order, some events at one instant."""
    dice = random.Random(seed)
    rows = []
    for number in range(items):
        at = MONDAY + pd.Timedelta(hours=dice.randrange(24 * 100))
        for _ in range(dice.randrange(25)):
            at += pd.Timedelta(hours=dice.choice([0, 0, 1, 5, 20, 60]), microseconds=dice.choice([0, 0, 0, 1]))
            name, _, environment = dice.choice(words).partition("@")
            event = {"event": name} if "." in name else {"event": "status", "status": name}
            who = {"actor": dice.choice([None, "ann", "bob", "cho"]), "team": dice.choice([None, None, "Guests"])}
            rows.append({"item": f"PAY-{number:04}", "at": at, "environment": environment or None} | who | event)
    return in_order(pd.DataFrame(rows, columns=list(LOG)).astype(LOG))


def items(seed: int, count: int) -> pd.DataFrame:
    """Items with types, teams, creations, and some in production."""
    dice = random.Random(seed)
    keys = [f"PAY-{number:04}" for number in range(count)]
    created = [MONDAY + pd.Timedelta(hours=dice.randrange(24 * 90)) for _ in keys]
    frame = pd.DataFrame({"item": keys, "created_at": created}).astype({"item": "str"})
    live = [at + pd.Timedelta(hours=dice.randrange(24 * 60)) if dice.random() < 0.3 else pd.NaT for at in created]
    return frame.assign(
        type=pd.Series([dice.choice(["Story", "Bug", None]) for _ in keys], dtype="str"),
        team=pd.Series([dice.choice(["Makers", "Movers", None]) for _ in keys], dtype="str"),
        application=pd.Series([dice.choice(["shop", "pay"]) for _ in keys], dtype="str"),
        in_production_at=pd.Series(live, dtype="datetime64[us, UTC]") if any(live) else no_times(frame.index),
    )


def events(told: pd.DataFrame) -> pd.DataFrame:
    """A log as the table that an engine is given: with the place of each event, and text as it is."""
    texts = {name: told[name].astype("str") for name in told.columns if name not in ("at",)}
    return told.assign(**texts, place=np.arange(len(told)))[EVENTS]
