"""What each deployment of an application to an environment brought first: by commits where it names one, else by time."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from vsm.changes import Changes
from vsm.copies import LIKE, SAID, Copies, copies
from vsm.frames import Codes, places, plain
from vsm.history import NONE, keys
from vsm.landings import to_default
from vsm.store import Facts
from vsm.working_time import NOT_A_TIME, micros

STATED = "the source states the commit"
REACHED = "reachable from the deployed commit, not from an earlier one"
SAME = "its landing commit is the deployed commit"
SETTLED = "in the first deployment known: in production since then at the latest"
GUESSED = "guessed by time: merged after the deployment before it and before this one"
HISTORY = "in the first deployment known: since the beginning of the data, as the configuration says"
# Where one deployment has a change by several, the first counts.
RULES = (STATED, REACHED, SAME, SAID, LIKE, GUESSED, HISTORY, SETTLED)
CODE = {rule: place for place, rule in enumerate(RULES)}
STRENGTHS = ("stated", "named", "guessed")
Pair = tuple[int, int, int]  # the rows of a deployment and of a change, and the place of the rule among RULES


@dataclass(frozen=True)
class Pairs:
    """Deployments with changes that they brought: rows of both, the places of the rules in RULES, of strengths in STRENGTHS."""

    deployment: Codes
    change: Codes
    rule: Codes
    strength: Codes

    @classmethod
    def of(cls, found: list[Pair]) -> "Pairs":
        """Pairs that commits tell of."""
        deployment, change, rule = np.array(found, dtype="int64").reshape(-1, 3).T
        return cls(deployment, change, rule, np.where(rule == CODE[LIKE], 1, 0))

    @classmethod
    def stacked(cls, parts: "list[Pairs]") -> "Pairs":
        """One under the other."""
        names = ("deployment", "change", "rule", "strength")
        none = np.zeros(0, dtype="int64")
        return cls(*(np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in names))

    def __getitem__(self, rows: "Codes | np.ndarray[tuple[int], np.dtype[np.bool_]]") -> "Pairs":
        return Pairs(self.deployment[rows], self.change[rows], self.rule[rows], self.strength[rows])


def brought(facts: Facts, made: Changes, good: pd.DataFrame) -> Pairs:
    """What successful deployments brought. `good`: these, in the order of their finish; a pair's deployment is its label there."""
    code = _Code.of(facts, made)
    runs = _runs(facts, made, good, code)
    # Several environments may be production (regions, say): they are one line.
    place = good["environment"].mask(good["production"], "")
    lines = good.groupby(["application", place], sort=True).indices
    parts: list[Pairs] = []
    for name in sorted(lines):
        mine = [runs[row] for row in lines[name].tolist()]
        told = Pairs.of(code.line(mine))
        parts += [told, *code.guesses(good.iloc[lines[name]], [run.home for run in mine], told)]
    return Pairs.stacked(parts)


@dataclass(frozen=True, slots=True)
class _Run:
    """A deployment: its row, the commit that it deployed (NONE: none that was read) and that one's repository, and when.

    ``stated``: the commits that its source says were in it, of those that were read; ``lands``: the changes that land
    with what is stated, or where nothing is, with a deployed commit that was never read; each with the rule.
    """

    row: int
    commit: int
    home: str | None
    stated: list[int]
    lands: list[tuple[int, int]]
    at: int


def _runs(facts: Facts, made: Changes, good: pd.DataFrame, code: "_Code") -> list[_Run]:
    """The deployments, with all that is looked up for them at once."""
    history, told = made.history, facts.deployment_commits
    commit = history.numbers(good)
    anywhere = (good["repository"].isna() & good["sha"].notna()).to_numpy()
    if anywhere.any():
        order = np.concatenate([np.zeros(0, dtype="int64"), *history.rows.values()])
        place = places(good.loc[anywhere, "sha"], facts.commits["sha"].take(order))
        commit[anywhere] = np.where(place == NONE, NONE, np.append(order, NONE)[place])
    unread: dict[str, list[int]] = {}
    lands = made.changes[made.changes["merged_at"].notna() & made.changes["sha"].notna() & (made.landed == NONE)]
    for change, key in zip(lands.index.tolist(), plain(keys(lands)), strict=True):
        unread.setdefault(key, []).append(change)
    stated: dict[str, list[tuple[int, str]]] = {}
    for key, number, name in zip(plain(told["deployment"]), history.numbers(told).tolist(), plain(keys(told)), strict=True):
        stated.setdefault(key, []).append((number, name))
    runs = []
    rows = zip(
        good.index.tolist(),
        plain(good["id"]),
        commit.tolist(),
        plain(keys(good)),
        micros(good["finished_at"]).tolist(),
        strict=True,
    )  # fmt: skip
    for row, key, number, name, at in rows:
        said = stated.get(key, [])
        found = [
            (change, CODE[STATED])
            for one, own in said
            for change in (unread.get(own, ()) if one == NONE else code.landing.get(one, ()))
        ]
        if number == NONE and not said:
            found += [(change, CODE[SAME]) for change in unread.get(name, ())]
        home = None if number == NONE else code.homes[code.home[number]]
        runs.append(_Run(row, number, home, [one for one, _ in said if one != NONE], found, at))
    return runs


