"""Data quality: what in the data makes numbers smaller, later or silent than they should be, and what to do about it."""

from collections.abc import Iterable, Iterator

import pandas as pd

from vsm.metrics import quality_delivery, quality_tickets
from vsm.metrics.finding import Finding as Finding
from vsm.pipeline import Flow, StreamFlow

COLUMNS = ("check", "rows", "effect", "remedy")


def quality(flow: Flow, streams: tuple[StreamFlow, ...], common: Iterable[Finding] | None = None) -> pd.DataFrame:
    """Every check that found something: check, rows (how many), effect, remedy; the most rows first.

    `common`: what `of_everything` found, where several streams are looked at one after the other.
    """
    found = [*(of_everything(flow) if common is None else common), *_of_some(flow, streams)]
    told = [{"check": one.check, "rows": len(one.found), "effect": one.effect, "remedy": one.remedy} for one in found]
    told = sorted((row for row in told if row["rows"]), key=lambda row: (-int(str(row["rows"])), str(row["check"])))
    return pd.DataFrame(told, columns=list(COLUMNS)).astype({"check": "str", "rows": "int64", "effect": "str", "remedy": "str"})


def findings(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    """Every check with its rows, whether it found something or not; dates in the future only where the last harvest is known."""
    yield from of_everything(flow)
    yield from _of_some(flow, streams)


def of_everything(flow: Flow) -> Iterator[Finding]:
    """The checks that speak of all facts, whichever stream is looked at."""
    yield from quality_tickets.of_claims(flow)
    yield from quality_tickets.of_histories(flow)
    yield from quality_delivery.of_links(flow)
    yield from quality_delivery.of_clocks(flow)
    yield from quality_delivery.of_incidents(flow.links)
    if flow.harvested is not None:
        yield from quality_delivery.of_the_future(flow, flow.harvested)


def _of_some(flow: Flow, streams: tuple[StreamFlow, ...]) -> Iterator[Finding]:
    yield from quality_tickets.of_statuses(streams)
    yield from quality_tickets.of_items(flow, streams)
    yield from quality_tickets.of_families(flow, streams)
    yield from quality_delivery.of_coverage(flow, streams)
