"""`vsm token` and `vsm audit`: who may read with a program, and who did what."""

import getpass
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from vsm.cli import common
from vsm.errors import UsageError


@click.group()
def token() -> None:
    """Keys with which programs read the dashboard's interface: add, list, revoke."""


@token.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "editor"]), default="viewer", show_default=True, help="What it may do.")
@click.option("--stream", "streams", metavar="S", multiple=True, help="Only this stream; may stand several times. [default: all]")
@click.option("--expires", metavar="WHEN", help="A day, an instant, or in how many days (90d). [default: never]")
@common
def add(name: str, role: str, streams: tuple[str, ...], expires: str | None, store: str, config: Path | None) -> None:
    """Make a token and print it. It is shown this one time: the store keeps only a hash of it."""
    from vsm import audit, tokens
    from vsm import store as stores

    told, now = _streams(streams, config), datetime.now(UTC)
    with stores.opened(store) as engine:
        made = tokens.add(engine, name, now=now, role=role, streams=streams, expires=_when(expires, told.zone, now), by=_who())
        limits = f", only {', '.join(sorted(streams))}" if streams else ""
        audit.add(engine, _who(), "token.add", f"{name} ({role}{limits})", now=now)
    click.echo(made)
    click.echo("Keep it where only the program that uses it can read it: it is not shown again.", err=True)


@token.command("list")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@common
def list_(form: str, store: str, config: Path | None) -> None:
    """Every token that was ever made, without the tokens themselves."""
    from vsm import store as stores
    from vsm import tokens

    now = datetime.now(UTC)
    with stores.opened(store, create=False) as engine:
        rows = [_row(one, now) for one in tokens.every(engine)]
    if form == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        limits = "all streams" if row["streams"] is None else ", ".join(row["streams"])
        until = f"until {row['expires_at']}" if row["expires_at"] else "without an end"
        click.echo(f"{row['name']}  {row['state']}  {row['role']}  {limits}  {until}  made {row['created_at']}")
    if not rows:
        click.echo("There are no tokens: `vsm token add NAME` makes one.")


@token.command()
@click.argument("name")
@common
def revoke(name: str, store: str, config: Path | None) -> None:
    """Take a token back, by its name or id: from now on it opens nothing."""
    from vsm import audit, tokens
    from vsm import store as stores

    now = datetime.now(UTC)
    with stores.opened(store, create=False) as engine:
        tokens.revoke(engine, name, now=now)
        audit.add(engine, _who(), "token.revoke", name, now=now)
    click.echo(f"The token {name} opens nothing any more.")


@click.command()
@click.option("--since", metavar="WHEN", help="Only what was done from then on: a date or an instant.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@common
def audit(since: str | None, form: str, store: str, config: Path | None) -> None:
    """Who edited, exported, signed in, started a harvest or made a token, and when; newest first."""
    from vsm import audit as audits
    from vsm import config as configuration
    from vsm import store as stores
    from vsm.scope import instant

    try:
        start = instant(since, configuration.load(config).zone).to_pydatetime() if since else None
    except ValueError as error:
        raise UsageError(str(error)) from None
    with stores.opened(store, create=False) as engine:
        found = audits.entries(engine, start)
    rows = found.assign(at=found["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).astype("object").where(found.notna(), None)
    if form == "json":
        click.echo(json.dumps(rows.to_dict("records"), indent=2, ensure_ascii=False))
        return
    for row in rows.to_dict("records"):
        click.echo("  ".join(filter(None, (row["at"], row["who"], row["what"], row["about"]))))


def _who() -> str:
    """Whoever calls the program, by the name of the account on this machine."""
    try:
        return f"{getpass.getuser()} on this machine"
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "this machine"


def _streams(asked: tuple[str, ...], config: Path | None) -> Any:
    """The configuration, which has the streams that are asked for. Raises UsageError."""
    from vsm import config as configuration

    told = configuration.load(config)
    known = [one.name for one in told.streams]
    for name in asked:
        if name not in known:
            raise UsageError(f"no stream {name!r}; expected one of {', '.join(map(repr, known)) or 'none: none is configured'}")
    return told


def _when(text: str | None, zone: Any, now: datetime) -> Any:
    """The end that a text names: a day in the zone, an instant, or a number of days from now on."""
    from vsm.scope import instant

    if text is None:
        return None
    if text.endswith("d") and text[:-1].isdigit() and len(text) <= 6:
        return now + timedelta(days=int(text[:-1]))
    try:
        return instant(text, zone, last=True).to_pydatetime()
    except ValueError as error:
        raise UsageError(f"--expires: {error}, or a number of days (90d)") from None


def _row(one: Any, now: datetime) -> dict[str, Any]:
    times = {name: None if (at := getattr(one, name)) is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")
             for name in ("created_at", "expires_at", "revoked_at")}  # fmt: skip
    streams = None if one.streams is None else sorted(one.streams)
    told = {"name": one.name, "id": one.id, "state": one.state(now), "role": one.role, "streams": streams}
    return {**told, **times, "created_by": one.created_by}
