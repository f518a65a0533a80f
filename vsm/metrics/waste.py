"""Waste: where the hours of items in the stream go other than into work, each hour in one class, with its evidence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vsm.frames import empty, places
from vsm.metrics.batches import Clumps, clumps
from vsm.metrics.blocked import flags, parts, times_of
from vsm.metrics.figure import Figure, definition, no_rows
from vsm.metrics.flow import cancelled, place_of
from vsm.metrics.handoffs import FEWEST, cost, steps
from vsm.metrics.stages import NEVER, OVERTAKEN, Codes, Mask, overtaken, stage_codes, visit_before
from vsm.metrics.switching import switching
from vsm.scope import Scope
from vsm.working_time import HOUR, NOT_A_TIME, Floats, Micros, micro, micros

if TYPE_CHECKING:
    from vsm.workflow import Stage

# In order of precedence: an hour belongs to the first class that fits it, so to the cause that, were it gone, would
# have spared it whatever came after. An item that was given up needed none of its hours; a repeated visit none of its
# waits; what lay blocked did not wait for people; what waits for the train waits for no colleague.
ABANDONED, REWORK, PARKED, BATCH, HANDOFF, WAITING, SWITCHING, WORK, UNKNOWN = range(9)
NAMES = ("abandoned", "rework", "parked", "batch wait", "handoff", "waiting", "task switching", "work", "not classed")
CLASSES = ("waiting", "batch wait", "handoff", "rework", "parked", "abandoned", "task switching")  # as they are listed
BEFORE, AT_WORK, HIDDEN, AFTER, HOLD, UNSEEN = range(6)  # what a part of a stay shows
WAITS = (BEFORE, AFTER, HOLD)
ROWS = {
    "item": "str", "stage": "str", "from": "datetime64[us, UTC]", "to": "datetime64[us, UTC]", "hours": "float64", "class": "str",
    "evidence": "str",
}  # fmt: skip


@dataclass(frozen=True)
class Pieces:
    """Parts of stays: the visit's row, what the part shows, from, to, whether it was flagged then, its class, its hours."""

    row: Codes
    shows: Codes
    begin: Micros
    end: Micros
    flagged: Mask
    kind: Codes
    hours: Floats

    @classmethod
    def of(cls, row: Codes, shows: Codes, begin: Micros, end: Micros, flagged: Mask) -> "Pieces":
        """Parts without a class yet; those that last no time are none."""
        some = end > begin
        kind = np.full(int(some.sum()), -1, dtype="int64")
        return cls(row[some], shows[some], begin[some], end[some], flagged[some], kind, (end - begin)[some] / HOUR)

    def where(self, mask: Mask) -> "Pieces":
        """Some of them."""
        return Pieces(*(getattr(self, one.name)[mask] for one in fields(self)))

    def __add__(self, other: "Pieces") -> "Pieces":
        """Both, one after the other."""
        return Pieces(*(np.concatenate([getattr(self, one.name), getattr(other, one.name)]) for one in fields(self)))

    def classed(self, kind: int, mask: Mask) -> None:
        """Those under a mask that have no class yet get this one."""
        self.kind[mask & (self.kind < 0)] = kind


