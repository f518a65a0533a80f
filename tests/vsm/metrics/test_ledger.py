"""The ledger's numbers are those of the figures: of any applications, any changes and any window, on random histories."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm.changes import COLUMNS
from vsm.config import Dora
from vsm.metrics import dora
from vsm.metrics.figure import Number
from vsm.metrics.ledger import Ledger
from vsm.metrics.monthly import HEADLINE, by_month
from vsm.metrics.remediation import judged
from vsm.scope import Scope

ZONE = ZoneInfo("Europe/Vienna")
TIME = "datetime64[us, UTC]"
BEGIN = pd.Timestamp("2026-03-01", tz="UTC").as_unit("us")
SHOPS = ("shop", "payments", "search")
RULES = (
    Dora(),
    Dora(failed_runs_count=True, recovery_start="opened"),
    Dora(lead_time_start="merged", lead_time_end="started", exclude_bots=True, guess_hotfixes=False, unplanned_share=0.4),
)
Frames = dict[str, pd.DataFrame]


def after(hours: Any) -> Any:
    """So many hours after the beginning; a negative number is no time."""
    told = np.where(np.asarray(hours) < 0, np.nan, hours)
    return BEGIN + pd.to_timedelta(pd.Series(told), unit="h").dt.round("us").astype("timedelta64[us]")


def history(seed: int) -> Frames:
    """A month of three applications: changes that go to several of them, reverts, rollbacks, hotfixes, incidents."""
    dice = np.random.default_rng(seed)
    n, m, k = dice.integers(0, 25), dice.integers(0, 30), dice.integers(0, 8)
    runs = pd.DataFrame(
        {
            "id": [f"d{number}" for number in range(n)], "application": dice.choice(SHOPS, n), "environment": "production",
            "repository": "web", "sha": dice.choice(list("abcdefgh"), n), "ref": None, "url": None,
            "result": dice.choice(["success", "failure", "unknown"], n, p=[0.8, 0.15, 0.05]),
            "finished_at": after(np.sort(dice.integers(-40, 600, n))), "production": dice.random(n) < 0.9,
            "hotfix": dice.random(n) < 0.2,
        }
    )  # fmt: skip
    runs["started_at"] = runs["finished_at"] - pd.to_timedelta(dice.integers(0, 3, n), unit="h")
    runs["hotfix_rule"] = np.where(runs["hotfix"], dice.choice(["a title says hotfix", "the deployed ref says hotfix"], n), None)
    good = runs[runs["production"] & (runs["result"] == "success") & runs["finished_at"].notna()]
    runs["previous"] = good.groupby("application")["id"].shift(1).reindex(runs.index)
    runs["rollback_of"] = runs["previous"].where(dice.random(n) < 0.1)
    names = [f"c{number}" for number in range(m)]
    merged = dice.integers(-60, 600, m)
    made = pd.DataFrame({name: pd.Series(dtype=TIME if name.endswith("_at") else "str") for name in COLUMNS}).reindex(range(m))
    made = made.assign(
        change=names, application=dice.choice([*SHOPS, None], m), merged_at=after(merged),
        first_commit_at=after(merged - dice.integers(-5, 90, m)), author=dice.choice(["ann", "bo", "renovate[bot]"], m),
        title=dice.choice(["Sort", "Hotfix", "Count"], m), reverts=[dice.choice([*names[:place], None]) for place in range(m)],
    )  # fmt: skip
    made["reverts"] = made["reverts"].where(dice.random(m) < 0.3)
    held = [(f"d{dice.integers(n)}", f"c{dice.integers(m)}") for _ in range(2 * m)] if n and m else []
    pairs = pd.DataFrame(sorted(set(held)), columns=["deployment", "change"]).assign(rule="reachable", strength="stated")
    opened = dice.integers(0, 600, k)
    lasted = np.where(dice.random(k) < 0.2, -1, opened + dice.integers(-1, 40, k))
    happened = pd.DataFrame(
        {
            "id": [f"i{number}" for number in range(k)], "opened_at": after(opened), "resolved_at": after(lasted),
            "deployment": dice.choice([*runs["id"], None], k), "rule": "named", "strength": "stated",
        }
    )  # fmt: skip
    return {"runs": typed(runs), "pairs": typed(pairs), "made": typed(made), "happened": typed(happened)}


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    kinds = {
        name: TIME if name.endswith("_at") else "bool" if name in ("production", "hotfix") else "str" for name in frame.columns
    }
    return frame.astype(kinds).reset_index(drop=True)


def as_figures(told: Frames, whose: frozenset[str], mine: Any, scope: Scope, rules: Dora) -> dict[str, Number]:
    """The five as `dora` tells them of these applications' frames alone."""
    runs = told["runs"][told["runs"]["application"].isin(whose)]
    made = told["made"][mine]
    pairs = told["pairs"][told["pairs"]["deployment"].isin(runs["id"])]
    remedies, _ = judged(runs, pairs, told["made"], told["happened"][told["happened"]["deployment"].isin(runs["id"])], rules)
    pairs = pairs[pairs["change"].isin(made["change"])]
    figures = (
        dora.deployment_frequency(runs, scope, ZONE),
        dora.change_lead_time(made, runs, pairs, scope, ZONE, rules=rules),
        dora.change_fail_rate(runs, remedies, scope, ZONE, rules),
        dora.failed_deployment_recovery_time(runs, remedies, scope, ZONE, rules),
        dora.deployment_rework_rate(runs, remedies, scope, ZONE, rules),
    )
    return {figure.name: Number(figure.name, figure.values, figure.n) for figure in figures}


