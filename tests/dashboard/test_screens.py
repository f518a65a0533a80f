"""Every page in every state, light and dark, wide and narrow: nothing broken, nothing that WCAG 2.2 AA forbids, nothing foreign.

Each leaves its pictures in build/screenshots, called page-state-theme-width.png.
"""

import csv
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from screens import said, settle

from vsm import cli

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SAMPLE, SAMPLE_CONFIG = ROOT / "sample_data" / "facts", ROOT / "sample_data" / "vsm.toml"
PICTURES = Path(os.environ.get("VSM_SCREENSHOTS", ROOT / "build" / "screenshots"))
PAGES = {  # in the order of the navigation
    "overview": ("/", "How is delivery going, and what changed?"),
    "map": ("/map", "Where does work wait?"),
    "flow": ("/flow", "How long does work take and what is stuck?"),
    "bottlenecks": ("/bottlenecks", "What should we change first?"),
    "delivery": ("/delivery", "Are changes small, fast and safe?"),
    "forecast": ("/forecast", "When will it be done, and how many will be?"),
    "retro": ("/retro", "What do we take into the meeting?"),
    "data": ("/data", "Can I trust this?"),
}
NARROW, USUAL, WIDE = 390, 1440, 2560
# What there is to show in it differs by page; light and dark take turns from state to state.
DRAWN = {
    "one stream": list(PAGES),
    "few rows": list(PAGES),
    "one ticket": ["map", "flow", "bottlenecks", "data"],
    "one change": ["overview", "forecast", "retro", "delivery"],
    "tickets only": list(PAGES),
    "commits only": list(PAGES),
    "stale": ["overview", "data"],
}
# The same on every page: what it says.
SAID = {
    "no rows": "That is not the same as zero.",
    "no store": "There is no store at",
    "empty store": "holds nothing yet",
    "broken configuration": "not valid TOML",
}
CHOSEN = {"one stream": "?stream=checkout", "no rows": "?stream=platform&team=Basket&period=4+weeks"}
DAY = "2026-11-{:02}T{:02}:00:00Z"


@pytest.fixture(scope="module")
def states(tmp_path_factory, stores, sample_store):
    """The store and the configuration of each state."""
    place = tmp_path_factory.mktemp("screens")
    (broken := place / "broken.toml").write_text("timezone = Vienna\n")
    return {
        "sample": (sample_store, SAMPLE_CONFIG),
        "one stream": (sample_store, SAMPLE_CONFIG),
        "no rows": (sample_store, SAMPLE_CONFIG),
        "stale": (_stale(sample_store, place / "stale.db"), SAMPLE_CONFIG),
        "few rows": (_few(place), None),
        "one ticket": (stores["one ticket"], None),
        "one change": (stores["one change"], None),
        "tickets only": (_only(place, "tickets", "transitions", "ticket_changes", "ticket_links"), SAMPLE_CONFIG),
        "commits only": (stores["git only"], None),
        "no store": (stores["none"], None),
        "empty store": (stores["empty"], None),
        "broken configuration": (sample_store, broken),
    }


def _stale(sample: str, file: Path) -> str:
    """The sample as if nothing had been read for a month."""
    shutil.copy(sample.removeprefix("sqlite:///"), file)
    with sqlite3.connect(file) as connection:
        connection.execute(
            "UPDATE harvests SET started_at = datetime('now', '-30 days'), finished_at = datetime('now', '-30 days')"
        )
    connection.close()
    return f"sqlite:///{file}"


def _only(place: Path, *tables: str) -> str:
    """The sample with some of its tables."""
    (folder := place / "only").mkdir()
    for table in tables:
        shutil.copy(SAMPLE / f"{table}.csv", folder)
    return _imported(folder)


