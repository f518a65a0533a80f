"""From a chart's marks to what they stand for, in a real browser: a click opens a path, a brush lists its items."""

import re

import pytest
from screens import said, settle

pytestmark = pytest.mark.browser

PATIENCE = 30_000
CYCLE = ".st-key-card_cycle_time_checkout"


def test_a_dot_opens_its_items_path_again_and_again_and_a_brush_lists_items(dashboard, window):
    screen = window()
    page = screen.open("/flow?stream=checkout")
    card, dialog = page.locator(CYCLE), page.get_by_role("dialog")
    dot = card.locator("svg.marks path[aria-roledescription='point']").nth(5)
    key = re.search(r"Item: (PAY-\d+)", dot.get_attribute("aria-label"))[1]

    for _ in range(2):
        dot.click(force=True)
        dialog.wait_for(timeout=PATIENCE)
        settle(page)
        assert f"The path of {key}" in dialog.inner_text()
        assert f"item={key}" in page.url
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden", timeout=PATIENCE)
        settle(page)
        assert "item=" not in page.url
        page.mouse.move(5, 5)
        page.wait_for_timeout(900)  # the dot is forgotten once the pointer has left it

    drag(page, card, (200, 80), (320, 200))
    listed = card.get_by_text(re.compile(r"^\d+ items? picked$"))
    listed.wait_for(timeout=PATIENCE)
    settle(page)
    assert card.get_by_test_id("stDataFrame").is_visible()
    assert screen.wrong() == []
    assert screen.violations() == [], said(screen.violations())
    drag(page, card, (400, 75), (400, 75))  # a press beside the dots takes it back
    listed.wait_for(state="detached", timeout=PATIENCE)


def test_over_a_chart_lies_nothing_but_the_way_to_the_whole_screen(dashboard, window):
    """Streamlit's own buttons for data and pictures would lie on the finding; ours stand under the chart."""
    page = window().open("/delivery")
    page.locator("[data-testid=stVegaLiteChart]").first.hover()
    page.wait_for_timeout(500)

    chart = page.locator("[data-testid=stElementContainer]:has([data-testid=stVegaLiteChart])")
    shown = chart.locator("[data-testid=stElementToolbarButton]:visible [aria-label]")
    assert {label.get_attribute("aria-label").split(":")[0] for label in shown.all()} == {"Fullscreen"}


def test_a_week_that_is_clicked_lists_its_deployments(dashboard, window):
    page = window().open("/")
    card = page.locator(".st-key-card_deployment_frequency")
    bar = card.locator("svg.marks path[aria-roledescription='rect mark']").nth(4)
    label = bar.get_attribute("aria-label")
    day, count = re.search(r"Week from: \w+ ([^;]+)", label)[1], re.search(r"Deployments: (\d+)", label)[1]

    bar.click()

    card.get_by_text(f"{count} deployments in the week from {day}").wait_for(timeout=PATIENCE)


def drag(page, card, start, end):
    card.locator("svg.marks").scroll_into_view_if_needed()
    box = card.locator("svg.marks").bounding_box()
    page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=4)
    page.mouse.up()
