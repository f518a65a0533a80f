"""Time below the map: the ladder of waits and works, and where the time goes, to scale."""

from collections.abc import Iterable

from dashboard import theme
from dashboard.map.layout import MARGIN, Layout
from dashboard.map.model import MapModel, Stage
from dashboard.svg import Palette, box, fitted, line, text, width

SHORT = 0.5  # pixels: a stretch of the scale that cannot be seen


def ladder(at: Layout, told: MapModel, palette: Palette) -> Iterable[str]:
    """The time ladder: up where an item waits, down where it is worked on; all in one step up where work is only held.

    Of stages beside each other it tells the one that takes in most.
    """
    high, low = at.ladder + 40, at.ladder + 66
    yield text("Time ladder", MARGIN, at.ladder + 4, palette.text, 12.5, True)
    beside = MARGIN + width("Time ladder", 12.5, True) + 10
    said = "a visit's wait (up) and work (down), as planned" if told.planned else "a visit's median wait (up) and work (down)"
    branching = any(len(names) > 1 for names in at.columns)
    yield text(said + "; of a branch the one most taken" * branching, beside, at.ladder + 4, palette.muted, 11.5)
    points: list[tuple[float, float]] = []
    for names in at.columns:
        i = max(names, key=lambda i: told.stages[i].taken)
        stage, left, right = told.stages[i], at.boxes[i].left, at.boxes[i].right
        slowest = stage.name == told.constraint
        start, up = left - at.gap, right if stage.holds else left
        points += [(start, high), (up, high)] + ([] if stage.holds else [(left, low), (right, low)])
        fill = palette.wait_text if slowest else palette.muted if stage.estimate else palette.text
        yield text(_duration(stage, stage.wait), (start + up) / 2, high - 7, fill, 12, slowest, "middle")
        if not stage.holds:
            fill = palette.muted if stage.estimate else palette.text
            yield text(_duration(stage, stage.work), (left + right) / 2, low + 17, fill, 12, anchor="middle")
        if stage.wait is None:
            yield text("not known", left - at.gap / 2, high + 14, palette.muted, 10.5, anchor="middle")
        if stage.work is None and not stage.holds:
            yield text("not known", (left + right) / 2, low - 7, palette.muted, 10.5, anchor="middle")
    yield line(*points, stroke=palette.muted, thick=2.0)


def _duration(stage: Stage, hours: float | None) -> str:
    about = "≈ " if stage.estimate and hours is not None else "≥ " if stage.partly and hours is not None else ""
    return about + theme.duration(hours)


def scale(at: Layout, told: MapModel, palette: Palette) -> Iterable[str]:
    """Where the time goes, to scale: the hours of all visits, stage by stage, waiting and working apart, without estimates."""
    y, full = at.scale + 18, at.wide - 2 * MARGIN
    title = "Where the time goes, to scale"
    yield text(title, MARGIN, at.scale + 4, palette.text, 12.5, True)
    stages = [stage for stage in told.stages if told.planned or not stage.estimate]
    hours = sum(stage.hours for stage in stages)
    if not hours:
        said = "not known: no step has a time" if told.planned else "not known: no visit ended in this window"
        yield box(MARGIN, y, full, 20, "none", 4, stroke=palette.line, stroke_dasharray="5 5")
        yield text(said, at.wide / 2, y + 14, palette.muted, 11.5, anchor="middle")
        return
    measured = "below: means of a visit" + (", without the estimates" if len(stages) < len(told.stages) else "")
    said = "of one item, as planned" if told.planned else measured
    yield text(said, MARGIN + width(title, 12.5, True) + 10, at.scale + 4, palette.muted, 11.5)
    yield from _legend(at, told, hours, palette)
    x = MARGIN
    for stage in stages:
        begin = x
        for part, fill in (
            (stage.wait_total, palette.wait),
            (stage.work_total, palette.work),
            (stage.unsplit_total, "url(#vsm-hatch)"),
        ):
            long = part / hours * full
            if long >= SHORT:
                yield box(x, y, long, 20, fill, stroke=palette.page, stroke_width=0.8)
            x += long
        yield from _bracket(stage, begin, x, y + 20, stage.name == told.constraint, palette)


def _bracket(stage: Stage, begin: float, end: float, y: float, constraint: bool, palette: Palette) -> Iterable[str]:
    """Under the scale: which stage a stretch is, and the means that make it; as much as there is room for."""
    if end - begin < 3:
        return
    yield line((begin + 1.5, y + 4), (begin + 1.5, y + 8), (end - 1.5, y + 8), (end - 1.5, y + 4), stroke=palette.muted, thick=1.0)
    name = fitted(stage.name, end - begin - 4, 11.5, constraint)
    if len(name) > 3 or name == stage.name:
        yield text(name, (begin + end) / 2, y + 22, palette.text, 11.5, constraint, "middle")
    means = [
        f"{word} {theme.duration(mean)}"
        for word, mean in (("wait", stage.wait_mean), ("work", stage.work_mean))
        if mean is not None
    ]
    for said in (" · ".join(means), means[0] if means else ""):
        if said and width(said, 11) <= end - begin - 4:
            yield text(said, (begin + end) / 2, y + 37, palette.muted, 11, anchor="middle")
            return


def _legend(at: Layout, told: MapModel, hours: float, palette: Palette) -> Iterable[str]:
    """What the scale's colours say, and the flow efficiency where it was measured; from the right."""
    x, y = at.wide - MARGIN, at.scale + 4
    if told.flow_efficiency is not None:
        n = f" (n {told.flow_efficiency_n:,})" if told.flow_efficiency_n else ""
        said = f"flow efficiency {theme.rate(told.flow_efficiency)}{n}"
        yield text(said, x, y, palette.text, 12, True, "end")
        x -= width(said, 12, True) + 18
    keys = [("waiting", palette.wait), ("working", palette.work)]
    if any(stage.unsplit_total / hours * (at.wide - 2 * MARGIN) >= SHORT for stage in told.stages):
        keys.append(("not known which", "url(#vsm-hatch)"))
    for word, fill in reversed(keys):
        x -= width(word, 11.5)
        yield text(word, x, y, palette.muted, 11.5)
        yield box(x - 17, y - 10, 12, 12, fill, 2)
        x -= 32
