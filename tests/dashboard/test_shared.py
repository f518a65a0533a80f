"""What viewers share: made once for all who ask together, forgotten in the order of its last use, never taken for another."""

import gc
import threading
import time

import pandas as pd
import pytest
import streamlit as st

from dashboard import shared as module
from dashboard import sheets
from dashboard.shared import made_of, shared


def test_an_answer_is_made_once_also_where_many_ask_for_it_at_the_same_time():
    made = []

    @shared(4)
    def slow(one):
        made.append(one)
        time.sleep(0.05)
        return [one]

    answers = []
    threads = [threading.Thread(target=lambda: answers.append(slow("a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == ["a"]
    assert len({id(answer) for answer in answers}) == 1
    assert slow._making == {}


def test_what_was_used_longest_ago_goes_first():
    made = []

    @shared(2)
    def known(one):
        made.append(one)

    for one in "abacbab":
        known(one)

    assert made == ["a", "b", "c", "b", "a"]
    assert [known.ready(one) for one in "abc"] == [True, True, False]


def test_an_argument_that_is_no_part_of_the_question_tells_no_answers_apart_and_names_do_not_either():
    @shared(2)
    def told(first, _second, third=None):
        return first, _second, third

    assert told(1, "x", "y") == (1, "x", "y")
    assert told(1, third="y", _second="z") == (1, "x", "y")
    assert told(1, "z", "other") == (1, "z", "other")


def test_what_is_known_by_its_place_is_never_taken_for_what_looks_alike():
    @shared(8, by_place=("rows",))
    def count(rows):
        return len(rows), id(rows)

    one, alike = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})
    assert count(one) == count(one) == (1, id(one))
    assert count(alike) == (1, id(alike))
    places = {count(pd.DataFrame({"a": range(length)})) for length in range(6)}
    assert len({place for _, place in places}) == 6, "what was asked for stays, so that nothing takes its place"


def test_what_could_not_be_made_is_tried_again():
    tries = []

    @shared(2)
    def breaks():
        tries.append(1)
        if len(tries) < 2:
            raise ValueError("not now")
        return "made"

    with pytest.raises(ValueError, match="not now"):
        breaks()

    assert (breaks(), breaks(), len(tries)) == ("made", "made", 2)


def test_only_what_is_asked_for_itself_says_that_it_is_slow(monkeypatch):
    said = []
    spinner = st.spinner
    monkeypatch.setattr(st, "spinner", lambda text: said.append(text) or spinner(text))

    @shared(2, says="inner")
    def inner(one):
        return one

    @shared(2, says="outer")
    def outer(one):
        return inner(one)

    outer(1)
    outer(1)
    inner(2)

    assert said == ["outer", "inner"]


def test_what_was_forgotten_is_made_anew():
    made = []

    @shared(2)
    def known():
        made.append(1)

    known()
    known.clear()
    known()

    assert len(made) == 2


class Thing:
    pass


def test_what_is_made_of_a_thing_is_made_once_and_goes_with_it():
    made, before = [], len(module._made)
    one, other = Thing(), Thing()
    answers = [made_of(thing, what, lambda what=what: made.append(what)) for thing in (one, other, one) for what in "ab"]

    assert answers == [None] * 6
    assert made == ["a", "b", "a", "b"]
    del one, other
    gc.collect()
    assert len(module._made) == before


def test_a_frame_is_converted_once_and_what_arrow_refuses_is_left_to_streamlit():
    rows, mixed = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1, "b"]})

    assert sheets.arrow(rows) is sheets.arrow(rows)
    assert sheets.arrow(rows).to_pandas().equals(rows)
    assert sheets.arrow(mixed) is mixed
