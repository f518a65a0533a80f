"""A PgBouncer between us and a PostgreSQL server: Debian's package, or the program that VSM_PGBOUNCER names."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from postgres_server import NOBODY, Postgres
from programs import absent, free_port

SETTINGS = """
[databases]
* = host={server} port={server_port} user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {port}
auth_type = any
pool_mode = {mode}
default_pool_size = 6
ignore_startup_parameters = extra_float_digits
logfile = {folder}/log
pidfile = {folder}/pid
"""


class PgBouncer:
    """A pool of sessions or of transactions; `pool.url(url)` goes through it."""

    def __init__(self, server: Postgres, mode: str) -> None:
        program = os.environ.get("VSM_PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            absent("pgbouncer")
        self._folder, self._server, self._port = Path(tempfile.mkdtemp(prefix="vsm-pool-")), server, free_port()
        file = self._folder / "pool.ini"
        told = {"folder": self._folder, "port": self._port, "mode": mode, "server": server.folder, "server_port": server.port}
        file.write_text(SETTINGS.format(**told))
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}  # it refuses root
        if user:
            shutil.chown(self._folder, NOBODY, NOBODY)
        self._process = subprocess.Popen([program, "-q", str(file)], cwd="/", stderr=subprocess.DEVNULL, **user)
        for _ in range(500):
            assert self._process.poll() is None, (self._folder / "log").read_text()
            try:
                psycopg.connect(self.url(server.url("postgres"))).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self._folder / "log").read_text())

    def url(self, url: str) -> str:
        """The URL of the server's database, through the pool."""
        return url.replace(*self._ways())

    def direct(self, url: str) -> str:
        """The URL of the same database without the pool."""
        return url.replace(*reversed(self._ways()))

    def _ways(self) -> tuple[str, str]:
        return f"host={self._server.folder}&port={self._server.port}", f"host={self._folder}&port={self._port}"

    def close(self) -> None:
        """End it, and remove what it kept."""
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self._folder)
