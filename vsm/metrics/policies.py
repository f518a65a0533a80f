"""Flow policies: how ours and other tools count the same visits for cycle time, time in stage and cumulative flow.

Visits are never rewritten; a policy is a way of reading them. What each tool makes of items that
skip, go back or begin again was taken from its code and its answers, and tests hold us to those.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.frames import TIME, among, looked_up
from vsm.metrics import flow, kernel
from vsm.metrics.cumulative import DONE, cumulative, days_of
from vsm.metrics.figure import Figure, definition, mean, nearest_rank
from vsm.metrics.kernel import Codes, Log, Mask
from vsm.metrics.stages import NEVER, stage_codes
from vsm.scope import Scope
from vsm.working_time import HOUR, NOT_A_TIME, Floats, Micros, micro, micros

if TYPE_CHECKING:
    from vsm.workflow import Stage, Workflow

Policy = Literal["vsm", "jirametrics", "jira-agile-metrics", "pm4py"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
DAY = 24.0  # hours
MEANINGS = ("new", "done", "settled", "cancelled")  # settled: done by then, since when is not known
# Places in a history beside those of the stages, which begin at 1; done lies behind the last.
GONE, BACKLOG = -1, 0

CYCLE: dict[Policy, str] = {
    "vsm": "from first work to final done, items done in the window, elapsed time, percentiles by nearest rank",
    "jirametrics": "calendar days from the first stage entered to the last done, both counted, items done in the window; "
    "who starts and ends at one instant has none; percentiles by nearest rank",
    "jira-agile-metrics": "days between the dates of the first stage and of done, items done in the window; "
    "going back wipes the dates of all later columns; percentiles interpolated",
    "pm4py": "elapsed time from the first to the last event of every case whose last event lies in the window, open ones too; "
    "percentiles interpolated",
}
STAYS: dict[Policy, str] = {
    "vsm": "every visit, queued to left",
    "jirametrics": "every visit between the first stage entered and the last done",
    "jira-agile-metrics": "days from the date of a stage to that of the next column; what was wiped was never visited",
    "pm4py": "from entering a stage to the next event of the case, also over a time in no stage",
}
CUMULATIVE: dict[Policy, str] = {
    "vsm": "an item counts where it has been furthest; a cancelled one crosses to the line Cancelled",
    "jirametrics": "an item counts where it has been furthest; a cancelled one stays there",
    "jira-agile-metrics": "an item counts from the dates that are kept, in a skipped stage from the next one's; the past changes",
    "pm4py": "an item counts where it has been furthest; a cancelled one crosses to the line Cancelled (ours: pm4py has none)",
}


@dataclass(frozen=True)
class Told:
    """What policies read: visits, items and the line of one stream, the reporting zone, and when items were in no stage.

    ``asides`` (from `asides`): without it, it is guessed: who was reopened was done in between, the others were new.
    """

    visits: pd.DataFrame
    items: pd.DataFrame
    line: "Sequence[Stage]"
    zone: ZoneInfo
    asides: pd.DataFrame | None = None


def asides(log: pd.DataFrame, workflow: "Workflow") -> pd.DataFrame:
    """When the log took items out of all stages: item, at, meaning (new, done, settled, cancelled)."""
    statuses = log["status"].dropna().unique()
    means = pd.Series({status: workflow.meaning(str(status))[0] for status in statuses}, dtype="str")
    meaning = looked_up(log["status"], means) if len(means) else pd.Series(None, index=log.index, dtype="str")
    ends = log["event"].map({"item.done": "done", "item.settled": "settled", "item.cancelled": "cancelled"}).astype("str")
    told = log[["item", "at"]].assign(meaning=meaning.where(log["event"] == "status", ends))
    return told[told["meaning"].isin(MEANINGS)].reset_index(drop=True)


def cycle_time(parts: Sequence[Told], scope: Scope, policy: Policy = "vsm") -> Figure:
    """Cycle time as another tool would count it: its start, its end, its days and its percentiles; ours unless one is named.

    `parts`: a stream each. Of how many: the items that were done in the window, and for pm4py also those still open.
    """
    items = pd.concat([one.items for one in parts], ignore_index=True)
    if policy == "vsm":
        return flow.cycle_time(items, scope)
    times = pd.concat([cycle_times(one, policy) for one in parts], ignore_index=True).sort_values(["end", "item"], kind="stable")
    rows = times[scope.holds(times["end"])].reset_index(drop=True)
    about, shown = items.set_index("item"), [name for name in ("title", "type", "url") if name in items.columns]
    rows = rows.assign(**{name: looked_up(rows["item"], about[name]) for name in shown})
    ended, counted = flow.finished(items, scope), among(items["item"], rows["item"])
    why = {
        "cancelled in the window": flow.cancelled(items) & scope.holds(items["cancelled_at"]) & ~counted,
        f"{policy} finds no cycle time of it": ended & ~counted,
    }
    start, end = ("first event", "last event") if policy == "pm4py" else ("first stage", "done")
    return Figure(
        "cycle_time",
        {f"p{share}": percentile(rows["hours"], share / 100, policy) for share in (50, 85, 95)},
        len(rows),
        "hours",
        definition(cycle_time),
        f"as {policy}: {CYCLE[policy]}",
        rows[["item", *shown, "start", "end", "hours"]],
        flow.left_out(items, why),
        of=int((ended | counted).sum()),
        said={"start": start, "end": end},
    )


def cycle_times(told: Told, policy: Policy = "vsm") -> pd.DataFrame:
    """The cycle time of every item that has one under a policy: item, start, end, hours; by end and item."""
    return CYCLES[policy](told).sort_values(["end", "item"], kind="stable", ignore_index=True)


def stays(told: Told, policy: Policy = "vsm") -> pd.DataFrame:
    """Time in stage as a policy tells it, a row a stay: item, stage, begin, end (NaT: still there), hours (NaN then)."""
    return IN_STAGE[policy](told)


def stage_times(told: Told, scope: Scope, policy: Policy = "vsm") -> pd.DataFrame:
    """The stays of each stage as another tool counts them.

    In map order: stage, dwell_p50, dwell_p85, dwell_mean, dwell_n of those that ended in the window
    (hours), and dwell_total, the hours that all of them, open ones too, lie in the window.
    jira-agile-metrics and pm4py know no stay before it has ended: their total is that of the ended ones.
    """
    every = stays(told, policy)
    ended = every[scope.holds(every["end"])]
    total = ended["hours"] if policy in ("jira-agile-metrics", "pm4py") else within(every, scope)
    lengths = {name: group["hours"] for name, group in ended.groupby("stage")}
    totals = total.groupby(every["stage"]).sum()
    names = pd.Series([stage.name for stage in told.line], dtype="str")
    none = pd.Series(dtype="float64")
    by_stage = [lengths.get(name, none) for name in names]
    return pd.DataFrame(
        {
            "stage": names,
            **{
                f"dwell_p{share}": np.array([percentile(own, share / 100, policy) for own in by_stage], dtype="float64")
                for share in (50, 85)
            },
            "dwell_mean": np.array([mean(own) for own in by_stage], dtype="float64"),
            "dwell_total": names.map(totals).fillna(0.0).astype("float64") if len(told.visits) else np.nan,
            "dwell_n": np.array([len(own) for own in by_stage], dtype="int64"),
        }
    )


def within(told: pd.DataFrame, scope: Scope) -> pd.Series:
    """The hours of each stay that lie in the window; an open one lasts until its end."""
    begin, end = micros(told["begin"]), micros(told["end"])
    until = np.where(end == NOT_A_TIME, micro(scope.end), np.minimum(end, micro(scope.end)))
    return pd.Series(np.maximum(until - np.maximum(begin, micro(scope.start)), 0) / HOUR, index=told.index)


def cumulative_flow(told: Told, scope: Scope, policy: Policy = "vsm") -> pd.DataFrame:
    """How many items had come as far as each stage by the end of each day under a policy: day, stage, position, items.

    As `cumulative.cumulative`; the other tools draw no line for what was cancelled.
    """
    if policy in ("vsm", "pm4py"):
        return cumulative(told.visits, told.items, told.line, scope, told.zone)
    days, ends = days_of(scope, told.zone)
    story = history(told)
    reached = story.furthest() if policy == "jirametrics" else _filled(story.kept())
    names = [*(stage.name for stage in told.line), DONE]
    counts = [np.searchsorted(np.sort(reached[:, place]), ends, side="right") for place in range(1, len(names) + 1)]
    return pd.DataFrame(
        {
            "day": pd.Series(np.repeat(days.to_numpy(), len(names))),
            "stage": pd.Series(np.tile(np.array(names, dtype=object), len(days)), dtype="str"),
            "position": np.tile(np.arange(len(names)), len(days)),
            "items": np.array(counts).T.ravel().astype("int64"),
        }
    )


def percentile(hours: pd.Series, share: float, policy: Policy) -> float | None:
    """A percentile as the policy's tool takes it: one of the values, or interpolated between two of them; None of none."""
    if policy in ("vsm", "jirametrics"):
        return nearest_rank(hours, share)
    known = hours.dropna().to_numpy(dtype="float64")
    return float(np.quantile(known, share)) if len(known) else None


