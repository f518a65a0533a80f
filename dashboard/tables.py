"""Figures and frames in words and as tables: how they are written, never how they are computed."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd

from dashboard import theme
from vsm.metrics.figure import FEW, Figure, Number
from vsm.metrics.recovery import Stream
from vsm.metrics.spans import UNTOLD
from vsm.workflow import Workflow

GOOD_COVERAGE = 0.8  # below this a number speaks of so little that pages say so in words
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula


# A figure in words. ----------------------------------------------------------------------------------------------------


def few(figure: Figure) -> str:
    """What a tile says of fewer than five: of a share how many of how many, else how many there are; no percentile."""
    values = figure.values
    hits = next((values[name] for name in ("failed", "unplanned", "items") if values.get(name) is not None), None)
    if hits is None and figure.unit == "share" and "work_hours" not in values:
        hits = round((values.get("value") or 0.0) * figure.n)
    return f"{figure.n} seen" if hits is None else f"{theme.number(hits)} of {figure.n}"


def beside(figure: Figure, value: str, is_few: bool) -> Iterator[str]:
    """What stands beside a number: n and coverage, interval or p85, its ends; few observations one by one."""
    if is_few and figure.unit == "hours" and "hours" in figure.rows:
        yield "each: " + ", ".join(theme.duration(hours) for hours in sorted(figure.rows["hours"]))
    elif is_few:
        yield f"fewer than {FEW}: too few for a percentile or a rate"
    if figure.values.get(value) is None and not is_few:
        yield figure.said.get("why", "no data in this window, which is not zero")
    else:
        yield " · ".join(_parts(figure, is_few))


def _parts(figure: Figure, is_few: bool) -> Iterator[str]:
    values = figure.values
    covered = "" if figure.of is None or figure.of == figure.n else f" of {figure.of:,}"
    part = figure.n / figure.of if figure.of else 1.0
    # Where it speaks of a part only, that is said in words.
    yield f"n = {figure.n:,}{covered}" + (f", so it speaks of {theme.rate(part)} of them" if part < GOOD_COVERAGE else "")
    if values.get("low") is not None and values.get("high") is not None:
        yield f"95 % interval {theme.rate(values['low'])} to {theme.rate(values['high'])}"
    if values.get("p85") is not None and not is_few and figure.unit != "share":
        yield (
            f"85 % within {theme.duration(values['p85'])}"
            if figure.unit == "hours"
            else f"85 % at most {theme.number(values['p85'])}"
        )
    if values.get("days") is not None:
        yield f"on {theme.many(int(values['days'] or 0), 'day')}"
    if "now" in values and values.get("mean") is not None:
        yield f"{theme.number(values['mean'])} on average"
    if values.get("open"):
        yield f"{theme.number(values['open'])} still open"
    if "start" in figure.said and "end" in figure.said:
        yield f"from {figure.said['start']} to {figure.said['end']}"


WRITTEN = {"p50": "median", "p85": "85 % within", "p95": "95 % within", "value": "", "per_week": ""}
RATES = ("value", "low", "high", "share", "hours_known", "moves_known", "never_sent_back", "rolled")


def summary(figure: Figure) -> str:
    """A figure's values with their names, and n."""
    told = []
    few = figure.n < FEW
    for name, value in figure.values.items():
        if few and (name in ("p50", "p85", "p95") or name.startswith("median_")):
            continue  # so few are listed, not summarised
        if name == "low":
            told.append(f"95 % interval {theme.rate(value)} to {theme.rate(figure.values.get('high'))}")
        elif name != "high":
            said = WRITTEN.get(name, name.removesuffix("_hours").replace("_", " "))
            told.append(f"{said} {_value(name, value, figure)}".strip())
    return " · ".join([*told, f"n = {figure.n:,}"])


def _value(name: str, value: float | None, figure: Figure) -> str:
    if name in RATES:
        return theme.rate(value)
    if name == "per_week":
        return theme.per_week(value)
    if name.endswith("_hours") or (figure.unit == "hours" and name.startswith("p") and name[1:].isdigit()):
        return theme.duration(value)
    return theme.number(value)


