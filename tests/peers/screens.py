"""A Chromium that looks at the dashboard: when a page has come to rest, what is wrong with it, and a picture of it."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from programs import package

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--hide-scrollbars", "--force-color-profile=srgb", "--font-render-hinting=none",
)  # fmt: skip
TALLEST = 6_000  # pixels of a picture: what is longer is cut

# Streamlit has no event for "done": connected, not running, nothing stale, every chart drawn.
SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  if (!app || app.getAttribute('data-test-connection-state') !== 'CONNECTED') return false;
  if (app.getAttribute('data-test-script-state') !== 'notRunning') return false;
  if (!document.querySelector('h1')) return false;  // connected, and the first run has not begun
  const busy = '[data-stale=true],[data-testid=stSkeleton],[data-testid=stAppSkeleton],[data-testid=stSpinner]';
  if (document.querySelector(busy)) return false;
  return [...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(c => c.querySelector('svg.marks, canvas.marks'));
}"""
ERRORS = "[data-testid=stException], [data-testid=stAlertContentError]"

# WCAG 2.2 at levels A and AA, and what axe takes for good practice.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
# What Streamlit and Vega draw and we cannot mend, by rule and by selector; nothing else is let through.
NOT_OURS = {
    "svg-img-alt": "[class*=highlighted_points_marks], .brush_brush, .brush_brush_bg",
    "target-size": "[data-testid=stDateInput] *, [data-testid=stMultiSelect] *",
    "region": "#vg-tooltip-element",
}
VIOLATIONS = """async ([rules, notOurs]) => {
  const found = await axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations'], elementRef: true});
  return found.violations.flatMap(rule => rule.nodes
    .filter(node => !(notOurs[rule.id] && node.element && node.element.matches(notOurs[rule.id])))
    .map(node => [rule.id, ...node.any.concat(node.all, node.none).slice(0, 1).map(one => one.message), node.html.slice(0, 240)])
    .map(parts => parts.join(': ')));
}"""
SIDEWAYS = """() => ['html', '[data-testid=stAppViewContainer]', '[data-testid=stMain]', '[role=dialog]']
  .flatMap(name => [...document.querySelectorAll(name)].filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => `${name} is ${e.scrollWidth} wide in ${e.clientWidth}`))"""
PATIENCE = 5_000  # milliseconds for charts that were drawn for a layout in between: columns come together a frame after the window
HEIGHT = "() => document.querySelector('[data-testid=stMain]')?.scrollHeight ?? innerHeight"
# What the page's own policy refused. Streamlit's protobuf tries WebAssembly for its long numbers, and does without.
REFUSED = """document.addEventListener('securitypolicyviolation', e => (window.refused ??= []).push(
  `${e.disposition} ${e.effectiveDirective} refused ${e.blockedURI} in ${e.sourceFile}:${e.lineNumber} ${e.sample}`), true)"""
DOES_WITHOUT = re.compile(r"enforce script-src refused wasm-eval in \S+/static/js/protobuf\.\S+ ")


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium. Under CI a missing one is a failure, not a skip."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


def axe_source() -> str:
    """The program of axe-core, as npm brings it. Under CI a missing one is a failure, not a skip."""
    return package("axe-core/axe.min.js").read_text(encoding="utf-8")


def settle(page: Any) -> None:
    """Wait until a page has come to rest."""
    for _ in range(20):
        page.wait_for_function(SETTLED, timeout=180_000)  # the first to ask waits until everything is measured
        page.wait_for_timeout(250)
        if page.evaluate(SETTLED):
            return
    raise AssertionError("the page never came to rest")


class Screen:
    """A window of a browser on the dashboard: one context, one page, everything that it asked and complained of."""

    def __init__(self, browser: Any, address: str, dark: bool = False, width: int = 1440) -> None:
        self.address, self.dark, self.width = address, dark, width
        self._context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        self.page = self._context.new_page()
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]) if "://" in request.url else None)
        self.page.add_init_script(REFUSED)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        """A complaint on the console. On a deep link Streamlit asks beside the page for its health and settings: noise."""
        where = message.location.get("url", "")
        noise = "404" in message.text and where.endswith(("/_stcore/health", "/_stcore/host-config"))
        if message.type == "error" and not noise:
            self.complaints.append(f"{message.text} ({where})")

    def open(self, path: str) -> Any:
        """Load a page as a pasted link does, and wait until it is at rest; gives the page."""
        self.complaints.clear()
        self.resize(self.width, 900)
        self.page.goto(self.address + path)
        settle(self.page)
        return self.page

    def resize(self, width: int, height: int) -> None:
        """Another size of the window; what is drawn anew by it is waited for."""
        size = {"width": width, "height": height}
        if self.page.viewport_size != size:
            self.page.set_viewport_size(size)
            if self.page.url.startswith("http"):
                settle(self.page)

    def wrong(self) -> list[str]:
        """What is wrong with what is shown: error boxes, complaints on the console, foreign hosts, scrolling sideways."""
        boxes = [box.inner_text() for box in self.page.locator(ERRORS).all()]
        foreign = self.hosts - {self.address.removeprefix("http://")}
        asked = [f"asked {host}" for host in sorted(foreign)]
        return [*boxes, *self.complaints, *asked, *self.refused(), *self.sideways()]

    def sideways(self) -> list[str]:
        """What scrolls sideways and goes on doing so."""
        for _ in range(PATIENCE // 250):
            if not (found := self.page.evaluate(SIDEWAYS)):
                return []
            self.page.wait_for_timeout(250)
        return list(found)

    def refused(self) -> list[str]:
        """What the policy of the page refused, beside what its own libraries try and do without."""
        found = self.page.evaluate("() => window.refused ?? []")
        return [one for one in found if not DOES_WITHOUT.match(one)]

    def violations(self) -> list[str]:
        """What axe finds that is ours to mend."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(axe_source())
        found: list[str] = self.page.evaluate(VIOLATIONS, [list(RULES), NOT_OURS])
        return found

    def picture(self, path: Path) -> None:
        """A picture of all of the page, not only of what the window shows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.resize(self.page.viewport_size["width"], min(max(int(self.page.evaluate(HEIGHT)), 400), TALLEST))
        self.page.screenshot(path=str(path))

    def close(self) -> None:
        """Close the window."""
        self._context.close()


def said(lines: list[str]) -> str:
    """A list as a failing test shows it."""
    return json.dumps(lines, indent=1, ensure_ascii=False)