# What the tools replay: an item's way over the columns of its board. -----------------------------


@dataclass(frozen=True)
class History:
    """Every item's way, its events in order: BACKLOG, a stage's place + 1, then done; GONE where it was cancelled or settled."""

    item: Codes
    place: Codes
    at: Micros
    items: int
    done: int

    def first(self, here: Mask) -> Micros:
        """When each item first had such an event; NEVER where it had none."""
        found = np.full(self.items, NEVER, dtype="int64")
        np.minimum.at(found, self.item[here], self.at[here])
        return found

    def last(self, here: Mask) -> Codes:
        """The row of each item's last such event; −1 where it had none."""
        found = np.full(self.items, -1, dtype="int64")
        np.maximum.at(found, self.item[here], np.flatnonzero(here))
        return found

    def after(self, here: Mask, rows: Codes) -> Micros:
        """When each item first had such an event behind a row of its own."""
        return self.first(here & (np.arange(len(self.item)) > rows[self.item]))

    def started(self) -> Micros:
        """When each item first entered a stage."""
        return self.first((self.place > BACKLOG) & (self.place < self.done))

    def stayed_done(self) -> Micros:
        """When each item was done and remained so."""
        return self.after(self.place == self.done, self.last(self.place != self.done))

    def furthest(self) -> Micros:
        """When each item first came to each place or further: a row an item, a column a place, the backlog the first."""
        return np.column_stack([self.first(self.place >= place) for place in range(self.done + 1)])

    def kept(self) -> Micros:
        """When each item first came to each place since it was last before it: going back wipes all that lies behind."""
        before = [(self.place >= BACKLOG) & (self.place < place) for place in range(self.done + 1)]
        return np.column_stack([self.after(self.place == place, self.last(wipes)) for place, wipes in enumerate(before)])