@dataclass(frozen=True)
class Waste:
    """Where the hours went.

    ``classes``: class, hours (missing where it cannot be told), items; a row for each of CLASSES.
    ``values``: hours by class, and of work, not classed, in_stages (all of them); items_per_person
    (in work at once). ``items``: how many were in a stage. ``said``: what could not be told.
    """

    classes: pd.DataFrame
    values: dict[str, float | None]
    items: int
    said: dict[str, str]
    _rows: Callable[[], pd.DataFrame] = field(repr=False, compare=False)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The hours behind every class, of work and those not classed too: item, stage, from, to, hours, class, evidence."""
        return self._rows()

    @property
    def figure(self) -> Figure:
        """All of it as a figure, with its rows."""
        return Figure(
            "waste",
            self.values,
            self.items,
            "hours",
            definition(waste),
            "hours that items spent in stages within the window, elapsed time; of several causes the first counts: "
            + ", ".join(NAMES[:WORK])
            + "; batches and overtaking are told from the window and the time of its length before it",
            self.rows,
            no_rows(),
            said=self.said,
        )


def waste(
    visits: pd.DataFrame, items: pd.DataFrame, line: "Sequence[Stage]", changes: pd.DataFrame, scope: Scope,
    counted: pd.Series | None = None, others: pd.DataFrame | None = None,
) -> Waste:  # fmt: skip
    """Waste by class: hours in stages in which nobody worked on an item, or in vain, or again; each by the first cause that fits.

    - abandoned: all hours of items that ended cancelled.
    - rework: all hours from where an item went back, or was reopened, until it got further than it had been.
    - parked: hours while the item was flagged, and waits that at least eight later arrivals overtook.
    - batch wait: waits to be let go in stages that let go in clumps, ended by a clump or not yet ended.
    - handoff: of waits on moves that change hands the share by which they are longer, on average, than the same moves
      without a change that met as many waiting; only where that is beyond chance, else the wait is waiting. Where every
      move changes the person, of moves that change the team.
    - waiting: all other waits: for work to begin, to be handed on, or in a stage that only holds work.
    - task switching: of time in work what went to other items that the same person had in work at once (k items, (k − 1) ÷ k
      of the time): items in progress per person beyond one, not what switching itself costs, which no record shows.

    The rest is work, or not classed: where a stage shows no queue, or no start of work was recorded, wait and work
    cannot be told apart. So all classes, work and what is not classed add up to the hours in stages.
    `visits`, `items`, `line`: a stream's, all of them. `changes`: ticket_changes. `counted`: the items whose hours are
    told (default: all). `others`: visits of other streams, in which the same people may have items in work.
    """
    visits = visits.reset_index(drop=True)
    told = _Told(visits, items, line, changes, scope)
    pieces = told.classed(others)
    keep = pieces.end > pieces.begin
    if counted is not None:
        mine = places(visits["item"], counted) >= 0
        keep = keep & mine[pieces.row]
    return _summed(told, pieces.where(keep))


def together(wastes: Iterable[Waste]) -> Waste:
    """Several streams' waste as one: an item is in one stream only, so hours and items add up."""
    each = list(wastes)
    if not each:
        return Waste(_classes({}, {}), {}, 0, {}, lambda: empty(ROWS))
    frames = pd.concat([one.classes for one in each])
    hours = {str(name): _sum(part) for name, part in frames.groupby("class")["hours"]}
    numbers = {str(name): int(part.sum()) for name, part in frames.groupby("class")["items"]}
    names = [name for name in each[0].values if name != "items_per_person"]
    values = {name: _sum(pd.Series([one.values[name] for one in each], dtype="float64")) for name in names}
    said = {name: "; ".join(one.said[name] for one in each if name in one.said) for one in each for name in one.said}

    def rows() -> pd.DataFrame:
        return _longest(pd.concat([one.rows for one in each], ignore_index=True))

    return Waste(_classes(hours, numbers), values, sum(one.items for one in each), said, rows)


def _sum(hours: "pd.Series[float]") -> float | None:
    return float(hours.sum()) if hours.notna().any() else None


def _classes(hours: dict[str, float | None], items: dict[str, int]) -> pd.DataFrame:
    rows = [{"class": name, "hours": hours.get(name), "items": items.get(name, 0)} for name in CLASSES]
    return pd.DataFrame(rows).astype({"class": "str", "hours": "float64", "items": "int64"})


