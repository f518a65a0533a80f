"""What the charts of the Overview and of Delivery say: how often, how fast, how safely; what takes the time; small and safe."""

from collections.abc import Callable

import pandas as pd

from dashboard import tables, theme
from dashboard.charts import delivery, ways
from dashboard.charts.entry import Asked, Entry, Pick, Told, columns, few, is_few, why
from vsm.metrics.figure import FEW, Figure
from vsm.metrics.recovery import Stream

BY_WEEK = ("week", "whole", "n")
SHARES = ("value", "low", "high")
WEEKLY_DOTS = "hollow for fewer than five; a week that is only partly in the window is paler"


def often(asked: Asked) -> Told:
    """Deployments by week."""
    figure = asked.measures.figures["deployment_frequency"]
    mean = figure.values["per_week"]
    return Told(
        f"{_sentence(theme.number(mean))} deployments a week{asked.since(figure.name, 'per_week', 'more often', 'less often')}"
        f"{without(figure.series, 'n', 'had none')}.",
        "Bar: deployments of a week from Monday, 0 in words where there was none; paler where only a part of it is in the window.",
        figure,
        columns(figure.series, *BY_WEEK),
        delivery.deployment_frequency(figure.series, mean, pick=True),
        why=f"There is nothing to draw: {figure.said.get('why', 'no deployment is known')}.",
    )


def without(series: pd.DataFrame | None, column: str, words: str) -> str:
    """How many whole weeks had none, as the end of a sentence; nothing where all had some."""
    if series is None or series.empty:
        return ""
    whole = series[series["whole"]]
    none = int((whole[column] == 0).sum())
    return f"; {none} of {theme.many(len(whole), 'whole week')} {words}" if none else ""


def _sentence(number: str) -> str:
    return "An unknown number of" if number == theme.NONE else number


def lead(asked: Asked) -> Told:
    """Change lead time by week."""
    figure = asked.measures.figures["change_lead_time"]
    half, most = theme.duration(figure.values["p50"]), theme.duration(figure.values["p85"])
    since = asked.since(figure.name, "p50", "longer", "shorter")
    return Told(
        few(figure, "deployed change")
        if is_few(figure)
        else f"Half of {theme.many(figure.n, 'deployed change')} took at most {half}{since}; 85 % took at most {most}.",
        f"Dot: median of a week's deployed changes, {WEEKLY_DOTS}. Bands: 25 to 75 % of them, and up to 95 %.",
        figure,
        columns(figure.series, *BY_WEEK, "p25", "p50", "p75", "p85", "p95"),
        delivery.lead_time_bands(figure.series, pick=True),
        why=why(figure),
    )


def failing(asked: Asked) -> Told:
    """Change fail rate by week."""
    figure = asked.measures.figures["change_fail_rate"]
    return Told(
        _failed(asked, figure),
        f"Dot: share of a week's deployments that needed remediation, the larger the more deployments, {WEEKLY_DOTS}. "
        "Line: its 95 % interval.",
        figure,
        columns(figure.series, *BY_WEEK, "failed", *SHARES),
        delivery.fail_rate(figure.series, figure.values["value"], pick=True),
        why=why(figure),
    )


def _failed(asked: Asked, figure: Figure) -> str:
    values = figure.values
    hits = f"{theme.number(values['failed'])} of {theme.many(figure.n, 'deployment')} needed remediation"
    if is_few(figure):
        return f"{hits}: too few for a rate."
    interval = f"{theme.rate(values['low'])} to {theme.rate(values['high'])}"
    since = asked.since("change_fail_rate", "value", "higher", "lower")
    return f"{hits}: {theme.rate(values['value'])}, 95 % interval {interval}{since}."


def mended(asked: Asked) -> Told:
    """Recovery time of each failed deployment."""
    figure = asked.measures.figures["failed_deployment_recovery_time"]
    rows, values = figure.rows, figure.values
    still = f"; {theme.many(int(values['open'] or 0), 'more is', 'more are')} not mended yet" if values.get("open") else ""
    if is_few(figure):
        each = ", ".join(theme.duration(hours) for hours in sorted(rows["hours"])) if len(rows) else ""
        said = (
            f"{theme.many(figure.n, 'failed deployment')} was mended"
            if figure.n == 1
            else f"{figure.n} failed deployments were mended"
        )
        finding = f"{said}{f', after {each}' if each else ''}{still}."
    else:
        longest = theme.duration(float(rows["hours"].max()))
        since = asked.since(figure.name, "p50", "longer", "shorter")
        finding = (
            f"Half of {figure.n} failed deployments were mended within {theme.duration(values['p50'])}{since}; "
            f"the longest took {longest}{still}."
        )
    return Told(
        finding,
        "Dot: one deployment that needed remediation, at how long it took until users were served again.",
        figure,
        columns(rows, "deployment", "application", "deployed_at", "recovered_at", "hours", "reason", "rule", "url"),
        delivery.recovery(asked.naive(rows, "deployed_at"), values["p50"], values["p85"], pick=True),
        why=why(figure),
    )