def history(told: Told) -> History:
    """The events of every item's way, from its visits and from when it was in no stage."""
    size, behind = len(told.items), len(told.line) + 1
    item, code = flow.place_of(told.items, told.visits["item"]), stage_codes(told.visits, told.line)
    mine = (item >= 0) & (code >= 0)
    out = _guessed(told) if told.asides is None else told.asides
    owner = flow.place_of(told.items, out["item"])
    out, owner = out[owner >= 0], owner[owner >= 0]
    meaning = out["meaning"].map({"new": BACKLOG, "done": behind, "settled": GONE, "cancelled": GONE}).to_numpy(dtype="int64")
    items = np.concatenate([item[mine], owner])
    places = np.concatenate([code[mine] + 1, meaning])
    at = np.concatenate([micros(told.visits["queued"])[mine], micros(out["at"])])
    rank = np.concatenate([np.ones(int(mine.sum()), dtype="int64"), np.where(_ends_a_stay(told.visits, out), 2, 0)])
    within_one = np.concatenate([told.visits["seq"].to_numpy()[mine], np.arange(len(out))])
    order = np.lexsort((within_one, rank, at, items))
    return History(items[order], places[order], at[order], size, behind)


def _ends_a_stay(visits: pd.DataFrame, out: pd.DataFrame) -> Mask:
    """Which events ended a visit that no other visit followed at once: they come after one that began at their instant."""
    ended = _left_for_none(visits)[["item", "left"]].drop_duplicates()
    found = out[["item", "at"]].merge(ended, left_on=["item", "at"], right_on=["item", "left"], how="left")
    after: Mask = found["left"].notna().to_numpy(dtype="bool")
    return after