class _Told:
    """A stream's visits as known at the end of the window, while their hours are being classed."""

    def __init__(
        self, visits: pd.DataFrame, items: pd.DataFrame, line: "Sequence[Stage]", changes: pd.DataFrame, scope: Scope
    ) -> None:
        self.visits, self.items, self.line = visits, items, line
        self.start, self.until = micro(scope.start), micro(scope.end)
        self.spans = flags(changes, items)
        self.code = stage_codes(visits, line)
        self._place = {stage.name: place for place, stage in enumerate(line)}
        self.item, self.names = pd.factorize(visits["item"])
        names = ("queued", "started", "finished", "left")
        self.queued, self.started, self.finished, self.left = (_as_of(visits[name], self.until) for name in names)
        self.works = np.array([*(stage.has_capacity for stage in line), True])[self.code]
        self.queues = np.array([*(stage.has_queue for stage in line), False])[self.code]
        self.before = visit_before(visits)
        self.place = place_of(items, visits["item"])
        given_up = (cancelled(items) & (items["cancelled_at"] <= scope.end)).to_numpy()
        self.abandoned = np.append(given_up, False)[self.place]
        self.again, self.why_again = _again(self, items)
        self.clumps = self._clumps()
        self.parked_before, self.parked_after = self._overtaken()
        self.cost = pd.DataFrame()
        self.lost_to = np.nan
        self.seen_people = False

    def classed(self, others: pd.DataFrame | None) -> Pieces:
        """Every part of every stay within the window, in one class."""
        pieces = self._flagged(self._parts())
        pieces.classed(ABANDONED, self.abandoned[pieces.row])
        pieces.classed(REWORK, self.again[pieces.row])
        pieces.classed(PARKED, pieces.flagged)
        after = pieces.shows == AFTER
        waits = np.isin(pieces.shows, WAITS)
        pieces.classed(PARKED, waits & np.where(after, self.parked_after[pieces.row], self.parked_before[pieces.row]))
        pieces.classed(BATCH, self._in_batches(pieces))
        pieces = self._handed_over(pieces)
        pieces.classed(WAITING, np.isin(pieces.shows, WAITS))
        return self._switched(self._within(pieces), others)

    def _parts(self) -> Pieces:
        """Each stay as wait before, work and wait after, or as what it shows instead."""
        out = np.minimum(self.left, self.until)
        began, ended = np.minimum(self.started, out), np.minimum(self.finished, out)
        begun, gone = self.started < NEVER, self.left < NEVER
        rows = np.arange(len(out))
        idle = np.where(~self.works, HOLD, np.where(begun | (~gone & self.queues), BEFORE, UNSEEN))
        first = np.where(self.works & begun, began, out)
        shown = np.where(self.queues, AT_WORK, HIDDEN)
        worked = self.works & begun
        kinds = ((idle, self.queued, first, self.queued < NEVER), (shown, began, ended, worked), (AFTER, ended, out, worked))
        each = [(rows[mask], np.broadcast_to(kind, len(rows))[mask], begin[mask], end[mask]) for kind, begin, end, mask in kinds]
        row, shows, begin, end = (np.concatenate(columns) for columns in zip(*each, strict=True))
        return Pieces.of(row, shows, begin, end, np.zeros(len(row), dtype=bool))

    def _flagged(self, pieces: Pieces) -> Pieces:
        """The pieces, cut where a flag was set or taken away."""
        items = self.visits["item"].iloc[pieces.row]
        place, first, last = parts(items, pieces.begin, pieces.end, self.spans)
        if not len(place):
            return pieces
        order = np.lexsort((first, place))
        place, first, last = place[order], first[order], last[order]
        cut = np.unique(place)
        # Between flags: from the piece's beginning and each flag's end to each flag's beginning and the piece's end.
        owner = np.concatenate([cut, place])
        begins, ends = np.concatenate([pieces.begin[cut], last]), np.concatenate([first, pieces.end[cut]])
        begins = begins[np.lexsort((begins, owner))]
        ending = np.lexsort((ends, np.concatenate([place, cut])))
        clear = np.sort(owner)
        free = Pieces.of(pieces.row[clear], pieces.shows[clear], begins, ends[ending], np.zeros(len(clear), dtype=bool))
        caught = Pieces.of(pieces.row[place], pieces.shows[place], first, last, np.ones(len(place), dtype=bool))
        whole = np.ones(len(pieces.row), dtype=bool)
        whole[cut] = False
        return pieces.where(whole) + free + caught

    def _clumps(self) -> Clumps:
        """The waits to be let go: in stages that only hold work (a row a visit), then after work (another row a visit)."""
        size = len(self.line)
        hold = np.where(self.works, -1, self.code)
        over = np.minimum(self.finished, self.left)
        ready = (self.finished < NEVER) & (self.finished < self.left) & self.works & (self.code >= 0)
        place = np.concatenate([hold, np.where(ready, self.code + size, -1)])
        return clumps(place, np.concatenate([self.queued, over]), np.concatenate([self.left, self.left]), 2 * size)

    def _overtaken(self) -> tuple[Mask, Mask]:
        """Which visits' waits before, or without, work were overtaken, and which waits after it."""
        over = np.minimum(self.finished, self.left)
        batched = self.clumps.batched[: len(over)]
        # What leaves in one clump leaves at one moment: the order within it is nobody's doing.
        let_go = np.where(batched & (self.left < NEVER), self.clumps.first[: len(over)], self.left)
        served = np.where(self.works, np.minimum(self.started, over), let_go)
        handed_on = (self.before >= 0) & (self.queued < NEVER) & (self.left[self.before] == self.queued)
        handed_on &= self.finished[self.before] < self.queued
        due = np.where(handed_on, self.finished[self.before], self.queued)
        ready = np.flatnonzero((self.finished < NEVER) & (self.left == NEVER) & (self.code >= 0) & (self.code + 1 < len(self.line)))
        code = np.where(np.append(due, self.finished[ready]) < NEVER, np.append(self.code, self.code[ready] + 1), -1)
        late = overtaken(code, np.append(due, self.finished[ready]), np.append(served, np.full(len(ready), NEVER))) & (code >= 0)
        before = late[: len(over)]
        after = np.zeros(len(over), dtype=bool)
        after[self.before[handed_on & before]] = True
        after[ready] = late[len(over) :]
        return before, after

    def _in_batches(self, pieces: Pieces) -> Mask:
        """Which pieces are waits to be let go in a clump."""
        place = pieces.row + np.where(pieces.shows == AFTER, len(self.visits), 0)
        waits = (pieces.shows == AFTER) | (pieces.shows == HOLD)
        held = self.clumps.batched & ((self.clumps.together > 1) | (np.tile(self.left, 2) == NEVER))
        found: Mask = waits & held[place]
        return found

    def _handed_over(self, pieces: Pieces) -> Pieces:
        """The pieces, cut where a wait on a move that changes hands grows longer than the same move without a change."""
        moves = steps(self.visits)
        old, new = moves["row_from"].to_numpy(), moves["row_to"].to_numpy()
        spoken_for = np.zeros((2, len(self.visits)), dtype=bool)
        done = pieces.kind >= 0
        spoken_for[0, pieces.row[done & (pieces.shows == AFTER)]] = True
        spoken_for[1, pieces.row[done & (pieces.shows == BEFORE)]] = True
        plain = ~spoken_for[0, old] & ~spoken_for[1, new] & ~self.again[new] & ~self.abandoned[new]
        plain &= (self.started[new] < NEVER) & self.works[new] & ~moves["backward"].to_numpy(dtype=bool)
        self.cost = _costs(self.visits, moves[plain])
        grown = self._grown(moves[plain])
        if not grown.any():
            return pieces
        moves = moves[plain]
        old, new = moves["row_from"].to_numpy(), moves["row_to"].to_numpy()
        since = np.minimum(self.finished[old], self.left[old])
        at = since + np.rint((1 - grown) * (self.started[new] - since)).astype("int64")
        cut = np.full((2, len(self.visits)), NEVER)
        cut[0, old], cut[1, new] = np.where(grown > 0, at, NEVER), np.where(grown > 0, at, NEVER)
        side = np.where(pieces.shows == AFTER, 0, 1)
        point = np.where(np.isin(pieces.shows, (AFTER, BEFORE)) & (pieces.kind < 0), cut[side, pieces.row], NEVER)
        middle = np.clip(point, pieces.begin, pieces.end)
        rest = replace(pieces, end=middle, hours=(middle - pieces.begin) / HOUR)
        grown_part = Pieces.of(pieces.row, pieces.shows, middle, pieces.end, pieces.flagged)
        grown_part.classed(HANDOFF, np.ones(len(grown_part.row), dtype=bool))
        return rest.where(rest.end > rest.begin) + grown_part

    def _grown(self, moves: pd.DataFrame) -> Floats:
        """Of each move the share of its wait that the change of hands on it costs."""
        size = len(self.line) + 1
        edge = self.code[moves["row_from"]] * size + self.code[moves["row_to"]]
        grown = np.zeros(len(moves))
        for row in _longer(self.cost):
            one, other = self._place[row["from"]], self._place[row["to"]]
            changed = moves["changed" if row["who"] == "either" else "team_changed"].to_numpy(dtype=bool)
            grown[(edge == one * size + other) & changed] = row["share"]
        return grown

    def _within(self, pieces: Pieces) -> Pieces:
        """The pieces as far as they lie in the window."""
        begin, end = np.maximum(pieces.begin, self.start), np.minimum(pieces.end, self.until)
        inside = end > begin
        return replace(pieces, begin=begin, end=end, hours=(end - begin) / HOUR).where(inside)

    def _switched(self, pieces: Pieces, others: pd.DataFrame | None) -> Pieces:
        """The pieces of work in two: what went to other items of the same person, and the rest."""
        work = np.isin(pieces.shows, (AT_WORK, HIDDEN)) & ~pieces.flagged
        actor = self.visits["actor"].iloc[pieces.row[work]].astype("str")
        known = actor.notna().to_numpy()
        rows = np.flatnonzero(work)[known]
        who, begin, end = self._elsewhere(others)
        person = pd.factorize(pd.concat([actor[known], who], ignore_index=True))[0]
        lost, self.lost_to = switching(
            person.astype("int64"), np.append(pieces.begin[rows], begin), np.append(pieces.end[rows], end)
        )
        self.seen_people = len(rows) > 0
        waited = np.zeros(len(pieces.row))
        waited[rows] = lost[: len(rows)]
        waited[pieces.kind >= 0] = 0  # of a class already, with all of its hours
        split = waited > 0
        aside = replace(pieces, hours=waited).where(split)
        aside.classed(SWITCHING, np.ones(len(aside.row), dtype=bool))
        pieces = replace(pieces, hours=pieces.hours - waited)
        pieces.classed(WORK, pieces.shows == AT_WORK)
        pieces.classed(UNKNOWN, np.ones(len(pieces.row), dtype=bool))
        return pieces + aside

    def _elsewhere(self, others: pd.DataFrame | None) -> tuple[pd.Series, Micros, Micros]:
        """What people have in work in other streams, in the window: who, from, to."""
        if others is None or others.empty:
            return pd.Series(dtype="str"), np.array([], dtype="int64"), np.array([], dtype="int64")
        begin = np.maximum(_as_of(others["started"], self.until), self.start)
        end = np.minimum(np.minimum(_as_of(others["finished"], self.until), _as_of(others["left"], self.until)), self.until)
        some = (begin < end) & others["actor"].notna().to_numpy()
        return others["actor"][some], begin[some], end[some]


