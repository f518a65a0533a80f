"""While a page is open, in a real browser: a harvest started from it, new data, a note, a link, a switch of page, paper."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from programs import Program, free_port
from screens import Screen, said, settle

from vsm import cli

pytestmark = pytest.mark.browser

PATIENCE = 60_000
CONFIG = """
timezone = "Europe/Vienna"

[[sources]]
kind = "git"
name = "shop"
path = "shop"
release_tags = "v*"

[[sources]]
kind = "git"
name = "nowhere"
path = "nowhere"
"""


def git(folder, *arguments):
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", folder, *author, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a clone of one release, a source that is not there, and no store yet."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "shop").mkdir()
    git(folder / "shop", "init", "-q")
    git(folder / "shop", "commit", "-q", "--allow-empty", "-m", "Sort the cart (#1)")
    git(folder / "shop", "tag", "v1.0")
    (folder / "vsm.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def served(place):
    """The address of a dashboard that may be written to."""
    port, program = free_port(), Path(sys.executable).with_name("vsm")
    options = ["--port", port, "--store", f"sqlite:///{place / 'vsm.db'}", "--config", place / "vsm.toml"]
    running = Program([program, "dashboard", *options], port, "/_stcore/health", place / "log")
    yield f"http://localhost:{port}"
    running.close()


@pytest.fixture
def screen(browser, served):
    """A window on it; nothing is wrong with what it showed last."""
    windows = []

    def opened(dark=False, width=1440):
        windows.append(Screen(browser, served, dark, width))
        return windows[-1]

    yield opened
    for one in windows:
        one.close()


def sees(page, words):
    page.get_by_text(words).first.wait_for(timeout=PATIENCE)


def test_an_empty_page_becomes_full_by_a_harvest_that_is_watched_and_the_page_may_be_closed_meanwhile(screen, place):
    first = screen()
    page = first.open("/data")
    sees(page, "Reads what is new in shop and nowhere")
    page.get_by_role("button", name="Harvest now").click()
    end = time.monotonic() + 30
    while not (place / "vsm.db.harvest.json").exists() and time.monotonic() < end:
        page.wait_for_timeout(50)
    first.close()

    second = screen()
    page = second.open("/data")
    sees(page, "1 of 2 sources could not be read to the end, the rest is saved")
    settle(page)
    assert "expected the folder of a git clone" in page.locator(".st-key-harvest").inner_text()
    assert page.get_by_role("heading", name="Coverage", level=2).is_visible()
    assert second.wrong() == []
    assert second.violations() == [], said(second.violations())


def test_new_data_is_told_on_an_open_page_and_shown_without_a_restart(screen, place, tmp_path):
    window = screen()
    page = window.open("/delivery")
    assert page.get_by_text("New data has come in").count() == 0
    (tmp_path / "deployments.jsonl").write_text(
        "".join(
            f'{{"id": "d{n}", "application": "shop", "environment": "production", "result": "success",'
            f' "finished_at": "2026-11-0{n}T10:00:00Z"}}\n'
            for n in range(1, 7)
        )
    )
    assert cli.run(["import", str(tmp_path), "--store", f"sqlite:///{place / 'vsm.db'}"]) == 0

    sees(page, "New data has come in")
    assert window.violations() == []
    page.get_by_role("button", name="Show it").click()
    page.get_by_text("New data has come in").first.wait_for(state="detached", timeout=PATIENCE)
    settle(page)
    assert page.get_by_text("0 of 7").or_(page.get_by_text("n = 7")).first.is_visible()
    assert window.wrong() == []


def test_a_note_written_in_the_dialog_is_on_the_retrospectives_page(screen):
    window = screen()
    page = window.open("/delivery")
    page.get_by_role("button", name="Add a note").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What happened").fill("<b>Two people joined</b>")
    assert window.violations() == []
    dialog.get_by_role("button", name="Keep it").click()
    dialog.wait_for(state="hidden", timeout=PATIENCE)
    page.get_by_role("link", name="Retrospective").first.click()

    sees(page, "<b>Two people joined</b>")
    settle(page)
    assert window.wrong() == []


def test_filters_of_a_pasted_link_survive_switches_of_page_and_stand_in_every_address(screen, place):
    window = screen()
    page = window.open("/delivery?period=13+weeks&compare=false")
    for link, question in (("Flow", "How long does work take"), ("Delivery", "Are changes small, fast and safe?")):
        page.get_by_role("link", name=link, exact=True).click()
        page.get_by_role("heading", name=question).wait_for(timeout=PATIENCE)
        settle(page)
        assert page.locator(".st-key-period button[aria-checked=true]").all_inner_texts() == ["13 weeks"]
        assert not page.get_by_label("Compare with the period before").is_checked()
        page.wait_for_function('() => location.search.includes("period=13")', timeout=10_000)
        assert parse_qs(urlsplit(page.url).query) == {"period": ["13 weeks"], "compare": ["false"]}
    assert "created with a default value" not in (place / "log").read_text()


def test_two_days_in_a_link_are_the_window(screen):
    page = screen().open("/delivery?period=Dates&dates=2026-11-01&dates=2026-11-06")

    assert page.get_by_text("First and last day").first.is_visible()
    page.emulate_media(media="print")
    assert "1 Nov 2026 to 6 Nov 2026" in page.locator(".vsm-on-paper").inner_text()


def test_the_link_to_a_view_can_be_copied(screen, served):
    window = screen()
    page = window.open("/delivery?period=13+weeks")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=served)
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Link copied").wait_for(timeout=PATIENCE)

    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_a_chosen_theme_survives_a_switch_of_page(screen):
    page = screen().open("/delivery")
    page.get_by_test_id("stMainMenu").get_by_role("button").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Flow", exact=True).click()
    settle(page)

    assert page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor") == "rgb(14, 20, 32)"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_is_around_a_page_can_be_used_by_everybody(screen, dark):
    window = screen(dark)
    page = window.open("/data")
    sees(page, "Harvest again")

    assert window.violations() == [], said(window.violations())
    assert window.wrong() == []


def test_paper_has_no_controls_and_nothing_is_cut_at_its_side(screen):
    page = screen().open("/delivery")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1040, "height": 740})
    page.wait_for_timeout(500)

    assert not any(button.is_visible() for button in page.get_by_role("button").all())
    assert page.locator(".vsm-on-paper").is_visible()
    cut = """() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] svg.marks')]
      .filter(one => one.getBoundingClientRect().right > innerWidth + 1).length"""
    assert page.evaluate(cut) == 0
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@pytest.mark.parametrize("width", [390, 2560])
def test_narrow_and_very_wide_windows_scroll_only_downwards(screen, width):
    window = screen(width=width)
    page = window.open("/delivery")

    assert window.wrong() == []
    assert page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').getBoundingClientRect().width") <= 1880


def test_what_breaks_is_said_with_a_number_that_is_in_the_log(screen, place):
    """The last test: it breaks its store."""
    window = screen()
    page = window.open("/retro")
    with sqlite3.connect(place / "vsm.db") as connection:
        connection.execute("DROP TABLE notes")
    page.get_by_text("Compare with the period before").click()
    sees(page, "look for error")

    number = page.get_by_text("look for error").first.inner_text().partition("look for error ")[2][:8]
    assert f"error {number}" in (place / "log").read_text()
    assert page.locator("[data-testid=stException]").count() == 0
