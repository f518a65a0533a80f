"""The board: where every item stands now, as lists of cards. Frames in, HTML out; every text is escaped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict
from urllib.parse import urlsplit

from dashboard import theme
from dashboard.svg import escaped

MOST = 12  # cards of a column: more nobody reads; the oldest are shown


class Card(TypedDict):
    """One item as `vsm.board` tells it. Hours since its first stage and in this one; old: longer in it than 85 % were.

    rank: the share of stays that were shorter; status: its tracker's, where that belongs to no stage; said: in place of its ages.
    """

    key: str
    title: str | None
    type: str | None
    age_hours: float
    in_stage_hours: float
    working: bool
    url: str | None
    blocked: NotRequired[bool]
    old: NotRequired[bool]
    team: NotRequired[str | None]
    rank: NotRequired[float | None]
    quiet_hours: NotRequired[float | None]
    status: NotRequired[str | None]
    said: NotRequired[str]


@dataclass(frozen=True)
class Column:
    """One stage: how many items are in it (``count``), how many may be (``limit``), and their cards, the oldest first.

    ``usual``: the hours within which 85 % leave it; ``older``: how many are there longer; ``found``: how many of it are asked
    for, of which ``cards`` are the first.
    """

    name: str
    count: int
    team: str | None = None
    limit: int | None = None
    cards: Sequence[Card] = field(default_factory=tuple)
    usual: float | None = None
    older: int = 0
    found: int | None = None

    @property
    def over_limit(self) -> bool:
        """Whether more is in it than its limit allows."""
        return self.limit is not None and self.count > self.limit

    @property
    def asked(self) -> int:
        """How many cards are asked for."""
        return len(self.cards) if self.found is None else self.found


@dataclass(frozen=True)
class Lane:
    """A lane across all stages: its name, how many items it has, and by stage how many those are and the first of them."""

    name: str
    count: int
    cells: Sequence[tuple[int, Sequence[Card]]]


@dataclass(frozen=True)
class Aside:
    """What stands beside the stages: how many, which of them, and what is to be said or done about it."""

    name: str
    count: int
    cards: Sequence[Card] = ()
    said: Sequence[str] = ()
    warn: bool = False


def board_html(
    columns: Sequence[Column],
    new: int | None = None,
    most: int = MOST,
    lanes: Sequence[Lane] = (),
    asides: Sequence[Aside] = (),
    of: str = "",
) -> str:
    """The board as HTML: a section a stage with its cards as a list. `new`: how many items are not committed to yet.

    `of`: whose board it is, where a page has several: a screen reader tells them apart by it.
    With `lanes` the stages' heads stand above, and a row of cells for each lane. Styled by `CSS`, which uses Streamlit's
    variables. A column names its `most` oldest cards and counts the others.
    """
    if not columns:
        return '<p class="nothing">No stages to show: nothing that happened here belongs to a stage.</p>'
    before = [] if new is None else [_section("Not started", theme.many(new, "item"), "", "quiet")]
    stages = [_stage(column, most, bare=bool(lanes)) for column in columns]
    beside = [] if lanes else [_aside(one) for one in asides]
    rows = _columns(_shape(len(before), len(beside) + len(columns)), [*before, *beside, *stages])
    rows += "".join(_lane(lane, columns, len(before)) for lane in lanes)
    if lanes and asides:
        rows += '<h3 class="lane">Beside the stages</h3>' + _columns(_shape(0, len(asides)), map(_aside, asides))
    name = escaped(f"Board of {of}: where items stand now" if of else "Board: where items stand now")
    return f'<div class="board" tabindex="0" role="region" aria-label="{name}">{rows}</div>'


def _shape(narrow: int, wide: int) -> str:
    return " ".join(["132px"] * narrow + [f"repeat({wide}, minmax(196px, 1fr))"] * bool(wide))


def _columns(shape: str, sections: Iterable[str]) -> str:
    return f'<div class="columns" style="grid-template-columns: {shape}">{"".join(sections)}</div>'


def _stage(column: Column, most: int, bare: bool) -> str:
    count = f"{column.count:,} of {column.limit:,}" if column.limit is not None else theme.many(column.count, "item")
    lines = [f'<p class="team">{escaped(column.team)}</p>' if column.team else ""]
    if column.over_limit:
        over = f"over its limit of {column.limit:,}"
        lines.append(f'<p class="over"><span aria-hidden="true">▲</span> {escaped(over)}</p>')
    if column.usual is not None:
        older = f"; {column.older:,} here longer" if column.older else ""
        lines.append(f'<p class="usual">85 % leave within {escaped(theme.duration(column.usual))}{older}</p>')
    if column.asked < column.count and column.found is not None:
        lines.append(f'<p class="usual">{column.asked:,} of {column.count:,} match</p>')
    body = "" if bare else _list(column.cards[:most], column.asked, "none of them" if column.asked < column.count else "empty")
    return _section(column.name, count, "".join(lines) + body, "full" if column.over_limit else "")


def _list(cards: Sequence[Card], count: int, empty: str = "empty", rest: str = "more, not as old") -> str:
    """Cards as a list, and how many more there are."""
    more = count - len(cards)
    rest = f'<p class="more">and {more:,} {rest}</p>' if more > 0 and cards else ""
    return f"<ul>{''.join(map(_card, cards))}</ul>{rest}" if cards else f'<p class="nothing">{empty}</p>'


def _section(name: str, count: str, body: str, kind: str) -> str:
    head = f'<header><h3 title="{escaped(name)}">{escaped(name)}</h3><p class="count">{escaped(count)}</p></header>'
    return f'<section class="{kind}">{head}{body}</section>'


def _aside(told: Aside) -> str:
    lines = "".join(f'<p class="hint">{escaped(line)}</p>' for line in told.said)
    body = lines + (_list(told.cards, told.count, rest="more") if told.cards else "")
    return _section(told.name, theme.many(told.count, "item"), body, "quiet lost" if told.warn else "quiet")


def _lane(lane: Lane, columns: Sequence[Column], before: int) -> str:
    """A lane: its name, then a cell a stage. Each cell's list is named by stage and lane, since both heads stand elsewhere."""
    cells = "".join(
        f'<div class="cell" role="group" aria-label="{escaped(f"{lane.name}, {column.name}: {count:,}")}">'
        f"{_list(cards, count) if count else _NONE}</div>"
        for column, (count, cards) in zip(columns, lane.cells, strict=True)
    )
    gap = ["<div></div>"] * before
    head = f'<h3 class="lane">{escaped(lane.name)} <span class="count">{escaped(theme.many(lane.count, "item"))}</span></h3>'
    return head + _columns(_shape(before, len(columns)), [*gap, cells])


