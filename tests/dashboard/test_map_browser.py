"""The map in a real Chromium: groups, dialogs and future states by keyboard, no words on others at any width, files that open."""

import csv
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from screens import settle

from vsm import cli, journal, store

pytestmark = pytest.mark.browser

SAMPLE_CONFIG = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
LONG = [f"Step {place} of the northern region" for place in range(24)]
FORK = ["Refine", "Build <img src=x onerror=alert(1)>", "Test", "x" * 500, "مراجعة الأمان", "🚀 Ship"]
# Words that lie on other words, by what browsers know of the letters' real widths.
OVERLAPS = """() => {
  const roots = [document, ...[...document.querySelectorAll('*')].map(one => one.shadowRoot).filter(Boolean)];
  const maps = roots.flatMap(root => [...root.querySelectorAll('.vsm-map svg')]);
  if (!maps.length) return ['no map'];
  return maps.flatMap(svg => {
    const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBBox()]);
    return texts.flatMap(([one, a], i) => texts.slice(i + 1).filter(([two, b]) =>
      Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x) > 1.5 &&
      Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y) > 4).map(([two]) => `${one} on ${two}`));
  });
}"""
FOCUSED = """() => {
  let one = document.activeElement;
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  return one?.dataset?.group ?? one?.dataset?.stage ?? null;
}"""


def tickets(project, ways, dice):
    """Sixty tickets, each on one of some ways through stages, and their transitions."""
    told, moves, begin = [], [], datetime(2026, 6, 1, tzinfo=UTC)
    for number in range(60):
        key, at, status = f"{project}-{number}", begin + timedelta(days=2 * number), "Open"
        told.append({"key": key, "title": key, "type": "Feature", "status": "Done", "created_at": at.isoformat()})
        for stage in [*dice.choice(ways), None]:
            for new in (f"to {stage}", f"in {stage}") if stage is not None else ("Done",):
                at += timedelta(hours=dice.uniform(1, 20))
                moves.append({"ticket": key, "at": at.isoformat(), "from_status": status, "to_status": new})
                status = new
    return told, moves


