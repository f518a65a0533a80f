"""What the charts of Bottlenecks say: what holds work back, what would help, where hours are lost, who hands to whom."""

from dashboard import tables, theme
from dashboard.charts import bottlenecks
from dashboard.charts.entry import Asked, Entry, Told, columns, why
from vsm.focusing import since
from vsm.metrics.figure import FEW


def ranking(asked: Asked) -> Told:
    """How near each stage is to its limit."""
    found, figure = asked.measures.constraint, asked.figure("constraint")
    if found is None:
        raise ValueError("a constraint needs a map of stages")
    rows = tables.nearness(found.ranking)
    return Told(
        found.why,
        "Bar: time in which something waits for a stage. Line: its load. A constraint has both.",
        figure,
        rows,
        bottlenecks.ranking(rows, found.stage),
        why="No stage shows a queue of its own, so none can be compared.",
    )


def moved(asked: Asked) -> Told:
    """How the constraint moved over the year."""
    history, figure = asked.measures.moved, asked.figure("constraint")
    shown = None if history is None else asked.naive(history, "start", "end")
    rows = columns(history, "start", "end", "stage", "confidence", "n")
    named = rows["stage"].dropna().value_counts()
    often = [f"{stage} in {count}" for stage, count in sorted(named.items(), key=lambda one: (-one[1], one[0]))]
    counted = f"Of {theme.many(len(rows), 'look')} at thirteen weeks each, {', '.join(often)} named the constraint."
    return Told(
        since(asked.measures) or (counted if often else "In no thirteen weeks of the year a constraint could be named."),
        "Dot: thirteen weeks; a hollow one is not sure. Once a constraint is mended, another stage is next.",
        figure,
        rows,
        bottlenecks.moved(shown),
        span=None if shown is None or shown.empty else bottlenecks.span(shown),
        why="In no thirteen weeks of the year a constraint could be named.",
    )


def lever(asked: Asked) -> Told:
    """What 25 % more capacity in each stage would bring."""
    found = asked.measures.lever
    if found is None:
        raise ValueError("the lever needs a map of stages")
    return Told(
        found.why,
        "Dot: the mean over weeks like these. Line: the middle 80 % of simulated runs.",
        asked.figure("lead_time_lever"),
        columns(found.table, "stage", "cut", "low", "high"),
        bottlenecks.levers(found.table),
        why=found.why,
    )


def wasted(asked: Asked) -> Told:
    """Hours by class of waste."""
    found = asked.measures.waste
    rows = columns(found.classes, "class", "hours", "items")
    known = rows[rows["hours"] > 0]
    total = float(known["hours"].sum())
    finding = "No hours are known in which nobody worked, or in vain, or again."
    if total:
        most = known.loc[known["hours"].idxmax()]
        share = theme.rate(float(most["hours"]) / total)
        finding = (
            f"Most of {theme.duration(total)} of item time in which nobody worked, or in vain, or again "
            f"is {most['class']}: {share}."
        )
    return Told(
        finding,
        "Bar: hours of a class, all items; each hour is in one class only.",
        found.figure,
        rows,
        bottlenecks.waste(found.classes),
        why=why(found.figure),
    )


def handed(asked: Asked) -> Told:
    """Handoffs between teams and how long work then waits."""
    rows = columns(asked.measures.between_teams, "from", "to", "n", "wait_n", "wait_p50")
    finding = "No work changed hands between teams."
    if len(rows):
        often = rows.loc[rows["n"].idxmax()]
        finding = f"Most handoffs go from {often['from']} to {often['to']}: {theme.many(int(often['n']), 'move')}"
        known = rows[rows["wait_n"] >= FEW]
        if len(known):
            slow = known.loc[known["wait_p50"].idxmax()]
            finding += (
                f"; the longest median wait, {theme.duration(slow['wait_p50'])}, follows those from {slow['from']} to {slow['to']}"
            )
        finding += "."
    figure = asked.figure("handoffs_between_teams")
    return Told(
        finding,
        "The larger a dot the more moves, its colour how long they waited then. Teams in order of name; no person is shown.",
        figure,
        rows,
        bottlenecks.handoffs(asked.measures.between_teams),
        why=why(figure),
    )


PAGE = "bottlenecks"
ENTRIES = (
    Entry("ranking", "How near each stage is to its limit", PAGE, ranking, mapped=True),
    Entry("lever", "What 25 % more capacity would bring", PAGE, lever, mapped=True),
    Entry("constraint_history", "How it moved over the year", PAGE, moved, mapped=True, dated=True),
    Entry("waste", "Where the hours went", PAGE, wasted, mapped=True),
    Entry("handoffs", "Handoffs between teams", PAGE, handed, mapped=True),
)
