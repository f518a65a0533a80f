"""The image and the compose file for real: built, run as its own user on a read-only root, signed in before PostgreSQL.

Needs root, podman with netavark and aardvark-dns, podman-compose, debootstrap, Debian's packages, the pinned wheels, Chromium, and
some ten minutes. `python bench/try_image.py [FOLDER]`: everything lies in the folder, images too, in a network of its own. Where
no image of the name is there yet, Debian 13 stands in for `python:3.13-slim` (a bare one, with its Python 3.13 and pip in
/usr/local) and for `postgres:17` (its PostgreSQL 17, an entrypoint of ours): no registry of images is asked. An OpenID provider
of the tests stands for yours. One JSON line for each claim; the exit status is 1 where one does not hold.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from booted import judged, network_of_our_own, until
from contained import PYTHON, Containers, Relay, places_of_our_own, stand_ins
from screens import chromium  # try_runbook, which booted has loaded, has put the tests' peers on the path
from try_runbook import ACCOUNTS, CLIENT, EDITOR, ROOT, SECRET, OpenId, sign_in

ADDRESS = "http://localhost:8501"
# How compose.yaml runs the image, as words for `podman run`.
CLOSED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
PROBE = """for place in / /app /usr/bin /etc /var/lib /usr/local/lib/python3.13 /data /tmp; do
    if (: > $place/probe) 2>/dev/null; then rm $place/probe; echo may $place; fi
