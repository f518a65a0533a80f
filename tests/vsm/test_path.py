"""The whole path of one item: every event once, no gap in its stages, waiting and work told apart where that is known."""

from collections.abc import Callable
from pathlib import Path as File

import pandas as pd
import pytest

from vsm import config, pipeline, store
from vsm.config import Config, Privacy, StageConfig, StreamConfig
from vsm.frames import plain
from vsm.path import Path, found, path
from vsm.path_events import EVENTS
from vsm.path_spans import KINDS, SPANS
from vsm.pipeline import Flow
from vsm.store import Facts

Told = Callable[..., Facts]
Hour = Callable[[float], pd.Timestamp]
STREAM = StreamConfig(
    name="shop", new=("Backlog",), done=("Done",), cancelled=("Dropped",),
    stages=(
        StageConfig(name="Dev", waiting=("Todo",), active=("Doing",)),
        StageConfig(name="Check", active=("Checking",)),
        StageConfig(name="Release", waiting=("Ready",)),
    ),
)  # fmt: skip
CODE = "root at=-9\nx at=5 authored=5 author=ann < root | PAY-1 add it\nm at=9 < root x\n"
PULLS = "1 title='PAY-1 add it' author=ann sha=m created=6 ready=6 approved=8 merged=9 commits=x@5"


@pytest.fixture
def of(told: Told, hour: Hour) -> Callable[..., Flow]:
    """Everything derived from facts written as text, after thirty hours."""

    def make(tickets: str, now: float = 30, configured: Config | None = None, **tables: str) -> Flow:
        facts = told(tickets=tickets, **tables)
        return pipeline.read(facts, configured or Config(streams=(STREAM,)), hour(now))

    return make


def told_of(flow: Flow, key: str) -> Path:
    way = path(flow, key)
    assert way is not None
    return way


def spans(way: Path, lane: str, hour: Hour) -> list[tuple[str, str, float, float | None]]:
    """Kind, name, and hours from and to of a lane's spans."""
    rows = way.spans[way.spans["lane"] == lane]
    zero, one = hour(0), pd.Timedelta(hours=1)
    times = zip(plain(rows["from"]), plain(rows["to"]), strict=True)
    told = [((first - zero) / one, None if last is None else (last - zero) / one) for first, last in times]
    return [(kind, name, *when) for kind, name, when in zip(rows["kind"], rows["name"], told, strict=True)]


# Waiting and work. -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        pytest.param(
            "Backlog 0, Todo 2, Doing 5, Ready 9, Done 12",
            [("outside", "Backlog", 0, 2), ("wait", "Dev", 2, 5), ("work", "Dev", 5, 9), ("wait", "Release", 9, 12)],
            id="waiting and work",
        ),
        pytest.param(
            "Todo 0, Checking 3, Done 5", [("unknown", "Dev", 0, 3), ("unknown", "Check", 3, 5)],
            id="unknown where no start of work is seen, and where no waiting is",
        ),
        pytest.param("Todo 0, Doing 4", [("wait", "Dev", 0, 4), ("work", "Dev", 4, None)], id="goes on"),
        pytest.param("Todo 3", [("wait", "Dev", 3, None)], id="waits"),
        pytest.param("Backlog 1", [("outside", "Backlog", 1, None)], id="not started"),
        pytest.param("Todo 0, Backlog 2, Todo 6, Dropped 7", [
            ("unknown", "Dev", 0, 2), ("outside", "Backlog", 2, 6), ("unknown", "Dev", 6, 7),
        ], id="put back, then given up"),
        pytest.param("Todo 0, Doing 1, Done 3, Doing 8, Done 9", [
            ("wait", "Dev", 0, 1), ("work", "Dev", 1, 3), ("outside", "Done", 3, 8), ("work", "Dev", 8, 9),
        ], id="done, and taken up again"),
        pytest.param("Nowhere 4", [("unknown", "Nowhere", 4, None)], id="in no stage"),
    ],
)  # fmt: skip
def test_a_ticket_is_told_stretch_by_stretch(
    of: Callable[..., Flow], hour: Hour, history: str, expected: list[tuple[str, str, float, float | None]]
) -> None:
    assert spans(told_of(of(f"PAY-1: {history}"), "PAY-1"), "ticket", hour) == expected


def test_hours_by_kind_are_up_to_now(of: Callable[..., Flow]) -> None:
    way = told_of(of("PAY-1: Backlog 0, Todo 2, Doing 5", ticket_changes="PAY-1 20 flagged Impediment"), "PAY-1")
    assert way.hours == {"outside": 2.0, "wait": 3.0, "work": 25.0, "blocked": 10.0}


def test_a_change_without_a_ticket_has_a_path(of: Callable[..., Flow], hour: Hour) -> None:
    stream = StreamConfig(
        name="shop",
        stages=(
            StageConfig(
                name="Review", opens=("pull_request.ready",), starts=("review.submitted",), closes=("pull_request.merged",)
            ),
        ),
    )
    flow = of("", code=CODE, pulls=PULLS.replace("PAY-1 ", ""), reviews="1 7 bea", configured=Config(streams=(stream,)))
    way = told_of(flow, "shop#1")
    assert spans(way, "ticket", hour) == [("outside", "Not started", 5, 6), ("wait", "Review", 6, 7), ("work", "Review", 7, 9)]
    assert [(name, first, last) for _, name, first, last in spans(way, "change", hour)] == [
        ("Coding", 5, 6), ("Waits for its first review", 6, 7), ("In review", 7, 8), ("Waits for its merge", 8, 9),
    ]  # fmt: skip


