"""What the charts of Flow say: what is where, how long it takes, what is stuck, and how much of the time is work."""

from dashboard import tables, theme
from dashboard.charts import flow
from dashboard.charts.entry import Asked, Entry, Pick, Told, columns, few, is_few, why
from dashboard.charts.told_delivery import without
from vsm.board import age_bands, ages
from vsm.metrics.efficiency import by_stage
from vsm.metrics.figure import FEW

ITEM = ("item", "title", "type", "url")


def cumulative(asked: Asked) -> Told:
    """Items that ever came as far as each stage, by day."""
    figure = asked.measures.figures["wip"]
    return Told(
        _under_way(asked),
        "Band: what is in a stage; one that widens collects work. Lines never fall: the past does not change.",
        figure,
        columns(asked.measures.cumulative, "day", "stage", "position", "items"),
        flow.cumulative_flow(asked.measures.cumulative),
        why=why(figure),
    )


def _under_way(asked: Asked) -> str:
    """How much is under way now and was on average, and where most of it is."""
    values, stages = asked.measures.figures["wip"].values, asked.measures.stages
    if values.get("now") is None:
        return "It is not known how many items are under way."
    where = ""
    if stages is not None and (stages["wip_now"] > 0).any():
        most = stages.loc[stages["wip_now"].idxmax()]
        where = f"; most of them, {theme.number(most['wip_now'])}, are in {most['stage']}"
    return f"{theme.many(int(values['now'] or 0), 'item')} under way now, {theme.number(values['mean'])} on average{where}."


def cycle_times(asked: Asked) -> Told:
    """Finished items by how long they took."""
    figure = asked.measures.figures["cycle_time"]
    values = figure.values
    ends = f"from {figure.said.get('start', 'first work')} to {figure.said.get('end', 'done')}"
    since = asked.since("cycle_time", "p50", "longer", "shorter")
    what = "Cell: the darker the more items." if figure.n > flow.MOST_DOTS else "Dot: one finished item."
    return Told(
        few(figure, "finished item")
        if is_few(figure)
        else f"Half of {theme.many(figure.n, 'finished item')} took at most {theme.duration(values['p50'])} {ends}{since}; "
        f"85 % took at most {theme.duration(values['p85'])}.",
        f"{what} Line: so many of them took at most as long.",
        figure,
        columns(figure.rows, *ITEM, "first_started", "done_at", "hours"),
        flow.cycle_scatter(asked.naive(figure.rows, "done_at"), *(values[name] for name in ("p50", "p85", "p95")), pick=True),
        why=why(figure),
    )


def ageing(asked: Asked) -> Told:
    """Items in progress by age, before how old items were when they left the stage that each is in."""
    one = asked.measures
    figure = one.figures["work_item_age"]
    now, bands = ages(one), tables.in_map_order(age_bands(one), one.stages)
    bands = bands.astype(dict.fromkeys(("p50", "p85", "p95"), "float64") | {"stage": "str"})
    rows = columns(now, *ITEM, "stage", "position", "age_hours")
    rows = rows.merge(bands, on="stage", how="outer").sort_values(["position", "age_hours"], kind="stable", ignore_index=True)
    finding = "No item is under way."
    if len(now):
        late = rows[rows["age_hours"] > rows["p85"]]
        oldest = rows.loc[rows["age_hours"].idxmax()]
        finding = (
            f"{len(late)} of {theme.many(len(now), 'item')} under way are older than 85 % were when they left the same stage; "
            f"the oldest, {oldest['item']}, {theme.duration(oldest['age_hours'])}."
        )
    return Told(
        finding,
        "Dot: an item that is under way, where it is now. Behind it: how old items were when they left that stage.",
        figure,
        rows,
        flow.ageing_wip(now, bands, pick=True),
        why=why(figure),
    )


def throughput(asked: Asked) -> Told:
    """Items finished by week."""
    figure = asked.measures.figures["throughput"]
    mean = figure.values["mean"]
    said = "an unknown number of" if mean is None else theme.number(mean)
    return Told(
        f"{said.capitalize()} items a week were finished{asked.since('throughput', 'mean', 'more', 'less')}"
        f"{without(figure.series, 'items', 'had none')}.",
        "Bar: items finished in a week from Monday; paler where only a part of the week is in the window.",
        figure,
        columns(figure.series, "week", "whole", "items"),
        flow.throughput(figure.series, mean, pick=True),
        why=why(figure),
    )


def dwell(asked: Asked) -> Told:
    """How long visits stay in each stage."""
    figure = asked.figure("stages")
    rows = columns(asked.measures.stages, "stage", "dwell_p50", "dwell_p85", "dwell_mean", "dwell_n")
    told = rows[rows["dwell_n"] >= FEW]
    finding = "In no stage five visits ended: too few for a percentile."
    if len(told):
        longest = told.loc[told["dwell_p50"].idxmax()]
        finding = (
            f"Work stays longest in {longest['stage']}: half of {theme.many(int(longest['dwell_n']), 'visit')} lasted at most "
            f"{theme.duration(longest['dwell_p50'])}, 85 % at most {theme.duration(longest['dwell_p85'])}."
        )
    return Told(
        finding,
        "Bar: half of the visits to a stage left it within this time. Line: 85 % did.",
        figure,
        rows,
        flow.stage_dwell(rows),
        why=why(figure),
    )


def efficiency(asked: Asked) -> Told:
    """Work and wait of finished items by stage."""
    one = asked.measures
    figure = one.figures["flow_efficiency"]
    rows = tables.in_map_order(by_stage(one.visits, one.items, one.scope), one.stages)
    finding = "Of no finished item both work and wait are known."
    if figure.values["value"] is not None and len(rows):
        most = rows.loc[rows["wait"].idxmax()]
        waits = float(rows["wait"].sum())
        share = f"; {theme.rate(float(most['wait']) / waits)} of the waiting was for {most['stage']}" if waits else ""
        finding = f"{theme.rate(figure.values['value'])} of the time that finished items spent in stages was work{share}."
    return Told(
        finding,
        "Bar: hours that finished items spent in a stage, in work and waiting, where both are known.",
        figure,
        rows,
        flow.efficiency(rows),
        why=why(figure),
    )


def distribution(asked: Asked) -> Told:
    """Finished items by type."""
    figure = asked.figure("distribution")
    rows = asked.measures.distribution
    rows = rows.assign(type=rows["type"].fillna(flow.NO_TYPE))
    first = [f"{theme.rate(row['share'])} {row['type']}" for row in rows.head(2).to_dict("records")]
    return Told(
        f"Of {theme.many(figure.n, 'finished item')} {' and '.join(first)}." if first else "No item was finished.",
        "Bar: finished items of a type.",
        figure,
        rows,
        flow.distribution(rows),
        why=why(figure),
    )


PAGE = "flow"
ENTRIES = (
    Entry("cumulative_flow", "Cumulative flow", PAGE, cumulative, mapped=True, dated=True),
    Entry("cycle_time", "Cycle time of finished items", PAGE, cycle_times, mapped=True, dated=True,
          pick=Pick("item", "done_at")),
    Entry("ageing_wip", "Age of work in progress", PAGE, ageing, mapped=True, pick=Pick("item")),
    Entry("throughput", "Throughput", PAGE, throughput, mapped=True, dated=True, pick=Pick("week", "done_at")),
    Entry("stage_dwell", "Time in each stage", PAGE, dwell, mapped=True),
    Entry("flow_efficiency", "Work and wait by stage", PAGE, efficiency, mapped=True),
    Entry("flow_distribution", "What was finished, by type", PAGE, distribution, mapped=True),
)  # fmt: skip