def _as_of(times: "pd.Series[pd.Timestamp]", until: int) -> Micros:
    """Times that had come by an instant; the others and the missing ones never."""
    found = micros(times)
    return np.where((found == NOT_A_TIME) | (found > until), NEVER, found)


def _costs(visits: pd.DataFrame, moves: pd.DataFrame) -> pd.DataFrame:
    """What changes of hands cost, with who: of person or team where there are moves without one, else of the team."""
    either, team = (cost(visits, moves, who).assign(who=who) for who in ("either", "team"))
    alone = either["matched_kept_n"].to_numpy() < FEWEST
    told = pd.concat([either[~alone], team[_among(team, either[alone])], either[alone & ~_among(either, team)]], ignore_index=True)
    return told.sort_values(["from", "to"], kind="stable", ignore_index=True)


def _among(frame: pd.DataFrame, others: pd.DataFrame) -> Mask:
    """Which moves of a frame are in another."""
    known = set(zip(others["from"], others["to"], strict=True))
    return np.array([edge in known for edge in zip(frame["from"], frame["to"], strict=True)], dtype=bool)


def _longer(costs: pd.DataFrame) -> list[dict[str, Any]]:
    """The moves on which a change of hands costs."""
    return [{str(name): value for name, value in row.items()} for row in costs[costs["longer"]].to_dict("records")]


