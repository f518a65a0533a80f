"""Two processes behind one address: a browser stays with one of them, and goes on with the other when its own has gone."""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from programs import Program, absent, free_port
from screens import Screen

ROOT = Path(__file__).parents[2]
CONF = ROOT / "deploy" / "nginx.conf"


class Proxy:
    """nginx with the configuration that we give to others, without TLS, on a free port of the loopback."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or absent("nginx")
        self.port = free_port()
        self.folder = folder
        told = CONF.read_text()
        told = re.sub(r"    (# )?server 127\.0\.0\.1:850\d .*\n", "", told)
        servers = "".join(f"    server 127.0.0.1:{port} max_fails=1 fail_timeout=5s;\n" for port in ports)
        told = told.replace("    hash $vsm_place consistent;\n", f"    hash $vsm_place consistent;\n{servers}")
        told = told.replace("listen 443 ssl;", f"listen 127.0.0.1:{self.port};").replace(" Secure;", "")
        told = re.sub(r"    ssl_.*\n", "", told).replace("vsm.example.org", "localhost").replace("Host $host;", "Host $http_host;")
        (folder / "vsm.conf").write_text(told)
        paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        main = f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
        log = f"log_format where '$args $upstream_addr'; access_log {folder}/access.log where;"
        (folder / "nginx.conf").write_text(f"{main}http {{\n{log}\n{paths}include {folder}/vsm.conf;\n}}\n")
        call = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        subprocess.run([*call, "-t"], check=True, capture_output=True)
        self.running = Program(call, self.port, "/_stcore/health", folder / "log")


@pytest.fixture
def two(tmp_path, sample_store):
    """Two dashboards on one store, and the proxy before them."""
    file = tmp_path / "vsm.db"
    shutil.copy(sample_store.removeprefix("sqlite:///"), file)
    vsm, servers = Path(sys.executable).with_name("vsm"), []
    for number in range(2):
        port = free_port()
        call = [vsm, "dashboard", "--port", port, "--store", f"sqlite:///{file}", "--config", ROOT / "sample_data" / "vsm.toml"]
        servers.append(Program(call, port, "/readyz", tmp_path / f"log{number}"))
    proxy = Proxy(tmp_path, [one.port for one in servers])
    yield proxy, servers
    for one in (proxy.running, *servers):
        one.close()


def served_by(proxy: Proxy, cookie: str) -> int:
    """The port of the server that a browser with a cookie is sent to."""
    mark = secrets.token_hex(8)
    asked = urllib.request.Request(f"http://localhost:{proxy.port}/healthz?{mark}", headers={"Cookie": f"vsm_place={cookie}"})
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        assert answer.status == 200
        assert f"vsm_place={cookie};" in answer.headers["Set-Cookie"]
    for _ in range(200):  # the proxy writes its log behind the answer
        if found := re.search(rf"^{mark} .*:(\d+)$", (proxy.folder / "access.log").read_text(), re.MULTILINE):
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError("the proxy did not log the request")


@pytest.mark.browser
def test_a_browser_stays_with_its_process_and_goes_on_with_the_other_when_that_has_gone(two, browser):
    proxy, servers = two
    places = {cookie: served_by(proxy, cookie) for cookie in "abcdefghijklmnop"}
    assert set(places.values()) == {one.port for one in servers}
    assert {cookie: served_by(proxy, cookie) for cookie in places} == places
    mine = next(one for one in servers if one.port == places["a"])
    cookies = ["a", next(cookie for cookie, port in places.items() if port != mine.port)]
    screens = [Screen(browser, f"http://localhost:{proxy.port}") for _ in cookies]
    for screen, cookie in zip(screens, cookies, strict=True):
        screen.page.context.add_cookies([{"name": "vsm_place", "value": cookie, "url": screen.address}])
        screen.open("/delivery")
    for screen in screens:
        screen.page.locator("[data-testid=stPopover] button").filter(has_text="Download").first.click()
        with screen.page.expect_download(timeout=60_000) as told:
            screen.page.get_by_role("button", name="CSV", exact=True).click()
        assert Path(told.value.path()).stat().st_size > 50, "a file that only its process holds"

    mine.close()
    assert served_by(proxy, "a") != mine.port
    screens[0].open("/delivery")
    for screen in screens:
        assert screen.page.get_by_role("heading", level=1).inner_text() == "Are changes small, fast and safe?"
        screen.close()
