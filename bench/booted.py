"""A Debian in a folder that boots its own systemd, in a network of its own: what `try_machine.py` looks at."""

import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from try_runbook import ACCOUNTS, ROOT, RUNBOOK, OpenId, blocks, certified, filled_in, known_here, mirror

CLONE_NEWNET = 0x40000000
ADDRESS = "https://localhost"
LOADS = 2  # the last step of the runbook that loads something from outside
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NSPAWN = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit"]


def network_of_our_own() -> None:
    """This program and what it starts from now on see a loopback of their own and nothing else: every port is free."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no network namespace: this needs root")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Machine:
    """Off at first: `command` runs one program in its folder. After `boot`, `run` is a shell of root inside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = ""

    @property
    def booted(self) -> bool:
        """Whether its systemd runs."""
        return bool(self._leader)

    def make(self, source: Path) -> None:
        """A bare Debian with systemd, and our repository where the runbook gets it from."""
        release = os.environ.get("DEBIAN", "bookworm")
        if not (self.folder / "etc" / "debian_version").exists():
            packages = "--include=systemd,systemd-sysv,dbus"
            call = ["debootstrap", "--variant=minbase", packages, release, self.folder, *mirror()]
            subprocess.run(call, check=True, stdout=sys.stderr)
        known_here(self.folder, same_release=f"VERSION_CODENAME={release}" in Path("/etc/os-release").read_text())
        shutil.rmtree(self.folder / "source.git", ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--bare", source, self.folder / "source.git"], check=True)

    def command(self, block: str, settings: dict[str, str]) -> None:
        """Run a block as root without a boot, with this machine's network; services are not started meanwhile."""
        told = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or name.startswith("PIP_")}
        told |= {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", **settings}
        policy = self.folder / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        words = [f"--setenv={name}={value}" for name, value in told.items()]
        call = [*NSPAWN, "-D", str(self.folder), "--pipe", "--resolv-conf=copy-host", *words, "/bin/sh", "-euc", block]
        done = subprocess.run(call, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        policy.unlink()
        if done.returncode:
            sys.exit(f"{block}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")

    def boot(self) -> str:
        """Start it; its systemd is process 1. Says what `systemctl is-system-running` says."""
        call = [*NSPAWN, "--boot", "-D", str(self.folder), "--console=pipe", "--resolv-conf=off", "--machine=vsm-machine"]
        with (self.folder.parent / "boot.log").open("ab") as log:
            told = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
            self._process = subprocess.Popen(call, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=told)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._leader = until(lambda: children.read_text().split()[0], 30)
        until(lambda: self.run("systemctl show --property=Version"), 60)
        return self.run("systemctl is-system-running --wait || true").strip()

    def run(self, block: str, settings: dict[str, str] | None = None, check: bool = True, seconds: int = 600) -> str:
        """What a block of shell says, as root in the booted machine."""
        inside = ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wdns=/root"]
        told = {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": "", **(settings or {})}
        done = subprocess.run(
            [*inside, "/bin/sh", "-euc", block], env=told, capture_output=True, text=True, check=False, timeout=seconds,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{block}\nended with {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout + done.stderr

    def shows(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        told = self.run(f"systemctl show {unit} --property={','.join(names)}")
        return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)

    def journal(self, unit: str, since: float) -> list[dict[str, Any]]:
        """What a unit has said since then, and systemd about it."""
        told = self.run(f"journalctl --no-pager -o json -u {unit} --since=@{since:.6f}")
        return [json.loads(line) for line in told.splitlines() if line.startswith("{")]

    @contextmanager
    def told(self, unit: str, lines: str) -> Iterator[None]:
        """A service with some more settings for a while."""
        file = self.folder / f"etc/systemd/system/{unit}.d/tried.conf"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"[Service]\n{lines}\n")
        try:
            yield
        finally:
            file.unlink()
            self.run("systemctl daemon-reload")

    @contextmanager
    def source(self, lines: str) -> Iterator[None]:
        """One more source for a while."""
        file = self.folder / "etc/vsm/vsm.toml"
        before = file.read_text()
        file.write_text(f"{before}\n[[sources]]\n{lines}\n")
        try:
            yield
        finally:
            file.write_text(before)

    def off(self) -> float:
        """Shut it down; says how long that took, in seconds."""
        began = time.monotonic()
        if self._process and self._process.poll() is None:
            if self._leader:
                self.run("systemctl poweroff", check=False)
            try:
                self._process.wait(180)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._leader = ""
        return time.monotonic() - began


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def until(ask: Any, seconds: float) -> Any:
    """What `ask` gives as soon as it gives something without failing."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := ask():
                return found
        except (AssertionError, OSError, IndexError) as why:
            said = repr(why)
        else:
            said = "nothing"
        assert time.monotonic() < end, f"still {said} after {seconds} s"
        time.sleep(0.2)


def follow(machine: Machine, first: int, last: int, settings: dict[str, str]) -> None:
    """Blocks of the runbook in order, each in a shell of its own: in the folder before the boot, in the machine after it."""
    for number, block in list(enumerate(blocks(RUNBOOK.read_text(encoding="utf-8")), 1))[first - 1 : last]:
        began = time.monotonic()
        (machine.run if machine.booted else machine.command)(block, settings)
        print(f"block {number}: done in {time.monotonic() - began:.0f} s", file=sys.stderr)


def set_up(machine: Machine, stack: ExitStack) -> OpenId:
    """From nothing to the end of the runbook; a folder that was there already only gets the address of today's provider."""
    there = (machine.folder / "etc/vsm/env").exists()
    machine.make(ROOT)
    if not there:
        follow(machine, 1, LOADS, {"SOURCE": "/source.git"})
        certified(machine.folder)
    network_of_our_own()
    provider = OpenId(Path(stack.enter_context(tempfile.TemporaryDirectory())), ADDRESS, ACCOUNTS)
    stack.callback(provider.close)
    file = machine.folder / "etc/vsm/vsm.toml"
    if there:
        file.write_text(re.sub(r'(?<=metadata_url = ").*(?=")', provider.metadata, file.read_text()))
    print(f"booted: {machine.boot()}", file=sys.stderr)
    if not there:
        follow(machine, LOADS + 1, 99, filled_in(ADDRESS, provider))
        machine.run("cp -r /source.git /srv/vsm/clone.git && chown -R vsm: /srv/vsm/clone.git")
        file.write_text(f'{file.read_text()}\n[[sources]]\nkind = "git"\npath = "/srv/vsm/clone.git"\nrepository = "example/app"\n')
    return provider


def judged(claims: Iterable[Callable[[Any], object]], tried: Any) -> int:
    """Print of each claim whether it holds, with what was measured or why not; 1 where one does not, else 0."""
    failed = 0
    for claim in claims:
        try:
            told = {"holds": True, "measured": claim(tried)}
        except Exception:  # whatever breaks it, it does not hold, and the others are tried all the same
            told, failed = {"holds": False, "why": traceback.format_exc()[-3000:]}, 1
        print(json.dumps({"claim": claim.__name__.replace("_", " "), **told}), flush=True)
    return failed