BACK, REOPENED, REPEATED = 1, 2, 3


def _again(told: _Told, items: pd.DataFrame) -> tuple[Mask, Codes]:
    """Which visits are rework, and why: sent back, reopened after done, or repeated on the way there from.

    From where an item went back until it gets further than it had been before. Work that only waits
    again in the stage in which it is has not gone back.
    """
    place = told.visits["position"].to_numpy(dtype="int64")
    item = told.item
    order = np.lexsort((told.visits["seq"].to_numpy(), item))
    size = int(place.max(initial=0)) + 2
    level = np.maximum.accumulate(place[order] + item[order] * size) - item[order] * size
    first = np.diff(item[order], prepend=-1) != 0
    farthest = np.where(first, -1, np.append(-1, level[:-1]))
    before = told.before[order]
    reopened = np.append(items["reopened"].to_numpy() > 0, False)[told.place][order]
    came_back = reopened & ~first & (told.left[before] < told.queued[order]) & (place[order] <= farthest)
    went = came_back | (place[order] < farthest)
    further = first | (place[order] > farthest)
    count = np.cumsum(went)
    since = np.maximum.accumulate(np.where(further, np.arange(len(order)), 0)) if len(order) else np.arange(0)
    again = count - (count[since] if len(order) else count) > 0
    sent = ~first & (place[order] < place[before])
    found, why = np.zeros(len(order), dtype=bool), np.zeros(len(order), dtype="int64")
    found[order] = again
    why[order] = np.where(came_back, REOPENED, np.where(sent, BACK, REPEATED))
    return found, why


