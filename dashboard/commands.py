"""`vsm dashboard`: serve the dashboard until it is stopped; beyond this machine only behind a sign-in, unless told otherwise."""

import os
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import click

from vsm.cli import common, say
from vsm.config import Config, load
from vsm.errors import UsageError
from vsm.serving import host
from vsm.sign_in import local

HOST, NAMES, ENGINE = "127.0.0.1", "VSM_HOST_NAMES", "VSM_ENGINE"
HERE = Path(__file__).parent


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Where to serve it.")
@click.option("--address", default=HOST, show_default=True, help="On which of its addresses; another than this needs [sign_in].")
@click.option("--without-sign-in", is_flag=True, help="Let everybody who reaches --address see and change everything.")
@click.option(
    "--host-name", "names", multiple=True, metavar="NAME", help="By which name it is asked, beside localhost; repeatable."
)
@click.option("--engine", metavar="URL", help="Count in an engine, as `vsm report --engine` does; the store keeps notes alone.")
@common
def dashboard(
    port: int, address: str, without_sign_in: bool, names: tuple[str, ...], engine: str | None, store: str, config: Path | None
) -> None:
    """Serve the dashboard on this machine until it is stopped."""
    signs_in = _sign_in(load(config), address, without_sign_in)  # a wrong configuration is said here, not on every page
    why_not = _why_not(port, address)
    if why_not is not None and _answers(port):
        click.echo(f"A dashboard is already being served on http://localhost:{port}; give another --port for a second one")
        return
    if why_not is not None:
        raise UsageError(f"port {port} cannot be used ({why_not}): give another --port")
    # Behind an @ there are no keys and names of accounts.
    where = signs_in.get("address") or (f"http://localhost:{port}" if local(address) else f"http://{address}:{port}")
    shown = (engine or store).rpartition("@")[2]
    say(f"Serving the dashboard of {shown} on {where} (stop it with Ctrl-C)")
    environment = os.environ | {"VSM_STORE": store} | ({"VSM_CONFIG": str(config)} if config else {})
    if engine is not None:
        environment[ENGINE] = _engine(engine, store)
    environment |= signs_in.get("environment", {"VSM_SIGN_IN": "0"})
    if known := [*names, *_named(signs_in)]:
        environment[NAMES] = " ".join(_host(one) for one in known)
    # The rest of the server's options lie beside it, in .streamlit/config.toml. Without -P a folder
    # in the working folder that is called like one of our packages would be taken for it.
    flags = [f"--server.port={port}", f"--server.address={address}"]
    arguments = [sys.executable, "-P", "-m", "dashboard", "run", str(HERE / "serve.py"), *flags]
    # Streamlit takes this process's place, so that whoever stops us stops it.
    os.execve(sys.executable, arguments, environment)  # noqa: S606 - no shell is what we want


def _engine(engine: str, store: str) -> str:
    """The engine's URL, with a store beside it for what people write down. Raises UsageError for one that does not answer."""
    from vsm import store as stores
    from vsm.warehouse.engine import opened

    with opened(engine, {"read_only": "true"}), stores.opened(store):
        return engine


def _host(name: str) -> str:
    try:
        return host(name)
    except ValueError as error:
        raise UsageError(f"--host-name {name!r}: {error}") from None


def _named(signs_in: dict[str, Any]) -> list[str]:
    """The name by which browsers find a server with a sign-in."""
    return [urlsplit(signs_in["address"]).hostname or ""] if "address" in signs_in else []


def _sign_in(config: Config, address: str, without: bool) -> dict[str, Any]:
    """What the server is told of the sign-in, by its environment; nothing where there is none.

    Raises UsageError for an address beyond this machine without one, and for a sign-in that cannot be.
    """
    told = config.sign_in
    if told is None or without:
        if told is not None:
            raise UsageError("--without-sign-in, but vsm.toml has [sign_in]: leave out one of the two")
        if not local(address) and not without:
            raise UsageError(
                f"on {address} others could see and change everything: configure [sign_in] in vsm.toml (docs/access.md), "
                "or say --without-sign-in"
            )
        return {}
    try:
        import authlib  # noqa: F401
    except ImportError:
        raise UsageError("[sign_in] needs the package Authlib: install streamlit[auth]") from None
    _, cookie = told.secrets()
    # Streamlit signs the cookie that holds the state of a sign-in with this one, so that several processes know it.
    return {"address": told.address, "environment": {"VSM_SIGN_IN": "1", "STREAMLIT_SERVER_COOKIE_SECRET": cookie}}


def _why_not(port: int, address: str) -> str | None:
    """Why nothing can be served there; None where it can."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return (error.strerror or "it is taken").lower()
    return None


def _answers(port: int) -> bool:
    """Whether a Streamlit server answers there."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.read().strip() == b"ok")
    except (URLError, OSError, ValueError):
        return False