def _few(place: Path) -> str:
    """Three tickets, two of them done, three changes in production, one of which failed."""
    (folder := place / "few").mkdir()
    tables = {
        "tickets": [
            {"key": f"FEW-{n}", "title": f"Thing {n}", "type": "Feature", "status": "Done" if n < 3 else "Doing",
             "created_at": DAY.format(n, 8)} for n in (1, 2, 3)
        ],
        "transitions": [
            {"ticket": f"FEW-{n}", "at": DAY.format(n + 2 * step, 9), "from_status": was, "to_status": now}
            for n in (1, 2, 3) for step, (was, now) in enumerate((("To do", "Doing"), ("Doing", "Done"))) if n < 3 or not step
        ],
        "pull_requests": [
            {"repository": "shop", "number": str(n), "title": f"FEW-{n}: change", "merge_sha": f"{n}" * 40,
             "first_commit_at": DAY.format(n, 10), "created_at": DAY.format(n, 12), "merged_at": DAY.format(n + 1, 9)}
            for n in (1, 2, 3)
        ],
        "deployments": [
            {"id": f"d{n}", "application": "shop", "environment": "production", "repository": "shop", "sha": f"{n}" * 40,
             "result": "success", "finished_at": DAY.format(n + 1, 12)} for n in (1, 2, 3)
        ],
        "incidents": [
            {"id": "INC-1", "application": "shop", "title": "Down", "opened_at": DAY.format(4, 13),
             "resolved_at": DAY.format(4, 15)}
        ],
    }  # fmt: skip
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return _imported(folder)


def _imported(folder: Path) -> str:
    url = f"sqlite:///{folder}.db"
    assert cli.run(["import", str(folder), "--store", url]) == 0
    return url


def picture(page: str, state: str, dark: bool, width: int) -> Path:
    return PICTURES / f"{page}-{state.replace(' ', '_')}-{'dark' if dark else 'light'}-{width}.png"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole_and_accessible_wide_and_narrow(shows, window, states, page, dark):
    shows.show(*states["sample"])
    path, question = PAGES[page]
    screen = window(dark)
    screen.open(path)

    assert screen.page.locator("h1").inner_text() == question
    assert screen.page.title().endswith(" · Value stream")
    wrong = [*screen.wrong(), *screen.violations()]
    screen.picture(picture(page, "sample", dark, USUAL))
    for width in (NARROW, WIDE):
        if width == WIDE and (dark or page not in ("overview", "map", "flow")):
            continue
        screen.resize(width, 900)
        wrong += [f"{width}: {one}" for one in screen.wrong()]
        if width == NARROW and dark:  # what is wrong with it in light was found wide
            wrong += [f"{width}: {one}" for one in screen.violations()]
        screen.picture(picture(page, "sample", dark, width))

    assert not wrong, said(wrong)


@pytest.mark.parametrize(("dark", "state"), [(row % 2 == 1, state) for row, state in enumerate(DRAWN)], ids=list(DRAWN))
def test_a_page_is_whole_and_accessible_in_every_state(shows, window, states, state, dark):
    """The first page as a pasted link, the others by the navigation."""
    shows.show(*states[state])
    screen, wrong = window(dark), []
    page = screen.open(PAGES[DRAWN[state][0]][0] + CHOSEN.get(state, ""))
    links = page.get_by_test_id("stTopNavLinkContainer")

    for name in DRAWN[state]:
        links.nth(list(PAGES).index(name)).click()
        page.get_by_role("heading", name=PAGES[name][1]).wait_for(timeout=30_000)
        settle(page)
        words = page.locator("[data-testid=stMain]").inner_text()
        assert "Data as of" in words, name
        assert ("days ago" in words) == (state == "stale"), name
        wrong += [f"{name}: {one}" for one in (*screen.wrong(), *screen.violations())]
        screen.picture(picture(name, state, dark, USUAL))
        screen.resize(USUAL, 900)
    assert not wrong, said(wrong)


@pytest.mark.parametrize(("dark", "state"), [(row % 2 == 1, state) for row, state in enumerate(SAID)], ids=list(SAID))
def test_where_there_is_nothing_to_show_every_page_says_why_and_what_to_do(shows, window, states, state, dark):
    """From page to page by the navigation, as somebody would who looks for the numbers."""
    shows.show(*states[state])
    screen = window(dark)
    page = screen.open("/" + CHOSEN.get(state, ""))
    links, wrong = page.get_by_test_id("stTopNavLinkContainer"), []
    assert links.count() == len(PAGES)

    for place, (name, (path, question)) in enumerate(PAGES.items()):
        links.nth(place).click()
        page.get_by_role("heading", name=question).wait_for(timeout=30_000)
        settle(page)
        assert page.url.partition("?")[0] == screen.address + path
        assert SAID[state] in page.locator("[data-testid=stMain]").inner_text()
        wrong += [f"{name}: {one}" for one in (*screen.wrong(), *screen.violations())]
        if name in ("overview", "data"):
            screen.picture(picture(name, state, dark, USUAL))
            screen.resize(USUAL, 900)

    assert not wrong, said(wrong)
