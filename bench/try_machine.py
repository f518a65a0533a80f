"""Our units under a real systemd: the runbook word by word on a booted Debian, and then whatever a night brings.

Needs root, debootstrap, systemd-nspawn, Debian's packages, the pinned wheels, Chromium, and some ten minutes.
`python bench/try_machine.py [FOLDER [CLAIM …]]`: the machine is a folder with a Debian of its own that boots systemd, in a network
of its own; steps 1 and 2 of the runbook, which load packages, are done before the boot. An OpenID provider of the tests stands for
yours. What is settled in a folder that was there already is kept, units and program too: begin with none to try what is new.
`DEBIAN=trixie` makes it a Debian 13.
One JSON line for each claim; the exit status is 1 where one does not hold.
"""

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from booted import ADDRESS, Machine, judged, set_up, silent_server, until
from screens import chromium  # try_runbook has put the tests' peers on the path
from try_runbook import RUNBOOK, OpenId, blocks, sign_in

SERVICES = ("vsm-dashboard.service", "vsm-collect.service", "vsm-backup.service")
TIMERS = ("vsm-collect.timer", "vsm-backup.timer")
SECRETS = ("VSM_KEY", "VSM_COOKIE_SECRET", "VSM_CLIENT_SECRET")
# Places that a service may write, and places that it may not.
ITS_OWN = ("/srv/vsm", "/srv/vsm/backups", "/tmp", "/var/tmp")  # noqa: S108 - a private one of the unit
NOT_ITS = (
    "/etc",
    "/etc/vsm",
    "/usr/bin",
    "/var/lib",
    "/var/log",
    "/srv",
    "/home",
    "/root",
    "/opt",
    "/boot",
    "/srv/vsm/app/vsm",
    "/srv/vsm/.venv/bin",
)
PROBE = """for place in {places}; do
    if (: > $place/probe) 2>/dev/null; then rm -f $place/probe; echo may $place; else echo not $place; fi
done
grep -E '^(NoNewPrivs|Seccomp|CapBnd|CapEff):' /proc/self/status
mv /srv/vsm/.venv /srv/vsm/moved 2>/dev/null && mv /srv/vsm/moved /srv/vsm/.venv && echo may program
(echo 1 > /proc/sys/vm/drop_caches) 2>/dev/null && echo may kernel
(mkdir /sys/fs/cgroup/probe) 2>/dev/null && echo may cgroup
ls /dev | grep -E '^(kmsg|mem|sd|vd|fuse)' && echo may devices
/srv/vsm/.venv/bin/python -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)' 2>/dev/null && echo may packets
true
"""
Claim = Callable[["Tried"], object]


class Tried:
    """The machine, the provider, and what the environment file holds."""

    def __init__(self, machine: Machine, provider: OpenId) -> None:
        self.machine, self.provider = machine, provider
        told = (machine.folder / "etc/vsm/env").read_text()
        self.secrets = [line.split("=", 1)[1] for line in told.splitlines() if line.startswith(SECRETS)]

    def ready(self, seconds: float = 60) -> float:
        """Wait until the dashboard is ready; says how long that took."""
        began = time.monotonic()
        until(lambda: self.machine.run("curl -fsS -m 5 http://127.0.0.1:8501/readyz"), seconds)
        return round(time.monotonic() - began, 1)


def units_are_written_as_systemd_wants_them(tried: Tried) -> object:
    """`systemd-analyze verify` has nothing to say, and `security` says how much each service could still do (0 best, 10 worst)."""
    said = tried.machine.run(f"cd /etc/systemd/system && systemd-analyze verify {' '.join((*SERVICES, *TIMERS))}")
    assert not [line for line in said.splitlines() if "vsm-" in line], said
    exposed = {}
    for unit in SERVICES:
        told = tried.machine.run(f"systemd-analyze security --no-pager {unit}")
        exposed[unit] = float(re.search(r"Overall exposure level for \S+ ([\d.]+)", told)[1])  # type: ignore[index]
    assert max(exposed.values()) < 2.5, exposed
    return exposed


def timers_have_a_next_time(tried: Tried) -> object:
    """Both timers wait for their hour."""
    now = time.time()
    told = {one["unit"]: one["next"] for one in json.loads(tried.machine.run("systemctl list-timers --output=json"))}
    hours = {unit: round((told[unit] / 1e6 - now) / 3600, 2) for unit in TIMERS}
    assert 0 < hours["vsm-collect.timer"] <= 1.1, hours
    assert 0 < hours["vsm-backup.timer"] <= 24, hours
    return hours


