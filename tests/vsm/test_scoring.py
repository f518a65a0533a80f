"""Scoring: each planned number against what was measured since, in words, and nothing said too early."""

from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from vsm.future import Step, current, totals, without
from vsm.metrics.figure import nearest_rank
from vsm.scope import Scope
from vsm.scoring import WHOLE, scored, verdict

START = pd.Timestamp("2026-11-02", tz="UTC")
DEV, QA = Step("Dev", wait=5, work=20, accurate=0.9, column=0), Step("QA", wait=100, work=8, accurate=0.9, column=1)
BEFORE = (DEV, QA)


def since(**stages):
    """What was measured since: waits and works of visits to stages in a line, each with its %C&A of so many."""
    graph, rows, judged = nx.DiGraph(), [], []
    for name, (waits, works, (right, of)) in stages.items():
        numbers = {"wait_p50": nearest_rank(waits, 0.5), "work_p50": nearest_rank(works, 0.5), "wait_n": len(waits)}
        graph.add_node(name, **numbers, work_n=len(works), percent_complete_accurate=right / of if of else None)
        rows += [(name, START, wait, work) for wait, work in zip(waits, works, strict=True)]
        judged.append((name, "next", of))
    visits = pd.DataFrame(rows, columns=["stage", "left", "wait", "work"])
    visits = visits.assign(**{name: pd.to_timedelta(visits[name].astype("float64"), unit="h") for name in ("wait", "work")})
    scope = Scope(START - pd.Timedelta(days=1), START + pd.Timedelta(days=1))
    return SimpleNamespace(graph=graph, accurate=pd.DataFrame(judged, columns=["from", "to", "n"]), visits=visits, scope=scope)


SPREAD = np.arange(41) - 20  # 41 visits around a median


def lived(dev=5, qa=40, n=41):
    around = SPREAD[(41 - n) // 2 : (41 + n) // 2]
    return since(
        Dev=(list(dev + 0.05 * around), list(20 + 0.1 * around), (90, 100)),
        QA=(list(qa + around * 0.5), list(8 + 0.05 * around), (95, 100)),
    )


def verdicts(frame):
    return {(row["step"], row["number"]): row["verdict"] for row in frame.to_dict("records")}


def test_each_number_and_the_whole_are_judged_by_their_intervals():
    plan = (DEV, Step("QA", wait=40, work=8, accurate=0.99, column=1))
    told = verdicts(scored(plan, BEFORE, lived(qa=40)))
    assert told[("QA", "wait")] == told[("Dev", "wait")] == told[("QA", "work")] == "as planned"
    assert told[(WHOLE, "lead_time")] == told[(WHOLE, "flow_efficiency")] == "as planned"

    told = verdicts(scored(plan, BEFORE, lived(qa=100)))
    assert told[("QA", "wait")] == told[(WHOLE, "lead_time")] == told[(WHOLE, "flow_efficiency")] == "worse than planned"
    assert verdicts(scored(plan, BEFORE, lived(qa=15)))[("QA", "wait")] == "better than planned"


def test_the_measured_totals_are_those_of_the_map_since():
    found = lived(qa=40)
    row = scored(BEFORE, BEFORE, found).set_index(["step", "number"])
    told = totals(current(found.graph, found.accurate))
    for number in ("lead_time", "flow_efficiency", "rolled"):
        assert row.loc[(WHOLE, number), "measured"] == pytest.approx(getattr(told, number))
        assert row.loc[(WHOLE, number), "low"] < getattr(told, number) < row.loc[(WHOLE, number), "high"]


@pytest.mark.parametrize("found", [None, lived(n=3)], ids=["nothing yet", "three visits"])
def test_too_few_visits_are_too_early(found):
    told = scored(BEFORE, BEFORE, found)
    times = told[told["number"].isin(["wait", "work", "lead_time", "flow_efficiency"])]
    assert set(times["verdict"]) == {"too early"}
    assert set(times["n"]) == {0 if found is None else 3}


def test_what_no_system_records_cannot_be_scored():
    plan = (*BEFORE, Step("Board", wait=4, work=1, column=2, estimate=True))
    told = verdicts(scored(plan, BEFORE, lived()))
    assert told[("Board", "wait")] == told[("Board", "work")] == "no system records it"
    assert ("Board", "removed") not in told


def test_a_step_that_was_planned_away_is_gone_or_still_there():
    plan = without(BEFORE, "QA")
    assert verdicts(scored(plan, BEFORE, lived()))[("QA", "removed")] == "still there: 41 visits"
    gone = since(Dev=([5.0] * 9, [20.0] * 9, (9, 10)), QA=([], [], (0, 0)))
    assert verdicts(scored(plan, BEFORE, gone))[("QA", "removed")] == "gone, as planned"
    assert verdicts(scored(plan, BEFORE, gone))[(WHOLE, "lead_time")] == "as planned"
    assert verdicts(scored(plan, BEFORE, None))[("QA", "removed")] == "too early"


@pytest.mark.parametrize(
    ("planned", "number", "said"),
    [
        (5, "wait", "as planned"), (1, "wait", "worse than planned"), (9, "wait", "better than planned"),
        (1, "rolled", "better than planned"), (9, "flow_efficiency", "worse than planned"),
    ],
)  # fmt: skip
def test_a_shorter_time_and_a_larger_share_are_better(planned, number, said):
    assert verdict(planned, 4, 6, number) == said


def test_the_interval_of_the_sum_holds_it_about_as_often_as_it_says():
    dice = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        waits = {name: dice.lognormal(2, 0.8, 60) for name in ("Dev", "QA")}
        works = {name: dice.lognormal(1, 0.8, 60) for name in ("Dev", "QA")}
        found = since(**{name: (list(waits[name]), list(works[name]), (1, 1)) for name in waits})
        truth = (Step("Dev", np.exp(2), np.exp(1), column=0), Step("QA", np.exp(2), np.exp(1), column=1))
        row = scored(truth, truth, found).set_index("number").loc["lead_time"]
        hits += row["verdict"] == "as planned"
    assert 0.9 < hits / 200 < 0.99
