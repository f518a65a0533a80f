"""The board: where items stand now, oldest first, in words as well as in colours, and never as markup from outside."""

from html.parser import HTMLParser

import pytest

from dashboard.board import Aside, Column, Lane, board_html

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
    assert [button["data-item"] for button in page.all("button")] == [f"PAY-{number}" for number in range(1, 13)]
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


def test_a_card_is_opened_by_its_key_which_is_a_button():
    (button,) = shown(card(key=EVIL)).all("button")
    assert (button["type"], button["data-item"]) == ("button", EVIL)


def test_a_stage_says_what_is_usual_and_how_many_are_older():
    assert "85 % leave within 4.0 d; 2 here longer" in shown(usual=96.0, older=2).text
    assert "85 % leave" not in shown().text


def test_how_long_a_card_is_there_beside_others_is_said_and_drawn():
    page = shown(card(rank=0.91, old=True))
    assert "longer here than 91% of those that left" in page.text
    assert {"style": "width: 91%"} in page.all("i")


def test_what_does_not_match_is_counted():
    page = Page(board_html([Column("QA", 13, cards=[card()], found=1), Column("Dev", 2, found=0)]))
    for said in ("13 items", "1 of 13 match", "0 of 2 match", "none of them"):
        assert said in page.text


@pytest.mark.parametrize(
    ("known", "said"),
    [({"quiet_hours": 200.0}, "nothing for 8.3 d"), ({"status": "With legal"}, "its status “With legal” is in no stage")],
)
def test_what_nothing_happened_to_and_what_has_no_home_says_so(known, said):
    assert said in shown(card(**known)).text
    assert said not in shown(card(quiet_hours=20.0, status=None)).text


def test_lanes_have_a_cell_a_stage_below_one_row_of_heads():
    lane = Lane("Basket", 7, [(0, []), (7, [card()])])
    page = Page(board_html([Column("Dev", 0), Column("QA", 7)], lanes=[lane]))
    assert [cell["aria-label"] for cell in page.all("div") if cell.get("role") == "group"] == ["Basket, Dev: 0", "Basket, QA: 7"]
    assert (len(page.all("h3")), len(page.all("ul"))) == (3, 1)
    assert "and 6 more" in page.text


def test_what_stands_beside_the_stages_says_what_to_do():
    aside = Aside("No home", 2, [card(said="“With legal”")], ["“With legal”: 2", f"Name it. {EVIL}"], warn=True)
    page = Page(board_html([Column("Dev", 0)], asides=[aside]))
    for said in ("No home", "2 items", "“With legal”: 2", EVIL, "and 1 more"):
        assert said in page.text
    assert "in all" not in page.text
    assert page.all("img") == []
