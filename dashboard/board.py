"""The board: where every item stands now, as lists of cards. Frames in, HTML out; every text is escaped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict
from urllib.parse import urlsplit

from dashboard import theme
from dashboard.svg import escaped

MOST = 12  # cards of a column: more nobody reads; the oldest are shown


class Card(TypedDict):
    """One item as `vsm.board` tells it. Hours since its first stage and in this one; old: longer in it than 85 % were."""

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


@dataclass(frozen=True)
class Column:
    """One stage: how many items are in it (``count``), how many may be (``limit``), and their cards, the oldest first."""

    name: str
    count: int
    team: str | None = None
    limit: int | None = None
    cards: Sequence[Card] = field(default_factory=tuple)

    @property
    def over_limit(self) -> bool:
        """Whether more is in it than its limit allows."""
        return self.limit is not None and self.count > self.limit


def board_html(columns: Sequence[Column], new: int | None = None, most: int = MOST, of: str = "") -> str:
    """The board as HTML: a section a stage with its cards as a list. `new`: how many items are not committed to yet.

    `of`: whose board it is, where a page has several: a screen reader tells them apart by it.

    Styled by `CSS`, which uses Streamlit's variables. A column names its `most` oldest cards and counts the others.
    """
    if not columns:
        return '<p class="nothing">No stages to show: nothing that happened here belongs to a stage.</p>'
    backlog = "" if new is None else _section("Not started", theme.many(new, "item"), None, "", "quiet")
    stages = "".join(_stage(column, most) for column in columns)
    name = escaped(f"Board of {of}: where items stand now" if of else "Board: where items stand now")
    return f'<div class="board" tabindex="0" role="region" aria-label="{name}">{backlog}{stages}</div>'


def _stage(column: Column, most: int) -> str:
    count = f"{column.count:,} of {column.limit:,}" if column.limit is not None else theme.many(column.count, "item")
    cards = "".join(_card(card) for card in column.cards[:most])
    more = len(column.cards) - most
    rest = f'<p class="more">and {more:,} more, not as old</p>' if more > 0 else ""
    body = f"<ul>{cards}</ul>{rest}" if cards else '<p class="nothing">empty</p>'
    over = f'<p class="over"><span aria-hidden="true">▲</span> over its limit of {column.limit:,}</p>' if column.over_limit else ""
    return _section(column.name, count, column.team, over + body, "full" if column.over_limit else "")


def _section(name: str, count: str, team: str | None, body: str, kind: str) -> str:
    who = f'<p class="team">{escaped(team)}</p>' if team else ""
    head = f'<header><h3 title="{escaped(name)}">{escaped(name)}</h3><p class="count">{escaped(count)}</p></header>'
    return f'<section class="{kind}">{head}{who}{body}</section>'


def _card(card: Card) -> str:
    """A card: which item, what kind, waiting or worked on, for how long here and in all, and what is unusual about it."""
    title = f'<p class="title" title="{escaped(card["title"])}">{escaped(card["title"])}</p>' if card["title"] else ""
    state, mark = ("in work", "●") if card["working"] else ("waiting", "○")
    about = " · ".join(escaped(part) for part in (card["type"], card.get("team")) if part)
    marks = "".join(
        f'<span class="{kind}"><span aria-hidden="true">{sign}</span> {word}</span>' for kind, sign, word in _marks(card)
    )
    return (
        f'<li class="{"work" if card["working"] else "wait"}">'
        f'<p class="key">{_key(card)}<span class="state"><span aria-hidden="true">{mark}</span> {state}</span></p>'
        f"{title}"
        + (f'<p class="about">{about}</p>' if about else "")
        + f'<p class="age"><b>{escaped(theme.duration(card["in_stage_hours"]))}</b> here, '
        f"{escaped(theme.duration(card['age_hours']))} in all</p>" + (f'<p class="marks">{marks}</p>' if marks else "") + "</li>"
    )


def _marks(card: Card) -> Iterable[tuple[str, str, str]]:
    if card.get("blocked"):
        yield "blocked", "■", "blocked"
    if card.get("old"):
        yield "old", "▲", "older than usual here"


def _key(card: Card) -> str:
    """The key, as a link where the source gives one that a browser may follow."""
    key, url = escaped(card["key"]), card["url"]
    if url is None or not _may_follow(url):
        return f'<span class="name">{key}</span>'
    return f'<a class="name" href="{escaped(url)}" target="_blank" rel="noopener noreferrer">{key}</a>'


def _may_follow(url: str) -> bool:
    """Only addresses of the web: one that runs a script is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


CSS = """
.board { display: flex; gap: 12px; overflow-x: auto; padding: 2px 2px 10px; align-items: flex-start;
  font-family: var(--st-font); color: var(--st-text-color); font-size: 14px; line-height: 1.35; }
.board:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; border-radius: 10px; }
.board p, .board h3, .board ul { margin: 0; padding: 0; }
section { flex: 1 0 196px; max-width: 320px; background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: 10px; padding: 10px; box-sizing: border-box; }
section.full { border: 2px solid var(--st-red-text-color); padding: 9px; }
section.quiet { flex: 0 0 132px; background: transparent; border-style: dashed; }
section.quiet header { flex-direction: column; gap: 2px; }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 8px; }
h3 { font-size: 15px; font-weight: 650; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.count { font-weight: 600; white-space: nowrap; font-variant-numeric: tabular-nums; }
.team, .about, .more, .nothing { color: var(--st-gray-text-color); font-size: 13px; }
.about, .team { overflow-wrap: anywhere; }
.over { color: var(--st-red-text-color); font-size: 13px; font-weight: 600; margin-top: 2px !important; }
.more, .nothing { margin-top: 8px !important; }
ul { list-style: none; display: flex; flex-direction: column; gap: 8px; margin-top: 10px !important; }
li { background: var(--st-background-color); border: 1px solid var(--st-border-color); border-radius: 8px; padding: 8px 10px; }
li.work { border-left: 4px solid var(--st-blue-color); }
li.wait { border-left: 4px dashed var(--st-orange-color); }
.key { display: flex; justify-content: space-between; gap: 8px; }
.name { font-weight: 650; overflow-wrap: anywhere; }
a.name { color: var(--st-link-color); text-underline-offset: 2px; }
a.name:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.state { white-space: nowrap; font-size: 13px; color: var(--st-gray-text-color); }
.title { overflow: hidden; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow-wrap: anywhere; }
.age { font-size: 13px; font-variant-numeric: tabular-nums; }
.marks { display: flex; flex-wrap: wrap; gap: 2px 10px; font-size: 13px; font-weight: 600; }
.blocked { color: var(--st-red-text-color); }
.old { color: var(--st-orange-text-color); }
"""
