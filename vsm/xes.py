"""The log as cases (XES, IEEE 1849): a trace an item, for each visit the start and the completion of its work.

A visit that never started has its completion alone, one that only waits still has `schedule`; nothing is made up.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pandas as pd

from vsm.frames import looked_up, text
from vsm.ocel_json import rows
from vsm.taken import Taken

# What XML cannot hold, not even escaped.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xes.features="nested-attributes" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
<global scope="trace"><string key="concept:name" value="-"/></global>
<global scope="event"><string key="concept:name" value="-"/><date key="time:timestamp" value="1970-01-01T00:00:00Z"/>\
<string key="lifecycle:transition" value="complete"/></global>
<classifier name="Stage" keys="concept:name"/>
<classifier name="Stage and lifecycle" keys="concept:name lifecycle:transition"/>
<string key="lifecycle:model" value="standard"/>
"""
ABOUT_ITEM = ("title", "type", "stream", "application", "team", "state", "url")
# Keys of an event, and whether they are times.
EVENT = {
    "concept:name": False, "time:timestamp": True, "lifecycle:transition": False, "org:resource": False, "org:group": False,
    "visit": False, "queued": True, "left": True,
}  # fmt: skip


def log(taken: Taken) -> pd.DataFrame:
    """case and EVENT: the events of every trace, each trace in the order of time; what is equal as the visits stand."""
    visits = taken.visits.reset_index(drop=True)
    told = {"concept:name": visits["stage"], "org:resource": taken.shown(visits["actor"]), "org:group": visits["team"]}
    told |= {"case": visits["item"], "visit": visits["seq"].astype("str"), "queued": visits["queued"], "left": visits["left"]}
    done = visits["finished"].where(visits["started"].notna(), visits["left"])
    waits = visits["queued"].where(visits["started"].isna() & done.isna())
    parts = [
        pd.DataFrame({**told, "time:timestamp": at, "lifecycle:transition": text(word, visits.index), "row": visits.index})[
            at.notna()
        ]
        for word, at in (("schedule", waits), ("start", visits["started"]), ("complete", done))
    ]
    every = pd.concat(parts).sort_values(["row", "time:timestamp"], kind="stable")
    order = every.sort_values(["case", "time:timestamp", "row"], kind="stable", ignore_index=True)
    return order[["case", *EVENT]]


def write(taken: Taken, path: Path) -> dict[str, int]:
    """Write the log; returns how many traces and events it has."""
    events = log(taken)
    cases = pd.Series(events["case"].unique())
    items = taken.items.drop_duplicates("item").set_index("item")
    about = pd.DataFrame({"case": cases} | {name: looked_up(cases, items[name]) for name in ABOUT_ITEM})
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write(HEAD)
        for told, (_, some) in zip(rows(about), groupby(rows(events), key=lambda row: row[0]), strict=True):
            out.writelines(_trace(told, (row[1:] for row in some)))
        out.write("</log>\n")
    return {"traces": len(cases), "events": len(events)}


def _trace(about: tuple[Any, ...], events: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    yield (
        "<trace>"
        + "".join(_attribute(name, value) for name, value in zip(("concept:name", *ABOUT_ITEM), about, strict=True))
        + "\n"
    )
    for row in events:
        told = zip(EVENT.items(), row, strict=True)
        yield "<event>" + "".join(_attribute(name, value, is_time) for (name, is_time), value in told) + "</event>\n"
    yield "</trace>\n"


def _attribute(key: str, value: str | None, is_time: bool = False) -> str:
    if value is None:
        return ""
    return f"<{'date' if is_time else 'string'} key={quoteattr(key)} value={quoteattr(harmless(value))}/>"


def harmless(value: str) -> str:
    """A text as XML can hold it: a character that it cannot is shown as one that is missing.

    >>> harmless("bell\\x07, tab\\t, \\U0001f600")
    'bell\\ufffd, tab\\t, 😀'
    """
    return FORBIDDEN.sub("\ufffd", value)
