"""`vsm dashboard`: serve the dashboard on this machine until it is stopped."""

import os
import socket
import sys
import urllib.request
from pathlib import Path
from urllib.error import URLError

import click

from vsm.cli import common, say
from vsm.config import load
from vsm.errors import UsageError
from vsm.serving import host

HOST, NAMES = "127.0.0.1", "VSM_HOST_NAMES"
HERE = Path(__file__).parent


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Where to serve it.")
@click.option(
    "--host-name", "names", multiple=True, metavar="NAME", help="By which name it is asked, beside localhost; repeatable."
)
@common
def dashboard(port: int, names: tuple[str, ...], store: str, config: Path | None) -> None:
    """Serve the dashboard on this machine until it is stopped."""
    load(config)  # a wrong configuration is said here, not on every page
    why_not = _why_not(port)
    if why_not is not None and _answers(port):
        click.echo(f"A dashboard is already being served on http://localhost:{port}; give another --port for a second one")
        return
    if why_not is not None:
        raise UsageError(f"port {port} cannot be used ({why_not}): give another --port")
    # Behind an @ there are no keys and names of accounts.
    say(f"Serving the dashboard of {store.rpartition('@')[2]} on http://localhost:{port} (stop it with Ctrl-C)")
    environment = os.environ | {"VSM_STORE": store} | ({"VSM_CONFIG": str(config)} if config else {})
    environment |= {NAMES: " ".join(_host(one) for one in names)} if names else {}
    # The rest of the server's options lie beside it, in .streamlit/config.toml. Without -P a folder
    # in the working folder that is called like one of our packages would be taken for it.
    flags = [f"--server.port={port}", f"--server.address={HOST}"]
    arguments = [sys.executable, "-P", "-m", "dashboard", "run", str(HERE / "serve.py"), *flags]
    # Streamlit takes this process's place, so that whoever stops us stops it.
    os.execve(sys.executable, arguments, environment)  # noqa: S606 - no shell is what we want


def _host(name: str) -> str:
    try:
        return host(name)
    except ValueError as error:
        raise UsageError(f"--host-name {name!r}: {error}") from None


def _why_not(port: int) -> str | None:
    """Why nothing can be served there; None where it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
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
