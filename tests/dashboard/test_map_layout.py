"""Where everything on the map is: no box on another, every stage once, branches beside each other, groups instead of many."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations, pairwise

import networkx as nx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import map_state
from dashboard.map import Change, MapModel, Stage, value_stream_svg
from dashboard.map.groups import FIT, MOST, grouped
from dashboard.map.layout import Layout
from dashboard.map.states import planned
from dashboard.svg import LIGHT_PAPER
from vsm import future
from vsm.future import Step

SVG = "{http://www.w3.org/2000/svg}"
NAMES = st.text(min_size=1, max_size=40).filter(lambda name: name.strip() and "…" not in name)


def stage(hours=9.0, **known):
    return {
        "wait_p50": hours, "work_p50": 2.0, "wait_mean": hours, "work_mean": 2.0, "wait_n": 9, "work_n": 7, "wip_now": 3,
        "waiting_now": 2, "has_capacity": True, "people": 2.0, "wip_limit": None, "team": None,
    } | known  # fmt: skip


def stream(names, *moves, **nodes):
    graph = nx.DiGraph()
    for position, name in enumerate(names):
        graph.add_node(name, position=position, **nodes.get(name, stage()))
    for one, two, n in moves:
        if one != two:
            graph.add_edge(one, two, n=n, backward=names.index(one) > names.index(two))
    return graph


def line(count, hours=lambda place: 1.0 + place % 5):
    names = [f"S{place}" for place in range(count)]
    moves = [(one, two, 100) for one, two in pairwise(names)]
    return stream(names, *moves, **{name: stage(hours(place)) for place, name in enumerate(names)})


def fork():
    moves = [
        ("S", "A", 60),
        ("S", "B", 40),
        ("A", "T", 58),
        ("B", "T", 40),
        ("A", "B", 2),
        ("T", "B", 9),
        ("T", "S", 5),
        ("B", "A", 3),
    ]
    return stream("SABT", *moves)


@st.composite
def streams(draw, most=24):
    names = draw(st.lists(NAMES, min_size=1, max_size=most, unique=True))
    pair = st.tuples(st.sampled_from(names), st.sampled_from(names), st.integers(0, 99))
    nodes = {
        name: stage(draw(st.floats(0, 99)), arrivals=draw(st.integers(0, 99)), departures=draw(st.integers(0, 99)))
        for name in names
    }
    return stream(names, *draw(st.lists(pair, max_size=60)), **nodes)


def buttons(svg):
    return [rect for rect in ET.fromstring(svg).iter(f"{SVG}rect") if rect.get("role") == "button"]  # noqa: S314 - our own drawing


def overlap(one, two):
    (left, top, right, bottom), (other_left, other_top, other_right, other_bottom) = one, two
    return left < other_right and other_left < right and top < other_bottom and other_top < bottom


@settings(max_examples=60, deadline=None)
@given(streams())
def test_of_any_graph_no_box_lies_on_another_and_every_stage_is_a_button_once(graph):
    told = MapModel.of(graph)
    at = Layout.of(told)
    areas = [(box.left, box.top, box.right, box.top + at.high_box) for box in at.boxes]

    assert not any(overlap(one, two) for one, two in combinations(areas, 2))
    assert all(left >= 0 and right <= at.wide and bottom <= at.ladder for left, _, right, bottom in areas)
    assert len(buttons(value_stream_svg(told))) == len(graph)


@settings(max_examples=60, deadline=None)
@given(streams(), st.data())
def test_groups_part_the_stages_and_an_opened_one_shows_its_own(graph, data):
    whole = MapModel.of(graph, data.draw(st.sampled_from(list(graph))))
    names = grouped(whole).names
    opened = data.draw(st.sets(st.sampled_from(names))) if names else set()
    told = grouped(whole, opened).told
    shown = [name for one in told.stages for name in (one.members or (one.name,))]

    assert sorted(shown) == sorted(graph)
    assert {group.name for group in told.opened} == opened
    assert whole.constraint in {one.name for one in told.stages}, "the constraint stays by itself"
    assert sum(one.hours for one in told.stages) == pytest.approx(sum(one.hours for one in whole.stages))
    at = Layout.of(told)
    areas = [(box.left, box.top, box.right, box.top + at.high_box) for box in at.boxes]
    assert not any(overlap(one, two) for one, two in combinations(areas, 2))
    assert len(buttons(value_stream_svg(told))) == len(told.stages) + len(opened)


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda arc: arc[0] > arc[1]), max_size=6, unique=True))
def test_loops_of_which_one_encloses_the_other_do_not_cross_and_no_two_share_a_stretch(arcs):
    names = [f"S{place}" for place in range(12)]
    at = Layout.of(MapModel.of(stream(names, *((names[one], names[two], 9) for one, two in arcs))))
    ways = [way for _, way in at.back]

    assert len(ways) == len(arcs)
    for one, two in combinations(ways, 2):
        if one.lane == two.lane:
            assert one.right < two.left or two.right < one.left
        for inner, outer in ((one, two), (two, one)):
            if outer.left < inner.left and inner.right < outer.right:
                assert inner.lane < outer.lane


def test_stages_beside_each_other_share_a_column_and_an_arrow_leads_to_each():
    told = MapModel.of(fork())
    at = Layout.of(told)
    svg = value_stream_svg(told, LIGHT_PAPER, interactive=False)
    words = [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - our own drawing

    assert [[told.stages[i].name for i in column] for column in at.columns] == [["S"], ["A", "B"], ["T"]]
    assert {"60", "40", "58"} <= set(words), "how many take either way"
    assert "2 ↓ · 3 ↑" in words, "moves between the two are told without calling one of them a step back"
    assert "3 sent back" not in words
    assert "Beside B: work takes either." in svg or "Beside B" in value_stream_svg(told)


def test_up_to_nine_stages_are_drawn_one_by_one_and_more_are_seven_boxes():
    assert grouped(MapModel.of(line(MOST))).names == ()
    told = grouped(MapModel.of(line(24), "S13")).told
    assert len(told.stages) == FIT
    assert [one.name for one in told.stages if not one.members] == ["S13"]


def test_a_groups_times_are_sums_and_its_n_the_smallest():
    graph = line(10, lambda place: 1.0 if place in (4, 5, 6, 7) else 50.0)
    graph.nodes["S5"].update(wait_n=4, wip_now=8)
    graph.nodes["S6"]["wait_p50"] = None
    (group,) = (one for one in grouped(MapModel.of(graph)).told.stages if one.members)

    assert (group.name, group.members) == ("S4 … S7", ("S4", "S5", "S6", "S7"))
    assert (group.wait, group.wait_n, group.work, group.work_n, group.wip_now) == (3.0, 4, 8.0, 7, 17)
    assert group.partly, "one of them has no wait"
    assert group.wait_total == sum(1.0 * n for n in (9, 4, 9, 9))


def test_moves_to_and_from_a_group_are_counted_together():
    graph = line(10, lambda place: 1.0 if place in (4, 5, 6, 7) else 50.0)
    graph.add_edge("S9", "S4", n=5, backward=True)
    graph.add_edge("S9", "S6", n=7, backward=True)
    graph.add_edge("S6", "S5", n=30, backward=True)
    told = grouped(MapModel.of(graph)).told

    assert [(move.origin, move.to, move.n) for move in told.loops] == [("S9", "S4 … S7", 12)]
    assert ("S3", "S4 … S7", 100) in [(move.origin, move.to, move.n) for move in told.onward]


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "مراجعة الأمان والجودة", "🚀🧪👩‍👩‍👧 emoji", "x" * 500, "‮evil"])
def test_a_hostile_name_stays_in_its_box_as_text(name):
    svg = value_stream_svg(stream([name, "T"], (name, "T", 9)), LIGHT_PAPER)
    root = ET.fromstring(svg)  # noqa: S314 - our own drawing
    at = Layout.of(MapModel.of(stream([name, "T"])))

    assert "<img" not in svg
    assert buttons(svg)[0].get("aria-label").startswith(name)
    assert at.wide <= 700
    assert all(len(text.text or "") < 90 for text in root.iter(f"{SVG}text"))
    assert len(re.findall("aria-label", svg)) == 3


def test_what_is_opened_and_chosen_is_told_by_stream(monkeypatch):
    class Url(dict):
        def get_all(self, name):
            return list(self.get(name, []))

    url = Url()
    monkeypatch.setattr(map_state.st, "query_params", url)
    map_state.toggle("one", "A … C")
    map_state.toggle("two", "A … C")
    map_state.choose("one", "QA")

    assert map_state.opened("one", ["A … C", "D … E"]) == ("A … C",)
    assert (map_state.chosen("one", ["Dev", "QA"]), map_state.chosen("two", ["Dev", "QA"])) == ("QA", None)

    map_state.toggle("two", "A … C")
    map_state.choose("one", None)
    assert url == {"open": ["one: A … C"]}


def changes(*rows):
    return pd.DataFrame(rows, columns=["stage", "number", "now", "before", "n_now", "n_before", "verdict"])


def test_two_periods_are_written_into_the_boxes_and_a_clear_change_in_words():
    told = MapModel.of(line(2)).with_changes(
        changes(
            ("S0", "wait", 9.0, 2.0, 9, 9, "clearly longer"),
            ("S0", "work", 2.0, 3.0, 9, 4, "too few to say"),
            ("S0", "wip", 3.0, 8.0, 3, 8, "not compared"),
            ("S1", "wait", None, None, 0, 0, "too few to say"),
        )
    )
    words = [text.text for text in ET.fromstring(value_stream_svg(told)).iter(f"{SVG}text")]  # noqa: S314 - our own drawing

    assert {"clearly longer, was 2.0 h", "was 3.0 h, too few to say", "was 8"} <= set(words)
    assert [text for text in words if text.startswith("was –")] == []
    said = buttons(value_stream_svg(told))[0].get("aria-label")
    assert "Wait in the period before: 2.0 h (clearly longer)." in said
    assert "In progress in the period before: 8." in said


def test_a_group_says_how_many_of_its_stages_changed_and_nothing_where_one_has_no_before():
    graph = line(10, lambda place: 1.0 if place in (4, 5, 6, 7) else 50.0)
    rows = [(f"S{i}", "wait", 1.0, 0.5, 9, 9, "clearly longer" if i == 5 else "no clear change") for i in (4, 5, 6, 7)]
    rows += [(f"S{i}", "work", 2.0, 2.0, 9, 9, "no clear change") for i in (4, 5, 6)]
    (group,) = (one for one in grouped(MapModel.of(graph).with_changes(changes(*rows))).told.stages if one.members)

    assert group.changes == {"wait": Change(2.0, "1 longer of 4")}


def test_a_step_by_hand_stands_between_two_stages_dashed_and_in_no_scale():
    board = Stage("Board", wait=72.0, work=0.5, accurate=0.9, estimate="by us, 1 Mar 2026")
    told = MapModel.of(fork()).with_steps([(board, "B"), (replace(board, name="Mail"), "B"), (replace(board, name="Call"), None)])
    at = Layout.of(told)
    svg = value_stream_svg(told)
    words = [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - our own drawing

    assert [[told.stages[i].name for i in column] for column in at.columns] == [
        ["Call"],
        ["S"],
        ["A", "B"],
        ["Board"],
        ["Mail"],
        ["T"],
    ]
    assert words.count("estimate") == 3
    assert {"≈ 3.0 d", "≈ 30 min", "below: means of a visit, without the estimates"} <= set(words)
    assert {("A", "Board"), ("B", "Board"), ("Board", "Mail"), ("Mail", "T")} <= {(m.origin, m.to) for m in told.onward}
    assert "An estimate, no system records this step: by us, 1 Mar 2026." in svg
    assert sum(one.hours for one in told.stages) == sum(one.hours for one in MapModel.of(fork()).stages)


def test_a_step_by_hand_leaves_the_other_boxes_as_many():
    whole = MapModel.of(line(24), "S13")
    board = Stage("Board", wait=72.0, work=0.5, estimate="by us")
    told = grouped(whole.with_steps([(board, "S13")])).told

    assert len([one for one in told.stages if not one.estimate]) == FIT
    assert [one.name for one in told.stages if not one.members] == ["S13", "Board"]
    assert grouped(MapModel.of(line(MOST)).with_steps([(board, "S3")])).names == ()


# Future states of many steps. --------------------------------------------------------------------------------------------


BEFORE = tuple(Step(f"S{place}", 5.0 + place % 5 * 7, 2.0, column=place) for place in range(14))


def test_of_a_future_state_with_many_steps_what_differs_stays_by_itself():
    after = future.with_steps(future.changed(BEFORE, "S5", wait=3.0), [(Step("Pair review", 1.0, 4.0), "S8")])
    whole = planned(after, BEFORE)
    told = grouped(whole).told

    alone = [one.name for one in told.stages if not one.members]
    assert (len(told.stages), alone[:2]) == (FIT, ["S5", "Pair review"])
    assert sum(one.hours for one in told.stages) == sum(one.hours for one in whole.stages)
    (first, *_) = grouped(whole).names
    assert len(grouped(whole, [first]).told.stages) > FIT
    assert grouped(planned(BEFORE[:MOST], BEFORE)).names == ()


def test_where_all_steps_of_a_future_state_differ_groups_say_what_they_were():
    after = BEFORE
    for step in BEFORE:
        after = future.changed(after, step.name, wait=1.0)
    told = grouped(planned(after, BEFORE)).told

    assert len(told.stages) == FIT
    was = {one.name: one.changes["wait"].before for one in told.stages}
    assert sum(was.values()) == sum(step.wait for step in BEFORE)
    assert all("work" not in one.changes for one in told.stages)
