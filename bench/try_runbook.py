"""The runbook, word by word, on a bare Debian made for it: from nothing to a signed-in dashboard on PostgreSQL.

Needs root, debootstrap, Debian's packages, the pinned wheels, and Chromium. `python bench/try_runbook.py [FOLDER]`: the machine
is a folder with a Debian of its own (a chroot on this kernel, which has no systemd; a stand-in for `systemctl` reads our units
and starts what they start, as the user and with the environment that they name). An OpenID provider of the tests stands for
yours. Not one of the benchmarks that `make bench` runs, since it changes mounts.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
from openid import CLIENT, SECRET, OpenId  # the tests' peers are no package
from programs import free_port
from screens import chromium

ROOT = Path(__file__).parents[1]
RUNBOOK = ROOT / "docs" / "runbook.md"
EDITOR = "ann@example.org"
ACCOUNTS = {"ann": {"email": EDITOR, "email_verified": True, "name": "Ann", "groups": ["leads"]}}
# What the runbook needs of systemctl: start a service as its file says; Debian's PostgreSQL and nginx have their own means.
SYSTEMCTL = r"""#!/bin/sh
set -eu
[ "$1" = daemon-reload ] && exit 0
action=$1; shift
[ "${1:-}" = --now ] && shift
for unit in "$@"; do
    case $unit in
        postgresql) pg_ctlcluster "$(pg_lsclusters -h | cut -d' ' -f1)" main start || true ;;
        nginx) nginx ;;
        *.timer) test -f "/etc/systemd/system/$unit" ;;
        *)  file=/etc/systemd/system/$unit
            told() { sed -n "s/^$1=//p" "$file"; }
            set -a; . "$(told EnvironmentFile)"; set +a
            cd "$(told WorkingDirectory)"
            runuser -u "$(told User)" -- $(told ExecStart) > "/var/log/$unit.log" 2>&1 &
            echo $! > "/run/$unit.pid"
            for _ in $(seq 240); do
                python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/readyz')" 2>/dev/null && break
                sleep 0.5
            done ;;
    esac
done
"""


def blocks(text: str) -> list[str]:
    """The commands of a runbook, block by block."""
    return re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)


@contextmanager
def machine(folder: Path) -> Iterator[Path]:
    """A bare Debian in a folder, with what a chroot lacks; its programs end with it."""
    if not (folder / "etc" / "debian_version").exists():
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", folder, *mirror()], check=True, stdout=sys.stderr)
    with ExitStack() as mounts:
        for kind, place in (("proc", "proc"), ("tmpfs", "run"), ("devpts", "dev/pts")):
            subprocess.run(["mount", "-t", kind, kind, folder / place], check=True)
            mounts.callback(subprocess.run, ["umount", "-l", folder / place], check=False)
        mounts.callback(_end_all, folder)
        known_here(folder)
        (folder / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (folder / "usr/bin/systemctl").write_text(SYSTEMCTL)
        for program in ("usr/sbin/policy-rc.d", "usr/bin/systemctl"):
            (folder / program).chmod(0o755)
        yield folder


def known_here(folder: Path, same_release: bool = True) -> None:
    """Where packages come from, and whose certificates are believed, as on this machine."""
    of_release = ("etc/apt/sources.list", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d") if same_release else ()
    names = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/apt/apt.conf.d", "etc/xdg/pip", "usr/local/share/ca-certificates")
    for extra in (*names, *of_release):
        if Path("/", extra).is_file():
            shutil.copy(Path("/", extra), folder / extra)
        if Path("/", extra).is_dir():
            shutil.copytree(Path("/", extra), folder / extra, dirs_exist_ok=True, symlinks=True)
    for told in filter(None, map(os.environ.get, ("PIP_CERT", "SSL_CERT_FILE"))):
        (folder / told.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(told, folder / told.lstrip("/"))


def mirror() -> list[str]:
    """Where this machine has its packages from."""
    for file in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if file.is_file() and (found := re.search(r"(?:^deb (?:\[.*?\] )?|^URIs: )(\S+)", file.read_text(), re.M)):
            return [found[1]]
    return []


def _end_all(folder: Path) -> None:
    """End what runs inside of the folder, and nothing else."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = os.readlink(process / "root") == str(folder)
        except OSError:
            continue
        if inside:
            os.kill(int(process.name), signal.SIGKILL)
    time.sleep(1)


