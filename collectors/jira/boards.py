"""What a board says of the stages: its columns, as lines for vsm.toml that a person can paste and change."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.base import CollectorError
from collectors.courses import Course
from collectors.jira.client import Client, Misread, NotThere
from collectors.jira.settings import Settings
from collectors.jira.site import Site

# Words at the beginning of a status or column in which work waits for somebody, and of statuses that give work up.
WAITS = re.compile(
    r"(ready|to[ -]?do|waiting|awaiting|pending|queued?|selected|backlog|open|new|on hold|blocked|待|等待)", re.IGNORECASE
)
GIVEN_UP = re.compile(
    r"cancel|won'?t|rejected|declined|abandoned|obsolete|duplicate|invalid|withdrawn|discarded|取消|拒绝|abgebrochen|abgelehnt|verworfen",
    re.IGNORECASE,
)
FOR = re.compile(r"^(?:ready|waiting|awaiting|pending)(?: for| to)? ", re.IGNORECASE)
NEW, DONE = "new", "done"  # Jira's own words for the categories; what is neither is under way
BOARDS = 50


@dataclass
class Column:
    """A column of a board: names of statuses with their categories."""

    name: str
    statuses: list[tuple[str, str]]


@dataclass
class Stream:
    """A stream as it is proposed."""

    name: str
    projects: Sequence[str]
    new: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    stages: list[tuple[str, list[str], list[str]]] = field(default_factory=list)


def proposal(client: Client, told: Settings) -> str:
    """Streams and stages for vsm.toml, empty where there is nothing to go by. Raises CollectorError."""
    site = Site()
    site.learn(client, None)
    streams = [stream for stream in _streams(client, told, site) if stream.stages or stream.done]
    return "\n".join(line for stream in streams for line in _lines(stream))


def stream(name: str, projects: Sequence[str], columns: Iterable[Column], others: Iterable[tuple[str, str]]) -> Stream:
    """A stream of a board's columns, and of the statuses that its projects have beside them.

    A column in which work only waits goes with the next one, which it waits for; the first one is the backlog.
    """
    made, taken = Stream(name, projects), set[str]()
    held: list[tuple[str, list[str]]] = []
    for column in columns:
        own = [(status, category) for status, category in _once(column.statuses) if _same(status) not in taken]
        taken |= {_same(status) for status, _ in own}
        made.cancelled += [status for status, category in own if category == DONE and GIVEN_UP.search(status)]
        made.done += [status for status, category in own if category == DONE and not GIVEN_UP.search(status)]
        open_ones = [(status, category) for status, category in own if category != DONE]
        waiting = [status for status, category in open_ones if category == NEW or WAITS.match(status) or WAITS.match(column.name)]
        active = [status for status, _ in open_ones if status not in waiting]
        if waiting and not active and not made.stages and not held and all(category == NEW for _, category in open_ones):
            made.new += waiting
        elif waiting and not active:
            held.append((column.name, waiting))
        elif active:
            made.stages.append((column.name, [status for _, some in held for status in some] + waiting, active))
            held = []
    made.stages += [(name, some, []) for name, some in held]
    for status, category in _once(others):
        if _same(status) not in taken:
            place = {NEW: made.new, DONE: made.cancelled if GIVEN_UP.search(status) else made.done}.get(category)
            if place is not None:
                place.append(status)
            elif WAITS.match(status):
                made.stages.append((status, [status], []))
            else:
                made.stages.append((status, [], [status]))
    made.stages = list(_apart(made.stages))
    return made


def _once(statuses: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Statuses by name: projects may have their own of the same name."""
    return list({_same(status): (status, category) for status, category in reversed(list(statuses))}.values())[::-1]


def _apart(stages: Iterable[tuple[str, list[str], list[str]]]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Stages with names that differ."""
    taken: set[str] = set()
    for name, waiting, active in stages:
        number, own = 1, name
        while own in taken:
            number += 1
            own = f"{name} {number}"
        taken.add(own)
        yield own, waiting, active


def _streams(client: Client, told: Settings, site: Site) -> Iterator[Stream]:
    boards = list(_boards(client, told))
    served: set[str] = set()
    for board in boards:
        projects = _projects(board) or (told.projects if len(told.projects) == 1 else ())
        if not told.boards and served & set(projects):
            continue  # one board a project, the first: an issue is in one stage at a time
        served |= set(projects)
        columns = _columns(client, board, site)
        yield stream(str(board["name"]), projects, columns, _statuses(client, projects))
    for project in told.projects:
        if not told.boards and project not in served:
            yield stream(project, [project], [], _statuses(client, [project]))


def _boards(client: Client, told: Settings) -> Iterator[Mapping[str, Any]]:
    """The boards that are named, else those of the projects."""
    if not told.boards:
        for project in told.projects:
            try:
                yield from _listed(client, {"projectKeyOrId": project})
            except (NotThere, Misread):
                continue  # a Jira without boards, or a project without
        return
    by_name: dict[str, Mapping[str, Any]] = {}
    for wanted in told.boards:
        if wanted.isdigit():
            yield client.get(f"board/{wanted}", agile=True)
            continue
        by_name = by_name or {_same(str(board["name"])): board for board in _listed(client, {})}
        if _same(wanted) not in by_name:
            raise CollectorError(f"{client.host}: no board is called {wanted!r}; its number is in its address (rapidView=…)")
        yield by_name[_same(wanted)]


def _listed(client: Client, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    start, course = 0, Course(f"{client.host}: the list of boards")
    while True:
        answer = client.get("board", {**asked, "startAt": start, "maxResults": BOARDS}, agile=True)
        some = answer.get("values") or []
        yield from some
        start += len(some)
        if not some or answer.get("isLast", True) is True:
            return
        course.page(some)


def _projects(board: Mapping[str, Any]) -> tuple[str, ...]:
    key = (board.get("location") or {}).get("projectKey")
    return (str(key),) if key else ()


def _columns(client: Client, board: Mapping[str, Any], site: Site) -> list[Column]:
    told = client.get(f"board/{board['id']}/configuration", agile=True)
    found = []
    for column in (told.get("columnConfig") or {}).get("columns") or ():
        ids = [str(status.get("id")) for status in column.get("statuses") or ()]
        statuses = [(site.statuses[key][0], site.statuses[key][1]) for key in ids if key in site.statuses]
        found.append(Column(str(column.get("name")), statuses))
    return found


def _statuses(client: Client, projects: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The statuses that a project's issues can have."""
    for project in projects:
        try:
            kinds = client.list(f"project/{project}/statuses")
        except (NotThere, Misread):
            continue
        for kind in kinds:
            for status in kind.get("statuses") or ():
                yield str(status["name"]), str((status.get("statusCategory") or {}).get("key") or "")


def _lines(told: Stream) -> Iterator[str]:
    yield "[[streams]]"
    yield f"name = {_toml(told.name)}"
    for key in ("projects", "new", "done", "cancelled"):
        if values := list(getattr(told, key)):
            yield f"{key} = {_toml(values)}"
    yield ""
    for name, waiting, active in told.stages:
        yield "[[streams.stages]]"
        yield f"name = {_toml(name)}"
        if waiting:
            yield f"waiting = {_toml(waiting)}"
        if active:
            yield f"active = {_toml(active)}"
        yield ""


def _toml(value: Any) -> str:
    """A text or a list of texts; JSON's are TOML's, too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _same(name: str) -> str:
    return name.casefold()
