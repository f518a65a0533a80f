"""Forecast: how many items the coming weeks finish and when a number of them is done, with how often such promises held."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from vsm.metrics.figure import Figure, definition, nearest_rank, no_rows
from vsm.metrics.shifts import SHORTEST, evened, long_run, residuals, shifts, without_spikes
from vsm.scope import Scope, week_starts, weeks
from vsm.working_time import Floats

DRAWS, SEED = 10_000, 1  # with 10,000 the p85 of about a hundred items varies by 0.13 of an item from seed to seed
HISTORY = 52  # weeks; what is older tells little of what comes
ENOUGH = 8  # whole weeks; with fewer the spread of the weeks is not known
AHEAD = 12  # weeks
ORIGINS, TRIES = 30, 2_000  # past weeks from which the back-test promises, and draws for each
YOUNGEST = 3  # weeks; the present level may be as young
LONGEST = 4  # weeks that are drawn together; the longest rhythm of releases that is seen
CLEAR = 2.0  # × 1 ÷ √weeks: an autocorrelation that chance gives one time in twenty
NEVER = 520  # weeks; what takes longer has no date
SURE = (50, 85, 95)
LITTLE = "too little history: {n} whole {weeks} since the first item was finished, {enough} are needed"


def finished_in(items: pd.DataFrame, scope: Scope, zone: ZoneInfo, ahead: int = AHEAD) -> Figure:
    """Items that the coming weeks finish at least: p85 is the most that 85 % of the simulated futures reach; p50, p95 alike.

    Futures are drawn from the past weeks' throughput, weeks without any included, the running week
    left out. The past is drawn too, in two ways: where its present level began (from the last shift
    that was found on, or later, as likely as its weeks make it), and which weeks of that level there
    happened to be. None with fewer than eight whole weeks since the first finished item.
    """
    past = history(items, scope, zone)
    found = _Past.of(past["items"].to_numpy("float64")) if len(past) >= ENOUGH else None
    values = promises(found.totals(ahead)) if found else dict.fromkeys((f"p{sure}" for sure in SURE), None)
    said = {"from": scope.end.tz_convert(zone).date().isoformat()} if found else {"why": _little(past)}
    return _figure(
        f"finished_in_{ahead}_weeks", values, "items", definition(finished_in),
        f"simulated futures of {ahead} weeks; p85 is reached or passed by 85 % of {DRAWS:,} of them",
        past, found, scope, zone, said,
    )  # fmt: skip


def weeks_until(items: pd.DataFrame, scope: Scope, zone: ZoneInfo, count: int) -> Figure:
    """Weeks until so many more items are done: p85 is the fewest weeks within which 85 % of the simulated futures get there.

    The futures are those of `finished_in`. None with too little history, and where it takes longer
    than ten years; ``said`` has the days on which each number of weeks from now is over, or why not.
    """
    if count < 1:
        raise ValueError(f"{count} items are no forecast: expected 1 or more")
    past = history(items, scope, zone)
    found = _Past.of(past["items"].to_numpy("float64")) if len(past) >= ENOUGH else None
    needed = found.weeks_until(count) if found else np.empty(0)
    values = {f"p{sure}": _finite(nearest_rank(needed, sure / 100)) for sure in SURE}
    days = {
        name: (scope.end.tz_convert(zone).date() + pd.Timedelta(weeks=value)).isoformat()
        for name, value in values.items()
        if value is not None
    }
    late = [name for name, value in values.items() if value is None]
    why = {} if not late else {"why": f"{', '.join(late)}: it takes more than {NEVER} weeks" if found else _little(past)}
    return _figure(
        "weeks_until_done", values, "weeks", definition(weeks_until),
        f"simulated futures until {count} items are done; within p85 weeks 85 % of {DRAWS:,} of them are there",
        past, found, scope, zone, days | why,
    )  # fmt: skip


def outcomes(items: pd.DataFrame, scope: Scope, zone: ZoneInfo, ahead: int = AHEAD) -> pd.DataFrame:
    """What `finished_in` is read from: items, share of the futures that finish exactly so many, reach: at least so many."""
    past = history(items, scope, zone)
    if len(past) < ENOUGH:
        return pd.DataFrame(
            {"items": pd.Series(dtype="int64"), "share": pd.Series(dtype="float64"), "reach": pd.Series(dtype="float64")}
        )
    totals, counts = np.unique(_Past.of(past["items"].to_numpy("float64")).totals(ahead), return_counts=True)
    shares = counts / counts.sum()
    return pd.DataFrame({"items": totals.astype("int64"), "share": shares, "reach": shares[::-1].cumsum()[::-1]})


def finishes(items: pd.DataFrame, scope: Scope, zone: ZoneInfo, count: int) -> pd.DataFrame:
    """What `weeks_until` is read from: weeks, share of the futures that get there in that week, within: by its end.

    Futures that take longer than ten years are in no row, so the last of `within` may be less than one.
    """
    past = history(items, scope, zone)
    if len(past) < ENOUGH or count < 1:
        return pd.DataFrame(
            {"weeks": pd.Series(dtype="int64"), "share": pd.Series(dtype="float64"), "within": pd.Series(dtype="float64")}
        )
    needed = _Past.of(past["items"].to_numpy("float64")).weeks_until(count)
    weeks_, counts = np.unique(needed[np.isfinite(needed)], return_counts=True)
    shares = counts / len(needed)
    return pd.DataFrame({"weeks": weeks_.astype("int64"), "share": shares, "within": shares.cumsum()})


def hit_rate(items: pd.DataFrame, scope: Scope, zone: ZoneInfo, ahead: int = AHEAD) -> Figure:
    """How often such a promise held: the share of past weeks whose 85 % promise for the weeks after it was kept.

    Of the last 30 weeks that had eight whole weeks before them and the promised weeks after them,
    each with what was then known of throughput; p50 and p95: the same of those promises. 0.85 is
    what it should be. Neighbouring promises share most of their weeks: ``said`` has how many do not.
    """
    past = history(items, scope, zone, HISTORY + ORIGINS + ahead)
    counts = past["items"].to_numpy("float64")
    origins = range(max(ENOUGH, len(counts) - ahead - ORIGINS + 1), len(counts) - ahead + 1)
    made = [promises(futures(counts[max(0, at - HISTORY) : at], ahead, TRIES)) for at in origins]
    rows = pd.DataFrame(
        {
            "week": past["week"].iloc[[at - 1 for at in origins]].reset_index(drop=True),
            **{f"p{sure}": pd.Series([one[f"p{sure}"] for one in made], dtype="float64") for sure in SURE},
            "finished": pd.Series([counts[at : at + ahead].sum() for at in origins], dtype="float64"),
        }
    )
    rows = rows.assign(held=rows["finished"] >= rows["p85"])
    held = {f"p{sure}": _share(rows["finished"] >= rows[f"p{sure}"]) for sure in SURE}
    said = {"not overlapping": str(-(-len(rows) // ahead))} if len(rows) else {"why": _little(past, ENOUGH + ahead)}
    return Figure(
        "forecast_hit_rate",
        {"value": held["p85"], **held},
        len(rows),
        "share",
        definition(hit_rate),
        f"promises of at least so many items in {ahead} weeks with 85 %, made at the end of each of {len(rows)} past weeks",
        rows,
        said=said,
    )


def futures(counts: Floats, ahead: int, draws: int = DRAWS) -> Floats:
    """What the coming weeks may finish after weeks with these counts, a number a draw; the same for the same counts."""
    return _Past.of(counts).totals(ahead, draws)


def promises(totals: Floats) -> dict[str, float | None]:
    """The most that 50, 85, 95 % of the totals reach or pass, by nearest rank.

    >>> promises(np.arange(1.0, 101.0))
    {'p50': 51.0, 'p85': 16.0, 'p95': 6.0}
    """
    least = {sure: nearest_rank(-totals, sure / 100) for sure in SURE}
    return {f"p{sure}": None if value is None else abs(value) for sure, value in least.items()}


def history(items: pd.DataFrame, scope: Scope, zone: ZoneInfo, most: int = HISTORY) -> pd.DataFrame:
    """The last whole weeks before now with the items finished in each, also those without any: week, items.

    Beginning after the week of the first finished item: that week may have begun before the records. A row of `items`
    is one of them, or as many as its ``n`` says.
    """
    items = items[items["done_at"] <= scope.end]
    done = items["done_at"]
    if done.empty:
        return pd.DataFrame({"week": pd.Series(dtype="datetime64[us]"), "items": pd.Series(dtype="int64")})
    every = weeks(done.min(), scope.end, zone)
    told = every.loc[every["whole"] & (every.index > 0), "week"].iloc[-most:].reset_index(drop=True)
    mondays = week_starts(done, zone)
    counts = items["n"].groupby(mondays).sum() if "n" in items else mondays.value_counts()
    return pd.DataFrame({"week": told, "items": told.map(counts).fillna(0).astype("int64")})


@dataclass(frozen=True)
class _Past:
    """A history since its last shift that was found, with where its present level may have begun and how likely that is."""

    counts: Floats
    first: int  # place in the whole history
    starts: npt.NDArray[np.int64]
    likely: Floats
    piece: int  # weeks that are drawn together

    @classmethod
    def of(cls, counts: Floats) -> "_Past":
        first = (0, *shifts(counts))[-1]
        return cls(counts[first:], first, *_starts(counts[first:]), _piece(counts[first:]))

    def weights(self) -> Floats:
        """For each week the share of draws that may draw from it."""
        begun = np.zeros(len(self.counts))
        begun[self.starts] = self.likely
        shares: Floats = begun.cumsum() / begun.cumsum()[-1]
        return shares

    def totals(self, ahead: int, draws: int = DRAWS) -> Floats:
        """What that many weeks finish, a number a draw."""
        dice = np.random.default_rng(SEED)
        sums: Floats = self._weeks(ahead, self._pasts(draws, dice), dice).sum(axis=1)
        return sums

    def weeks_until(self, count: int, draws: int = DRAWS) -> Floats:
        """Weeks until that many are done, a number a draw; infinite where it takes longer than NEVER."""
        dice = np.random.default_rng(SEED)
        pasts = self._pasts(draws, dice)
        needed, done = np.full(draws, np.inf), np.zeros(draws)
        step = int(np.clip(np.ceil(count / max(self.counts.mean(), 0.1)), 4, NEVER))
        for before in range(0, NEVER, step):
            sums = done[:, None] + self._weeks(min(step, NEVER - before), pasts, dice).cumsum(axis=1)
            reached = (sums[:, -1] >= count) & np.isinf(needed)
            needed[reached] = before + 1 + (sums[reached] >= count).argmax(axis=1)
            done = sums[:, -1]
            if not np.isinf(needed).any():
                break
        return needed

    def _pasts(self, draws: int, dice: np.random.Generator) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Histories that might have been: pieces drawn from the level that one start gives, and how many of them count.

        One piece fewer than there are: then the spread of their means is that of the weeks, without the bias of few.
        """
        n, piece = len(self.counts), self.piece
        start = np.minimum(dice.choice(self.starts, draws, p=self.likely), n - piece)
        length = n - start
        first = start[:, None] + (dice.random((draws, n // piece)) * (length - piece + 1)[:, None]).astype("int64")
        return self.counts[first[:, :, None] + np.arange(piece)], np.maximum(length // piece - 1, 1)

    def _weeks(self, ahead: int, pasts: tuple[Floats, npt.NDArray[np.int64]], dice: np.random.Generator) -> Floats:
        """That many weeks of each draw."""
        drawn, pieces = pasts
        chosen = (dice.random((len(drawn), -(-ahead // self.piece))) * pieces[:, None]).astype("int64")
        told: Floats = drawn[np.arange(len(drawn))[:, None], chosen].reshape(len(drawn), -1)[:, :ahead]
        return told


def _piece(counts: Floats) -> int:
    """Weeks that are drawn together: one, or several where a week tells of the next; in a rhythm of releases its length."""
    off = counts - counts.mean()
    power = float(off @ off)
    if power <= 0 or len(counts) < ENOUGH:
        return 1
    rho = {lag: float(off[lag:] @ off[:-lag]) / power for lag in range(1, LONGEST + 1)}
    if abs(rho[1] + (1 + 3 * rho[1]) / len(counts)) <= CLEAR / len(counts) ** 0.5:
        return 1
    piece = LONGEST if rho[1] > 0 else max(range(2, LONGEST + 1), key=rho.__getitem__)
    return piece if len(counts) >= 4 * piece else 1


def _starts(counts: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Where the present level may have begun, and how likely: with the first week, or with a shift too weak to be found.

    A shift at some week is before all evidence as likely as none; then by how much better two levels
    fit than one, against the long-run variance.
    """
    level = without_spikes(evened(counts))
    n = len(level)
    places = np.arange(SHORTEST, n - YOUNGEST + 1)
    if not len(places):
        return np.zeros(1, dtype="int64"), np.ones(1)
    sums = level.cumsum()
    before, after = sums[places - 1] / places, (sums[-1] - sums[places - 1]) / (n - places)
    gain = (before - after) ** 2 * places * (n - places) / n
    variance = long_run(residuals(level, (int(places[gain.argmax()]),)), 1)
    evidence = np.concatenate([[0.0], gain / (2 * max(variance, 1e-9)) - np.log(len(places))])
    likely = np.exp(evidence - evidence.max())
    return np.concatenate([[0], places]), likely / likely.sum()


def _figure(
    name: str, values: dict[str, float | None], unit: str, what: str, rule: str,
    past: pd.DataFrame, found: _Past | None, scope: Scope, zone: ZoneInfo, said: dict[str, str],
) -> Figure:  # fmt: skip
    """A figure whose rows are the weeks that were drawn from, with the share of draws that each could be in."""
    running = week_starts(pd.Series([scope.end]), zone)
    running = running[~running.isin(past["week"])] if len(past) else running[:0]
    out = [(running, "the running week")]
    rows = past
    if found:
        out.insert(0, (past["week"].iloc[: found.first], "before the last shift"))
        rows = past.iloc[found.first :].reset_index(drop=True).assign(weight=found.weights())
    left = [pd.DataFrame({"id": days.dt.strftime("%Y-%m-%d").astype("str"), "reason": why}) for days, why in out if len(days)]
    return Figure(
        name, values, len(rows), unit, what, rule, rows,
        pd.concat(left, ignore_index=True) if left else no_rows(), of=len(past), said=said,
    )  # fmt: skip


def _little(past: pd.DataFrame, enough: int = ENOUGH) -> str:
    return LITTLE.format(n=len(past), weeks="week" if len(past) == 1 else "weeks", enough=enough)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _share(held: pd.Series) -> float | None:
    return float(held.mean()) if len(held) else None
