"""The drawn map: every stage a button, every number from the graph, nothing from outside as markup."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import networkx as nx
import pytest

from dashboard.map import LOOPS, MapModel, sentence, value_stream_svg
from dashboard.svg import DARK_PAPER, LIGHT_PAPER, PAGE

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "<img src=x onerror=alert(1)>"
UNKNOWN = ("wait_p50", "work_p50", "wait_mean", "work_mean", "dwell_mean", "wip_limit", "people", "team")


def stage(**known):
    return dict.fromkeys(UNKNOWN) | {"wip_now": 3, "waiting_now": 2, "has_capacity": True, "wait_n": 9, "work_n": 9} | known


def stream_of(stages, back=(), **moves):
    """A graph of named stages in order, 100 moves from each to the next, and ways back as (from, to, n)."""
    graph = nx.DiGraph()
    for position, (name, known) in enumerate(stages.items()):
        graph.add_node(name, position=position, **stage(**known))
    for one, two in pairwise(stages):
        graph.add_edge(one, two, n=100, backward=False, **moves)
    for source, target, n in back:
        graph.add_edge(source, target, n=n, backward=True)
    return graph


def checkout():
    return stream_of(
        {
            "Develop": {"wait_p50": 2.0, "work_p50": 70.0, "people": 9.0, "wip_limit": 10},
            "QA": {"wait_p50": 120.5, "work_p50": 5.7, "team": "Quality", "wip_now": 18, "waiting_now": 17, "wip_limit": 6},
            "Release": {"wait_p50": 23.4, "has_capacity": False},
        },
        back=[("QA", "Develop", 25), ("Release", "Develop", 8)],
        team_changed=0.83,
    )


def many(count):
    """Stages with long names, and loops over and in one another."""
    names = [f"Stage {number} of the northern region" for number in range(count)]
    back = [(names[later], names[earlier], 5 + later) for later in range(count) for earlier in range(later) if later % 4 == 3]
    return stream_of({name: {"wait_p50": 3.0 + 9 * (number % 5), "work_p50": 2.0} for number, name in enumerate(names)}, back)


def tree(svg):
    return ET.fromstring(svg)  # noqa: S314 - our own drawing


def drawn(svg):
    return [text.text for text in tree(svg).iter(f"{SVG}text") if text.text]


def buttons(svg):
    return [rect for rect in tree(svg).iter(f"{SVG}rect") if rect.get("role") == "button"]


@pytest.mark.parametrize("palette", [PAGE, LIGHT_PAPER, DARK_PAPER], ids=["page", "light", "dark"])
@pytest.mark.parametrize("graph", [nx.DiGraph(), stream_of({"Only": {}}), checkout(), many(15)], ids=["0", "1", "3", "15"])
def test_any_stream_is_a_valid_drawing_with_a_button_per_stage(graph, palette):
    assert [rect.get("data-stage") for rect in buttons(value_stream_svg(graph, palette=palette))] == list(graph)


def test_no_stages_says_so():
    assert any("No stages" in words for words in drawn(value_stream_svg(nx.DiGraph())))


def test_a_reopening_is_drawn_as_sent_back_by_no_stage():
    graph = checkout()
    graph.edges["QA", "Develop"].update(sent_back=20, reopened=5)
    graph.edges["Release", "Develop"].update(sent_back=0, reopened=8)
    told = MapModel.of(graph)
    assert [(move.origin, move.to, move.n) for move in told.loops] == [("QA", "Develop", 20)]
    assert "Sent back" not in sentence(told.stages[-1], told)


def test_an_export_has_no_buttons_and_no_css():
    svg = value_stream_svg(checkout(), constraint="QA", palette=LIGHT_PAPER, interactive=False)
    assert buttons(svg) == []
    assert "var(" not in svg


@pytest.mark.parametrize(
    ("known", "told"),
    [
        pytest.param({"wait_p50": 120.5, "wait_n": 7}, "Waits 5.0 d, the median of 7.", id="known"),
        pytest.param({"wait_p50": float("nan"), "wait_n": 0}, "Waits: not known.", id="missing as a frame writes it"),
        pytest.param({}, "Work takes: not known.", id="work not known"),
        pytest.param({"has_capacity": False}, "It only holds work.", id="holds work"),
        pytest.param({"wip_now": 18, "wip_limit": 6}, "18 in progress, over its limit of 6.", id="over the limit"),
        pytest.param({"wip_now": 6, "wip_limit": 6}, "6 in progress, with a limit of 6.", id="at the limit"),
        pytest.param({"waiting_now": None}, "What waits is not known.", id="count not known"),
    ],
)
def test_a_stage_in_a_sentence(known, told):
    model = MapModel.of(stream_of({"QA": known}))
    assert told in sentence(model.stages[0], model)


def test_the_button_says_the_sentence_and_whether_it_is_chosen():
    labels = {one.get("data-stage"): one for one in buttons(value_stream_svg(checkout(), constraint="QA", selected="QA"))}
    assert labels["QA"].get("aria-label").startswith("QA, done by Quality. This is the constraint.")
    assert {name: one.get("aria-pressed") for name, one in labels.items()} == {"Develop": "false", "QA": "true", "Release": "false"}


def test_drawn_texts_are_hidden_from_screen_readers():
    svg = value_stream_svg(checkout(), constraint="QA")
    hidden = [text for group in tree(svg).findall(f"{SVG}g[@aria-hidden='true']") for text in group.iter(f"{SVG}text")]
    assert len([text for text in hidden if text.text]) == len(drawn(svg))


def test_names_from_outside_stay_text():
    graph = stream_of({EVIL: {"team": EVIL, "wait_p50": 9.0}, 'a" onload="x': {}, "bad\x00\x0b": {}}, [('a" onload="x', EVIL, 3)])
    svg = value_stream_svg(graph, constraint=EVIL, selected=EVIL)
    assert "<img" not in svg
    assert [rect.get("data-stage") for rect in buttons(svg)] == [EVIL, 'a" onload="x', "bad"]
    tags = {element.tag.removeprefix(SVG) for element in tree(svg).iter()}
    assert tags <= {"svg", "g", "rect", "path", "polygon", "text", "title", "defs", "pattern"}
    assert not [name for element in tree(svg).iter() for name in element.attrib if name.startswith("on")]


def test_every_number_drawn_is_from_the_graph():
    texts = " ".join(drawn(value_stream_svg(checkout(), constraint="QA")))
    told = {"2.0", "2.9", "5.0", "5.7", "23.4", "3", "10", "2", "18", "6", "17", "9", "83.0", "25", "8"}
    assert set(re.findall(r"\d+(?:\.\d+)?", texts)) == told


def test_more_than_the_limit_is_said_in_words():
    assert len([text for text in drawn(value_stream_svg(checkout())) if text.startswith("over")]) == 1


def test_the_constraint_is_named_in_words():
    assert "Constraint" in drawn(value_stream_svg(checkout(), constraint="QA"))
    assert "Constraint" not in drawn(value_stream_svg(checkout(), constraint="a stage of another stream"))


def test_what_is_not_known_is_never_drawn_as_nothing():
    nothing = {"waiting_now": None, "wip_now": None, "wait_n": 0, "work_n": 0}
    texts = drawn(value_stream_svg(stream_of({"Todo": nothing, "Doing": nothing | {"wait_p50": float("nan")}})))
    assert not [text for text in texts if re.search(r"\b0(\.0)?\b", text)]
    assert texts.count("–") >= 10
    assert texts.count("not known") == 4


@pytest.mark.parametrize("count", [2, 4, 8, 12, 15])
def test_labels_of_ways_back_do_not_overlap(count):
    """Each label lies on a piece of paper: the rectangle drawn just before it."""
    labels = []
    for group in tree(value_stream_svg(many(count))).iter(f"{SVG}g"):
        pairs = pairwise(group)
        labels += [paper for paper, words in pairs if words.tag == f"{SVG}text" and (words.text or "").endswith("sent back")]
    areas = [tuple(float(paper.get(name)) for name in ("x", "y", "width", "height")) for paper in labels]
    moves_back = sum(edge["backward"] for _, _, edge in many(count).edges(data=True))
    assert len(areas) == min(moves_back, LOOPS)
    for (x, y, wide, high), (other_x, other_y, other_wide, other_high) in combinations(areas, 2):
        assert x + wide <= other_x or other_x + other_wide <= x or y + high <= other_y or other_y + other_high <= y


@pytest.mark.parametrize("count", [1, 2, 12, 15])
def test_nothing_is_drawn_outside_the_picture(count):
    root = tree(value_stream_svg(many(count)))
    _, _, width, height = map(float, root.get("viewBox").split())
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.get("x")) < width
        assert 8 < float(text.get("y")) < height - 4


def test_a_long_name_is_cut_in_the_drawing_and_whole_in_the_label():
    name = "Acceptance testing with customers of the northern region"
    svg = value_stream_svg(stream_of({name: {}}))
    assert name not in drawn(svg)
    assert any(text.endswith("…") for text in drawn(svg))
    assert buttons(svg)[0].get("aria-label").startswith(name)


@pytest.mark.parametrize(
    ("edge", "words"),
    [
        ({"team_changed": 0.83, "person_changed": 1.0}, ["new team", "83.0 %"]),
        ({"team_changed": None, "person_changed": 0.6}, ["new person", "60.0 %"]),
        ({"team_changed": 0.49}, []),
        ({}, []),
    ],
)
def test_a_handoff_is_told_where_it_is_the_rule(edge, words):
    texts = drawn(value_stream_svg(stream_of({"Build": {}, "Ship": {}}, **edge)))
    assert [text for text in texts if text.startswith("new ") or text.endswith(" %")] == words
