"""`vsm path KEY`: the whole path of one item, for a terminal or a program."""

import json
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

import click

from vsm.cli import common
from vsm.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from vsm.path import Path


@click.command()
@click.argument("key")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--to", "end", metavar="WHEN", help="As things were then: a date or an instant. [default: the newest fact]")
@common
def path(key: str, form: str, end: str | None, store: str, config: File | None) -> None:
    """Everything that happened to one item: its waiting and work, changes, builds, deployments and incidents.

    KEY is a ticket's key or a change's id (repository#12). That of a part, or of a change of a ticket, leads to the whole.
    """
    from vsm import config as configuration
    from vsm import path as paths
    from vsm import pipeline
    from vsm import store as stores
    from vsm.scope import instant

    told = configuration.load(config)
    with stores.opened(store, create=False) as engine:
        facts, harvested = stores.facts(engine), stores.filled_at(stores.harvests(engine))
    try:
        flow = pipeline.read(facts, told, instant(end, told.zone, last=True) if end else None, harvested)
    except ValueError as error:
        raise UsageError(str(error)) from None
    found = paths.path(flow, key)
    if found is None:
        raise UsageError(f"no item {key!r}; expected a ticket's key, such as PAY-12, or a change's id, such as shop#7")
    written = json.dumps(document(found), indent=2, ensure_ascii=False) + "\n" if form == "json" else text(found, told.timezone)
    click.echo(written, nl=False)


def document(found: "Path") -> dict[str, Any]:
    """A path as a document: what it is, its hours by kind, spans, events and related tickets; null where nothing is known."""
    about = {
        name: _plain(found.about.get(name)) for name in ("kind", "title", "type", "state", "stage", "team", "application", "url")
    }
    frames = {name: _records(getattr(found, name)) for name in ("spans", "events", "related")}
    return {
        "item": found.key,
        "asked": found.asked,
        "stream": found.stream,
        **about,
        "now": _plain(found.now),
        "hours": found.hours,
        **frames,
    }


def text(found: "Path", zone: str) -> str:
    """A path for a terminal, times in the reporting zone."""
    from vsm.words import duration

    about = found.about
    state = " ".join(filter(None, [about.get("state"), f"in {about['stage']}" if about.get("stage") else ""]))
    named = [about.get("title"), about.get("type"), found.stream and f"stream {found.stream}", state]
    spent = ", ".join(f"{kind} {duration(hours)}" for kind, hours in found.hours.items()) or "nothing is known of it"
    own = found.spans[found.spans["lane"].isin(["ticket", "blocked"])]
    lines = [
        f"{found.key}  {' · '.join(filter(None, named))}",
        f"Hours:  {spent}",
        "",
        "STAGES",
        *(
            f"  {_at(row['from'], zone)}  {duration(row['hours']):>8}  {row['kind']:<8} {row['name']}"
            for row in own.to_dict("records")
        ),
        "",
        f"EVENTS ({len(found.events)}, times in {zone})",
        *(f"  {_at(row['at'], zone)}  {row['lane']:<10} {_said(row)}" for row in found.events.to_dict("records")),
    ]
    return "\n".join(_one_line(line) for line in lines) + "\n"


def _said(row: dict[str, Any]) -> str:
    more = [row[name] for name in ("means", "person", "rule", "strength") if isinstance(row[name], str)]
    return f"{row['what']} [{'; '.join(more)}]" if more else str(row["what"])


def _one_line(line: str) -> str:
    """Text from outside neither breaks a line nor commands the terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in line)


def _at(time: "pd.Timestamp", zone: str) -> str:
    return f"{time.tz_convert(zone):%Y-%m-%d %H:%M}"


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    """A value for JSON: times as ISO 8601 in UTC, missing as null."""
    if value is None or value != value:
        return None
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
