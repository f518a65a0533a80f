"""Visits: the log as stays in stages, with everything that went back, was skipped, or was done twice."""

import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vsm.frames import texts
from vsm.ordered import LOG, in_order
from vsm.visits import VISITS, Path, visits
from vsm.workflow import Stage, Workflow

MONDAY = pd.Timestamp("2026-03-02", tz="UTC").as_unit("us")
ENDS: dict[str, Any] = {"new": ("Todo",), "done": ("Done", "Closed"), "cancelled": ("Dropped",), "ignored": ("Parked",)}
BOARD = Workflow(
    "board",
    (
        Stage("Dev", waiting=("Ready",), active=("Doing", "Fixing")),
        Stage("Review", waiting=("For review",), active=("In review",), team="Reviewers"),
        Stage("Train", waiting=("Waiting",)),
    ),
    **ENDS,
)
FORGE = Workflow(
    "forge",
    (
        Stage("Code", opens=("commit.first",), starts=("commit.first",), closes=("pull_request.opened",)),
        Stage("Review", opens=("pull_request.ready",), starts=("review.submitted",), closes=("pull_request.approved",)),
        Stage("Stage", opens=("deployment.finished:staging",)),
        Stage("Release", opens=("pull_request.merged",), closes=("deployment.finished",)),
    ),
    **ENDS,
)
MIXED = Workflow(
    "mixed",
    (
        Stage("Dev", waiting=("Ready",), active=("Doing",)),
        Stage("Review", waiting=("For review",), starts=("review.submitted",), closes=("pull_request.approved",)),
        Stage("Release", opens=("pull_request.merged",), closes=("deployment.finished:production",)),
    ),
    **ENDS,
)
STEP = re.compile(r"(.+?)(?:@(\w+))? (-?[\d.]+)(?: (\w+))?$")


def log_of(history: str) -> pd.DataFrame:
    """`PAY-1: Todo 0, Doing 5 ann, pull_request.merged 7`: statuses and events with hours, and who; a line an item."""
    rows = []
    for line in filter(None, map(str.strip, history.splitlines())):
        item, _, steps = line.partition(": ")
        for found in filter(None, (STEP.match(step.strip()) for step in steps.split(","))):
            name, environment, at, actor = found.groups()
            event = {"event": name} if re.fullmatch(r"[a-z_]+\.[a-z]+", name) else {"event": "status", "status": name}
            time = MONDAY + pd.Timedelta(hours=float(at))
            rows.append({"item": item, "at": time, "environment": environment, "actor": actor, **event})
    return in_order(pd.DataFrame(rows, columns=list(LOG)).astype(LOG))


def items_of(log: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"item": log["item"].unique(), "created_at": MONDAY, "team": "Makers"})


def path(history: str, workflow: Workflow = BOARD) -> Path:
    log = log_of(history)
    found = visits(log, items_of(log), workflow)
    return replace(found, visits=texts(found.visits))


def hours(times: pd.Series) -> list[str]:
    return ["-" if pd.isna(at) else f"{(at - MONDAY) / pd.Timedelta(hours=1):g}" for at in times]


def told(found: Path) -> list[str]:
    """The visits, `Dev first 1 2 3 4`: stage, how it was come to, queued, started, finished, left."""
    stays = found.visits
    columns = [stays["stage"], stays["kind_in"], *(hours(stays[name]) for name in ("queued", "started", "finished", "left"))]
    return [" ".join(row) for row in zip(*columns, strict=True)]


def end(found: Path) -> str:
    """What became of the one item, `done 9`: its state, and since when it is over."""
    item = found.items.iloc[0]
    over = hours(pd.Series([item["done_at"] if item["state"] == "done" else item["cancelled_at"]]))[0]
    return f"{item['state']} {over}" if item["state"] in ("done", "cancelled") else str(item["state"])