def follow(folder: Path, settings: dict[str, str]) -> None:
    """Run every block as root, in order, each in a shell of its own that stops at the first failure; say how long each took."""
    for number, block in enumerate(blocks(RUNBOOK.read_text(encoding="utf-8")), 1):
        began = time.monotonic()
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or name.startswith("PIP_")}
        call = ["chroot", str(folder), "/bin/sh", "-euc", block]
        done = subprocess.run(call, env=environment | proxies | settings, capture_output=True, text=True, check=False)
        print(
            f"block {number}: {'done' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s", file=sys.stderr
        )
        if done.returncode:
            log = folder / "var/log/vsm-dashboard.service.log"
            sys.exit(f"{block}\n{done.stdout[-3000:]}{done.stderr[-3000:]}{log.read_text()[-3000:] if log.exists() else ''}")


def certified(folder: Path) -> None:
    """A certificate for `localhost` where the runbook expects the host's."""
    key, certificate = folder / "etc/ssl/private/vsm.key", folder / "etc/ssl/vsm.pem"
    key.parent.mkdir(parents=True, exist_ok=True)
    name = ["-subj", "/CN=localhost", "-days", "2", "-nodes", "-newkey", "rsa:2048", "-x509"]
    subprocess.run(["openssl", "req", *name, "-keyout", key, "-out", certificate], check=True, capture_output=True)


def filled_in(address: str, provider: OpenId) -> dict[str, str]:
    """What whoever follows the runbook fills in."""
    return {
        "SOURCE": "/source.git", "HOST": "localhost", "ADDRESS": address, "METADATA": provider.metadata,
        "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET, "EDITOR_MAIL": EDITOR,
    }  # fmt: skip


def signed_in(address: str, provider: OpenId) -> dict[str, object]:
    """What a browser sees before and after signing in."""
    with chromium() as browser:
        page = sign_in(browser, address, provider)
        tiles = page.locator("[data-testid=stMetricValue]").all_inner_texts()
        page.screenshot(path=str(ROOT / "build" / "runbook.png"))
        return {"tiles": tiles}


def sign_in(browser: Any, address: str, provider: OpenId) -> Any:
    """The page of who has signed in, once its numbers are there."""
    page = browser.new_context(ignore_https_errors=True).new_page()
    page.goto(address)
    page.get_by_role("button", name=re.compile("[Ss]ign in")).first.click()
    page.wait_for_url(f"{provider.url}/**")
    page.fill("input[name=login]", "ann")
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    page.wait_for_url(f"{address}/**", timeout=120_000)
    page.get_by_role("heading", level=1, name="How is delivery going, and what changed?").wait_for(timeout=120_000)
    page.locator("[data-testid=stMetricValue]").first.wait_for(timeout=120_000)
    return page


def main() -> None:
    """Follow the runbook and look at what came of it."""
    (ROOT / "build").mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = (
            Path(sys.argv[1]) if len(sys.argv) > 1 else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="runbook-")))
        )
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        address = f"https://localhost:{port}"
        provider = OpenId(Path(stack.enter_context(tempfile.TemporaryDirectory())), address, ACCOUNTS)
        stack.callback(provider.close)
        inside = stack.enter_context(machine(folder.resolve()))
        subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, inside / "source.git"], check=True)
        stack.callback(shutil.rmtree, inside / "source.git", ignore_errors=True)
        certified(inside)
        _other_port(inside, port)
        follow(inside, filled_in(address, provider))
        print(json.dumps(signed_in(address, provider), indent=2))


def _other_port(folder: Path, port: int) -> None:
    """This machine's 443 may be taken: what the runbook copies is served on a port that is free."""
    (folder / "usr/local/sbin").mkdir(parents=True, exist_ok=True)
    (folder / "usr/local/sbin/nginx").write_text(
        f'#!/bin/sh\nsed -i "s/listen 443 ssl/listen 127.0.0.1:{port} ssl/; s/Host .host;/Host \\$http_host;/"'
        " /etc/nginx/conf.d/vsm.conf\n"
        'rm -f /etc/nginx/sites-enabled/default\nexec /usr/sbin/nginx "$@"\n'
    )
    (folder / "usr/local/sbin/nginx").chmod(0o755)


if __name__ == "__main__":
    main()
