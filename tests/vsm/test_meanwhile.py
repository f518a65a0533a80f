"""Work beside other work: it is done once, whoever does it, and its errors come to who asks."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vsm.meanwhile import later, meanwhile


def test_what_was_begun_is_waited_for():
    go = threading.Event()
    result = meanwhile(lambda: go.wait(10) and "done")
    go.set()
    assert result() == result() == "done"


def test_an_error_comes_to_who_asks():
    with pytest.raises(ZeroDivisionError):
        meanwhile(lambda: 1 // 0)()


def test_nothing_is_done_before_it_is_asked_for_where_there_is_no_pool():
    done: list[int] = []
    ask = later(lambda: done.append(1) or len(done), None)
    assert done == []
    assert ask() == ask() == 1


def test_who_asks_does_what_the_pool_has_not_begun_and_only_once():
    busy, go, who = threading.Event(), threading.Event(), list[str]()
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        before = later(lambda: (busy.set(), go.wait(10), who.append(threading.current_thread().name)), pool)
        ask = later(lambda: who.append(threading.current_thread().name) or len(who), pool)
        assert busy.wait(10)
        assert ask() == ask() == 1
        go.set()
        before()
    assert who[0] == threading.current_thread().name
    assert who[1].startswith("pool")
    assert len(who) == 2
