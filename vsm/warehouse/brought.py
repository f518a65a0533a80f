"""How single visits come from an engine: which, by a rule that the engine follows, and as what frames.

The finder asks of each wait how many of those that came later were served before it (the running 24th smallest of a column, for
each of a dozen windows), waste of each hour which of nine causes came first, and the lever walks single items through a line. So
the visits of the latest time come here, as many as `sample.MOST`; a longer log only moves the beginning of what is looked at.
"""

from typing import Any

import ibis
import numpy as np
import pandas as pd

from vsm.frames import instants, named
from vsm.metrics import stages
from vsm.metrics.blocked import FLAGGED
from vsm.scope import Scope
from vsm.warehouse import sample
from vsm.warehouse.engine import Engine
from vsm.warehouse.ranks import NEVER
from vsm.warehouse.sample import Sample, asked_since, single_visits
from vsm.warehouse.walk import KINDS
from vsm.workflow import Workflow
from vsm.working_time import HOUR, NOT_A_TIME, micro

Expr = Any
DAY = 24 * HOUR
TIMES = ("queued", "started", "finished", "left")
ENDED = ("created_at", "done_at", "cancelled_at")
FLAGS = ("ticket", "field", "at", "from", "to")


def sampled(
    engine: Engine, visits: Expr, items: Expr, flags: Expr, workflow: Workflow, scope: Scope, some: Expr = None
) -> Sample | None:
    """The visits of a stream that a window asks for, or the latest of them (`sample.single_visits`); None where they are too many.

    `some`: visits of the items that will be looked at by themselves; the first of them, too, says since when there are records.
    """
    asked = micro(asked_since(scope))
    waits = bool(workflow.stages and workflow.stages[0].wip_limit is not None)
    rows = engine.keep(_last_seen(visits, items, waits))
    since = _since(rows, asked, micro(scope.end))
    if since is None:
        return None
    oldest = {item for log in (visits, some) if log is not None for item in _oldest(log)}
    mine = engine.keep(rows.filter((rows.last >= since) | rows.item.isin(sorted(oldest) or [""])).select("item"))
    told = _visits(visits.semi_join(mine, "item"), workflow)
    about = _items(items.semi_join(mine, "item"))
    changes = _changes(flags.semi_join(mine, "item"))
    return Sample(told, about, changes, pd.Timestamp(since, unit="us", tz="UTC").as_unit("us"), since == asked)


def _last_seen(visits: Expr, items: Expr, waits: bool) -> Expr:
    """Of each item when it was last there (`NEVER`: it still is), and how many rows it is with its visits.

    `waits`: an item that has not come to the first stage and is not over waits outside of it.
    """
    one = ibis.literal(1, "int64")
    stays = visits.group_by("item").agg(out=ibis.coalesce(visits.left, NEVER).max(), n=visits.count())
    rows = items.select("item", "done_at", "cancelled_at").left_join(stays, "item").drop("item_right")
    outside = rows.n.isnull() & rows.done_at.isnull() & rows.cancelled_at.isnull()
    ends = [ibis.coalesce(at, 0) for at in (rows.out, rows.done_at, rows.cancelled_at)]
    last = ibis.cases((outside & ibis.literal(waits), ibis.literal(NEVER, "int64")), else_=ibis.greatest(*ends))
    return rows.select("item", last=last.cast("int64"), n=(ibis.coalesce(rows.n, 0) + one).cast("int64"))


def _oldest(visits: Expr) -> list[str]:
    """The item of the first visit."""
    return [str(item) for item in visits.order_by(["queued", "item"]).limit(1).select("item").to_pandas()["item"]]


def _since(rows: Expr, asked: int, end: int) -> int | None:
    """Since when items have to have been there, so that they are few enough with their visits: `asked`, or a later day."""
    days = int(max((end - asked) // DAY, 1))
    mine = rows.filter(rows.last >= asked)
    day = ibis.least(((mine.last - asked) / DAY).floor().cast("int64"), ibis.literal(days - 1, "int64"))
    day = ibis.cases((mine.last == NEVER, ibis.literal(days, "int64")), else_=day)
    told = mine.mutate(vsm_day=day).group_by("vsm_day").agg(n=lambda t: t.n.sum().cast("int64")).to_pandas()
    counts = np.zeros(days + 1, dtype="int64")
    counts[told["vsm_day"].to_numpy(dtype="int64")] = told["n"].to_numpy(dtype="int64")
    first = single_visits(counts, sample.MOST)
    return None if first is None else asked + first * DAY


def _visits(visits: Expr, workflow: Workflow) -> pd.DataFrame:
    """The visits as `vsm.visits` tells them, by item and in order, split into wait and work."""
    names = [stage.name for stage in workflow.stages]
    told = visits.select("item", "position", "seq", *TIMES, "actor", "team", "before", kind=_number(visits.kind_in)).to_pandas()
    told = told.astype({"item": "str"}).sort_values(["item", "seq"], kind="stable", ignore_index=True)
    place, before = told["position"].to_numpy(dtype="int64"), told["before"].to_numpy(dtype="int64")
    frame = pd.DataFrame(
        {
            "item": told["item"],
            "stage": named(place, names),
            "position": place,
            "seq": told["seq"].to_numpy(dtype="int64"),
            **{name: as_times(told[name]) for name in TIMES},
            "actor": told["actor"].astype("str"),
            "team": told["team"].astype("str"),
            "entered_from": named(before, names),
            "kind_in": named(told["kind"].to_numpy(dtype="int64"), list(KINDS)),
        }
    )
    return stages.split(frame, workflow.stages)


def _number(kind: Expr) -> Expr:
    return ibis.cases(*((kind == name, ibis.literal(place, "int64")) for place, name in enumerate(KINDS)), else_=-1)


def _items(items: Expr) -> pd.DataFrame:
    told = items.select("item", "reopened", "team", "application", *ENDED).to_pandas().astype({"item": "str"})
    told = told.sort_values("item", kind="stable", ignore_index=True)
    return told.assign(**{name: as_times(told[name]) for name in ENDED}, reopened=told["reopened"].to_numpy(dtype="int64"))


def _changes(flags: Expr) -> pd.DataFrame:
    """When items were flagged, as changes of the field that says so."""
    told = flags.select("item", "since", "until").to_pandas()
    known = told[told["until"].notna()]
    rows = [(told["item"], told["since"], None, "yes"), (known["item"], known["until"], "yes", None)]
    parts = [
        pd.DataFrame(
            {"ticket": item.astype("str"), "field": FLAGGED, "at": as_times(at).set_axis(item.index), "from": old, "to": new}
        )
        for item, at, old, new in rows
    ]
    texts = dict.fromkeys(("ticket", "field", "from", "to"), "str")
    return pd.concat(parts, ignore_index=True)[list(FLAGS)].astype(texts)


def as_times(column: pd.Series) -> pd.Series:
    """Microseconds as times; a column in which some are missing comes as floating-point numbers, exact to the year 2255."""
    known = column.notna().to_numpy()
    told = np.full(len(column), NOT_A_TIME, dtype="int64")
    told[known] = column[known].to_numpy(dtype="int64")
    return instants(told)
