"""The hours of items in a stream, cut and laid into classes of waste: each hour in the first class that fits it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vsm.metrics.batches import Clumps, clumps
from vsm.metrics.blocked import flags, parts
from vsm.metrics.flow import cancelled, place_of
from vsm.metrics.handoffs import FEWEST, cost, steps
from vsm.metrics.stages import NEVER, Codes, Mask, overtaken, stage_codes, visit_before
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
BEFORE, AT_WORK, HIDDEN, AFTER, HOLD, UNSEEN = range(6)  # what a part of a stay shows
WAITS = (BEFORE, AFTER, HOLD)


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


class Stays:
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


def _again(told: Stays, items: pd.DataFrame) -> tuple[Mask, Codes]:
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