def _summed(told: _Told, pieces: Pieces) -> Waste:
    """The hours and items of each class."""
    hours = np.bincount(pieces.kind, weights=pieces.hours, minlength=len(NAMES))
    there = np.zeros((len(NAMES), len(told.names)), dtype=bool)
    there[pieces.kind, told.item[pieces.row]] = True
    items = there.sum(axis=1)
    seen = len(pieces.row) > 0
    known = _known(told, pieces)
    by_class = {name: float(hours[kind]) if seen and known.get(name, True) else None for kind, name in enumerate(NAMES)}
    values = {name: by_class[name] for name in (*CLASSES, "work", "not classed")}
    values |= {
        "in_stages": float(pieces.hours.sum()) if seen else None,
        "items_per_person": told.lost_to if seen and not np.isnan(told.lost_to) else None,
    }
    numbers = {name: int(items[kind]) for kind, name in enumerate(NAMES)}
    each = int(there.any(axis=0).sum())
    return Waste(_classes(by_class, numbers), values, each, _said(told, known), lambda: _rows(told, pieces))


def _known(told: _Told, pieces: Pieces) -> dict[str, bool]:
    """Which classes could be told at all."""
    both = (told.cost["matched_n"] >= FEWEST) & (told.cost["matched_kept_n"] >= FEWEST)
    return {
        "waiting": bool(told.queues.any() or (~told.works).any() or (pieces.shows == AFTER).any()),
        "batch wait": bool(~np.isnan(told.clumps.size).all()),
        "handoff": bool(both.any()),
        "task switching": told.seen_people,
    }


def _said(told: _Told, known: dict[str, bool]) -> dict[str, str]:
    """What could not be told, in words."""
    found = {}
    costs = told.cost
    alone = costs[(costs["changed_n"] > 0) & (costs["matched_kept_n"] < FEWEST)]
    if len(alone):
        ways = ", ".join(f"{one} → {other}" for one, other in zip(alone["from"], alone["to"], strict=True))
        found["handoff"] = (
            f"{ways}: fewer than {FEWEST} such moves keep their hands, so what a change costs cannot be told; "
            "their waits are in waiting"
        )
    if not known["task switching"]:
        found["task switching"] = "who works on what is not known"
    if not known["batch wait"]:
        found["batch wait"] = "no stage shows enough work that waits to be let go"
    return found


# Evidence: a sentence for each piece, made only where rows are looked at. --------------------------------------------------


def _rows(told: _Told, pieces: Pieces) -> pd.DataFrame:
    """The pieces as rows for people, the longest first."""
    visits = told.visits
    frame = pd.DataFrame(
        {
            "item": visits["item"].array[pieces.row],
            "stage": visits["stage"].iloc[pieces.row].astype("str").array,
            "from": times_of(pieces.begin),
            "to": times_of(pieces.end),
            "hours": pieces.hours,
            "class": pd.Series(np.array(NAMES, dtype=object)[pieces.kind], dtype="str"),
            "evidence": pd.Series(_sentences(told, pieces), dtype="str"),
        }
    )
    return _longest(frame[frame["hours"] > 0])


def _longest(rows: pd.DataFrame) -> pd.DataFrame:
    order = ["hours", "item", "from", "class"]
    return rows.sort_values(order, ascending=[False, True, True, True], kind="stable", ignore_index=True)


