"""Without a mouse: filters, explanations, dialogs and the map; and an address that somebody pasted."""

import re

import pytest
from screens import settle

pytestmark = pytest.mark.browser

# What has the focus, in words: through the shadow of a component, too.
FOCUSED = """() => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  const label = element?.getAttribute('aria-label') || element?.labels?.[0]?.innerText || element?.innerText || '';
  return label.trim().split('\\n').at(-1);
}"""


@pytest.fixture
def opened(window, dashboard):
    """Opens a page of the sample with nothing focused: `opened(path)`."""
    return lambda path: window(False).open(path)


def tabbed(page, until, most=60):
    """What Tab comes past, up to what matches."""
    names = []
    for _ in range(most):
        page.keyboard.press("Tab")
        names.append(page.evaluate(FOCUSED))
        if re.search(until, names[-1]):
            return names
    raise AssertionError(f"Tab never came to {until!r}: {names}")


def test_tab_goes_from_the_navigation_past_every_filter_to_the_first_explanation(opened):
    page = opened("/")
    names = tabbed(page, "^Where this number comes from$|Where this number comes from$")

    wanted = ("Overview", "Data and definitions", "Team", "weeks", "Compare with", "Can I trust", "Where this")
    places = [next((i for i, name in enumerate(names) if word in name), -1) for word in wanted]
    assert -1 not in places, names
    assert places == sorted(places), names


def test_a_stream_is_chosen_by_typing_its_name(opened):
    page = opened("/flow")
    page.get_by_role("combobox", name="Value stream").focus()
    page.keyboard.type("check")
    page.get_by_role("option", name="checkout").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("stream=checkout"), timeout=30_000)
    settle(page)

    assert page.get_by_role("heading", name="checkout: where items stand now").is_visible()
    assert page.get_by_role("heading", name="platform: where items stand now").count() == 0


def test_a_number_is_explained_to_the_keyboard_and_the_focus_comes_back(opened):
    page = opened("/")
    button = page.get_by_role("button", name="Where this number comes from").first
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for(timeout=30_000)
    settle(page)

    assert page.evaluate("() => document.querySelector('[role=dialog]').contains(document.activeElement)")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.querySelector('[role=dialog]').contains(document.activeElement)")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden", timeout=30_000)
    page.wait_for_timeout(300)
    assert page.evaluate(FOCUSED).endswith("Where this number comes from")


def test_a_dialog_has_no_violation(opened, window):
    page = opened("/delivery")
    page.get_by_role("button", name="Where this number comes from").nth(1).click()
    page.get_by_role("dialog").wait_for(timeout=30_000)
    settle(page)

    assert [*window(False).wrong(), *window(False).violations()] == []


def test_the_definition_of_a_tile_shows_when_its_sign_has_the_focus(opened):
    page = opened("/")
    page.get_by_test_id("stMetric").first.get_by_role("button").first.focus()

    tip = page.get_by_role("tooltip").first
    tip.wait_for(timeout=10_000)
    assert "deployments" in tip.inner_text()


def test_the_arrows_go_along_the_map_and_space_opens_and_closes_a_stage(opened):
    page = opened("/map?stream=checkout")
    first = page.locator(".vsm-map .stage").first
    first.focus()
    names = [page.evaluate(FOCUSED)]
    for key in ("ArrowRight", "ArrowRight", "End", "Home"):
        page.keyboard.press(key)
        names.append(page.evaluate(FOCUSED))

    assert [name.split(",")[0].split(".")[0] for name in names] == ["Refine", "Develop", "Review", "Release", "Refine"]
    page.keyboard.press(" ")
    settle(page)
    assert page.get_by_role("heading", name=re.compile("^Refine: .* in it now")).is_visible()
    assert page.evaluate(FOCUSED).startswith("Refine"), "the keyboard keeps its place"
    page.keyboard.press(" ")
    settle(page)
    assert page.get_by_role("heading", name=re.compile("^Refine: .* in it now")).count() == 0


def chosen(page):
    return (
        page.get_by_role("combobox", name="Value stream").input_value(),
        page.get_by_role("combobox", name="Team").input_value(),
        page.locator("[data-testid=stSegmentedControl], [data-testid=stButtonGroup]")
        .first.locator("[aria-checked=true]")
        .inner_text(),
        page.get_by_role("switch").or_(page.get_by_role("checkbox")).first.is_checked(),
    )


def test_a_pasted_address_restores_the_view_and_stays_as_it_is(opened):
    page = opened("/flow?stream=checkout&team=Basket&period=13+weeks&compare=false")
    assert chosen(page) == ("checkout", "Basket", "13 weeks", False)

    assert opened("/flow" + page.url.partition("/flow")[2]) is page
    assert chosen(page) == ("checkout", "Basket", "13 weeks", False)
