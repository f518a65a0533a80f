"""Many viewers at once: a few pages run, the others wait and are told so, and who would wait too long is told that."""

import threading
import time

import pytest

from dashboard import filters, turns, warm
from dashboard.shared import shared


@pytest.fixture
def one_at_a_time(monkeypatch):
    free = threading.BoundedSemaphore(1)
    monkeypatch.setattr(turns, "_free", free)
    return free


def said(app):
    return [one.value for one in [*app.caption, *app.warning]]


def test_a_page_waits_for_its_turn_and_is_then_what_it_always_is(look, stores, one_at_a_time):
    alone = look("overview")
    one_at_a_time.acquire()
    threading.Timer(2, one_at_a_time.release).start()
    began = time.monotonic()
    waited = look("overview")
    assert time.monotonic() - began >= 1.5
    assert [one.value for one in waited.metric] == [one.value for one in alone.metric]
    assert not any(turns.WAITS in one for one in said(waited))
    assert turns._waiting == 0


def test_who_waits_is_told_so(one_at_a_time, monkeypatch):
    told = []
    monkeypatch.setattr(
        turns.st, "empty", lambda: type("Place", (), {"caption": told.append, "empty": lambda self: told.append(None)})()
    )
    one_at_a_time.acquire()
    threading.Timer(4 * turns.LOOK, one_at_a_time.release).start()
    with turns.turn() as come:
        assert come
    assert turns.WAITS in told[0]
    assert told[-1] is None


def test_who_waits_for_a_moment_only_is_told_nothing(one_at_a_time, monkeypatch):
    monkeypatch.setattr(turns, "LOOK", 30)
    monkeypatch.setattr(turns.st, "empty", lambda: pytest.fail("a place is made"))
    one_at_a_time.acquire()
    threading.Timer(0.05, one_at_a_time.release).start()
    with turns.turn() as come:
        assert come


def test_who_has_something_worked_out_lets_others_have_their_turn_and_waits_for_its_own_again(one_at_a_time):
    begun, going, done, order = threading.Event(), threading.Event(), threading.Event(), []

    @shared(1)
    def slow():
        begun.set()
        assert going.wait(30)
        order.append("worked out")
        done.set()

    def page():
        with turns.turn():
            slow()
            order.append("page")

    thread = threading.Thread(target=page)
    thread.start()
    assert begun.wait(30)
    with turns.turn() as come:
        assert come
        order.append("another")
        going.set()
        assert done.wait(30)
        assert "page" not in order, "a page goes on in its turn alone"
    thread.join(30)

    assert order == ["another", "worked out", "page"]
    assert one_at_a_time.acquire(blocking=False)


def test_what_is_worked_out_in_no_page_waits_for_no_turn(one_at_a_time):
    one_at_a_time.acquire()
    with turns.aside():
        assert not one_at_a_time.acquire(blocking=False)


def test_a_full_queue_is_a_sentence_and_no_crash(look, stores, one_at_a_time, monkeypatch):
    monkeypatch.setattr(turns, "MOST", 0)
    one_at_a_time.acquire()
    app = look("overview")
    assert [one.value for one in app.warning] == [turns.FULL]
    assert not app.metric
    one_at_a_time.release()
    assert look("overview").metric


def test_a_page_that_breaks_gives_its_turn_back(one_at_a_time):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns.turn():
            raise ZeroDivisionError
    assert one_at_a_time.acquire(blocking=False)


def test_what_the_first_viewer_sees_is_made_ahead(stores, monkeypatch):
    monkeypatch.setenv("VSM_STORE", stores["sample"])
    assert warm.begin() is None, "not in these tests, each of which would make everything"
    monkeypatch.delenv("VSM_WARM")
    made = []
    monkeypatch.setattr("dashboard.data.drawn", lambda name, choice, *_: made.append((name, choice)))
    thread = warm.begin()
    thread.join(120)
    assert not thread.is_alive()
    assert {choice for _, choice in made} == {filters.usual()}
    assert len(made) > 20