@pytest.mark.parametrize(
    ("history", "stays", "ends"),
    [
        pytest.param(
            "Todo 0, Ready 1, Doing 2, For review 5, In review 6, Waiting 7, Done 9",
            ["Dev first 1 2 5 5", "Review forward 5 6 7 7", "Train forward 7 - - 9"], "done 9",
            id="straight",
        ),
        pytest.param(
            "Todo 0, Doing 2, In review 6, Done 9", ["Dev first 2 2 6 6", "Review forward 6 6 9 9"], "done 9",
            id="no waiting status: the work starts at once",
        ),
        pytest.param("Ready 1, Doing 2", ["Dev first 1 2 - -"], "in progress", id="still open"),
        pytest.param("Ready 1", ["Dev first 1 - - -"], "in progress", id="still waiting"),
        pytest.param(
            "Doing 1, In review 3, Ready 4, Doing 5, In review 7, Done 8",
            ["Dev first 1 1 3 3", "Review forward 3 3 4 4", "Dev back 4 5 7 7", "Review forward 7 7 8 8"], "done 8",
            id="bounced back: nothing is rewritten",
        ),
        pytest.param("Doing 1, Waiting 4, Done 5", ["Dev first 1 1 4 4", "Train skip 4 - - 5"], "done 5", id="skipped: absent"),
        pytest.param(
            "Doing 1, Ready 4, Doing 6, Done 7", ["Dev first 1 1 4 4", "Dev again 4 6 7 7"], "done 7",
            id="from active back to waiting in one stage",
        ),
        pytest.param("Doing 1, Fixing 4, Done 7", ["Dev first 1 1 7 7"], "done 7", id="two statuses of one meaning are one visit"),
        pytest.param(
            "Doing 1, Done 3, Doing 5, Done 8", ["Dev first 1 1 3 3", "Dev again 5 5 8 8"], "done 8",
            id="reopened: done means the final time",
        ),
        pytest.param("Doing 1, Done 3, Doing 5", ["Dev first 1 1 3 3", "Dev again 5 5 - -"], "in progress", id="and open"),
        pytest.param("Doing 1, Done 3, Todo 5", ["Dev first 1 1 3 3"], "new", id="reopened, not begun"),
        pytest.param("Doing 1, Done 3, Closed 5", ["Dev first 1 1 3 3"], "done 3", id="done twice: the first of a row"),
        pytest.param("Doing 1, Dropped 3", ["Dev first 1 1 3 3"], "cancelled 3", id="cancelled"),
        pytest.param("Doing 1, Dropped 3, Done 5", ["Dev first 1 1 3 3"], "done 5", id="cancelled, then done"),
        pytest.param("Doing 1, Done 3, Dropped 5", ["Dev first 1 1 3 3"], "cancelled 5", id="done, then cancelled"),
        pytest.param("Todo 0, Dropped 3", [], "cancelled 3", id="discarded before anything was done"),
        pytest.param("Todo 0, Done 3", [], "done 3", id="done without a stage"),
        pytest.param("Todo 0", [], "new", id="new"),
        pytest.param("Doing 1, Todo 3, Doing 5", ["Dev first 1 1 3 3", "Dev again 5 5 - -"], "in progress", id="set back"),
        pytest.param("Doing 1, Parked 3, In review 5", ["Dev first 1 1 5 5", "Review forward 5 5 - -"], "in progress", id="parked"),
        pytest.param("Doing 1, Elsewhere 3", ["Dev first 1 1 - -"], "in progress", id="unknown: stays where it was"),
        pytest.param("Parked 1, Elsewhere 3", [], "no events", id="nothing that means anything"),
        pytest.param(
            "Doing 1, In review 1, Done 1", ["Dev first 1 1 1 1", "Review forward 1 1 1 1"], "done 1",
            id="at one instant: zero hours",
        ),
    ],
)  # fmt: skip
def test_visits_by_status(history: str, stays: list[str], ends: str) -> None:
    found = path(f"PAY-1: {history}")
    assert told(found) == stays
    assert end(found) == ends