# What columns are called, where their names alone do not say it; hours and shares stay numbers, so that they sort.
LABELS = {
    "visits": "visits that ended", "wait_p50": "wait, median h", "wait_p85": "wait, 85 % within h", "wait_mean": "wait, mean h",
    "wait_n": "wait n", "work_p50": "work, median h", "work_p85": "work, 85 % within h", "work_mean": "work, mean h",
    "work_n": "work n",
    "dwell_p50": "stay, median h", "dwell_p85": "stay, 85 % within h", "dwell_mean": "stay, mean h", "dwell_n": "stay n",
    "dwell_total": "hours in it, all items", "wip_mean": "in it on average", "wip_now": "in it now", "wip_limit": "limit",
    "over_limit": "time over the limit", "arrivals": "came in", "departures": "left", "rework_visits": "came back",
    "queue_share": "time with a queue", "has_capacity": "people work in it", "n": "moves", "backward": "back",
    "sent_back": "sent back", "reopened": "reopened after done",
    "person_changed": "another person", "team_changed": "another team", "people_n": "person known", "teams_n": "team known",
    "hours": "hours", "wait": "wait, h", "work": "work, h", "dwell": "stay, h", "kind_in": "came", "finished_at": "when",
}  # fmt: skip
SHARES = frozenset({"over_limit", "queue_share", "person_changed", "team_changed"})


# Frames as tables. -----------------------------------------------------------------------------------------------------


def ready(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Rows to look at: naive local times, lengths in hours, addresses of the web only, the link behind the id."""
    shown = rows.copy()
    for name in shown.columns:
        if isinstance(shown[name].dtype, pd.DatetimeTZDtype):
            shown[name] = shown[name].dt.tz_convert(zone).dt.tz_localize(None)
        elif shown[name].dtype.kind == "m":
            shown[name] = shown[name].dt.total_seconds() / 3600
        elif name == "url":
            shown[name] = shown[name].where([may_follow(url) for url in shown[name]])
    if "url" in shown and len(shown.columns) > 1:
        first, *rest = [name for name in shown.columns if name != "url"]
        shown = shown[[first, "url", *rest]] if shown["url"].notna().any() else shown[[first, *rest]]
    return shown


def with_paths(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of items or changes with the address of each one's path (relative: it holds behind a proxy, too) beside its key."""
    name = next((name for name in ("item", "Item", "change") if name in rows), None)
    if name is None or "path" in rows:
        return rows
    paths = [f"flow?item={quote(key, safe='')}" if isinstance(key, str) else None for key in rows[name]]
    told = rows.copy()
    told.insert(int(rows.columns.get_loc(name)) + 1, "path", paths)
    return told


def may_follow(url: object) -> bool:
    """Only addresses of the web: one that runs a script is none."""
    try:
        return isinstance(url, str) and urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def naive(rows: pd.DataFrame, zone: str, *names: str) -> pd.DataFrame:
    """Times as naive local ones: a chart shows the same wall clock to every viewer."""
    return rows.assign(**{name: rows[name].dt.tz_convert(zone).dt.tz_localize(None) for name in names})


def csv(rows: pd.DataFrame) -> bytes:
    """Rows as CSV for a spreadsheet: a cell that would be a formula is quoted, times are ISO in UTC, days are days."""
    guarded = cells(rows)
    for name in guarded.columns:
        if guarded[name].dtype in ("str", "object"):
            guarded[name] = (
                guarded[name]
                .astype("object")
                .map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell)
            )
    told: str = guarded.to_csv(index=False)
    return told.encode("utf-8-sig")


def cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with times as ISO text in UTC; what has no zone is a day, such as the Monday of a week."""
    told = rows.copy()
    for name in told.columns:
        if isinstance(told[name].dtype, pd.DatetimeTZDtype):
            told[name] = told[name].dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        elif told[name].dtype.kind == "M":
            told[name] = told[name].dt.strftime("%Y-%m-%d")
    return told


def file_name(name: str) -> str:
    """A name that every file system takes."""
    return "".join(sign if sign.isalnum() else "_" for sign in name)


def in_map_order(frame: pd.DataFrame, line: pd.DataFrame | None) -> pd.DataFrame:
    """Rows with a stage in the order of the map."""
    names = [] if line is None else list(line["stage"])
    return frame[frame["stage"].isin(names)].sort_values("stage", key=lambda stages: stages.map(names.index), ignore_index=True)


EVIDENCE = {
    "queue_share": ("Queue not empty", theme.rate),
    "load": ("Load while work waits", theme.rate),
    "utilisation": ("People busy", theme.rate),
    "wait_mean_hours": ("Wait, mean", theme.duration),
    "work_mean_hours": ("Work, mean", theme.duration),
    "wip_mean": ("In it on average", theme.number),
    "arrivals_per_week": ("Come in a week", theme.number),
    "departures_per_week": ("Leave a week", theme.number),
    "grows_with_wip": ("Grows with work in progress (correlation)", theme.number),
    "overtaken": ("Parked, left out", theme.number),
}


def evidence(ranking: pd.DataFrame) -> pd.DataFrame:
    """What speaks for and against each stage as the constraint, in words."""
    rows = [
        {"Stage": row["stage"]} | {title: written(row["evidence"].get(name)) for name, (title, written) in EVIDENCE.items()}
        for row in ranking.to_dict("records")
    ]
    return pd.DataFrame(rows)


NOTES = {"blocked": "blocked", "old": "older than usual here"}


def cards(found: list[dict[str, Any]]) -> pd.DataFrame:
    """The cards of one stage's column on the board as a table."""
    rows = [
        {
            "Item": card["key"],
            "url": card["url"],
            "Title": card["title"],
            "Type": card["type"],
            "State": "in work" if card["working"] else "waiting",
            "Note": ", ".join(word for name, word in NOTES.items() if card[name]),
            "Here for, days": round(card["in_stage_hours"] / 24, 1),
            "In progress for, days": round(card["age_hours"] / 24, 1),
        }
        for card in found
    ]
    return pd.DataFrame(rows)


