"""The board in a real browser: from a card to its path and back, by mouse and by keyboard, and nothing that WCAG 2.2 AA forbids."""

import pytest
from screens import said, settle

from vsm import cli

pytestmark = pytest.mark.browser

FOCUSED = """() => { let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at?.dataset?.item ?? at?.tagName; }"""
EVIL = "\u202e<img src=x onerror=alert(1)> 🦊 " + "long" * 120


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> str:
    """A store whose titles, statuses and key would like to be more than text."""
    folder = tmp_path_factory.mktemp("hostile") / "facts"
    folder.mkdir()
    cell = EVIL.replace('"', '""')
    (folder / "tickets.csv").write_text(
        "key,title,status,team,created_at,url\n"
        f'"E-1<b>&","{cell}","Doing <b>","{cell}",2026-11-01T10:00:00Z,javascript:alert(1)\n'
        f'E-2,"{cell}","Doing <b>",Blue,2026-11-01T10:00:00Z,https://tracker.example.org/E-2\n',
        encoding="utf-8",
    )
    (folder / "transitions.csv").write_text(
        "ticket,at,from_status,to_status\n"
        '"E-1<b>&",2026-11-03T10:00:00Z,To do,"Doing <b>"\nE-2,2026-11-03T10:00:00Z,To do,"Doing <b>"\n'
    )
    url = f"sqlite:///{folder.parent / 'hostile.db'}"
    assert cli.run(["import", str(folder), "--store", url]) == 0
    return url


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_card_leads_to_its_path_and_back_by_keyboard(dashboard, window, dark):
    screen = window(dark)
    page = screen.open("/flow?stream=checkout")
    cards, dialog = page.locator(".vsm-board [data-item]"), page.get_by_role("dialog")
    first = cards.first.get_attribute("data-item")
    second = page.locator(".vsm-board section").nth(2).locator("[data-item]").nth(1).get_attribute("data-item")

    page.locator(f".vsm-board [data-item='{first}']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED) == second
    page.keyboard.press("Enter")
    dialog.wait_for(timeout=30_000)
    settle(page)
    assert f"item={second}" in page.url
    assert f"The path of {second}" in dialog.inner_text()
    wrong = [*screen.wrong(), *screen.violations()]

    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden", timeout=30_000)
    settle(page)
    page.wait_for_function(f"() => ({FOCUSED})() === '{second}'", timeout=10_000)
    assert "item=" not in page.url
    wrong += [*screen.wrong(), *screen.violations()]
    assert not wrong, said(wrong)


def test_an_address_opens_the_path_again(visit):
    page, _ = visit("/flow?stream=checkout&item=PAY-117")
    dialog = page.get_by_role("dialog")
    dialog.wait_for(timeout=30_000)
    for words in ("The path of PAY-117", "7.4 d waiting, 11.3 d in work", "Open at its source"):
        assert words in dialog.inner_text()


def test_a_key_in_the_search_opens_what_is_finished_and_words_pick_cards(visit):
    page, _ = visit("/flow?stream=checkout&lanes=By+team")
    search, dialog = page.get_by_label("Item", exact=True), page.get_by_role("dialog")

    search.fill("pay-10")
    page.keyboard.press("Enter")
    dialog.wait_for(timeout=30_000)
    assert "item=PAY-10" in page.url
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden", timeout=30_000)
    settle(page)

    search.fill("wish list")
    page.keyboard.press("Enter")
    page.get_by_text("cards match.").wait_for(timeout=30_000)
    settle(page)
    assert "find=wish+list" in page.url
    shown = page.locator(".vsm-board .cell .title").all_inner_texts()
    assert shown
    assert all("wish list" in title.casefold() for title in shown)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_comes_from_outside_stays_text_on_cards_in_the_dialog_and_in_the_address(shows, window, hostile, dark):
    shows.show(hostile, None)
    screen = window(dark)
    page = screen.open("/flow?lanes=By+team")
    assert page.locator(".vsm-board .title").first.inner_text().startswith(EVIL[:30])
    assert page.locator(".vsm-board img, [role=dialog] img").count() == 0
    assert page.locator(".vsm-board a").count() == 1
    wrong = [*screen.wrong(), *screen.violations()]

    page.locator(".vsm-board .card", has_text="E-1<b>&").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for(timeout=30_000)
    settle(page)
    assert "item=E-1%3Cb%3E%26" in page.url
    assert "<img src=x onerror=alert(1)>" in dialog.inner_text()
    assert dialog.locator("img, a[href^=javascript]").count() == 0
    wrong += [*screen.wrong(), *screen.violations()]
    assert not wrong, said(wrong)
