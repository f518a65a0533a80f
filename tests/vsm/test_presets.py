"""Other tools' numbers beside ours over the same facts: who counts what, and every difference explained to the last digit."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vsm import links, pipeline
from vsm.config import Config
from vsm.delivery import Deliveries
from vsm.metrics.beside import Chain, Difference, worded
from vsm.metrics.figure import Figure, mean, nearest_rank
from vsm.people import People
from vsm.presets import FIVE, Definition, Other
from vsm.scope import Scope
from vsm.store import Facts

TOOLS = ("devlake", "middleware")
FOUR_WEEKS = 4 * 7 * 24.0
CODE = """
a at=1
b at=20 < a | Sort by price (#1)
c at=30 < b | Cards (#2)
x at=31 < c | A fix, pushed
d at=60 < x | Vouchers (#3)
e at=130 < d | Revert "Vouchers" (#4)
"""
PULLS = """
1 branch=sort target=main first=5 created=10 merged=20 sha=b author=ann
2 branch=cards target=main first=12 created=15 merged=30 sha=c author=bob
3 branch=vouchers target=main first=40 created=41 merged=60 sha=d author=ann
4 branch=revert-3-vouchers target=main first=129 created=129 merged=130 sha=e author=ann
"""
SHIPPED = """
d0 sha=b started=24 at=25
d1 sha=x started=34 at=35
d2 sha=d started=99 at=100 result=failure
d3 sha=d started=100 at=101
d4 sha=e started=134 at=135
"""


@dataclass(frozen=True)
class Beside:
    """Another tool's figures, ours, and the differences."""

    figures: dict[str, Figure]
    ours: dict[str, Figure]
    differences: tuple[Difference, ...]


def compare(facts: Facts, tool: Definition, scope: Scope, zone: str = "UTC") -> Beside:
    """The delivery part of a report alone: nothing flows here."""
    config, people = Config(timezone=zone), People.of(facts)
    linked = links.link(facts, config, people)
    flow = pipeline.Flow(config, facts, people, linked, (), linked.items, scope.end)
    shipped = Deliveries(flow).of(None, linked.items, scope)
    read, ours = Other(flow, tool).read(shipped, scope), shipped.figures(scope, flow)
    return Beside(read.figures, ours, read.differences(ours))


@pytest.fixture(name="beside")
def _beside(told: Callable[..., Facts], hour: Callable[[float], pd.Timestamp]) -> Callable[..., Beside]:
    def run(tool: Definition, start: float = 0, end: float = FOUR_WEEKS, **text: str) -> Beside:
        facts = told(**({"code": CODE, "pulls": PULLS, "deployments": SHIPPED} | text))
        facts = pipeline.as_of(facts, hour(end))
        return compare(facts, tool, Scope(hour(start), hour(end)))

    return run


def told_by(differences: tuple[Difference, ...]) -> dict[str, list[tuple[str, int, str]]]:
    return {one.metric: [(step.reason, step.rows, worded(step.value, one.unit)) for step in one.steps] for one in differences}


def numbers(differences: tuple[Difference, ...]) -> dict[str, tuple[str, str]]:
    return {one.metric: (worded(one.ours, one.unit), worded(one.theirs, one.unit)) for one in differences}


def closes(one: Difference) -> bool:
    """Whether the steps lead from our number to theirs."""
    last = one.steps[-1].value if one.steps else one.ours
    return last is None if one.theirs is None else last == pytest.approx(one.theirs)


HAPPENED = """
i1 opened=90 resolved=96
i2 opened=102 resolved=110.99
"""


def test_devlake_s_numbers_stand_beside_ours_with_every_reason(beside: Callable[..., Beside]) -> None:
    found = beside("devlake", incidents=HAPPENED)

    assert numbers(found.differences) == {
        "deployment_frequency": ("1 a week", "0 a week"),
        "change_lead_time": ("6.0 h", "23.0 h"),
        "change_fail_rate": ("50.0 %", "50.0 %"),
        "failed_deployment_recovery_time": ("10.0 h", "10.0 h"),
        "deployment_rework_rate": ("25.0 %", "none"),
    }
    told = told_by(found.differences)
    assert told["deployment_frequency"] == [
        ("4 counted as 3 days of UTC with a deployment", 1, "0.75 a week"),
        ("the lower median of 5 calendar weeks, empty and part ones included, instead of the mean", 5, "0 a week"),
    ]
    assert told["change_lead_time"][0] == (
        "without 1 of our changes: pushed without a pull request, and DevLake counts merged pull requests only", 1, "23.0 h",
    )  # fmt: skip
    assert told["deployment_rework_rate"] == [("DevLake has no deployment rework rate", 4, "none")]


def test_middleware_s_numbers_stand_beside_ours_with_every_reason(beside: Callable[..., Beside]) -> None:
    found = beside("middleware", incidents=HAPPENED)

    told = told_by(found.differences)
    assert told["change_fail_rate"][0] == (
        "with 1 more by middleware's rules only, of which we say: the run failed: it is counted apart", 1, "40.0 %",
    )  # fmt: skip
    assert found.figures["failed_deployment_recovery_time"].rows["incident"].tolist() == ["i1", "i2", "revert of shop#3"]
    assert found.figures["failed_deployment_recovery_time"].values["mean"] == pytest.approx((6 + 8.99 + 70) / 3)
    assert found.figures["change_lead_time"].rows["deployment"].tolist() == ["d0", "d1", "d3", "d4"]


@pytest.mark.parametrize("tool", TOOLS)
def test_every_difference_is_explained_to_the_last_digit(beside: Callable[..., Beside], tool: str) -> None:
    for start, end in ((0.0, FOUR_WEEKS), (90.0, 120.0), (0.0, 30.0)):
        found = beside(tool, start=start, end=end, incidents=HAPPENED)
        assert [one.metric for one in found.differences] == list(FIVE)
        assert [one.metric for one in found.differences if not closes(one)] == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["pull", "push", "deploy", "fail", "hotfix", "back", "incident", "revert"]), st.integers(1, 80)),
    min_size=1, max_size=14,
)  # fmt: skip


def history(steps: list[tuple[str, int]]) -> dict[str, str]:
    """Facts as text: work, deployments and incidents one after another, with hours between them."""
    code, pulls, shipped, happened = ["s0 at=0"], [], [], []
    now, head, number, live = 1, "s0", 0, []
    for place, (what, gap) in enumerate(steps):
        now += gap
        if what in ("pull", "push", "revert"):
            sha = f"s{place + 1}"
            code.append(f"{sha} at={now} < {head}")
            head = sha
            if what != "push":
                branch = f"revert-{number}-it" if what == "revert" and number else f"b{place}"
                number += 1
                pulls.append(
                    f"{number} branch={branch} target=main first={now - gap} created={now - gap // 2} merged={now} sha={sha}"
                )
        elif what == "incident":
            happened.append(f"i{place} opened={now}" + (f" resolved={now + gap}" if gap % 3 else ""))
        else:
            sha = live[-2] if what == "back" and len(live) > 1 else head
            live.append(sha)
            result = "failure" if what == "fail" else "success"
            ref = " ref=hotfix-1" if what == "hotfix" else ""
            shipped.append(f"d{place} sha={sha} started={now - min(gap, 2)} at={now} result={result}{ref}")
    return {
        name: "\n".join(rows)
        for name, rows in (("code", code), ("pulls", pulls), ("deployments", shipped), ("incidents", happened))
    }


@pytest.mark.parametrize("tool", TOOLS)
@given(steps=STEPS, start=st.integers(0, 300))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_history_the_steps_lead_from_ours_to_theirs(
    beside: Callable[..., Beside], tool: str, steps: list[tuple[str, int]], start: int
) -> None:
    found = beside(tool, start=float(start), end=1200.0, **history(steps))
    assert [(one.metric, one.steps) for one in found.differences if not closes(one)] == []
    for name in ("change_fail_rate", "deployment_rework_rate"):
        value = found.figures[name].values["value"]
        assert value is None or 0 <= value <= 1


@pytest.mark.parametrize("tool", TOOLS)
def test_nothing_is_known_of_nothing(beside: Callable[..., Beside], tool: str) -> None:
    found = beside(tool, deployments="", pulls="", code="a at=1")
    for name in FIVE:
        assert set(found.figures[name].values.values()) == {None}, name
        assert found.figures[name].said["why"], name
    assert {one.theirs for one in found.differences} == {None}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_time_zone_changes_nothing(told: Callable[..., Facts], hour: Callable, tool: str) -> None:
    facts = told(code=CODE, pulls=PULLS, deployments=SHIPPED, incidents=HAPPENED)
    here, there = (compare(facts, tool, Scope(hour(0), hour(FOUR_WEEKS)), zone).figures for zone in ("UTC", "Pacific/Auckland"))

    assert {name: here[name].values for name in FIVE} == {name: there[name].values for name in FIVE}


def test_a_chain_tells_what_each_rule_does() -> None:
    chain = Chain(pd.Series({"a": 1.0, "b": 3.0, "c": 9.0}), lambda values: nearest_rank(values, 0.5))
    chain.without(pd.Series({"a": "too old"}), "without {n}: {reason}")
    chain.also(pd.Series({"d": 5.0, "e": 7.0}), pd.Series({"d": "late", "e": "late"}), "with {n}: {reason}")
    chain.instead(pd.Series({"b": 6.0, "c": 9.0}), pd.Series({"b": "end", "c": "end"}), "{n} to another {reason}")
    chain.by(mean, "the mean", 4)
    chain.by(mean, "again", 4)

    assert [(step.reason, step.rows, step.value) for step in chain.steps] == [
        ("without 1: too old", 1, 3.0),
        ("with 2: late", 2, 5.0),
        ("1 to another end", 1, 6.0),
        ("the mean", 4, 6.75),
    ]