# What led to what. -----------------------------------------------------------------------------------------------------


def test_what_came_of_a_ticket_names_its_rule_and_how_sure_that_is(of: Callable[..., Flow], hour: Hour) -> None:
    flow = of(
        "PAY-1 url=https://t.example/PAY-1: Todo 0, Doing 4, Done 12",
        code=CODE, pulls=PULLS, repositories="shop application=shop",
        builds="b1 sha=m started=9.5 finished_at=10 url=https://b.example/1",
        deployments="d0 sha=root at=1\nd1 sha=m at=11 url=https://d.example/1", incidents="i1 opened=13 resolved=15",
    )  # fmt: skip
    told = told_of(flow, "PAY-1").events.set_index("event")
    assert told.loc["pull_request.merged", "rule"] == "key in the title"
    assert told.loc["pull_request.merged", "strength"] == "named"
    assert told.loc["build.finished", ["rule", "url"]].to_list() == ["built one of its commits", "https://b.example/1"]
    assert told.loc["deployment.finished", ["strength", "url"]].to_list() == ["stated", "https://d.example/1"]
    assert told.loc["incident.opened", "strength"] == "guessed"
    assert told.loc["incident.opened", "rule"].startswith("d1 brought it; latest deployment of the application")
    assert told.loc["ticket.created", "url"] == "https://t.example/PAY-1"


def test_a_part_and_a_change_lead_to_their_item(of: Callable[..., Flow]) -> None:
    flow = of(
        "PAY-1 type=Story: Todo 0, Doing 4\nPAY-2 type=Sub-task parent=PAY-1: Todo 1, Doing 2, Done 3\nPAY-9: Todo 0",
        code=CODE,
        pulls=PULLS,
    )
    assert [found(flow, asked) for asked in ("pay-1", " PAY-2 ", "SHOP#1", "PAY-3", "")] == ["PAY-1", "PAY-1", "PAY-1", None, None]


def test_a_part_is_told_beside_its_item(of: Callable[..., Flow], hour: Hour) -> None:
    flow = of("PAY-1 type=Story: Todo 0, Doing 4\nPAY-2 type=Sub-task parent=PAY-1: Todo 1, Doing 2, Done 3")
    way = told_of(flow, "PAY-2")
    assert way.asked == "PAY-2"
    assert spans(way, "part", hour) == [("wait", "Todo", 1, 2), ("work", "Doing", 2, 3)]
    assert way.related.to_numpy().tolist()[0][:2] == ["has the part", "PAY-2"]
    assert "PAY-2: Moved from Todo to Doing" in list(way.events["what"])
    assert list(way.events.loc[way.events["lane"] == "part", "counts"].unique()) == [False]


def test_an_epic_is_told_by_its_own_statuses_and_what_it_holds(of: Callable[..., Flow], hour: Hour) -> None:
    flow = of("PAY-8 type=Epic resolved_at=9: Open 0, Closed 9\nPAY-1 parent=PAY-8: Todo 0")
    way = told_of(flow, "PAY-8")
    assert (way.stream, spans(way, "ticket", hour)) == (None, [("unknown", "Open", 0, 9)])
    assert way.related[["how", "key"]].to_numpy().tolist() == [["holds", "PAY-1"]]


def test_what_no_stream_claims_has_a_path_too(of: Callable[..., Flow], hour: Hour) -> None:
    flow = of("OPS-1 project=OPS: Open 0, Closed 9", configured=Config(streams=(STREAM.model_copy(update={"projects": ("PAY",)}),)))
    way = told_of(flow, "OPS-1")
    assert (way.stream, spans(way, "ticket", hour)) == (None, [("unknown", "Open", 0, 9), ("unknown", "Closed", 9, None)])
    assert way.events["counts"].eq(False).all()


def test_no_such_item(of: Callable[..., Flow]) -> None:
    assert path(of("PAY-1: Todo 0"), "PAY-404") is None


# People. ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("privacy", "person", "said"),
    [("pseudonyms", "Person 1", "Given to Person 1"), ("names", "ann", "Given to ann"), ("none", None, "Given to somebody")],
)
def test_people_are_shown_as_configured(of: Callable[..., Flow], privacy: str, person: str | None, said: str) -> None:
    flow = of(
        "PAY-1: Todo 0, Doing 2 ann", ticket_changes="PAY-1 2 assignee ann",
        configured=Config(streams=(STREAM,), privacy=Privacy(people=privacy)),
    )  # fmt: skip
    told = told_of(flow, "PAY-1").events
    assert plain(told.loc[told["status"] == "Doing", "person"]) == [person]
    assert said in list(told["what"])


