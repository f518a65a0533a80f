"""What a log told before a source knew better: so that an engine, asked as of an earlier date, follows items as a store does.

A store derives its log anew from the facts as they were then. A draft that is ready only later was not told from a change that is
ready as soon as it is opened, and an approval was the first one until the source named a later one as that which counts. Such
an event stands in the engine's log with ``until``: the instant at which the one that counts today took its place.
"""

import pandas as pd

from vsm.changes import reviews_by_others
from vsm.frames import looked_up
from vsm.landings import name
from vsm.pipeline import Flow

COLUMNS = ("item", "at", "event", "until")


def earlier(flow: Flow) -> pd.DataFrame:
    """item, at, event and until of what was told of changes before; not of items of several, of which the least advanced counts."""
    told, pairs = flow.facts.pull_requests, flow.links.item_changes
    alone = pairs[~pairs["item"].duplicated(keep=False)]
    item = looked_up(name(told), alone.drop_duplicates("change").set_index("change")["item"])
    first = _first_approvals(flow, told)
    parts = [
        pd.DataFrame({"item": item, "at": at, "event": event, "until": until})
        for event, at, until in (
            ("pull_request.ready", told["created_at"], told["ready_at"]),
            ("pull_request.approved", first, told["approved_at"]),
        )
    ]
    both = pd.concat(parts, ignore_index=True)
    return both[both["item"].notna() & (both["at"] < both["until"])].astype({"event": "str"}).reset_index(drop=True)


def _first_approvals(flow: Flow, told: pd.DataFrame) -> pd.Series:
    """When somebody else first approved of each change, as the reviews tell."""
    authors = flow.links.changes.set_index("change")["author"]
    reviews = reviews_by_others(flow.facts, flow.people, authors)
    approvals = reviews[reviews["state"].str.casefold() == "approved"]
    return looked_up(name(told), approvals.groupby("change")["submitted_at"].min())
