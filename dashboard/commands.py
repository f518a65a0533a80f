"""`vsm dashboard`: serve the dashboard on this machine until it is stopped."""

import os
import socket
import sys
import urllib.request
from pathlib import Path
from urllib.error import URLError

import click

from vsm.cli import common
from vsm.config import load
from vsm.errors import UsageError

HOST = "127.0.0.1"
HERE = Path(__file__).parent


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Where to serve it.")
@common
def dashboard(port: int, store: str, config: Path | None) -> None:
    """Serve the dashboard on this machine until it is stopped."""
    load(config)  # a wrong configuration is said here, not on every page
    if _taken(port):
        if _ours(port):
            click.echo(f"A dashboard is already being served on http://localhost:{port}")
            return
        raise UsageError(f"port {port} is taken by another program: give another --port")
    click.echo(f"Serving the dashboard of {store} on http://localhost:{port} (stop it with Ctrl-C)", err=True)
    environment = os.environ | {"VSM_STORE": store} | ({"VSM_CONFIG": str(config)} if config else {})
    # The rest of the server's options lie beside the script, in .streamlit/config.toml.
    flags = [f"--server.port={port}", f"--server.address={HOST}"]
    arguments = [sys.executable, "-m", "streamlit", "run", str(HERE / "app.py"), *flags]
    # Streamlit takes this process's place, so that whoever stops us stops it.
    os.execve(sys.executable, arguments, environment)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _ours(port: int) -> bool:
    """Whether a Streamlit server answers there."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/_stcore/health", timeout=2) as answer:
            return answer.read().strip() == b"ok"
    except (URLError, OSError, ValueError):
        return False