done
grep -E '^(NoNewPrivs|CapEff|CapBnd):' /proc/self/status | tr '\\t' ' '
id -u"""
PROBED = ["may /data", "may /tmp", "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "10001"]
SOURCE = """[[sources]]
kind = "git"
path = "/data/clone.git"
repository = "example/app"
"""
VSM_TOML = """timezone = "Europe/Vienna"
[privacy]
key = "env:VSM_KEY"
[sign_in]
metadata_url = "{metadata}"
client_id = "{client}"
address = "{address}"
prompt = "login"
[access]
editors = ["{editor}"]
"""
SECRETS = {
    "POSTGRES_PASSWORD": "password-of-the-database",
    "VSM_KEY": "key-of-handles-key-of-handles-key-of-handles",
    "VSM_CLIENT_SECRET": SECRET,
    "VSM_COOKIE_SECRET": "cookies-are-signed-by-this-and-by-nothing-else",
}
SERVICES = ("db", "dashboard", "harvest")


class Tried:
    """The containers and the provider."""

    def __init__(self, containers: Containers, provider: OpenId) -> None:
        self.containers, self.provider = containers, provider

    def run(self, *words: str, check: bool = True) -> str:
        """The image in a container that ends with its program, closed as in compose.yaml, with a volume for its data."""
        options = ("--rm", "--network=none", *CLOSED, "--volume=vsm-alone:/data", f"--volume={self.containers.app}:/project:ro")
        return self.containers.podman("run", *options, *words, check=check)

    def state(self, service: str) -> dict[str, Any]:
        """What podman knows of a service of compose.yaml."""
        told: dict[str, Any] = json.loads(self.containers.podman("inspect", f"vsm_{service}_1"))[0]
        return told

    def inside(self, service: str, *words: str) -> str:
        """What a program says in a running service."""
        return self.containers.podman("exec", f"vsm_{service}_1", *words)


def ready(seconds: float, path: str = "readyz") -> float:
    """Wait until the dashboard is ready, asked from outside of its container; says how long that took."""
    began = time.monotonic()
    until(lambda: urllib.request.urlopen(f"http://127.0.0.1:8501/{path}", timeout=5).status == 200, seconds)
    return round(time.monotonic() - began, 1)


def the_image_holds_the_program_and_nothing_else(tried: Tried) -> object:
    """Of a fresh clone, with a file of secrets beside the Containerfile; it runs as a user of its own and can tell its health."""
    told = json.loads(tried.containers.podman("image", "inspect", "vsm"))[0]
    base = json.loads(tried.containers.podman("image", "inspect", PYTHON))[0]
    lines = tried.run("--entrypoint=sh", "vsm", "-c", "ls -A /app; id -u; python -V; vsm --version").split("\n")
    assert told["Config"]["User"] == "vsm"
    assert told["Healthcheck"]["Test"][0] == "CMD", told
    assert not {"tests", ".git", "deploy", "build"} & set(lines), lines
    assert "planted" not in tried.containers.podman("history", "--no-trunc", "vsm")
    return {
        "MB": told["Size"] // 10**6,
        "MB of what it stands on": base["Size"] // 10**6,
        "inside": [line for line in lines if line],
    }


def nobody_is_served_without_a_sign_in(tried: Tried) -> object:
    """What the image does by itself is to refuse, with a sentence."""
    said = tried.run("vsm", check=False)
    assert "sign" in said, said
    assert "Traceback" not in said, said
    return said.strip()


def facts_come_in_on_a_read_only_root(tried: Tried) -> object:
    """Import, harvest and backup as user 10001, without capabilities, with nothing to write but /data and /tmp."""
    probe = [line for line in tried.run("--entrypoint=sh", "vsm", "-c", PROBE).split("\n") if line]
    assert sorted(probe) == sorted(PROBED), probe
    tried.run("vsm", "import", "/project/sample_data/facts")
    tried.run("--entrypoint=sh", "vsm", "-c", f"cp -r /project/clone.git /data/ && printf '%s' '{SOURCE}' > /data/vsm.toml")
    tried.run("vsm", "collect")
    tried.run("vsm", "backup", "first.zip")
    return {"probe": probe, "backup": tried.run("vsm", "restore", "first.zip", "--check").strip()}


def a_dashboard_alone_answers_on_the_loopback(tried: Tried) -> object:
    """Without a database, on a store in its volume: a browser sees its numbers, its health is told, and it stops at once."""
    podman = tried.containers.podman
    options = (*CLOSED, "--volume=vsm-alone:/data", "--publish=127.0.0.1:8501:8501", "--name=alone")
    podman("run", "--detach", *options, "vsm", "dashboard", "--address", "0.0.0.0", "--without-sign-in")  # noqa: S104 - inside of the container
    seconds = ready(120)
    with chromium() as browser:
        page = browser.new_page()
        page.goto(ADDRESS)
        page.locator("[data-testid=stMetricValue]").first.wait_for(timeout=120_000)
        tiles = page.locator("[data-testid=stMetricValue]").count()
        podman("healthcheck", "run", "alone")
        began = time.monotonic()
        podman("stop", "--time=30", "alone")
        stopped = round(time.monotonic() - began, 1)
    ended = podman("inspect", "--format={{.State.ExitCode}}", "alone").strip()
    podman("rm", "alone")
    until(lambda: "CONTAINER ID" in podman("ps", "--all"), 30)  # what is just being cleared away may be in the way of it
    assert stopped < 15, stopped
    assert ended in ("0", "143"), ended
    return {"ready in s": seconds, "tiles": tiles, "stopped in s": stopped, "exit": ended}


def compose_starts_everything(tried: Tried) -> object:
    """`config` is valid; `up` brings database, dashboard and harvest; the dashboard answers, and is as closed as the file says."""
    compose = tried.containers.compose
    config = compose("config")
    assert all(f"{name}:" in config for name in SERVICES), config
    compose("up", "--detach")
    seconds = ready(180, "healthz")
    until(lambda: all(tried.state(name)["State"]["Running"] for name in SERVICES), 60)
    told = tried.state("dashboard")["HostConfig"]
    assert told["ReadonlyRootfs"], told
    assert [one.split(":")[0] for one in told["SecurityOpt"]] == ["no-new-privileges"], told
    probe = [line for line in tried.inside("dashboard", "sh", "-c", PROBE).split("\n") if line]
    assert sorted(probe) == sorted(PROBED), probe
    tried.containers.podman("healthcheck", "run", "vsm_db_1")
    return {"answers in s": seconds, "probe": probe}


def facts_go_into_postgresql_and_a_browser_signs_in(tried: Tried) -> object:
    """The sample is imported beside the running dashboard, the harvest's loop fills in a clone, and who signs in sees numbers."""
    podman = tried.containers.podman
    podman("cp", str(tried.containers.app / "sample_data/facts"), "vsm_dashboard_1:/data/facts")
    tried.inside("dashboard", "vsm", "import", "/data/facts")
    seconds = ready(60)
    podman("healthcheck", "run", "vsm_dashboard_1")
    relay = Relay(int(tried.state("dashboard")["State"]["Pid"]), int(tried.provider.url.rsplit(":", 1)[1]))
    with chromium() as browser:
        page = sign_in(browser, ADDRESS, tried.provider)
        tiles = page.locator("[data-testid=stMetricValue]").all_inner_texts()
    relay.close()
    podman("cp", str(tried.containers.app / "clone.git"), "vsm_harvest_1:/data/clone.git")
    file = tried.containers.app / "deploy/vsm.toml"
    file.write_text(file.read_text() + SOURCE)
    tried.containers.compose("restart", "harvest")
    until(lambda: "rows" in tried.containers.podman("logs", "vsm_harvest_1"), 60)
    return {"ready in s": seconds, "tiles": tiles, "harvest": tried.containers.podman("logs", "--tail=4", "vsm_harvest_1")}


