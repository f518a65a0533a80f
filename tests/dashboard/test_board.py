"""The board: where items stand now, oldest first, in words as well as in colours, and never as markup from outside."""

import re
from html.parser import HTMLParser

import pytest

from dashboard.board import Column, board_html

EVIL = '"><img src=x onerror=alert(1)>'
PLAIN = {
    "key": "PAY-1", "title": "Refunds", "type": "Defect", "age_hours": 90.0, "in_stage_hours": 50.0, "working": False,
    "url": "https://tracker.example.org/PAY-1", "blocked": False, "old": False,
}  # fmt: skip


def card(**known):
    return PLAIN | known


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "elements must be nested"

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())

    def all(self, tag):
        return [attributes for found, attributes in self.elements if found == tag]


def shown(*cards, **known):
    column = Column(**({"name": "QA", "count": len(cards), "cards": cards} | known))
    return Page(board_html([column]))


def test_a_stage_is_a_heading_and_a_list():
    page = shown(card(), card(key="PAY-2"))
    assert len(page.all("h3")) == 1
    assert len(page.all("ul")) == 1
    assert len(page.all("li")) == 2
    assert page.open == []


def test_no_stages_says_so():
    assert "No stages" in Page(board_html([])).text


def test_an_empty_stage_says_so():
    page = shown()
    assert "empty" in page.text
    assert page.all("ul") == []


@pytest.mark.parametrize(
    ("count", "limit", "said", "over"),
    [
        pytest.param(7, 5, "7 of 5", True, id="over"),
        pytest.param(5, 5, "5 of 5", False, id="at the limit"),
        pytest.param(1, None, "1 item", False, id="no limit"),
        pytest.param(0, 3, "0 of 3", False, id="none"),
    ],
)
def test_wip_against_its_limit_in_words(count, limit, said, over):
    page = shown(count=count, limit=limit)
    assert said in page.text
    assert ("over its limit of" in page.text) is over


def test_a_card_says_what_it_is_and_how_old():
    text = shown(card(team="Payments")).text
    for said in ("PAY-1", "Refunds", "Defect", "Payments", "waiting", "2.1 d here", "3.8 d in all"):
        assert said in text


@pytest.mark.parametrize(
    ("known", "word"), [({"working": True}, "in work"), ({"blocked": True}, "blocked"), ({"old": True}, "older than usual here")]
)
def test_what_is_unusual_is_said_in_a_word(known, word):
    assert word in shown(card(**known)).text
    assert word not in shown(card()).text


def test_the_first_cards_are_shown_and_the_others_counted():
    page = shown(*(card(key=f"PAY-{number}") for number in range(1, 47)))
    assert re.findall(r"PAY-\d+", page.text) == [f"PAY-{number}" for number in range(1, 13)]
    assert "and 34 more" in page.text


def test_what_is_not_started_is_a_count():
    page = Page(board_html([Column("QA", 0)], new=1234))
    assert "Not started" in page.text
    assert "1,234 items" in page.text


@pytest.mark.parametrize("part", ["key", "title", "type", "team", "url"])
def test_what_comes_from_outside_stays_text(part):
    page = shown(card(**{part: EVIL}), name=EVIL, team=EVIL)
    assert page.all("img") == []
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert EVIL in page.text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "//host/x",
        "/x",
        "ftp://host/x",
        "https:",
        "http://[",
        "",
    ],
)
def test_only_addresses_of_the_web_are_links(url):
    assert shown(card(url=url)).all("a") == []


def test_a_link_opens_elsewhere_and_tells_nothing():
    (link,) = shown(card()).all("a")
    assert link["href"] == PLAIN["url"]
    assert set(link["rel"].split()) == {"noopener", "noreferrer"}


@pytest.mark.parametrize("part", ["title", "type", "url"])
def test_what_is_missing_leaves_no_trace(part):
    assert "None" not in shown(card(**{part: None})).text


def test_the_board_can_be_scrolled_by_keyboard_and_has_a_name():
    board = shown(card()).all("div")[0]
    assert board["tabindex"] == "0"
    assert board["role"] == "region"
    assert board["aria-label"]


def test_two_boards_of_a_page_are_told_apart():
    column = Column("Review", 0)

    assert 'aria-label="Board of &lt;b&gt;shop: where items stand now"' in board_html([column], of="<b>shop")
    assert 'aria-label="Board: where items stand now"' in board_html([column])
