"""The value-stream map as one SVG: the same drawing on the page, in reports and in exports."""

from typing import Any

import networkx as nx

from dashboard.map import arcs, boxes, times
from dashboard.map.layout import LOOPS, Layout
from dashboard.map.model import Change, MapModel, Move, Stage
from dashboard.map.words import opened, sentence, summary
from dashboard.svg import PAGE, Palette, box, element, escaped, line, text

__all__ = ["LOOPS", "Change", "Layout", "MapModel", "Move", "Stage", "sentence", "value_stream_svg"]


def value_stream_svg(
    told: "MapModel | nx.DiGraph[str]",
    palette: Palette = PAGE,
    interactive: bool = True,
    selected: str | None = None,
    constraint: str | None = None,
) -> str:
    """The map as SVG: boxes with what they hold, what waits before them, loops back, the time ladder and the scale.

    A graph is drawn as ``MapModel.of(graph, constraint)``. `interactive`: each stage is a button that
    a keyboard reaches (`dashboard.map_component` answers it); else the whole is one picture.
    """
    told = told if isinstance(told, MapModel) else MapModel.of(told, constraint)
    if not told.stages:
        return _empty(palette)
    at = Layout.of(told)
    shown = None if interactive else selected  # a button shows by itself that it is chosen
    drawn = [
        *(boxes.opened(group, at, palette) for group in told.opened),
        *(arcs.loop(move, way, at, told, palette) for move, way in at.back),
        *(arcs.skip(move, way, at, told, palette) for move, way in at.over),
        *boxes.arrows(at, told, palette),
        *(boxes.column(i, at, told, palette, shown) for i in range(len(told.stages))),
        *(boxes.label(group, at, palette) for group in told.opened),
        *times.ladder(at, told, palette),
        *times.scale(at, told, palette),
    ]
    drawn = [element("g", "".join(drawn), aria_hidden="true")]
    if interactive:
        drawn += _buttons(at, told, selected)
    return svg("".join(drawn), at.wide, at.high, palette, summary(told), interactive)


def svg(drawn: str, wide: float, high: float, palette: Palette, said: str, interactive: bool) -> str:
    """A drawing with all that it needs, and on paper of its own where no page lies behind it."""
    hatch = element("path", d="M0 6 L6 0", stroke=palette.muted, stroke_width=1.2)
    defs = element("defs", element("pattern", hatch, id="vsm-hatch", width=6, height=6, patternUnits="userSpaceOnUse"))
    paper = "" if interactive else box(0, 0, wide, high, palette.page)
    return element(
        "svg",
        defs + paper + drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {wide:.0f} {high:.0f}",
        width=f"{wide:.0f}",
        height=f"{high:.0f}",
        font_family=palette.font,
        role="group" if interactive else "img",
        aria_label=said,
    )


def _empty(palette: Palette) -> str:
    """What is drawn of a stream without stages: the outline of one, and what it lacks."""
    ghosts = [
        box(60 + i * 200, 20, 140, 92, "none", 8, stroke=palette.line, stroke_width=1.5, stroke_dasharray="5 5") for i in range(3)
    ]
    arrows = [line((205 + i * 200, 66), (255 + i * 200, 66), stroke=palette.line, dash="5 5") for i in range(2)]
    said = "No stages to draw: nothing that happened here belongs to a stage."
    words = [text(said, 330, 142, palette.muted, 13, anchor="middle")]
    return svg("".join([*ghosts, *arrows, *words]), 660, 160, palette, said, interactive=False)


def _buttons(at: Layout, told: MapModel, selected: str | None) -> list[str]:
    """What can be chosen, in the order in which the keyboard reaches it: each opened group's name before its stages."""
    first = {group.members[0]: group for group in told.opened}
    found = []
    for i, stage in enumerate(told.stages):
        if stage.name in first:
            group = first[stage.name]
            found.append(_button(opened(group), boxes.header(group, at), data_group=group.name, aria_expanded="true"))
        if stage.members:
            found.append(_button(sentence(stage, told), at.around(i, told), data_group=stage.name, aria_expanded="false"))
        else:
            pressed = "true" if stage.name == selected else "false"
            found.append(_button(sentence(stage, told), at.around(i, told), data_stage=stage.name, aria_pressed=pressed))
    return found


def _button(said: str, around: dict[str, float], **more: Any) -> str:
    """A button: nothing to see, but to point at, to reach by keyboard and to hear."""
    return element(
        "rect",
        element("title", escaped(said)),
        **around,
        fill="transparent",
        class_="stage",
        role="button",
        tabindex=0,
        aria_label=said,
        **more,
    )