def to_production(asked: Asked) -> Told:
    """The way from first commit to production."""
    told = asked.measures.happy_path
    adds_up = "The steps add up to the mean change lead time"
    return _way(told, asked.figure("happy_path"), tables.way_said(told, "change", adds_up, "deployments"))


def back_to_service(asked: Asked) -> Told:
    """The way from a failed deployment to users served again."""
    told = asked.measures.recovery_stream
    adds_up = "The steps add up to the mean recovery time"
    return _way(told, asked.figure("recovery_stream"), tables.way_said(told, "failed deployment", adds_up, "of them"))


def _way(told: Stream, figure: Figure, finding: str) -> Told:
    return Told(
        finding,
        "Bar: what a step adds on average; each begins where the one before it ends.",
        figure,
        columns(told.steps, "part", "p50", "p85", "mean", "n"),
        ways.way(told.steps),
        why=why(figure),
    )


def batches(asked: Asked) -> Told:
    """Changes a deployment by week."""
    figure = asked.measures.figures["batch_size"]
    half, most = (theme.many(int(figure.values[name] or 0), "change") for name in ("p50", "p85"))
    since = asked.since(figure.name, "p50", "more", "fewer")
    return Told(
        few(figure, "deployment")
        if is_few(figure)
        else f"Half of {theme.many(figure.n, 'deployment')} brought at most {half}{since}; 85 % brought at most {most}.",
        f"Dot: median of the changes that a week's deployments brought, {WEEKLY_DOTS}. Line: up to 85 % of them.",
        figure,
        columns(figure.series, *BY_WEEK, "p50", "p85"),
        delivery.batch_sizes(figure.series, figure.values["p50"], pick=True),
        why=why(figure),
    )


def failing_by_month(asked: Asked) -> Told:
    """Change fail rate by calendar month."""
    figure = asked.measures.figures["change_fail_rate"]
    months = asked.measures.months
    rows = months[(months["metric"] == "change_fail_rate") & (months["n"] > 0)] if len(months) else months
    enough = rows[rows["n"] >= FEW] if len(rows) else rows
    finding = _failed(asked, figure)
    if len(enough) > 1:
        low, high = enough.loc[enough["value"].idxmin()], enough.loc[enough["value"].idxmax()]
        finding = (
            f"Between {theme.rate(low['value'])} in {low['month']:%B %Y} and {theme.rate(high['value'])} in {high['month']:%B %Y}; "
            f"{theme.rate(figure.values['value'])} over all."
        )
    return Told(
        finding,
        "Dot: share of a month's deployments that needed remediation, the larger the more deployments, hollow for fewer than five. "
        "Line: its 95 % interval.",
        figure,
        columns(rows, "month", "whole", "n", *SHARES),
        delivery.fail_rate_by_month(months, figure.values["value"]),
        why=why(figure),
    )


def speed(asked: Asked) -> Told:
    """Applications by lead time and fail rate."""
    figure = asked.measures.figures["change_lead_time"]
    rows = tables.speed(asked.measures.applications)
    shown = rows[(rows["n"] >= FEW) & (rows["changes"] >= FEW)]
    finding = "No application has five deployments and five changes in this window."
    if len(shown) == 1:
        (one,) = shown.to_dict("records")
        finding = f"{one['application']}: median lead time {theme.duration(one['hours'])}, fail rate {theme.rate(one['value'])}."
    elif len(shown):
        finding = (
            f"{len(shown)} applications: median lead times from {theme.duration(shown['hours'].min())} to "
            f"{theme.duration(shown['hours'].max())}, fail rates from {theme.rate(shown['value'].min())} to "
            f"{theme.rate(shown['value'].max())}."
        )
    return Told(
        finding,
        "Dot: an application, the larger the more deployments. Line: the 95 % interval of its fail rate. "
        "They do different work for different users: look at one over time, rank none.",
        figure,
        rows,
        ways.speed_and_stability(rows),
        why=finding,
    )


def _entry(name: str, title: str, told: Callable[[Asked], Told], page: str, pick: Pick | None = None, dated: bool = False) -> Entry:
    return Entry(name, title, page, told, dated=dated or pick is not None, pick=pick)


BY_WEEKS = Pick("week", "deployed_at")


ENTRIES = (
    _entry("deployment_frequency", "Deployments", often, "overview", BY_WEEKS),
    _entry("lead_time_bands", "Change lead time", lead, "overview", BY_WEEKS),
    _entry("fail_rate", "Change fail rate", failing, "overview", BY_WEEKS),
    _entry("recovery", "Recovery time", mended, "overview", Pick("deployment")),
    _entry("path_to_production", "From first commit to production", to_production, "delivery"),
    _entry("path_to_recovery", "From a failed deployment to users served again", back_to_service, "delivery"),
    _entry("batch_size", "Batch size", batches, "delivery", BY_WEEKS),
    _entry("fail_rate_by_month", "Change fail rate, month by month", failing_by_month, "delivery", dated=True),
    _entry("speed_against_stability", "Speed against stability", speed, "delivery"),
)