def all_of_it_stops_and_comes_back_with_its_data(tried: Tried) -> object:
    """`down` ends each service in time, and `up` finds the database as it was; no secret is in what the services have said."""
    said = {name: tried.containers.podman("logs", f"vsm_{name}_1") for name in SERVICES}
    assert not [(name, key) for name, text in said.items() for key, secret in SECRETS.items() if secret in text]
    before = tried.inside("db", "psql", "-U", "vsm", "-Atc", "select count(*) from tickets")
    began = time.monotonic()
    tried.containers.compose("stop", "--timeout=30")
    stopped = round(time.monotonic() - began, 1)
    ended = {name: tried.state(name)["State"]["ExitCode"] for name in SERVICES}
    tried.containers.compose("down")
    tried.containers.compose("up", "--detach")
    ready(180)
    assert tried.inside("db", "psql", "-U", "vsm", "-Atc", "select count(*) from tickets") == before
    assert 137 not in ended.values(), ended
    return {"tickets": int(before), "stopped in s": stopped, "exit": ended}


CLAIMS: tuple[Callable[[Tried], object], ...] = (
    the_image_holds_the_program_and_nothing_else,
    nobody_is_served_without_a_sign_in,
    facts_come_in_on_a_read_only_root,
    a_dashboard_alone_answers_on_the_loopback,
    compose_starts_everything,
    facts_go_into_postgresql_and_a_browser_signs_in,
    all_of_it_stops_and_comes_back_with_its_data,
)


def build(containers: Containers) -> None:
    """A fresh clone, with secrets in deploy/ as it will have, built word by word."""
    subprocess.run(["rm", "-rf", containers.app], check=True)
    subprocess.run(["git", "clone", "--quiet", ROOT, containers.app], check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, containers.app / "clone.git"], check=True)
    store = f"postgresql://vsm:{SECRETS['POSTGRES_PASSWORD']}@db/vsm"
    lines = [f"{name}={value}\n" for name, value in {**SECRETS, "VSM_STORE": store}.items()]
    (containers.app / "deploy/env").write_text("".join(lines))
    stand_ins(containers)
    began = time.monotonic()
    containers.podman("build", "-f", "deploy/Containerfile", "-t", "vsm", ".", cwd=containers.app)
    containers.compose("build")
    print(f"built in {time.monotonic() - began:.0f} s", file=sys.stderr)


def main() -> int:
    """Build the image with this machine's network, then try each claim in a network of our own."""
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="image-"))
        places_of_our_own()
        containers = Containers(Path(sys.argv[1] if len(sys.argv) > 1 else scratch).resolve())
        build(containers)
        network_of_our_own()
        stack.callback(containers.end)
        provider = OpenId(Path(stack.enter_context(tempfile.TemporaryDirectory())), ADDRESS, ACCOUNTS)
        stack.callback(provider.close)
        told = VSM_TOML.format(metadata=provider.metadata, client=CLIENT, address=ADDRESS, editor=EDITOR)
        (containers.app / "deploy/vsm.toml").write_text(told)
        tried = Tried(containers, provider)
        return judged(CLAIMS, tried)


if __name__ == "__main__":
    sys.exit(main())
