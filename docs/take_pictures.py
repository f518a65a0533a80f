"""Take the README's pictures from the demo: `make pictures` while `make demo` is running."""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "pictures"
VIEWS = {
    "overview": ("/", 1180),
    "map": ("/map?stream=checkout", 1000),
    "flow": ("/flow?stream=platform", 1180),
    "bottlenecks": ("/bottlenecks?stream=checkout", 1280),
    "delivery": ("/delivery", 1180),
}
SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]');
  return app && app.getAttribute('data-test-script-state') === 'notRunning'
    && !document.querySelector('[data-stale=true],[data-testid=stSkeleton],[data-testid=stSpinner]')
    && [...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(c => c.querySelector('svg.marks, canvas.marks'));
}"""


def main(address: str) -> None:
    """One picture a view."""
    PICTURES.mkdir(exist_ok=True)
    program = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        for name, (path, height) in VIEWS.items():
            page = browser.new_page(viewport={"width": 1440, "height": height})
            page.goto(address + path)
            for _ in range(2):
                page.wait_for_function(SETTLED, timeout=60_000)
                page.wait_for_timeout(1000)
            page.screenshot(path=str(PICTURES / f"{name}.png"))
        browser.close()


if __name__ == "__main__":
    main(f"http://localhost:{os.environ.get('PORT', '8501')}")