_NONE = '<p class="none"><span aria-hidden="true">·</span></p>'


def _card(card: Card) -> str:
    """A card: which item, what kind, waiting or worked on, for how long here and in all, and what is unusual about it."""
    title = f'<p class="title" title="{escaped(card["title"])}">{escaped(card["title"])}</p>' if card["title"] else ""
    about = " · ".join(escaped(part) for part in (card["type"], card.get("team")) if part)
    marks = "".join(
        f'<span class="{kind}"><span aria-hidden="true">{sign}</span> {escaped(word)}</span>' for kind, sign, word in _marks(card)
    )
    kind, state = "aside", ""
    if "said" not in card:
        kind, said, mark = ("work", "in work", "●") if card["working"] else ("wait", "waiting", "○")
        state = f'<span class="state"><span aria-hidden="true">{mark}</span> {said}</span>'
    return (
        f'<li class="card {kind}"><p class="key">{_key(card)}{state}</p>{title}'
        + (f'<p class="about">{about}</p>' if about else "")
        + _age(card)
        + (f'<p class="marks">{marks}</p>' if marks else "")
        + "</li>"
    )


def _age(card: Card) -> str:
    if "said" in card:
        return f'<p class="age">{escaped(card["said"])}</p>'
    here, whole = theme.duration(card["in_stage_hours"]), theme.duration(card["age_hours"])
    return (
        f'<p class="age"><b>{escaped(here)}</b> here, {escaped(whole)} in all</p>{_gauge(card.get("rank"), bool(card.get("old")))}'
    )


def _gauge(rank: float | None, old: bool) -> str:
    """How long it has been here beside those that left: a bar with a mark at 85 %; in words where it is unusual."""
    if rank is None:
        return ""
    said = f"longer here than {rank:.0%} of those that left"
    bar = f'<span class="gauge{" late" if old else ""}" aria-hidden="true"><i style="width: {rank:.0%}"></i></span>'
    return f'<p class="rank" title="{said}">{bar}<span class="only-read">{said}</span></p>'


def _marks(card: Card) -> Iterable[tuple[str, str, str]]:
    if card.get("blocked"):
        yield "blocked", "■", "blocked"
    if card.get("old"):
        yield "old", "▲", "older than usual here"
    quiet = card.get("quiet_hours")
    if quiet is not None and quiet >= 7 * 24:
        yield "still", "◌", f"nothing for {theme.duration(quiet)}"
    if card.get("status"):
        yield "old", "?", f"its status “{card['status']}” is in no stage"