def meanings(workflow: Workflow) -> pd.DataFrame:
    """What each status and event of a stream means."""
    rows = [{"Stage": "before the stages", "Waiting": ", ".join(workflow.new)}]
    rows += [
        {
            "Stage": stage.name,
            "Waiting": ", ".join(stage.waiting),
            "Active": ", ".join(stage.active),
            "Opened by": ", ".join(stage.opens),
            "Started by": ", ".join(stage.starts),
            "Closed by": ", ".join(stage.closes),
            "People": theme.number(stage.people),
            "Limit": theme.number(stage.wip_limit),
            "Team": stage.team or theme.NONE,
        }
        for stage in workflow.stages
    ]
    rows += [{"Stage": end, "Waiting": ", ".join(getattr(workflow, end))} for end in ("done", "cancelled", "ignored")]
    return pd.DataFrame(rows).fillna("")


# Delivery. -------------------------------------------------------------------------------------------------------------


def way_said(way: Stream, one: str, adds_up: str, weekly: str) -> str:
    """What a way's chart says: its longest step, how many went it, and how often a week (of what: `weekly`)."""
    known = way.steps[way.steps["n"] > 0]
    if known.empty:
        return f"No {one} went all of this way in the window."
    longest = known.sort_values("mean", kind="stable").iloc[-1]
    often = "" if way.per_week is None else f", {theme.number(way.per_week)} {weekly} a week"
    part = "can not be told apart" if longest["part"] == UNTOLD else f"is {longest['part']}"
    share = theme.rate(float(longest["mean"]) / float(known["mean"].sum())) if known["mean"].sum() else theme.NONE
    return f"Most of it, {share}, {part}. {adds_up}; n = {way.n:,}{often}."


def steps(way: Stream) -> pd.DataFrame:
    """The steps of a way in words."""
    told = way.steps[way.steps["n"] > 0]
    return pd.DataFrame(
        {
            "Step": told["part"].to_numpy(),
            "Median": [theme.duration(hours) for hours in told["p50"]],
            "85 % within": [theme.duration(hours) for hours in told["p85"]],
            "Adds on average": [theme.duration(hours) for hours in told["mean"]],
            "Known of": told["n"].to_numpy(),
        }
    )


def bands(found: pd.DataFrame) -> pd.DataFrame:
    """Small and large batches beside each other in words; medians only of five changes and more."""
    return pd.DataFrame(
        {
            "Deployments": [f"{row['band']} ({row['n']})" for row in found.to_dict("records")],
            "Changes each": [
                f"{low}" if low == high else f"{low} to {high}" for low, high in zip(found["from"], found["to"], strict=True)
            ],
            "Needed remediation": [f"{hits} of {n}" for hits, n in zip(found["failed"], found["n"], strict=True)],
            "Share, 95 % interval": [
                f"{theme.rate(row['value'])} ({theme.rate(row['low'])} to {theme.rate(row['high'])})"
                for row in found.to_dict("records")
            ],
            "Change lead time, median": [
                theme.duration(row["p50"]) if row["changes_n"] >= FEW else f"too few (n {row['changes_n']})"
                for row in found.to_dict("records")
            ],
        }
    )