def a_browser_signs_in_and_a_stop_does_not_wait_for_its_page(tried: Tried) -> object:
    """Numbers stand on the page, and with it open the service stops cleanly, well within its time, and starts again."""
    with chromium() as browser:
        page = sign_in(browser, ADDRESS, tried.provider)
        tiles = page.locator("[data-testid=stMetricValue]").count()
        began = time.time()
        tried.machine.run("systemctl stop vsm-dashboard")
        seconds = round(time.time() - began, 1)
    told = tried.machine.shows("vsm-dashboard", "Result", "ActiveState", "ExecMainStatus")
    lines = [str(one["MESSAGE"]) for one in tried.machine.journal("vsm-dashboard", began)]
    assert (told["Result"], told["ActiveState"]) == ("success", "inactive"), (told, lines)
    assert not [line for line in lines if "timed out" in line or "Traceback" in line or "Killing" in line], lines
    assert seconds < 20, seconds
    tried.machine.run("systemctl start vsm-dashboard")
    return {"tiles": tiles, "stopped in s": seconds, "exit": told["ExecMainStatus"], "ready again in s": tried.ready()}


def who_is_killed_comes_back(tried: Tried) -> object:
    """A service that was killed is started anew by itself."""
    before = tried.machine.shows("vsm-dashboard", "MainPID", "NRestarts")
    tried.machine.run("systemctl kill -s KILL vsm-dashboard")
    began = time.monotonic()
    until(lambda: tried.machine.shows("vsm-dashboard", "MainPID")["MainPID"] not in ("0", before["MainPID"]), 60)
    tried.ready()
    seconds = round(time.monotonic() - began, 1)
    after = tried.machine.shows("vsm-dashboard", "NRestarts", "ActiveState")
    assert after == {"NRestarts": str(int(before["NRestarts"]) + 1), "ActiveState": "active"}, (before, after)
    return {"ready again in s": seconds}


def a_night_without_power_is_made_up_for(tried: Tried) -> object:
    """After two days off, the boot alone brings database, dashboard and nginx up, and both timers make up what they missed."""
    machine = tried.machine
    # The five minutes within which a harvest begins by chance are left out here, and nothing else.
    machine.run("mkdir -p /etc/systemd/system/vsm-collect.timer.d")
    machine.run("printf '[Timer]\\nRandomizedDelaySec=0\\n' > /etc/systemd/system/vsm-collect.timer.d/now.conf")
    machine.run("rm -f /srv/vsm/backups/*.zip")
    off = machine.off()
    for unit in TIMERS:
        stamp = machine.folder / f"var/lib/systemd/timers/stamp-{unit}"
        os.utime(stamp, (time.time() - 2 * 86400,) * 2)
    state = machine.boot()
    began = time.time()
    done = {}
    for service in ("vsm-collect.service", "vsm-backup.service"):
        until(
            lambda one=service: machine.shows(one, "ExecMainExitTimestampMonotonic")["ExecMainExitTimestampMonotonic"] != "0", 120
        )
        told = machine.shows(service, "Result", "ExecMainStatus", "TriggeredBy")
        done[service] = told["Result"]
        said = [str(one["MESSAGE"]) for one in machine.journal(service, began - 60)]
        assert told["Result"] == "success", (told, said)
    ready = tried.ready()
    day = datetime.now(UTC).strftime("%a")
    file = machine.run(f"stat -c '%U %a %s' /srv/vsm/backups/{day}.zip").split()
    assert file[:2] == ["vsm", "600"], file
    assert state == "running", (state, machine.run("systemctl --failed"))
    return {
        "shut down in s": round(off, 1),
        "state": state,
        **done,
        "ready after the boot in s": ready,
        "backup's bytes": int(file[2]),
    }


def the_nightly_backup_brings_the_same_numbers_back(tried: Tried) -> object:
    """The file that the service made is whole; restored into a store of its own, it has the same report."""
    day = datetime.now(UTC).strftime("%a")
    run = tried.machine.run
    run("systemctl start vsm-collect.service; systemctl start vsm-backup.service")
    whole = run(f"vsm restore backups/{day}.zip --check")
    run(f"vsm restore backups/{day}.zip --store sqlite:////tmp/drill.db")
    reports = [run(f"vsm report --format json --to 2026-08-31 {store}") for store in ("", "--store sqlite:////tmp/drill.db")]
    run("rm -f /tmp/drill.db*")
    assert reports[0] == reports[1], reports
    assert len(reports[0]) > 10_000, reports[0][:2000]
    return {"check": whole.strip(), "report's characters": len(reports[0])}