def _key(card: Card) -> str:
    """The key, which opens the item's path; beside it its tracker, where the source gives an address that a browser may follow."""
    key, url = escaped(card["key"]), card["url"]
    opens = f'<button type="button" class="name" data-item="{key}">{key}<span class="only-read">: open its path</span></button>'
    if url is None or not may_follow(url):
        return opens
    said = f'<span aria-hidden="true">↗</span><span class="only-read">{key} at its source</span>'
    return opens + f'<a class="out" href="{escaped(url)}" target="_blank" rel="noopener noreferrer">{said}</a>'


def may_follow(url: str) -> bool:
    """Only addresses of the web: one that runs a script is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


CSS = """
.board { overflow-x: auto; position: relative; padding: 2px 2px 10px; container-type: inline-size;
  font-family: var(--st-font); color: var(--st-text-color); font-size: 14px; line-height: 1.35; }
.board:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; border-radius: 10px; }
.board p, .board h3, .board ul { margin: 0; padding: 0; }
.columns { display: grid; gap: 12px; align-items: start; }
section { background: var(--st-secondary-background-color); min-width: 0;
  border: 1px solid var(--st-border-color); border-radius: 10px; padding: 10px; box-sizing: border-box; }
section.full { border: 2px solid var(--st-red-text-color); padding: 9px; }
section.quiet { background: transparent; border-style: dashed; }
section.quiet header { flex-direction: column; gap: 2px; }
section.lost { border: 2px dashed var(--st-orange-text-color); }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 8px; }
h3 { font-size: 15px; font-weight: 650; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
h3.lane { margin: 14px 0 6px !important; position: sticky; left: 0; width: fit-content; max-width: 100cqw; }
h3.lane .count { color: var(--st-gray-text-color); font-weight: 400; padding-left: 6px; }
.cell { border-top: 1px solid var(--st-border-color); padding-bottom: 4px; min-width: 0; }
.none { color: var(--st-gray-text-color); text-align: center; padding-top: 6px !important; }
.count { font-weight: 600; white-space: nowrap; font-variant-numeric: tabular-nums; }
.team, .about, .more, .nothing, .usual, .hint { color: var(--st-gray-text-color); font-size: 13px; overflow-wrap: anywhere; }
.hint { margin-top: 6px !important; }
.over { color: var(--st-red-text-color); font-size: 13px; font-weight: 600; margin-top: 2px !important; }
.more, .nothing { margin-top: 8px !important; }
ul { list-style: none; display: flex; flex-direction: column; gap: 8px; margin-top: 10px !important; }
.card { background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: 8px;
  padding: 8px 10px; cursor: pointer; min-width: 0; }
.card:hover { border-color: var(--st-primary-color); }
.card.work { border-left: 4px solid var(--st-blue-color); }
.card.wait { border-left: 4px dashed var(--st-orange-color); }
.card:has(.name:focus-visible) { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.key { display: flex; align-items: center; gap: 4px; }
.name { all: unset; font-weight: 650; overflow-wrap: anywhere; min-width: 0; min-height: 24px; cursor: pointer;
  color: var(--st-link-color); display: inline-flex; align-items: center; }
.name:hover { text-decoration: underline; text-underline-offset: 2px; }
.out { color: var(--st-gray-text-color); text-decoration: none; min-width: 24px; min-height: 24px; display: inline-flex;
  align-items: center; justify-content: center; border-radius: 6px; flex: none; }
.out:hover { color: var(--st-link-color); }
.out:focus-visible { outline: 2px solid var(--st-primary-color); }
.state { white-space: nowrap; font-size: 13px; color: var(--st-gray-text-color); margin-left: auto; }
.title { overflow: hidden; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow-wrap: anywhere; }
.age { font-size: 13px; font-variant-numeric: tabular-nums; }
.rank { padding: 3px 0 2px !important; line-height: 0; }
.gauge { display: block; height: 4px; border-radius: 2px; background: var(--st-border-color); position: relative; }
.gauge::after { content: ""; position: absolute; left: 85%; top: -2px; height: 8px; width: 2px;
  background: var(--st-gray-text-color); }
.gauge i { display: block; height: 100%; border-radius: 2px; background: var(--st-gray-text-color); }
.gauge.late i { background: var(--st-orange-text-color); }
.marks { display: flex; flex-wrap: wrap; gap: 2px 10px; font-size: 13px; font-weight: 600; overflow-wrap: anywhere; }
.blocked { color: var(--st-red-text-color); }
.old { color: var(--st-orange-text-color); }
.still { color: var(--st-gray-text-color); }
.only-read { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
"""