def _sentences(told: _Told, pieces: Pieces) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    """One sentence a piece; each that occurs is made once."""
    stage = told.visits["stage"].iloc[pieces.row].astype("str").fillna("")
    number = np.full(len(pieces.row), -1, dtype="int64")
    ended = micros(told.items["cancelled_at"]) if len(told.items) else np.array([], dtype="int64")
    gone = pieces.kind == ABANDONED
    number[gone] = ended[told.place[pieces.row[gone]]] // (24 * HOUR)
    rework = pieces.kind == REWORK
    number[rework] = told.why_again[pieces.row[rework]]
    batch = pieces.kind == BATCH
    place = pieces.row + np.where(pieces.shows == AFTER, len(told.visits), 0)
    number[batch] = np.where(told.left[pieces.row] < NEVER, told.clumps.together[place] - 1, 0)[batch]
    switched = pieces.kind == SWITCHING
    number[switched] = np.rint(100 * pieces.hours / ((pieces.end - pieces.begin) / HOUR))[switched]
    back = told.visits["entered_from"].array[pieces.row].astype("object")
    other = pd.Series(np.where(np.isin(pieces.kind, (REWORK, HANDOFF)), back, ""), dtype="str").fillna("")
    flagged = pieces.flagged.astype("int64")
    still = (told.left[pieces.row] == NEVER).astype("int64")
    keys = [pieces.kind, pieces.shows, number, flagged, still, pd.factorize(stage)[0], pd.factorize(other)[0]]
    which = _one_code(keys)
    _, first = np.unique(which, return_index=True)
    made = [
        _sentence(
            told.cost, int(pieces.kind[at]), int(pieces.shows[at]), int(number[at]), bool(flagged[at]), bool(still[at]),
            str(stage.iat[at]), str(other.iat[at]),
        )
        for at in first.tolist()
    ]  # fmt: skip
    sentences: np.ndarray[tuple[int], np.dtype[np.object_]] = np.array([*made, ""], dtype=object)[which]
    return sentences


def _one_code(keys: "list[Codes]") -> Codes:
    """Several numbers a row as one."""
    code = np.zeros(len(keys[0]), dtype="int64")
    for key in keys:
        few = pd.factorize(key)[0]
        code = pd.factorize(code * (int(few.max(initial=0)) + 1) + few)[0].astype("int64")
    return code


def _sentence(costs: pd.DataFrame, kind: int, shows: int, number: int, flagged: bool, still: bool, stage: str, other: str) -> str:
    if kind == ABANDONED:
        return f"in {stage}; the item was cancelled on {pd.Timestamp(number, unit='D').date().isoformat()}"
    if kind == REWORK:
        return {
            BACK: f"sent back to {stage} from {other}",
            REOPENED: f"in {stage} after it had been done and was opened again",
            REPEATED: f"in {stage} on the way back to where it had been sent back from",
        }[number]
    if kind == PARKED:
        taken = "" if still else " before it"
        return (
            f"flagged while in {stage}"
            if flagged
            else f"lay in {stage} while {OVERTAKEN} or more later arrivals were taken up{taken or ' and it was not'}"
        )
    if kind == BATCH:
        return f"waits in {stage}, which lets go in clumps" if still else f"waited in {stage} until {number} others left with it"
    if kind == HANDOFF:
        return _handoff(costs, other, stage, shows)
    if kind == SWITCHING:
        return f"{number or 'less than 1'} % of this time in {stage} went to other items that the same person had in work"
    return _idle(kind, shows, still, stage)


def _handoff(costs: pd.DataFrame, one: str, other: str, shows: int) -> str:
    if shows == AFTER:  # told from the stage that hands on
        return f"finished in {other}, and taken up later elsewhere than where the same person or team goes on"
    told = costs[(costs["from"] == one) & (costs["to"] == other)].iloc[0]
    whose = "teams" if told["who"] == "team" else "hands"
    return (
        f"changed {whose} from {one} to {other}: such moves wait {told['excess']:.1f} hours longer on average than those "
        f"without a change that met as many waiting"
    )


def _idle(kind: int, shows: int, still: bool, stage: str) -> str:
    if kind == WAITING:
        return {
            BEFORE: f"waits for work in {stage} to begin" if still else f"waited for work in {stage} to begin",
            AFTER: f"was finished in {stage} and not yet handed on",
            HOLD: f"lay in {stage}, in which nobody works",
        }[shows]
    if kind == WORK:
        return f"worked on in {stage}"
    if shows == HIDDEN:
        return f"{stage} shows no queue of its own: wait and work cannot be told apart"
    return f"no start of work in {stage} is recorded: wait and work cannot be told apart"