def test_an_unknown_field_is_named_and_its_value_is_not_told(of: Callable[..., Flow]) -> None:
    told = told_of(of("PAY-1: Todo 0", ticket_changes="PAY-1 2 reporter ann@example.org"), "PAY-1").events
    assert "reporter changed" in list(told["what"])
    assert not told["what"].str.contains("ann").any()


# The sample, whose truth was planted. ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(sample_store: str) -> Flow:
    with store.opened(sample_store, create=False) as engine:
        facts = store.facts(engine)
    return pipeline.read(facts, config.load(File(__file__).parents[2] / "sample_data" / "vsm.toml"))


def some(flow: Flow) -> list[str]:
    """Items of every kind: what was planted, and every ninetieth of the others."""
    planted = ["PAY-117", "PAY-71", "PAY-263", "PAY-113", "PAY-145", "PAY-150", "PLT-182", "PLT-112", "PAY-1"]
    return [*planted, *(str(key) for stream in flow.streams for key in stream.items["item"].iloc[::90])]


@pytest.fixture(scope="module")
def ways(sample: Flow) -> list[Path]:
    return [told_of(sample, key) for key in some(sample)]


def test_a_parked_ticket_waited_as_long_as_was_planted(sample: Flow) -> None:
    rows = told_of(sample, "PAY-71").spans
    waits = rows[(rows["lane"] == "ticket") & (rows["kind"] == "wait") & (rows["name"] == "Develop")]
    assert (waits["from"].iloc[0].isoformat(), waits["to"].iloc[0].isoformat()) == (
        "2026-01-12T11:40:34+00:00",
        "2026-03-16T11:41:39+00:00",
    )
    still = told_of(sample, "PAY-263").spans.query("lane == 'ticket'").iloc[-1]
    assert (still["kind"], still["name"], str(still["from"]), pd.isna(still["to"])) == (
        "wait",
        "Review",
        "2026-06-22 09:02:11+00:00",
        True,
    )


def test_a_reopened_ticket_leads_through_the_incident_and_its_revert(sample: Flow) -> None:
    told = told_of(sample, "PAY-117").events
    main = told[~told["detail"] & told["lane"].isin(["deployment", "incident", "change"])]
    at = {said: place for place, said in enumerate(main["what"])}
    order = [
        "quillfeather/shop#67 merged", "shop-101: shop to staging: finished", "shop-102: shop to production: finished",
        "INC-8 opened: Search returns nothing", "quillfeather/shop#67 taken back by quillfeather/shop#73", "INC-8 resolved",
        "quillfeather/shop#76 merged", "shop-107: shop to production: finished", "INC-9 opened: Product pages slow",
    ]  # fmt: skip
    assert [at[said] for said in order] == sorted(at[said] for said in order)
    incidents = told[told["lane"] == "incident"].drop_duplicates("ref").set_index("ref")["strength"]
    assert incidents.to_dict() == {"INC-8": "stated", "INC-9": "guessed"}


def test_every_event_of_the_log_is_told_once_and_in_its_order(sample: Flow, ways: list[Path]) -> None:
    names = ["at", "event", "status", "environment", "ref"]
    for way in ways:
        stream = next((one for one in sample.streams if one.name == way.stream), None)
        log = [] if stream is None else stream.log[stream.log["item"] == way.key].drop_duplicates()[names].astype("object")
        counted = way.events.loc[way.events["counts"], names].astype("object")
        assert counted.fillna("").to_numpy().tolist() == (log.fillna("").to_numpy().tolist() if len(log) else []), way.key
        assert way.events["at"].is_monotonic_increasing


def test_the_items_own_spans_cover_all_its_time_and_none_overlaps_another(sample: Flow, ways: list[Path]) -> None:
    for way in ways:
        own = way.spans[way.spans["lane"] == "ticket"]
        ends = own["to"].fillna(way.now)
        settled = plain(way.events.loc[way.events["event"] == "item.settled", "at"])[-1:]
        known = [way.about.get(name) for name in ("done_at", "cancelled_at", "resolved_at")]
        over = next(at for at in (*known, *settled, way.now) if at is not None)
        assert [own["from"].iloc[0], *ends] == [*own["from"], over], way.key
        assert own["from"].iloc[0] == way.about["created_at"]
        for _, rows in way.spans.groupby(["lane", "row", "line"]):
            until = rows["to"].fillna(way.now)
            assert (until.iloc[:-1].array <= rows["from"].iloc[1:].array).all()


def test_the_frames_have_their_columns_whatever_there_is(ways: list[Path], of: Callable[..., Flow]) -> None:
    for way in [*ways, told_of(of("PAY-1: Todo 0"), "PAY-1")]:
        assert (list(way.events), list(way.spans)) == (list(EVENTS), list(SPANS))
        assert set(way.spans["kind"]) <= set(KINDS)
        assert (way.spans["hours"] >= 0).all()


def test_no_name_of_a_person_is_in_a_path(sample: Flow, ways: list[Path]) -> None:
    names = set(sample.people.pseudonyms)
    for way in ways:
        assert not set(way.events["person"].dropna()) & names
        assert way.events["person"].dropna().str.match(r"Person \d+$").all()