def speed(applications: Mapping[str, Mapping[str, Number]]) -> pd.DataFrame:
    """Lead time and fail rate of each application, by name: application, hours, changes, value, low, high, n."""
    rows = []
    for name, figures in sorted(applications.items()):
        lead, fail = figures["change_lead_time"], figures["change_fail_rate"]
        if lead.n and fail.n:
            rows.append((name, lead.values["p50"], lead.n, *(fail.values[key] for key in ("value", "low", "high")), fail.n))
    return pd.DataFrame(rows, columns=["application", "hours", "changes", "value", "low", "high", "n"])


def failures(fail: Figure, recovery: Figure) -> pd.DataFrame:
    """Each deployment that needed remediation with what says so and how long it took, the latest first."""
    failed = fail.rows[fail.rows["failed"]] if "failed" in fail.rows else fail.rows.iloc[:0]
    over = recovery.rows[["deployment", "recovered_at", "hours"]] if len(recovery.rows) else None
    columns = ["deployment", "application", "deployed_at", "reason", "rule", "url"]
    told = failed[[name for name in columns if name in failed]]
    told = (
        told.merge(over, on="deployment", how="left") if over is not None else told.assign(recovered_at=pd.NaT, hours=float("nan"))
    )
    return told.sort_values("deployed_at", ascending=False, kind="stable", ignore_index=True)


BY_MONTH = {
    "deployment_frequency": ("Deployments", theme.per_week, True),
    "change_lead_time": ("Change lead time, median", theme.duration, False),
    "change_fail_rate": ("Change fail rate", theme.rate, False),
    "failed_deployment_recovery_time": ("Recovery time, median", theme.duration, False),
    "deployment_rework_rate": ("Deployment rework rate", theme.rate, False),
}


def by_month(months: pd.DataFrame) -> pd.DataFrame:
    """The five metrics by month in words, each with its n; fewer than five are only counted."""
    rows: dict[str, dict[str, str]] = {}
    often = months[months["metric"] == "deployment_frequency"]
    deployed = {month: (value, n) for month, value, n in zip(often["month"], often["value"], often["n"], strict=True)}
    for row in months.to_dict("records"):
        title, written, _ = BY_MONTH[row["metric"]]
        name = f"{row['month']:%b %Y}" + ("" if row["whole"] else ", in part")
        value = theme.cell(row["metric"], row["value"], row["n"], written, *deployed.get(row["month"], (None, 0)))
        rows.setdefault(name, {"Month": name})[title] = value
    return pd.DataFrame(list(rows.values()), columns=["Month", *(title for title, *_ in BY_MONTH.values())])


def beside_answers(found: pd.DataFrame) -> pd.DataFrame:
    """Values beside published survey answers in words; scores from 0 to 10, no tiers."""
    titles = {metric: (title, written) for metric, (title, written, _) in BY_MONTH.items()}
    rows = [
        {
            "Metric": titles[row["metric"]][0],
            "Ours": titles[row["metric"]][1](row["value"]),
            "As an answer": theme.NONE if row["answer"] is None else row["answer"],
            "Its score": theme.number(row["score"]),
            "Year": str(row["year"]),
            "Their mean": theme.number(row["mean"]),
            "Apart, in their standard deviations": theme.number(row["distance"]),
        }
        for row in found.astype("object").where(found.notna(), None).to_dict("records")
    ]
    return pd.DataFrame(rows)


# Bottlenecks. ----------------------------------------------------------------------------------------------------------


def nearness(ranking: pd.DataFrame) -> pd.DataFrame:
    """How near each stage is to its limit: stage, queue (share of time in which something waits for it), load."""
    told = [(row["stage"], row["evidence"].get("queue_share"), row["evidence"].get("load")) for row in ranking.to_dict("records")]
    return pd.DataFrame(told, columns=["stage", "queue", "load"]).astype({"stage": "str", "queue": "float64", "load": "float64"})


def loops(found: pd.DataFrame | None) -> pd.DataFrame:
    """Moves to an earlier stage in words: from, to, how many, the share of all moves from there."""
    told = pd.DataFrame(columns=["from", "to", "n", "share"]) if found is None else found
    return pd.DataFrame(
        {
            "From": told["from"].to_numpy(),
            "Back to": told["to"].to_numpy(),
            "Moves": told["n"].to_numpy(),
            "Of all moves from there": [theme.rate(value) for value in told["share"]],
        }
    )


def wasted(classes: pd.DataFrame) -> pd.DataFrame:
    """Waste by class in words."""
    return pd.DataFrame(
        {
            "Class": classes["class"].to_numpy(),
            "Time": [theme.duration(hours) for hours in classes["hours"]],
            "Items": classes["items"].to_numpy(),
        }
    )
