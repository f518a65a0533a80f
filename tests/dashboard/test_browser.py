"""The running dashboard in a real Chromium: no error box, no foreign host, the map answers a click."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

CONFIG = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--hide-scrollbars",
)  # fmt: skip
PAGES = {  # the question, and how many charts and drawings of our own answer it
    "/": ("How is delivery going, and what changed?", 4, 0),
    "/map": ("Where does work wait?", 0, 2),
    "/flow": ("How long does work take and what is stuck?", 8, 2),
    "/bottlenecks": ("What should we change first?", 10, 0),
    "/forecast": ("When will it be done, and how many will be?", 4, 0),
    "/retro": ("What do we take into the meeting?", 2, 0),
    "/delivery": ("Are changes small, fast and safe?", 5, 0),
    "/data": ("Can I trust this?", 0, 0),
}
CHART, DRAWING = "[data-testid=stVegaLiteChart]", ".vsm-map svg, .vsm-board .board"
# Streamlit has no event for "done": connected, not running, nothing stale, every chart drawn.
SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  if (!app || app.getAttribute('data-test-connection-state') !== 'CONNECTED') return false;
  if (app.getAttribute('data-test-script-state') !== 'notRunning') return false;
  const busy = '[data-stale=true],[data-testid=stSkeleton],[data-testid=stAppSkeleton],[data-testid=stSpinner]';
  if (document.querySelector(busy)) return false;
  return [...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(c => c.querySelector('svg.marks, canvas.marks'));
}"""
ERRORS = "[data-testid=stException], [data-testid=stAlertContentError]"


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium. Under CI a missing one is a failure, not a skip."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def dashboard(sample_store, tmp_path_factory):
    """The address of a dashboard on the sample, served by `vsm dashboard` as a user would; it must not end by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("vsm")
    log = tmp_path_factory.mktemp("dashboard") / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [program, "dashboard", "--port", str(port), "--store", sample_store, "--config", str(CONFIG)],
            stdout=out,
            stderr=out,
            env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://localhost:{port}"
        assert server.poll() is None, f"the dashboard ended with {server.poll()}: {log.read_text()[-4000:]}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


def _wait_for(address, server):
    for _ in range(300):
        assert server.poll() is None, "the dashboard ended by itself"
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
                assert answer.read() == b"ok"
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{address} did not answer within a minute")


@pytest.fixture
def visit(browser, dashboard):
    """Open a page and wait until it is there; gives the page and the hosts that it contacted."""
    contexts = []

    def open_page(path, dark=False, width=1440):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        contexts.append(context)
        page, hosts = context.new_page(), set()
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]) if "://" in request.url else None)
        page.goto(dashboard + path)
        settle(page)
        return page, hosts

    yield open_page
    for context in contexts:
        context.close()


def settle(page):
    for _ in range(20):
        page.wait_for_function(SETTLED, timeout=60_000)
        page.wait_for_timeout(400)
        if page.evaluate(SETTLED):
            return
    pytest.fail("the page never came to rest")


@pytest.mark.parametrize("look", [{}, {"dark": True, "width": 390}], ids=["light and wide", "dark and narrow"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_drawn_without_an_error_and_asks_no_foreign_host(visit, dashboard, path, look):
    question, charts, drawings = PAGES[path]
    page, hosts = visit(path, **look)

    assert page.locator("h1").inner_text() == question
    assert page.locator(ERRORS).count() == 0
    assert page.locator(CHART).count() == charts
    assert page.locator(DRAWING).count() == drawings
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert hosts == {dashboard.removeprefix("http://")}


def test_clicking_a_stage_of_the_map_lists_its_items(visit):
    page, _ = visit("/map?stream=checkout")

    page.get_by_role("button", name="QA", exact=False).first.click()
    settle(page)

    assert page.get_by_role("heading", name="QA: 13 items in it now, its limit is 6 items").is_visible()
    assert page.get_by_role("button", name="Where these numbers come from").is_visible()


def test_the_map_answers_the_keyboard(visit):
    page, _ = visit("/map?stream=checkout")

    page.get_by_role("button", name="Review", exact=False).first.focus()
    page.keyboard.press("Enter")
    settle(page)

    assert page.get_by_role("heading", name="Review: 3 items in it now").is_visible()


def test_a_filter_changes_the_url_and_the_url_sets_the_filter(visit):
    page, _ = visit("/?stream=platform")
    assert page.get_by_role("combobox", name="Value stream").input_value() == "platform"

    page.get_by_text("13 weeks").click()
    settle(page)

    assert "13" in page.url
    assert "stream=platform" in page.url


def test_where_a_number_comes_from_opens_closes_and_gives_its_rows(visit):
    page, _ = visit("/")
    button, dialog = page.get_by_role("button", name="Where this number comes from").nth(2), page.get_by_role("dialog")

    button.click()
    dialog.wait_for(timeout=30_000)
    assert "needed remediation" in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden", timeout=30_000)

    button.click()
    dialog.wait_for(timeout=30_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="These rows as CSV").click()
    assert Path(download.value.path()).read_text("utf-8-sig").startswith("deployment,")
    assert page.locator(ERRORS).count() == 0