@dataclass
class _Walk:
    """How far one line of deployments has come in one repository: what it has seen, and of which copies."""

    seen: set[int] = field(default_factory=set)
    got: dict[int, set[int]] = field(default_factory=dict)
    cut: bool = False
    before: int = NOT_A_TIME


@dataclass(frozen=True)
class _Code:
    """What there is to deploy: the merged changes of default branches, and which change lands with each commit that was read.

    ``home``: by commit the place of its repository among ``homes``.
    """

    made: Changes
    merged: pd.DataFrame
    landing: dict[int, list[int]]
    copies: Copies
    home: list[int]
    homes: list[str]
    merged_at: list[int]

    @classmethod
    def of(cls, facts: Facts, made: Changes) -> "_Code":
        """A merged change is deployed when its landing commit is."""
        every, history = made.changes, made.history
        is_merged = every["merged_at"].notna().to_numpy()
        landing: dict[int, list[int]] = {}
        lands = np.flatnonzero(is_merged & (made.landed != NONE))
        for change, commit in zip(lands.tolist(), made.landed[lands].tolist(), strict=True):
            landing.setdefault(commit, []).append(change)
        merges = history.marked(made.landed[lands]) & history.several
        home = np.full(len(history.key), NONE)
        for place, rows in enumerate(history.rows.values()):
            home[rows] = place
        merged = every[is_merged]
        default = merged[to_default(facts, merged)]
        at = micros(every["merged_at"]).tolist() if history.edge else []
        return cls(made, default, landing, copies(facts, made.came, merges), home.tolist(), list(history.rows), at)

    def line(self, runs: list[_Run]) -> list[Pair]:
        """What each deployment of one application to one environment brought first, in the order of their finish.

        The first one of a repository has nothing to be compared with: it settles what it holds.
        """
        walks: dict[int, _Walk] = {}
        pairs: list[Pair] = []
        for run in runs:
            pairs += [(run.row, change, rule) for change, rule in run.lands]
            tips = [run.commit] if run.commit != NONE else []
            tips += run.stated
            first = {self.home[tip] for tip in tips} - walks.keys()
            for tip in tips:
                home = self.home[tip]
                found = self._reached(walks.setdefault(home, _Walk()), tip)
                pairs += [(run.row, change, CODE[SETTLED] if home in first else rule) for change, rule in found]
            for tip in tips:
                walks[self.home[tip]].before = run.at
        return pairs

    def _reached(self, walk: _Walk, tip: int) -> list[tuple[int, int]]:
        """The changes that a tip reaches and no earlier one did, each with the rule.

        Where this walk and one before it both run into what was not read (the edge of a shallow
        clone), nobody can tell what was there already: then a change that was merged before the
        deployment before this one is taken to have come with that or an earlier one.
        """
        history, landing = self.made.history, self.landing
        fresh = history.unseen(tip, walk.seen)
        found = [(change, CODE[REACHED]) for commit in fresh if commit in landing for change in landing[commit]]
        found += [(change, CODE[rule]) for change, rule in self.copies.brought(fresh, walk.got)]
        loose = bool(history.edge) and not history.edge.isdisjoint(fresh)
        if loose and walk.cut and walk.before != NOT_A_TIME:
            found = [(change, CODE[SETTLED] if self.merged_at[change] <= walk.before else rule) for change, rule in found]
        walk.cut |= loose
        return found

    def guesses(self, line: pd.DataFrame, homes: list[str | None], told: Pairs) -> list[Pairs]:
        """For deployments that name no commit we know: what was merged since the one before. A guess, and labelled as one."""
        named = pd.Series(homes, index=line.index, dtype="str")
        blind = named.isna() & ~line.index.isin(told.deployment)
        if not blind.any():
            return []
        mine = self.merged[~self.merged.index.isin(told.change[told.rule != CODE[SETTLED]])]
        own = mine.loc[mine["application"] == line["application"].iloc[0], "repository"]
        repositories = sorted({*own, *line.loc[blind, "repository"].dropna()})
        place = line["repository"].where(named.isna(), named)
        return [
            _guessed(line[mask], blind[mask], mine[mine["repository"] == repository], told)
            for repository in repositories
            if (mask := place.isna() | (place == repository)).any()
        ]


def _guessed(line: pd.DataFrame, blind: pd.Series, mine: pd.DataFrame, told: Pairs) -> Pairs:
    """Of one repository: the change to the deployment that began next after its merge, where that one is blind.

    What the first deployment with a known commit holds was guessed of those before it, or came with it.
    """
    ends = line["started_at"].fillna(line["finished_at"]).to_numpy()
    place = np.searchsorted(np.maximum.accumulate(ends), mine["merged_at"].to_numpy(), side="left")
    held = place < len(line)
    place = place[held]
    rule = np.where(place == 0, CODE[SETTLED], CODE[GUESSED])
    pairs = Pairs(line.index.to_numpy()[place], mine.index.to_numpy()[held], rule, np.full(len(place), 2))
    settled = told[told.rule == CODE[SETTLED]]
    rows = 1 + max(int(pairs.change.max(initial=0)), int(settled.change.max(initial=0)))
    known = np.isin(pairs.deployment * rows + pairs.change, settled.deployment * rows + settled.change)
    return pairs[blind.to_numpy()[place] | known]