def stream(name, project, names):
    stages = "".join(
        f'[[streams.stages]]\nname = "{stage}"\nwaiting = ["to {place}"]\nactive = ["in {place}"]\nteam = "Team {place}"\n'
        for place, stage in enumerate(names)
    )
    return f'[[streams]]\nname = "{name}"\nprojects = ["{project}"]\nnew = ["Open"]\ndone = ["Done"]\n{stages}'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store with a stream of 24 stages and one that branches, with hostile names; and its configuration."""
    place, dice = tmp_path_factory.mktemp("made"), random.Random(5)
    every = [
        tickets("LNG", [range(24), [*range(9), *range(5, 24)]], dice),
        tickets("FRK", [[0, 1, 4, 5], [0, 2, 3, 4, 5], [0, 2, 3, 2, 3, 4, 5]], dice),
    ]
    told, moves = ([row for part in every for row in part[side]] for side in (0, 1))
    config = place / "vsm.toml"
    config.write_text(stream("long", "LNG", LONG) + stream("fork", "FRK", FORK), encoding="utf-8")
    (place / "facts").mkdir()
    for name, rows in (("tickets", told), ("transitions", moves)):
        with (place / "facts" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    url = f"sqlite:///{place / 'made.db'}"
    assert cli.run(["import", str(place / "facts"), "--store", url]) == 0
    return url, config


@pytest.fixture
def own(shows, sample_store, tmp_path):
    """The sample in a store that a test may write to."""
    shutil.copy(sample_store.removeprefix("sqlite:///"), tmp_path / "own.db")
    url = f"sqlite:///{tmp_path / 'own.db'}"
    shows.show(url, SAMPLE_CONFIG)
    return url


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def test_a_group_opens_and_closes_by_keyboard_and_the_link_shows_the_same(window, shows, made):
    shows.show(*made)
    page = window().open("/map?stream=long")
    group = page.locator("[data-group]").first
    name = group.get_attribute("data-group")
    group.focus()
    press(page, "Enter")

    assert page.evaluate(FOCUSED) == name, "the keyboard keeps its place"
    assert group.get_attribute("aria-expanded") == "true"
    press(page, "ArrowRight", "Enter")
    assert page.evaluate(FOCUSED) == LONG[0]
    assert page.get_by_role("heading", name=f"{LONG[0]}: ").is_visible()

    page.goto(page.url)
    settle(page)
    assert page.locator("[data-group]").first.get_attribute("aria-expanded") == "true"
    assert page.locator(f"[data-stage='{LONG[0]}']").get_attribute("aria-pressed") == "true"

    page.locator(f"[data-stage='{LONG[0]}']").focus()
    press(page, "Escape")
    assert page.get_by_role("heading", name=f"{LONG[0]}: ").count() == 0
    press(page, "ArrowLeft", "Enter")
    assert page.locator("[data-group]").first.get_attribute("aria-expanded") == "false"
    assert "open=" not in page.url
    assert window().wrong() == []


@pytest.mark.parametrize("width", [390, 1440, 2560])
@pytest.mark.parametrize("which", ["long", "fork"])
def test_no_words_lie_on_others_and_the_page_never_scrolls_sideways(window, shows, made, which, width):
    shows.show(*made)
    screen = window()
    page = screen.open(f"/map?stream={which}")
    screen.resize(width, 900)

    assert page.locator(".vsm-map svg text").count() > 30
    assert page.evaluate(OVERLAPS) == []
    assert screen.wrong() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_map_with_an_opened_group_is_accessible(window, shows, made, dark):
    shows.show(*made)
    page = window(dark).open("/map?stream=long")
    group = page.locator("[data-group]").first
    group.focus()
    press(page, "Enter")
    assert window(dark).violations() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_step_by_hand_is_put_on_the_map_by_keyboard(window, own, dark):
    page = window(dark).open("/map?stream=checkout")
    page.get_by_role("button", name="Add a step that no system records").focus()
    press(page, "Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for(timeout=30_000)
    page.get_by_role("textbox", name="What is it called?").focus()
    page.keyboard.type("Approval board")
    page.get_by_role("textbox", name="Waiting time of an item").focus()
    page.keyboard.type("soon")
    press(page, "Enter")
    dialog.get_by_text("'soon' is no duration").wait_for(timeout=30_000)
    assert window(dark).violations() == []

    for field, words in (("Waiting time of an item", "3 d"), ("Work on an item", "30 min"), ("Who estimated it", "the workshop")):
        page.get_by_role("textbox", name=field).fill(words)
    press(page, "Enter")
    dialog.wait_for(state="hidden", timeout=30_000)
    settle(page)
    told = page.locator("[data-stage='Approval board']").first.get_attribute("aria-label")
    assert "An estimate, no system records this step: by the workshop" in told
    assert window(dark).wrong() == []


def test_a_future_state_is_changed_and_kept_by_keyboard(window, own):
    page = window().open("/map?stream=checkout")
    page.get_by_role("button", name="Draw one from today's map").focus()
    press(page, "Enter")
    page.locator("[data-stage=QA]").nth(1).focus()
    press(page, "Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for(timeout=30_000)
    page.get_by_role("textbox", name="Waiting time of an item").fill("6 h")
    assert window().violations() == []
    press(page, "Enter")
    dialog.wait_for(state="hidden", timeout=30_000)
    settle(page)
    assert "Waits 6.0 h." in page.locator("[data-stage=QA]").nth(1).get_attribute("aria-label")

    page.get_by_role("button", name="Keep it").focus()
    press(page, "Enter")
    dialog.wait_for(timeout=30_000)
    page.get_by_role("textbox", name="What is it called?").fill("Quick QA")
    press(page, "Enter")
    dialog.wait_for(state="hidden", timeout=30_000)
    settle(page)
    assert page.get_by_role("heading", name="Quick QA").is_visible()
    assert "future=" in page.url
    with store.opened(own, create=False) as engine:
        assert journal.future_states(engine)["name"].tolist() == ["Quick QA"]
    assert window().violations() == []
    assert window().wrong() == []


def test_the_map_is_taken_along_as_files_that_open(window, shows, sample_store):
    shows.show(sample_store, SAMPLE_CONFIG)
    page = window().open("/map?stream=checkout")
    begins = {"PNG": b"\x89PNG", "SVG": b"<svg ", "CSV": "\ufeffstage,".encode()}
    for kind, begin in begins.items():
        with page.expect_download() as download:
            page.get_by_role("button", name=kind, exact=True).first.click()
        assert Path(download.value.path()).read_bytes().startswith(begin)
        assert download.value.suggested_filename == f"map_checkout.{kind.lower()}"
