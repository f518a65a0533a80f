"""The board on the Flow page without a browser: what the address asks for is shown, and an item's path opens from it."""

from html import unescape

import pytest


def raw(app) -> str:
    """What the page hands to Streamlit's Markdown."""
    return " ".join(str(one.value) for kind in (app.markdown, app.caption, app.info) for one in kind)


def said(app) -> str:
    """What a reader sees of it."""
    return unescape(raw(app))


def test_the_address_picks_cards_and_says_how_many(look):
    assert "of 29 cards match." in said(look("flow", stream="checkout", find="refund", type="Feature", only="Waiting"))
    assert "cards match." not in said(look("flow", stream="checkout"))


def test_a_path_opens_from_the_address(look):
    words = said(look("flow", item="pay-117"))
    for part in ("Explain free-shipping hint in the account page", "7.4 d waiting, 11.3 d in work", "done 11 Mar 2026, 12:20"):
        assert part in words


def test_an_item_that_is_not_there_is_a_sentence(look):
    assert "There is no item “PAY-9999”." in said(look("flow", item="PAY-9999"))


@pytest.mark.parametrize("key", ["shop#1", "PAY-1"])
def test_whatever_a_title_holds_a_path_is_text(look, key):
    app = look("flow", {"shop#1": "one change", "PAY-1": "one ticket"}[key], item=key)
    assert "&#58;material" in raw(app)
    assert ":material/home:" not in raw(app)


def test_every_step_is_shown_when_it_is_asked_for(look):
    app = look("flow", item="PAY-117")
    few = len(app.dataframe[-1].value)
    app.toggle("path_every_step").set_value(True).run()
    assert few < len(app.dataframe[-1].value) == 77


def test_a_key_in_the_search_opens_a_path_and_words_stay(look):
    app = look("flow", stream="checkout")
    app.text_input("find").set_value("pay-117").run()
    assert (app.query_params["item"], app.text_input("find").value) == ("PAY-117", "")
    del app.query_params["item"]
    app.text_input("find").set_value("refund").run()
    assert "item" not in app.query_params
    assert "cards match." in said(app)