def a_service_writes_where_it_must_and_nowhere_else(tried: Tried) -> object:
    """Each unit word by word but for what it runs, as its own user and as root: what may be written, and what the kernel says."""
    for unit, account in ((unit, account) for unit in SERVICES for account in ("vsm", "root")):
        text = (tried.machine.folder / "etc/systemd/system" / unit).read_text()
        text = re.sub(r"^ExecStart=.*", "ExecStart=/bin/sh /usr/local/lib/probe", text, flags=re.M)
        text = re.sub(r"^(Restart|RestartSec|Type)=.*\n", "", text, flags=re.M).replace("[Service]", "[Service]\nType=oneshot", 1)
        text = re.sub(r"^(User|Group)=.*", rf"\1={account}", text, flags=re.M)
        folder = tried.machine.folder
        (folder / "usr/local/lib/probe").write_text(PROBE.format(places=" ".join((*ITS_OWN, *NOT_ITS))))
        (folder / "etc/systemd/system/probe.service").write_text(text)
        began = time.time()
        tried.machine.run("systemctl daemon-reload; systemctl start probe")
        said = [str(one["MESSAGE"]) for one in tried.machine.journal("probe", began) if one.get("SYSLOG_IDENTIFIER") == "sh"]
        may = {line.split()[1] for line in said if line.startswith("may ")}
        assert not may - set(ITS_OWN), (unit, account, may)
        if account == "vsm":
            assert may == set(ITS_OWN), (unit, may, said)
        assert {"NoNewPrivs:\t1", "CapBnd:\t0000000000000000", "CapEff:\t0000000000000000", "Seccomp:\t2"} <= set(said), (
            unit,
            said,
        )
        tried.machine.run("rm /etc/systemd/system/probe.service /usr/local/lib/probe; systemctl daemon-reload")
    return {"may write": ITS_OWN, "may not": NOT_ITS}


def a_new_version_comes_in_as_the_runbook_says(tried: Tried) -> object:
    """Pull, the two `pip install` lines of step 2, restart: the dashboard is ready again, and the same numbers are there."""
    lines = [line for line in blocks(RUNBOOK.read_text(encoding="utf-8"))[1].splitlines() if "pip install" in line]
    assert len(lines) == 2, lines
    report = "vsm report --format json --to 2026-08-31"
    before = tried.machine.run(report)
    began = time.monotonic()
    tried.machine.run("\n".join(["git -C /srv/vsm/app pull --quiet", *lines, "systemctl restart vsm-dashboard"]))
    tried.ready()
    assert tried.machine.run(report) == before
    return {"in s": round(time.monotonic() - began, 1)}


def all_of_it_does_as_well_on_a_sqlite_file(tried: Tried) -> object:
    """The same units with `VSM_STORE` at a file in their home: a harvest, a backup that is whole, a dashboard that is ready."""
    (tried.machine.folder / "etc/vsm/file").write_text("VSM_STORE=sqlite:////srv/vsm/vsm.db\n")
    with ExitStack() as stack:
        for unit in SERVICES:
            stack.enter_context(tried.machine.told(unit, "EnvironmentFile=/etc/vsm/file"))
        tried.machine.run("systemctl daemon-reload; systemctl start vsm-collect; systemctl start vsm-backup")
        tried.machine.run("systemctl restart vsm-dashboard")
        seconds = tried.ready()
        whole = tried.machine.run(f"vsm restore backups/{datetime.now(UTC):%a}.zip --check").strip()
    tried.machine.run("systemctl restart vsm-dashboard; rm /etc/vsm/file /srv/vsm/vsm.db*")
    tried.ready()
    return {"ready in s": seconds, "check": whole}


def secrets_are_told_nowhere(tried: Tried) -> object:
    """No secret is in `systemctl show`, the journal, a failing run's lines, the processes, or what others may read."""
    run = tried.machine.run
    planted = "planted-password-of-a-database"
    with tried.machine.told("vsm-collect.service", "Environment=OTHER=1\nEnvironmentFile=/etc/vsm/planted"):
        (tried.machine.folder / "etc/vsm/planted").write_text(f"VSM_STORE=postgresql://vsm:{planted}@127.0.0.1:1/vsm\n")
        run("systemctl daemon-reload; systemctl start vsm-collect", check=False)
        refused = tried.machine.shows("vsm-collect", "Result", "ExecMainStatus")
        assert refused["Result"] == "exit-code", refused
        places = {
            "show": run("systemctl show '*'"),
            "cat": run("systemctl cat 'vsm-*'"),
            "journal": run("journalctl --no-pager -o export"),
            "processes": run("ps axww -o args 2>/dev/null || cat /proc/[0-9]*/cmdline | tr '\\0' ' '"),
            "readable to others": run(
                "setpriv --reuid=65534 --clear-groups sh -c 'cat /etc/vsm/env /proc/*/environ' 2>/dev/null || true"
            ),
        }
        (tried.machine.folder / "etc/vsm/planted").unlink()
    found = [place for place, text in places.items() for secret in (*tried.secrets, planted) if secret in text]
    assert not found, found
    assert run("stat -c '%U %a' /etc/vsm/env").split() == ["root", "600"]
    run("systemctl reset-failed vsm-collect.service; systemctl start vsm-collect.service")
    return {"searched characters": {place: len(text) for place, text in places.items()}}


