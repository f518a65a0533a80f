"""Podman in a folder of its own, images that stand in for those of a registry, and a port seen from inside of a container."""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from booted import CLONE_NEWNET
from try_runbook import known_here, mirror

PYTHON, POSTGRES = "localhost/python:3.13-slim", "localhost/postgres:17"
CLONE_NEWNS = 0x20000
NOT_ITS_OWN = re.compile(r'^time=".*" level=.*\n', re.M)  # what podman says where no systemd runs its checks of health
# What docker's image of PostgreSQL does with the variables that compose.yaml gives it.
DATABASE = r"""#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    install -d -o postgres -m 700 "$PGDATA"
    umask 077; echo "$POSTGRES_PASSWORD" > /tmp/password; chown postgres /tmp/password
    own() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
    own initdb -U "$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 -E UTF8
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    sed -i '1i local all all trust' "$PGDATA/pg_hba.conf"
    own pg_ctl -w start -o "-c listen_addresses="
    [ "$POSTGRES_DB" = postgres ] || own createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
    own pg_ctl -w -m fast stop
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -c listen_addresses='*'
"""
POSTGRES_IMAGE = f"""FROM {PYTHON}
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-17 && rm -rf /var/lib/apt/lists/* \\
    && install -d -o postgres -m 3777 /var/run/postgresql
COPY entrypoint /usr/local/bin/entrypoint
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/entrypoint"]
"""


class Containers:
    """Podman with all that is its own in one folder; `compose` is podman-compose over the project's copy."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.app = folder, folder / "app"
        for name in ("store", "bin"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        # Limits that this machine may not raise are left out; no claim is about them.
        (folder / "containers.conf").write_text(
            '[containers]\ncgroups = "disabled"\ndefault_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n[network]\nnetwork_backend = "netavark"\n'
            f'network_config_dir = "{folder}/networks"\n'
        )
        found = shutil.which("podman")
        assert found, "no podman here"
        (folder / "bin/podman").write_text(
            f"#!/bin/sh\nexport CONTAINERS_CONF={folder}/containers.conf\n"
            '[ "$1" = build ] && shift && set -- build --isolation=chroot --network=host --format=docker "$@"\n'
            f'exec {found} --root {folder}/store --runroot /run/vsm-try "$@"\n'
        )
        (folder / "bin/podman").chmod(0o755)

    def podman(self, *words: object, check: bool = True, **told: Any) -> str:
        """What podman says."""
        return self._said([self.folder / "bin/podman", *words], check, told)

    def compose(self, *words: object, check: bool = True) -> str:
        """What podman-compose says, in the folder deploy/ of the project."""
        there = Path(sys.executable).parent / "podman-compose"
        program = there if there.exists() else shutil.which("podman-compose")
        assert program, "no podman-compose here"
        return self._said(
            [program, "-p", "vsm", "-f", self.app / "deploy/compose.yaml", *words], check, {"cwd": self.app / "deploy"}
        )

    def _said(self, call: list[object], check: bool, told: dict[str, Any]) -> str:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(
            [str(word) for word in call], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
            **{"stdin": subprocess.DEVNULL, "timeout": 900, **told},
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{call}\nended with {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return NOT_ITS_OWN.sub("", done.stdout + done.stderr)

    def end(self) -> None:
        """Take all containers, volumes and networks of ours away."""
        for _ in range(5):  # one that others are made to wait for goes only after them
            self.podman("rm", "--all", "--force", "--time=3", check=False)
            if not self.podman("ps", "--all", "--quiet", check=False).strip():
                break
        self.podman("volume", "prune", "--force", check=False)
        self.podman("network", "prune", "--force", check=False)
        names = Path("/run/containers/networks/aardvark-dns/aardvark.pid")  # of our own /run
        if names.exists():
            subprocess.run(["kill", names.read_text().strip()], check=False)


def places_of_our_own() -> None:
    """What this program and what it starts mount and note down is seen by nobody else, and gone with them.

    Where both kinds of cgroups are mounted, which podman does not take, they see the newer kind alone.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "no mounts of our own: this needs root")
    calls = ["mount --make-rprivate /", "mount -t tmpfs none /run"]
    if Path("/sys/fs/cgroup/unified").is_dir():
        calls += ["umount -R /sys/fs/cgroup", "mount -t cgroup2 none /sys/fs/cgroup"]
    for call in calls:
        subprocess.run(call.split(), check=True)


def stand_ins(containers: Containers) -> None:
    """Images under the names that ours ask for."""
    if subprocess.run([containers.folder / "bin/podman", "image", "exists", PYTHON], check=False).returncode:
        with tempfile.TemporaryDirectory(dir=containers.folder) as place:
            call = ["debootstrap", "--variant=minbase", "--include=ca-certificates,python3-venv", "trixie", place, *mirror()]
            subprocess.run(call, check=True, stdout=sys.stderr)
            subprocess.run(["chroot", place, "/usr/bin/python3", "-m", "venv", "--copies", "/usr/local"], check=True)
            known_here(Path(place), same_release=False)
            with subprocess.Popen(["tar", "-C", place, "-c", "."], stdout=subprocess.PIPE) as tar:
                containers.podman("import", "-", PYTHON, stdin=tar.stdout)
    if subprocess.run([containers.folder / "bin/podman", "image", "exists", POSTGRES], check=False).returncode:
        with tempfile.TemporaryDirectory(dir=containers.folder) as place:
            Path(place, "Containerfile").write_text(POSTGRES_IMAGE)
            Path(place, "entrypoint").write_text(DATABASE)
            Path(place, "entrypoint").chmod(0o755)
            containers.podman("build", "--tag", POSTGRES, place)


class Relay:
    """A port of our loopback, seen as the same port of a container's own: the provider answers there, too."""

    def __init__(self, process: int, port: int) -> None:
        self._port, library = port, ctypes.CDLL(None, use_errno=True)
        ours, theirs = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
        assert not library.setns(theirs, CLONE_NEWNET)
        try:
            self._server = socket.create_server(("127.0.0.1", port))
        finally:
            assert not library.setns(ours, CLONE_NEWNET)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                asked, _ = self._server.accept()
            except OSError:
                return
            answer = socket.create_connection(("127.0.0.1", self._port))
            for one, other in ((asked, answer), (answer, asked)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        self._server.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while told := one.recv(65536):
            other.sendall(told)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        other.close()
