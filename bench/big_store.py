"""A big store for measuring: a line of five stages with skips, backflow, reopening and cancelled tickets, a third with code.

`python bench/big_store.py FILE TICKETS` writes one. The same seed gives the same facts; 14 events a ticket.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_sqlite import dbapi

from vsm import store
from vsm.models import SEPARATOR

SEED = 7
SECOND = 1_000_000
DAY = 86_400 * SECOND
BEGIN = np.datetime64("2023-01-02T00:00:00", "us").astype("int64")
DAYS = 1_092  # of which the report's window is the last 182
REPOSITORIES, PEOPLE, CHUNK = 24, 300, 1_000_000
PER_DEPLOYMENT = 8  # changes

STATUSES = (
    "Backlog", "Ready for development", "In development", "Ready for review", "In review", "Ready for QA", "In QA",
    "Ready for release", "Done", "Won't do",
)  # fmt: skip
STAY = np.array([20, 4, 3, 1.5, 0.7, 2, 1, 3, 0, 0]) * DAY  # on average
WAY = [0, 1, 2, 3, 4, 5, 6, 7, 8]
# A ticket's way through the statuses, and how many in a thousand take it.
WAYS = (
    (WAY, 560),
    ([0, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8], 110),  # sent back by review
    ([0, 1, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 7, 8], 80),  # sent back by QA
    ([0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 7, 8], 30),
    ([0, 1, 2, 3, 4, 7, 8], 70),  # without QA
    ([0, 2, 3, 4, 5, 6, 7, 8], 60),
    ([0, 1, 2, 9], 30),
    ([0, 9], 20),
    ([0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 3, 4, 5, 6, 7, 8], 20),  # opened again
    ([0, 1, 2, 3, 4, 5, 6, 8], 20),
)
CONFIG = """
timezone = "Europe/Vienna"
[[streams]]
name = "big"
new = ["Backlog"]
done = ["Done"]
cancelled = ["Won't do"]
[[streams.stages]]
name = "Develop"
waiting = ["Ready for development"]
active = ["In development"]
[[streams.stages]]
name = "Review"
waiting = ["Ready for review"]
active = ["In review"]
opens = ["pull_request.ready"]
starts = ["review.submitted"]
closes = ["pull_request.approved"]
[[streams.stages]]
name = "QA"
waiting = ["Ready for QA"]
active = ["In QA"]
[[streams.stages]]
name = "Release"
waiting = ["Ready for release"]
closes = ["deployment.finished:production"]
"""

Numbers = np.ndarray[Any, Any]


def write(path: Path, tickets: int) -> None:
    """A new store with so many tickets."""
    engine = store.open_store(f"sqlite:///{path}")
    harvest = store.begin_harvest(engine, "bench", "import", "a made-up line", at=datetime(2026, 1, 1, tzinfo=UTC))
    rows = 0
    # SQLAlchemy's own way takes ten times as long, and how facts are written is not what is measured.
    with dbapi.connect(f"file:{path}") as connection, connection.cursor() as cursor:
        for name, table in _tables(tickets):
            told = table.append_column("origin", pa.array(np.full(table.num_rows, "bench"), pa.string()))
            for start in range(0, told.num_rows, CHUNK):
                cursor.adbc_ingest(name, told.slice(start, CHUNK), mode="append")
            connection.commit()
            rows += told.num_rows
    store.finish_harvest(engine, harvest, at=datetime(2026, 1, 1, tzinfo=UTC), status="done", rows=rows, changed=rows)
    engine.dispose()


def _tables(tickets: int) -> Any:
    """The facts, a table at a time."""
    dice = np.random.default_rng(SEED)
    number = np.arange(1, tickets + 1)
    created = BEGIN + np.sort(dice.integers(0, DAYS * 86_400, tickets)) * SECOND
    key = _named("BIG-", number)
    ticket, was, now, at, status = _moves(dice, tickets, created)
    who = dice.integers(0, PEOPLE, len(ticket))
    yield "tickets", pa.table(
        {
            "key": key, "title": _named("Thing ", number),
            "type": _pick(np.array(["story", "bug", "task"]), dice.integers(0, 3, tickets)),
            "status": _pick(np.array(STATUSES), status), "created_at": _times(created), "project": _same("BIG", tickets),
            "team": _named("Team ", dice.integers(1, 13, tickets)),
        }
    )  # fmt: skip
    moved = key.take(pa.array(ticket))
    names = np.array(STATUSES)
    yield "transitions", pa.table(
        {
            "uid": _key(moved, _isoformat(at), _pick(names, was), _pick(names, now)), "ticket": moved, "at": _times(at),
            "from_status": _pick(names, was), "to_status": _pick(names, now), "actor": _handles(who),
        }
    )  # fmt: skip
    begun = np.flatnonzero(np.isin(now, [2, 4, 6]) & (dice.random(len(now)) < 0.5))
    some = moved.take(pa.array(begun))
    yield "ticket_changes", pa.table(
        {
            "uid": _key(some, _isoformat(at[begun]), _same("assignee", len(begun)), _handles(who[begun])), "ticket": some,
            "at": _times(at[begun]), "field": _same("assignee", len(begun)), "to": _handles(who[begun]),
            "from": _handles(dice.integers(0, PEOPLE, len(begun))), "actor": _handles(who[begun]),
        }
    )  # fmt: skip
    yield "identities", pa.table(
        {
            "source": _same("tracker", PEOPLE), "handle": _handles(np.arange(PEOPLE)),
            "person": _named("Somebody ", np.arange(PEOPLE)),
        }
    )  # fmt: skip
    yield from _code(dice, ticket, now, at, who)


def _moves(dice: np.random.Generator, tickets: int, created: Numbers) -> tuple[Numbers, ...]:
    """Every change of status that has come by the end: ticket, from, to, when; and each ticket's status at the end."""
    shares = np.array([share for _, share in WAYS], dtype="float64")
    way = dice.choice(len(WAYS), tickets, p=shares / shares.sum())
    steps = np.array([len(path) - 1 for path, _ in WAYS])
    first = np.cumsum(steps) - steps
    was, now = (np.concatenate([path[side:][: len(path) - 1] for path, _ in WAYS]) for side in (0, 1))
    length = steps[way]
    ticket = np.repeat(np.arange(tickets), length)
    begin = np.cumsum(length) - length
    place = first[way][ticket] + np.arange(len(ticket)) - begin[ticket]
    was, now = was[place], now[place]
    gap = (dice.exponential(1.0, len(ticket)) * np.where(was == 8, 10 * DAY, STAY[was]) / SECOND).astype("int64") + 60
    run = np.cumsum(gap)
    at = created[ticket] + (run - (run - gap)[begin][ticket]) * SECOND
    come = at < BEGIN + DAYS * DAY
    status = np.zeros(tickets, dtype="int64")
    status[ticket[come]] = now[come]  # the last one counts
    return ticket[come], was[come], now[come], at[come], status