@pytest.mark.parametrize(
    ("history", "stays", "ends"),
    [
        pytest.param(
            "commit.first 1, pull_request.opened 3, pull_request.ready 4, review.submitted 6, pull_request.approved 7, "
            "pull_request.merged 8, deployment.finished@production 11, item.done 11",
            ["Code first 1 1 3 4", "Review forward 4 6 7 8", "Release skip 8 - 11 11"], "done 11",
            id="the whole way",
        ),
        pytest.param(
            "pull_request.ready 4, pull_request.merged 8, review.submitted 9, pull_request.approved 9",
            ["Review first 4 - - 8", "Release skip 8 - - -"], "in progress",
            id="a late review does not pull it back",
        ),
        pytest.param(
            "pull_request.ready 4, pull_request.merged 8, pull_request.ready 10",
            ["Review first 4 - - 8", "Release skip 8 - - 10", "Review back 10 - - -"], "in progress",
            id="a second request waits for review: that does",
        ),
        pytest.param(
            "pull_request.ready 4, review.submitted 5, review.submitted 6, pull_request.approved 7, review.submitted 8",
            ["Review first 4 5 7 -"], "in progress",
            id="more reviews are no more visits",
        ),
        pytest.param(
            "pull_request.ready 4, pull_request.approved 5, review.submitted 6", ["Review first 4 - 5 -"], "in progress",
            id="what is closed does not start",
        ),
        pytest.param(
            "pull_request.merged 8, deployment.finished@staging 9, deployment.finished@production 12",
            ["Release first 8 - - 9", "Stage back 9 - - -"], "in progress",
            id="an environment's own stage",
        ),
        pytest.param(
            "pull_request.merged 8, deployment.finished@qa 9", ["Release first 8 - - -"], "in progress",
            id="another environment is not production",
        ),
        pytest.param(
            "pull_request.merged 8, deployment.finished@Production 9", ["Release first 8 - 9 -"], "in progress",
            id="an environment in any case",
        ),
        pytest.param(
            "pull_request.merged 8, item.done 9, pull_request.ready 10, deployment.finished@production 12",
            ["Release first 8 - - 9"], "done 9",
            id="delivery after done never reopens",
        ),
        pytest.param(
            "pull_request.ready 4, item.cancelled 6, pull_request.ready 8", ["Review first 4 - - 6"], "cancelled 6", id="closed",
        ),
        pytest.param("pull_request.merged 4, item.settled 6", ["Release first 4 - - 6"], "done -", id="since when is not known"),
    ],
)  # fmt: skip
def test_visits_by_event(history: str, stays: list[str], ends: str) -> None:
    found = path(f"shop#1: {history}", FORGE)
    assert told(found) == stays
    assert end(found) == ends


@pytest.mark.parametrize(
    ("history", "stays", "ends"),
    [
        pytest.param(
            "Ready 0, Doing 1, For review 3, review.submitted 4, pull_request.approved 6, pull_request.merged 7, "
            "deployment.finished@production 9, Done 10",
            ["Dev first 0 1 3 3", "Review forward 3 4 6 7", "Release forward 7 - 9 10"], "done 10",
            id="a board with a forge",
        ),
        pytest.param(
            "Doing 1, review.submitted 2, For review 3, review.submitted 4, Done 5",
            ["Dev first 1 1 2 2", "Review forward 2 2 3 3", "Review again 3 4 5 5"], "done 5",
            id="reviewed before the board says so",
        ),
        pytest.param(
            "Doing 1, pull_request.merged 3, Doing 4", ["Dev first 1 1 3 3", "Release skip 3 - - 4", "Dev back 4 4 - -"],
            "in progress",
            id="a status pulls back",
        ),
        pytest.param("Doing 1, Done 3, pull_request.merged 4", ["Dev first 1 1 3 3"], "done 3", id="after done"),
        pytest.param("Doing 1, Dropped 3, pull_request.merged 4", ["Dev first 1 1 3 3"], "cancelled 3", id="after cancelled"),
        pytest.param("Todo 1, pull_request.merged 4", ["Release first 4 - - -"], "in progress", id="nobody moved the ticket"),
    ],
)  # fmt: skip
def test_visits_by_statuses_and_events(history: str, stays: list[str], ends: str) -> None:
    found = path(f"PAY-1: {history}", MIXED)
    assert told(found) == stays
    assert end(found) == ends


def test_what_an_item_knows_of_itself() -> None:
    found = path("PAY-1: Todo 0, Ready 1, Doing 3, Done 5, Todo 6, Doing 8, In review 9").items.iloc[0]
    assert hours(found[["first_queued", "committed_at", "first_started", "done_at", "stage_since"]]) == ["1", "1", "3", "-", "9"]
    assert found[["state", "stage", "reopened"]].tolist() == ["in progress", "Review", 1]


def test_a_cancelled_item_that_goes_on_was_not_reopened() -> None:
    assert path("PAY-1: Doing 0, Dropped 1, Doing 2, Done 3, Doing 4, Done 5").items["reopened"].tolist() == [1]