def _left_for_none(visits: pd.DataFrame) -> pd.DataFrame:
    """The visits that were left for no stage: item, left, final (no visit came after it)."""
    told = visits[["item", "seq", "queued", "left"]].sort_values(["item", "seq"], kind="stable")
    final = ~told["item"].duplicated(keep="last")
    following = told["queued"].shift(-1).mask(final)
    return told.assign(final=final)[told["left"].notna() & (told["left"] != following)]


def _guessed(told: Told) -> pd.DataFrame:
    """When items were in no stage, as far as visits and items tell."""
    items, gaps = told.items, _left_for_none(told.visits)
    about = items.set_index("item")
    reopened, state = looked_up(gaps["item"], about["reopened"]).fillna(0) > 0, looked_up(gaps["item"], about["state"])
    between = gaps.assign(meaning=reopened.map({True: "done", False: "new"}).astype("str"))[~gaps["final"]]
    back = gaps.assign(meaning="new")[gaps["final"] & (state == "new")]
    first = looked_up(items["item"], told.visits.groupby("item")["queued"].min())
    begun = items["created_at"].where(~(items["created_at"] > first))
    parts = [
        pd.DataFrame({"item": items["item"], "at": begun, "meaning": "new"}),
        *(pd.DataFrame({"item": part["item"], "at": part["left"], "meaning": part["meaning"]}) for part in (between, back)),
        *(pd.DataFrame({"item": items["item"], "at": items[f"{end}_at"], "meaning": end}) for end in ("done", "cancelled")),
    ]
    every = pd.concat(parts, ignore_index=True).astype({"item": "str", "at": TIME, "meaning": "str"})
    return every[every["at"].notna()].reset_index(drop=True)


def _filled(dates: Micros) -> Micros:
    """Dates with those of skipped places taken from the next that is known."""
    filled = dates.copy()
    for place in range(dates.shape[1] - 2, -1, -1):
        filled[:, place] = np.where(filled[:, place] == NEVER, filled[:, place + 1], filled[:, place])
    return filled


# Cycle times and stays, a policy each. ------------------------------------------------------------


def _cycles(told: Told, start: Micros, end: Micros, has: Mask, hours: Floats) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item": told.items["item"].array[has],
            "start": _times(start[has]),
            "end": _times(end[has]),
            "hours": np.asarray(hours, dtype="float64")[has],
        }
    )


def _times(at: Micros) -> pd.Series:
    """Microseconds as times; NEVER and NOT_A_TIME as missing."""
    known = np.where(at == NEVER, NOT_A_TIME, at)
    return pd.Series(known.view("datetime64[us]")).dt.tz_localize("UTC")


def _days_between(start: Micros, end: Micros, zone: ZoneInfo) -> Floats:
    """How many days later one date is than another, in the zone; for the known times only."""
    known = (start != NEVER) & (end != NEVER) & (start != NOT_A_TIME) & (end != NOT_A_TIME)
    first, last = (_date(np.where(known, at, 0), zone) for at in (start, end))
    return np.where(known, last - first, np.nan)


def _date(at: Micros, zone: ZoneInfo) -> Codes:
    """The number of each instant's day on the zone's clock."""
    local = pd.DatetimeIndex(at.view("datetime64[us]")).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return micros(local) // (24 * HOUR)


def _ours(told: Told) -> pd.DataFrame:
    start, end = micros(told.items["first_started"]), micros(told.items["done_at"])
    has = (start != NOT_A_TIME) & (end != NOT_A_TIME) & (start <= end)
    return _cycles(told, start, end, has, (end - start) / HOUR)


def _jirametrics(told: Told) -> pd.DataFrame:
    story = history(told)
    start, end = story.started(), story.stayed_done()
    has = (start != NEVER) & (end != NEVER) & (start != end)
    return _cycles(told, start, end, has, (_days_between(start, end, told.zone) + 1) * DAY)


def _jira_agile_metrics(told: Told) -> pd.DataFrame:
    dates = history(told).kept()
    start, end = dates[:, 1:-1].min(axis=1, initial=NEVER), dates[:, -1]
    has = (start != NEVER) & (end != NEVER)
    return _cycles(told, start, end, has, _days_between(start, end, told.zone) * DAY)