def ledger(told: Frames, rules: Dora) -> Ledger:
    remedies, _ = judged(told["runs"], told["pairs"], told["made"], told["happened"], rules)
    return Ledger.of(told["made"], told["runs"], told["pairs"], remedies, ZONE, rules)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6), st.frozensets(st.sampled_from(SHOPS)), st.sampled_from(RULES), st.integers(0, 500), st.integers(1, 700),
    st.booleans(),
)  # fmt: skip
def test_a_ledger_tells_what_the_figures_of_these_applications_alone_tell(
    seed: int, whose: frozenset[str], rules: Dora, start: int, hours: int, some: bool
) -> None:
    told, scope = history(seed), Scope(BEGIN + pd.Timedelta(hours=start), BEGIN + pd.Timedelta(hours=start + hours))
    mine = np.random.default_rng(seed).random(len(told["made"])) < (0.5 if some else 2)

    account = ledger(told, rules).account(whose, mine if some else None)

    assert account.numbers(scope) == as_figures(told, whose, mine, scope, rules)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(RULES))
def test_each_application_is_judged_by_itself(seed: int, rules: Dora) -> None:
    told = history(seed)
    runs, pairs, made, happened = told.values()

    for which in (0, 1):
        whole = judged(runs, pairs, made, happened, rules)[which]
        for name in SHOPS:
            own = runs[runs["application"] == name]
            mine = pairs[pairs["deployment"].isin(own["id"])], made, happened[happened["deployment"].isin(own["id"])]
            theirs = whole[whole["deployment"].isin(own["id"])].reset_index(drop=True)
            pd.testing.assert_frame_equal(theirs, judged(own, *mine, rules)[which], check_index_type=False)


def test_a_history_has_everything_that_the_numbers_are_made_of() -> None:
    found = pd.concat([judged(*history(seed).values())[0] for seed in range(20)])

    assert set(found["reason"]) == {"incident", "rollback", "revert", "hotfix"}
    assert set(found["unplanned"]) == {True, False}


@pytest.mark.parametrize("seed", range(3))
def test_a_month_is_the_ledger_of_its_window(seed: int) -> None:
    account = ledger(history(seed), Dora()).account(None)
    start, end = (pd.Timestamp(day, tz=ZONE).tz_convert("UTC").as_unit("us") for day in ("2026-03-01", "2026-04-01"))
    march = account.numbers(Scope(start, end - pd.Timedelta(microseconds=1)))

    told = by_month(account, start, Scope(start, end + pd.Timedelta(days=9)), ZONE)

    assert told["month"].dt.strftime("%Y-%m").tolist() == ["2026-03"] * 5 + ["2026-04"] * 5
    assert told["whole"].tolist() == [True] * 5 + [False] * 5
    rows = told[told["whole"]].set_index("metric")
    values = {name: number.values[HEADLINE[name]] for name, number in march.items()}
    assert rows["n"].to_dict() == {name: number.n for name, number in march.items()}
    assert rows["value"].replace(np.nan, None).to_dict() == values