def test_who_worked_and_for_which_team() -> None:
    found = path("PAY-1: Ready 0 eve, Doing 1 ann, In review 3 bob, Waiting 5 bob, Done 6 cid").visits
    assert found["actor"].fillna("-").tolist() == ["ann", "bob", "-"]
    assert found["team"].tolist() == ["Makers", "Reviewers", "Makers"]
    assert path("PAY-1: Doing 1, Done 3 ann").visits["actor"].tolist() == ["ann"]  # nobody began it, so who ended it


def test_the_events_team_counts_before_the_stages_and_the_items() -> None:
    log = log_of("PAY-1: Doing 1, In review 3").assign(team=["Guests", None])
    assert visits(log, items_of(log), BOARD).visits["team"].tolist() == ["Guests", "Reviewers"]


def test_statuses_that_mean_nothing_are_counted() -> None:
    assert path("PAY-1: Doing 1, Limbo 2, Parked 3, Limbo 4\nPAY-2: Limbo 1, Void 2").unknown == {"Limbo": 3, "Void": 1}


def test_a_status_is_known_in_any_case() -> None:
    assert told(path("PAY-1: DOING 1, done 3")) == ["Dev first 1 1 3 3"]


def test_an_item_without_events_is_one_all_the_same() -> None:
    items = pd.DataFrame({"item": ["PAY-9"], "created_at": [MONDAY], "team": pd.Series([None], dtype="str")})
    found = visits(log_of(""), items, BOARD)
    assert found.items["state"].tolist() == ["no events"]
    assert found.items["reopened"].tolist() == [0]
    assert list(found.visits.columns) == list(VISITS)
    assert texts(found.visits).dtypes.astype(str).to_dict() == path("PAY-1: Doing 1, Done 2").visits.dtypes.astype(str).to_dict()


def test_names_are_categories_in_their_order_of_those_that_occur() -> None:
    log = log_of("PAY-2: Ready 0, In review 1 eve, Doing 2 ann\nPAY-1: Doing 1 bob")
    found = visits(log, items_of(log), BOARD).visits
    names = {name: found[name].cat.categories.tolist() for name in ("item", "stage", "actor", "team", "entered_from", "kind_in")}
    assert names == {
        "item": ["PAY-1", "PAY-2"], "stage": ["Dev", "Review"], "actor": ["ann", "bob", "eve"], "team": ["Makers", "Reviewers"],
        "entered_from": ["Dev", "Review"], "kind_in": ["back", "first", "forward"],
    }  # fmt: skip


def test_a_workflow_without_stages_has_no_visits() -> None:
    found = path("PAY-1: Todo 0, Done 3", Workflow("bare", done=("Done",), new=("Todo",)))
    assert (len(found.visits), end(found)) == (0, "done 3")


# What holds of every history. ------------------------------------------------------------------------------------------

STATUSES = [
    "Todo",
    "Ready",
    "Doing",
    "Fixing",
    "For review",
    "In review",
    "Waiting",
    "Done",
    "Closed",
    "Dropped",
    "Parked",
    "Limbo",
]
DELIVERY = ["review.submitted", "pull_request.approved", "pull_request.merged", "deployment.finished@production"]
STEPS = st.lists(st.tuples(st.sampled_from([*STATUSES, *DELIVERY]), st.integers(0, 5)), min_size=1, max_size=12)
HISTORIES = st.lists(STEPS, min_size=1, max_size=3)
EVERY = settings(deadline=None, max_examples=60)


def text_of(histories: list[list[tuple[str, int]]]) -> str:
    lines = []
    for number, steps in enumerate(histories):
        at, words = 0, []
        for name, later in steps:
            at += later
            words.append(f"{name} {at}")
        lines.append(f"PAY-{number}: {', '.join(words)}")
    return "\n".join(lines)


@EVERY
@given(HISTORIES, st.sampled_from([BOARD, MIXED]))
def test_visits_of_an_item_follow_each_other(histories: list[list[tuple[str, int]]], workflow: Workflow) -> None:
    found = path(text_of(histories), workflow).visits
    for _, mine in found.groupby("item"):
        assert mine["seq"].tolist() == list(range(len(mine)))
        assert mine["left"].iloc[:-1].notna().all(), "only the last visit may be open"
        assert (mine["left"].iloc[:-1].to_numpy() <= mine["queued"].iloc[1:].to_numpy()).all(), "they never overlap"
        assert mine["entered_from"].iloc[1:].tolist() == mine["stage"].iloc[:-1].tolist()
        assert mine["kind_in"].iloc[0] == "first"
        assert pd.isna(mine["entered_from"].iloc[0])
    for before, after in (
        ("queued", "started"),
        ("started", "finished"),
        ("queued", "finished"),
        ("finished", "left"),
        ("queued", "left"),
    ):
        assert not (found[before] > found[after]).any(), f"{before} is not after {after}"
    known = found["started"].notna() & found["left"].notna()
    assert found.loc[known, "finished"].notna().all()