def _pm4py(told: Told) -> pd.DataFrame:
    log, _ = event_log(told)
    lasting = kernel.durations(log)
    case = lasting["case"].to_numpy()
    start, end = (np.full(len(told.items), extreme, dtype="int64") for extreme in (NEVER, -NEVER))
    np.minimum.at(start, log.case, log.at)
    np.maximum.at(end, log.case, log.at)
    hours = np.full(len(told.items), np.nan)
    hours[case] = lasting["hours"]
    return _cycles(told, start, end, ~np.isnan(hours), hours)


CYCLES: dict[Policy, Callable[[Told], pd.DataFrame]] = {
    "vsm": _ours,
    "jirametrics": _jirametrics,
    "jira-agile-metrics": _jira_agile_metrics,
    "pm4py": _pm4py,
}


def _stay(item: pd.Series, stage: pd.Series, begin: Micros, end: Micros, hours: Floats | None = None) -> pd.DataFrame:
    length = np.where((end == NOT_A_TIME) | (end == NEVER), np.nan, (end - begin) / HOUR) if hours is None else hours
    return pd.DataFrame(
        {"item": item.array, "stage": stage.array, "begin": _times(begin), "end": _times(end), "hours": length}
    ).astype({"item": "str", "stage": "str"})


def _our_stays(told: Told) -> pd.DataFrame:
    visits = told.visits
    return _stay(visits["item"], visits["stage"], micros(visits["queued"]), micros(visits["left"]))


def _jirametrics_stays(told: Told) -> pd.DataFrame:
    """Those of items that have a start: what is in no column before it, or behind the last done, is no visit to begin with."""
    story, every = history(told), _our_stays(told)
    place = flow.place_of(told.items, every["item"])
    start, end = (np.append(times, NEVER)[place] for times in (story.started(), story.stayed_done()))
    return every[(start != NEVER) & (start != end)].reset_index(drop=True)


def _jira_agile_metrics_stays(told: Told) -> pd.DataFrame:
    dates = history(told).kept()
    following = np.column_stack([_filled(dates)[:, 1:], np.full(len(dates), NEVER)])
    names = pd.Series([stage.name for stage in told.line], dtype="str")
    item, place = np.nonzero(dates[:, 1:-1] != NEVER)
    begin, end = dates[item, place + 1], following[item, place + 1]
    hours = _days_between(begin, end, told.zone) * DAY
    return _stay(told.items["item"].iloc[item], names.iloc[place], begin, end, hours)


def _pm4py_stays(told: Told) -> pd.DataFrame:
    log, names = event_log(told)
    follows = np.append(log.case[1:] == log.case[:-1], False)[: len(log.case)]
    end = np.where(follows, np.append(log.at[1:], NEVER)[: len(log.at)], NEVER)
    stage = log.activity < len(told.line)
    every = pd.Series([*names], dtype="str")
    return _stay(told.items["item"].iloc[log.case[stage]], every.iloc[log.activity[stage]], log.at[stage], end[stage])


IN_STAGE: dict[Policy, Callable[[Told], pd.DataFrame]] = {
    "vsm": _our_stays,
    "jirametrics": _jirametrics_stays,
    "jira-agile-metrics": _jira_agile_metrics_stays,
    "pm4py": _pm4py_stays,
}


def event_log(told: Told, people: "pd.Index | None" = None) -> tuple[Log, tuple[str, ...]]:
    """The log that a process miner gets: an event where a visit begins, and one where an item is done; and the activities' names.

    `people`: whose handovers are told, the actors of the visits by number; without it nobody is known.
    """
    case, code = flow.place_of(told.items, told.visits["item"]), stage_codes(told.visits, told.line)
    mine = (case >= 0) & (code >= 0)
    done = micros(told.items["done_at"])
    ended = np.flatnonzero(done != NOT_A_TIME)
    actor = None
    if people is not None:
        who = people.get_indexer(pd.Index(told.visits["actor"])).astype("int64")[mine]
        actor = np.concatenate([who, np.full(len(ended), kernel.NOBODY, dtype="int64")])
    log = kernel.ordered(
        np.concatenate([case[mine], ended]).astype("int64"),
        np.concatenate([code[mine], np.full(len(ended), len(told.line), dtype="int64")]),
        np.concatenate([micros(told.visits["queued"])[mine], done[ended]]),
        actor,
    )
    return log, (*(stage.name for stage in told.line), DONE)