def a_harvest_that_is_stopped_ends_at_once(tried: Tried) -> object:
    """`systemctl stop` in the middle of a harvest, of a server that never answers: it ends by itself and the next one runs."""
    with silent_server() as port, tried.machine.source(f'kind = "jenkins"\nurl = "http://127.0.0.1:{port}"'):
        tried.machine.run("systemctl start --no-block vsm-collect.service")
        until(lambda: tried.machine.shows("vsm-collect", "ActiveState")["ActiveState"] == "activating", 30)
        time.sleep(8)
        assert tried.machine.shows("vsm-collect", "ActiveState")["ActiveState"] == "activating"
        began = time.time()
        tried.machine.run("systemctl stop vsm-collect.service")
        seconds = round(time.time() - began, 1)
        lines = [str(one["MESSAGE"]) for one in tried.machine.journal("vsm-collect", began - 30)]
        told = tried.machine.shows("vsm-collect", "Result", "ActiveState", "ExecMainStatus")
    assert seconds < 10, (seconds, lines)
    assert not [line for line in lines if "timed out" in line or "Traceback" in line], lines
    assert (told["Result"], told["ActiveState"]) == ("success", "inactive"), (told, lines)
    tried.machine.run("systemctl start vsm-collect.service")
    return {"stopped in s": seconds, **told}


def a_harvest_from_a_page_ends_with_the_service(tried: Tried) -> object:
    """An editor starts one from the Data page; stopping the service stops it, too, and it says so; the timer's next one runs."""
    with silent_server() as port, tried.machine.source(f'kind = "jenkins"\nurl = "http://127.0.0.1:{port}"'), chromium() as browser:
        page = sign_in(browser, ADDRESS, tried.provider)
        page.goto(f"{ADDRESS}/data")
        page.get_by_role("button", name=re.compile("Harvest (now|again)")).click(timeout=120_000)
        page.get_by_text(re.compile("A harvest runs.*, for")).wait_for(timeout=60_000)
        time.sleep(5)
        began = time.monotonic()
        tried.machine.run("systemctl stop vsm-dashboard")
        seconds = round(time.monotonic() - began, 1)
    told = [json.loads(file.read_text()) for file in (tried.machine.folder / "srv/vsm/.local/state/vsm").glob("*.harvest.json")]
    assert seconds < 20, seconds
    assert [one["status"] for one in told] == ["stopped"], told
    tried.machine.run("systemctl start vsm-dashboard; systemctl start vsm-collect")
    tried.ready()
    return {"stopped in s": seconds, "status": told[0]["status"]}


def the_database_may_restart(tried: Tried) -> object:
    """PostgreSQL restarts below the running dashboard, which is ready again by itself, as the same process."""
    before = tried.machine.shows("vsm-dashboard", "MainPID")
    tried.machine.run("systemctl restart postgresql")
    seconds = tried.ready()
    assert tried.machine.shows("vsm-dashboard", "MainPID") == before
    return {"ready again in s": seconds}


CLAIMS: tuple[Claim, ...] = (
    units_are_written_as_systemd_wants_them,
    timers_have_a_next_time,
    a_browser_signs_in_and_a_stop_does_not_wait_for_its_page,
    who_is_killed_comes_back,
    the_database_may_restart,
    a_night_without_power_is_made_up_for,
    the_nightly_backup_brings_the_same_numbers_back,
    a_service_writes_where_it_must_and_nowhere_else,
    a_harvest_that_is_stopped_ends_at_once,
    a_new_version_comes_in_as_the_runbook_says,
    a_harvest_from_a_page_ends_with_the_service,
    all_of_it_does_as_well_on_a_sqlite_file,
    secrets_are_told_nowhere,
)


def main() -> int:
    """Follow the runbook, then try each claim."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="machine-")))
        machine = Machine((Path(sys.argv[1]) if len(sys.argv) > 1 else scratch / "debian").resolve())
        machine.folder.mkdir(parents=True, exist_ok=True)
        stack.callback(machine.off)
        tried = Tried(machine, set_up(machine, stack))
        return judged([one for one in CLAIMS if not sys.argv[2:] or one.__name__ in sys.argv[2:]], tried)


if __name__ == "__main__":
    sys.exit(main())