def _code(dice: np.random.Generator, ticket: Numbers, now: Numbers, at: Numbers, who: Numbers) -> Any:
    """Of a third of the tickets that came to review a pull request with two commits, a review, a build and a deployment."""
    asked = np.flatnonzero(now == 3)
    asked = asked[np.unique(ticket[asked], return_index=True)[1]]
    asked = asked[dice.random(len(asked)) < 0.36]
    count, horizon = len(asked), BEGIN + DAYS * DAY
    number, repository = np.arange(1, count + 1), dice.integers(0, REPOSITORIES, count)
    opened = at[asked]
    begun = opened - dice.integers(3_600, 200_000, count) * SECOND
    review = opened + dice.integers(600, 90_000, count) * SECOND
    merged = review + dice.integers(600, 90_000, count) * SECOND
    place, branch = _named("repo-", repository), pc.binary_join_element_wise("feature/BIG-", _text(ticket[asked] + 1), "")
    there = merged < horizon
    shas = _shas("a", number)
    yield "pull_requests", pa.table(
        {
            "repository": place, "number": pa.array(number), "title": _named("Change ", number), "author": _handles(who[asked]),
            "source_branch": branch, "target_branch": _same("main", count), "created_at": _times(opened),
            "first_commit_at": _times(begun), "approved_at": _times(np.minimum(review, horizon - SECOND)),
            "merged_at": _times(merged, there), "closed_at": _times(merged, there), "merge_sha": _maybe(shas, there),
        }
    )  # fmt: skip
    yield "pull_request_commits", pa.table(
        {
            "repository": pa.concat_arrays([place, place]), "number": pa.array(np.tile(number, 2)),
            "sha": pa.concat_arrays([_shas("b", number), _shas("c", number)]),
            "authored_at": pa.concat_arrays([_times(begun), _times(opened - 60 * SECOND)]),
        }
    )  # fmt: skip
    other = _handles((who[asked] + 1) % PEOPLE)
    reviewed = np.minimum(review, horizon - SECOND)
    yield "reviews", pa.table(
        {
            "uid": _key(place, _text(number), _isoformat(reviewed), other), "repository": place, "number": pa.array(number),
            "submitted_at": _times(reviewed), "reviewer": other, "state": _same("approved", count),
        }
    )  # fmt: skip
    order = np.lexsort((merged, repository))
    order = order[there[order]]
    before = np.append(False, repository[order][1:] == repository[order][:-1])
    landed = shas.take(pa.array(order))
    parents = _maybe(landed.take(pa.array(np.maximum(np.arange(len(order)) - 1, 0))), before)
    yield "commits", pa.table(
        {
            "repository": place.take(pa.array(order)), "sha": landed, "authored_at": _times(merged[order]),
            "committed_at": _times(merged[order]), "author": _handles(who[asked][order]),
            "subject": _named("Change ", number[order]), "message": _named("Change ", number[order]), "parents": parents,
        }
    )  # fmt: skip
    yield "builds", pa.table(
        {
            "id": _named("build-", number[order]), "job": place.take(pa.array(order)), "repository": place.take(pa.array(order)),
            "sha": landed, "queued_at": _times(merged[order] + 10 * SECOND), "started_at": _times(merged[order] + 40 * SECOND),
            "finished_at": _times(np.minimum(merged[order] + 600 * SECOND, horizon)), "result": _same("success", len(order)),
        }
    )  # fmt: skip
    last = order[PER_DEPLOYMENT - 1 :: PER_DEPLOYMENT]
    last = last[merged[last] + 7_200 * SECOND < horizon]
    failed = dice.random(len(last)) < 0.05
    yield "deployments", pa.table(
        {
            "id": _named("deploy-", number[last]), "application": place.take(pa.array(last)),
            "environment": _same("production", len(last)), "repository": place.take(pa.array(last)),
            "sha": shas.take(pa.array(last)), "started_at": _times(merged[last] + 3_600 * SECOND),
            "finished_at": _times(merged[last] + 4_200 * SECOND),
            "result": _pick(np.array(["success", "failure"]), failed.astype("int64")),
        }
    )  # fmt: skip
    bad = last[dice.random(len(last)) < 0.03]
    yield "incidents", pa.table(
        {
            "id": _named("incident-", number[bad]), "application": place.take(pa.array(bad)),
            "opened_at": _times(merged[bad] + 5_000 * SECOND),
            "resolved_at": _times(np.minimum(merged[bad] + 9_000 * SECOND, horizon)),
        }
    )  # fmt: skip
    yield "repositories", pa.table(
        {"name": _named("repo-", np.arange(REPOSITORIES)), "default_branch": _same("main", REPOSITORIES)}
    )  # fmt: skip


def _text(numbers: Numbers) -> pa.Array:
    return pc.cast(pa.array(numbers), pa.string())


def _named(prefix: str, numbers: Numbers) -> pa.Array:
    return pc.binary_join_element_wise(prefix, _text(numbers), "")


def _handles(numbers: Numbers) -> pa.Array:
    return _named("who", numbers)


def _shas(first: str, numbers: Numbers) -> pa.Array:
    return pc.utf8_lpad(_named(first, numbers), 40, "0")


def _same(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), count)


def _pick(names: Numbers, codes: Numbers) -> pa.Array:
    return pa.array(names.tolist()).take(pa.array(codes))


def _maybe(values: pa.Array, there: Numbers) -> pa.Array:
    return pc.if_else(pa.array(there), values, None)


def _times(at: Numbers, there: Numbers | None = None) -> pa.Array:
    """Times as the store writes them."""
    text = pc.strftime(pa.array(at).cast(pa.timestamp("us")), "%Y-%m-%d %H:%M:%S")
    return text if there is None else _maybe(text, there)


def _isoformat(at: Numbers) -> pa.Array:
    return pc.strftime((pa.array(at // SECOND)).cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%S+00:00")


def _key(*parts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*parts, SEPARATOR)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
