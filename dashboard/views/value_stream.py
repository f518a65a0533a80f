"""Value stream: where does work wait?"""

from functools import partial

import streamlit as st

from dashboard import data, future, hand_steps, map_state, parts, tables, theme
from dashboard import map as drawing
from dashboard.export import map_picture
from dashboard.map import states
from dashboard.map.groups import RULE, grouped
from dashboard.map_component import chosen_stage, value_stream_map
from dashboard.parts import Tile
from dashboard.shared import made_of
from dashboard.sheets import sheet
from vsm import figures
from vsm.board import columns
from vsm.future import current, with_steps
from vsm.measure import Measures

TILES = (
    Tile("Flow efficiency", "flow_efficiency", "value", theme.rate, more="clearly higher", less="clearly lower", good="more"),
    Tile("Finished items that were sent back", "rework", "share", theme.rate,
         more="clearly more", less="clearly fewer", good="less"),
    Tile("Handoffs on an item's way", "handoffs_per_item", "mean", theme.number,
         more="clearly more", less="clearly fewer", good="less"),
    Tile("Work in progress now", "wip", "now", theme.number, True),
)  # fmt: skip

choice, measures = parts.head("Where does work wait?")
zone = measures.flow.config.timezone
before = dict(parts.maps(choice, data.measures_before(choice))) if choice.compare else {}
changes = data.changes(choice) if choice.compare else {}


def stream(name: str, one: Measures) -> None:
    """The map of one stream, and the items of the stage that was chosen on it."""
    if one.graph is None or one.constraint is None:
        return
    key = f"map_{name}"
    efficiency = one.figures["flow_efficiency"]
    told_of = (one.graph, one.constraint.stage, one.loops, efficiency.values["value"], efficiency.n)
    whole = made_of(one, "map", lambda: drawing.MapModel.of(*told_of))
    if name in changes:
        whole = made_of(changes[name], "map", partial(whole.with_changes, changes[name]))
    by_hand = states.by_hand(data.hand_steps(name), list(one.graph), zone)
    whole = whole.with_steps([(drawn, behind) for drawn, _, behind in by_hand])
    today = with_steps(current(one.graph, one.accurate), [(step, behind) for _, step, behind in by_hand])
    names = grouped(whole).names
    opened = map_state.opened(name, names)
    told = grouped(whole, opened).told
    chosen = chosen_stage(key, map_state.chosen(name, [stage.name for stage in whole.stages]))
    with st.container(border=True, key=f"card_{key}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.header(parts.text(name), anchor=False, width="content")
            parts.only_button(name, measures)
        st.markdown(parts.text(one.constraint.why))
        for note in one.workflow.notes if one.workflow else ():
            st.caption(parts.text(note))
        seen = (name, choice.compare, opened, chosen, repr(by_hand))
        svg = data.kept("map", choice, seen, partial(drawing.value_stream_svg, told, selected=chosen))
        stage = value_stream_map(svg, chosen, key, on_group=partial(map_state.toggle, name))
        map_state.choose(name, stage)
        if names:
            st.caption(RULE)
        if stage is None:
            st.caption("Choose a stage to see which items are in it, and the visits behind its numbers.")
        st.caption(parts.text(hand_steps.sums(today)))
        with st.container(horizontal=True):
            hand_steps.button(name, [shown.name for shown in whole.stages])
            files(name, told, one, [drawn for drawn, _, _ in by_hand])
    if stage is not None:
        guessed = [drawn.name for drawn, _, _ in by_hand]
        if stage in guessed:
            place = guessed.index(stage)
            hand_steps.panel(by_hand[place][0], hand_steps.found(data.hand_steps(name), place))
        else:
            panel(stage, one)
    with st.grid(4, min_column_width=280):
        for tile in TILES:
            parts.tile(tile, one.figures, before[name].figures if name in before else {}, key=name)
    with st.expander("The same numbers as tables, and the evidence for the constraint"):
        parts.table(one.stages, key=f"stages_{name}", alt=f"Stages of {name}")
        if name in changes:
            st.caption("Each stage now and in the period before: clear where the 95 % interval of the difference leaves out zero")
            parts.table(changes[name], key=f"changes_{name}", alt=f"Stages of {name} now and before")
        st.caption("Moves from stage to stage in the window")
        parts.table(one.moves, key=f"moves_{name}", alt=f"Moves of {name}")
        st.caption("What speaks for and against each stage with people of its own as the constraint")
        if one.constraint.confidence is not None:
            st.caption(
                parts.text(f"{theme.rate(one.constraint.confidence)} of windows made of resampled weeks give the same answer.")
            )
        evidence = made_of(one.constraint, "evidence", partial(tables.evidence, one.constraint.ranking))
        sheet(evidence, key=f"evidence_{name}", alt=f"Evidence for {name}")

    future.card(name, today, one)


def files(name: str, told: drawing.MapModel, one: Measures, by_hand: list[drawing.Stage]) -> None:
    """The map to take along: as it is drawn here, and its numbers. Made when somebody asks for it."""
    why = one.constraint.why if one.constraint is not None else ""
    start, end = (parts.day(time, zone) for time in (one.scope.start, one.scope.end))
    about = " · ".join(filter(None, [name, choice.team and f"team {choice.team}", f"{start} to {end} ({zone})"]))
    whole = partial(map_picture.picture, told, f"{name}: where work waits", why, about)
    make = {
        "PNG": ("image/png", lambda: map_picture.written(whole(), "png")),
        "SVG": ("image/svg+xml", lambda: map_picture.written(whole(), "svg")),
        "CSV": ("text/csv", lambda: map_picture.csv(one.stages, by_hand, changes.get(name))),
    }
    for label, (mime, data_of) in make.items():
        made = data.exported(f"map {name}, {label}", data_of)
        st.download_button(
            label, made, f"{tables.file_name(f'map {name}')[:80]}.{label.lower()}", mime, on_click="ignore", type="tertiary",
            icon=":material/download:", key=f"file_{label}_{name}", help=f"This map as {label}",
        )  # fmt: skip


def panel(stage: str, one: Measures) -> None:
    """The items that are in a stage now, the oldest first, and the visits behind its numbers."""
    column = next(found for found in columns(one) if found["name"] == stage)
    limit = "" if column["limit"] is None else f", its limit is {theme.many(column['limit'], 'item')}"
    with st.container(border=True, key=f"panel_{one.scope.stream}_{stage}"):
        st.subheader(parts.text(f"{stage}: {theme.many(column['count'], 'item')} in it now{limit}"), anchor=False)
        if column["cards"]:
            parts.table(
                tables.cards(column["cards"]),
                key=f"inside_{one.scope.stream}_{stage}",
                alt=f"Items in {stage} now, the oldest first",
            )
        else:
            st.caption("No item is in this stage now.")
        figure = figures.stage(one, stage)
        st.caption(parts.text(tables.summary(figure)))
        parts.explain_button(figure, f"Visits to {stage}", key=str(one.scope.stream), said="Where these numbers come from")


for name, one in parts.maps(choice, measures):
    stream(name, one)
