"""Thresholds: what a pipeline fails by, such as `change_fail_rate > 0.15`. No data is no failure unless that is asked for."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from vsm.errors import UsageError

if TYPE_CHECKING:
    from vsm.measure import Measures

SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
WRITTEN = re.compile(
    r"\s*(?P<path>[^<>=!]+?)\s*(?P<sign>>=|<=|>|<)\s*(?P<bar>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(?P<unit>%?)\s*"
)
EXPECTED = "expected such as 'change_fail_rate > 0.15' or 'change_lead_time.p85 > 72' (hours)"
FEW = 12  # names that a sentence still holds
USUAL = ("value", "per_week", "p50", "mean", "now")  # the value that a figure alone means: the first that it has


@dataclass(frozen=True)
class Threshold:
    """A figure, or a path of the report's JSON, that must not be on one side of a bar."""

    text: str
    path: str
    sign: str
    bar: float


@dataclass(frozen=True)
class Verdict:
    """What became of a threshold: the figure's full name, its value and n, and whether it was crossed (None: no data)."""

    threshold: Threshold
    name: str
    value: float | None
    n: int | None
    crossed: bool | None

    @property
    def said(self) -> str:
        """A sentence with the figure, its value, its n and the threshold."""
        seen = "" if self.n is None else f" (n {self.n:,})"
        bar = f"{self.threshold.sign} {self.threshold.bar:g}"
        if self.value is None:
            return f"{self.name} has no data{seen}: nobody can say whether it is {bar}"
        return f"{self.name} is {self.value:.4g}{seen}, which is {'' if self.crossed else 'not '}{bar}"


def read(texts: Iterable[str]) -> list[Threshold]:
    """The thresholds that some texts say. Raises UsageError with all that are none."""
    found, wrong = [], []
    for text in texts:
        told = WRITTEN.fullmatch(text)
        if told is None:
            wrong.append(f"--fail-if {text!r}: {EXPECTED}")
            continue
        bar = float(told["bar"]) / (100 if told["unit"] else 1)
        found.append(Threshold(text, told["path"], told["sign"], bar))
    if wrong:
        raise UsageError("\n  ".join(wrong))
    return found


def judged(thresholds: Sequence[Threshold], measures: "Measures", report: dict[str, Any]) -> list[Verdict]:
    """What becomes of each threshold. Raises UsageError for a name that is neither a figure's nor a path of the report."""
    return [_judged(one, measures, report) for one in thresholds]


def _judged(one: Threshold, measures: "Measures", report: dict[str, Any]) -> Verdict:
    found, why = _by_figure(one.path, measures)
    if found is None:
        found, otherwise = _by_path(one.path, report)
        why = why or otherwise
    if found is None:
        raise UsageError(f"--fail-if {one.text!r}: {why}")
    name, value, n = found
    return Verdict(one, name, value, n, None if value is None else SIGNS[one.sign](value, one.bar))


Found = tuple[str, float | None, int | None]


def _by_figure(path: str, measures: "Measures") -> tuple[Found | None, str]:
    """A value of a figure as `vsm explain` names it; else why there is none, empty where no figure has the name."""
    whole, why = path if ":" in path else path.replace("-", "_"), ""
    for name, key in ((whole, ""), *_split(whole)):
        try:
            figure = measures.figure(name.removesuffix("_per_week"))
        except ValueError as error:
            why = why or str(error)
            continue
        if figure is None:
            continue
        values = figure.values | {"n": float(figure.n)}
        key = key or next((usual for usual in USUAL if usual in values), "")
        if key in values:
            return (f"{name}.{key}", values[key], figure.n), ""
        near = f"expected {name} with one of {_few([f'.{known}' for known in values])}"
        return None, f"{name} has no value {key!r}; {near}" if key else near
    return None, why


def _few(names: list[str]) -> str:
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


def _split(path: str) -> list[tuple[str, str]]:
    """A path as name and value, at its first or a later dot."""
    return [(path[:place], path[place + 1 :]) for place, sign in enumerate(path) if sign == "."]


def _by_path(path: str, report: dict[str, Any]) -> tuple[Found | None, str]:
    """A number of the report: keys with dots between; of a list the row that has the word in its first column. Else why none."""
    node: Any = report
    holder: Any = None
    for word in path.split("."):
        holder, node = node, _below(node, word)
        if node is MISSING:
            return None, f"no figure {path!r}{_near(path, holder)}; `vsm explain` lists them"
    if isinstance(node, bool) or not (node is None or isinstance(node, (int, float))):
        return None, f"{path} is no number of the report{_near('', node)}"
    n = holder.get("n") if isinstance(holder, dict) else None
    return (path, None if node is None else float(node), n), ""


MISSING = object()


def _below(node: Any, word: str) -> Any:
    if isinstance(node, dict):
        return node.get(word, MISSING)
    if isinstance(node, list):
        return next((row for row in node if isinstance(row, dict) and next(iter(row.values()), None) == word), MISSING)
    return MISSING


def _near(word: str, holder: Any) -> str:
    """The names that may have been meant."""
    from vsm.figures import names

    known = [str(key) for key in holder] if isinstance(holder, dict) else []
    if isinstance(holder, list):
        known = [str(next(iter(row.values()), "")) for row in holder if isinstance(row, dict)]
    if not word:
        return f"; expected one of {_few([f'.{key}' for key in known])}" if known else ""
    near = get_close_matches(word.rpartition(".")[2], [*known, *names()], n=3) or get_close_matches(word, [*names()], n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def row(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the report tells it."""
    told = {"threshold": verdict.threshold.text, "figure": verdict.name}
    return {**told, "value": verdict.value, "n": verdict.n, "crossed": verdict.crossed}