@EVERY
@given(HISTORIES, st.sampled_from([BOARD, MIXED]))
def test_what_goes_into_a_stage_comes_out_of_it_or_is_there(histories: list[list[tuple[str, int]]], workflow: Workflow) -> None:
    found = path(text_of(histories), workflow)
    entered, open_now = found.visits["stage"].value_counts(), found.items["stage"].value_counts()
    left = found.visits.loc[found.visits["left"].notna(), "stage"].value_counts()
    assert entered.sub(left, fill_value=0).sub(open_now, fill_value=0).abs().sum() == 0
    assert (found.items["state"] == "in progress").sum() == open_now.sum()
    assert found.items["done_at"].notna().sum() == (found.items["state"] == "done").sum()
    assert found.items["cancelled_at"].notna().sum() == (found.items["state"] == "cancelled").sum()


@EVERY
@given(STEPS)
def test_of_a_finished_item_the_visits_and_the_gaps_are_all_the_time_there_was(steps: list[tuple[str, int]]) -> None:
    found = path(text_of([[*steps, ("Done", 1)]]))
    stays, item = found.visits, found.items.iloc[0]
    assume(len(stays))
    gaps = (stays["queued"].shift(-1) - stays["left"]).iloc[:-1].sum() + (item["done_at"] - stays["left"].iloc[-1])
    total = (stays["left"] - stays["queued"]).sum() + gaps
    # Where it was done already, the first of several final statuses in a row counts.
    assert total == item["done_at"] - item["first_queued"]


@EVERY
@given(HISTORIES, st.integers(-(10**6), 10**6))
def test_a_shift_of_time_shifts_the_visits_and_nothing_else(histories: list[list[tuple[str, int]]], minutes: int) -> None:
    log = log_of(text_of(histories))
    by = pd.Timedelta(minutes=minutes)
    found, shifted = (visits(one, items_of(log), MIXED) for one in (log, log.assign(at=log["at"] + by)))
    times = ["queued", "started", "finished", "left"]
    back = shifted.visits.assign(**{name: shifted.visits[name] - by for name in times})
    pd.testing.assert_frame_equal(back, found.visits)
    same = ["item", "state", "stage", "reopened"]
    pd.testing.assert_frame_equal(shifted.items[same], found.items[same])


@EVERY
@given(HISTORIES)
def test_renaming_stages_changes_nothing_but_their_names(histories: list[list[tuple[str, int]]]) -> None:
    new = {stage.name: f"~{stage.name}" for stage in BOARD.stages}
    renamed = Workflow("board", tuple(Stage(new[s.name], s.waiting, s.active, team=s.team) for s in BOARD.stages), **ENDS)
    found, other = path(text_of(histories)), path(text_of(histories), renamed)
    names = {name: found.visits[name].map(new).astype("str") for name in ("stage", "entered_from")}
    pd.testing.assert_frame_equal(other.visits, found.visits.assign(**names))


@EVERY
@given(STEPS, STEPS, st.sampled_from([BOARD, MIXED]))
def test_what_happens_later_changes_no_earlier_visit_but_the_open_one(
    steps: list[tuple[str, int]], later: list[tuple[str, int]], workflow: Workflow
) -> None:
    name, wait = later[0]
    before = path(text_of([steps]), workflow).visits
    after = path(text_of([[*steps, (name, wait + 1), *later[1:]]]), workflow).visits
    over = before[before["left"].notna()]
    pd.testing.assert_frame_equal(after.iloc[: len(over)], over)
    for place in range(len(over), len(before)):
        for known in ("stage", "queued", "started", "finished", "kind_in"):
            assert pd.isna(before[known].iloc[place]) or before[known].iloc[place] == after[known].iloc[place]


@EVERY
@given(HISTORIES)
def test_items_do_not_know_of_each_other(histories: list[list[tuple[str, int]]]) -> None:
    text = text_of(histories)
    together = told(path(text, MIXED))
    assert together == [visit for line in text.splitlines() for visit in told(path(line, MIXED))]
