"""Who runs when many look at once: two pages at a time, the others in a queue that says so, and a sentence where it is too long.

A process runs Python on one core: fifty pages at once would each take fifty times as long, and none would come. In turn,
most come at once. A page takes some hundredths of a second; who has something worked out that takes longer steps aside for
those who need nothing but what is there.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import streamlit as st

AT_ONCE = 2  # a page also waits for the store
ASIDE = 2 * (os.cpu_count() or 2)  # numbers are largely worked out without Python's lock
MOST = 200  # in the queue: at ten pages a second whoever comes last waits for twenty seconds
LOOK = 0.25  # seconds between two looks; with each Streamlit may end a run that its viewer no longer waits for
WAITS = "Many people are looking at once. Your page comes in its turn; nothing is lost."
FULL = "Too many people are looking at once. Wait a minute and load the page again; nothing is lost."

_free = threading.BoundedSemaphore(AT_ONCE)
_aside = threading.BoundedSemaphore(ASIDE)
_running: ContextVar[bool] = ContextVar("running", default=False)  # whether this run has its turn now
_lock = threading.Lock()
_waiting = 0


@contextmanager
def turn() -> Iterator[bool]:
    """A run's turn: True once it has come; False where the queue is full, which has then been said."""
    if _free.acquire(blocking=False) or _in_its_turn():
        token = _running.set(True)
        try:
            yield True
        finally:
            _running.reset(token)
            _free.release()
    else:
        yield False


@contextmanager
def aside() -> Iterator[None]:
    """While something is worked out others have their turn; a few work something out at the same time."""
    if not _running.get():
        yield
        return
    token = _running.set(False)
    _free.release()
    try:
        with _aside:
            yield
    finally:
        _free.acquire()
        _running.reset(token)


def _in_its_turn() -> bool:
    """Wait for a turn; False where too many wait already."""
    if not _joined():
        st.warning(FULL, icon=":material/groups:")
        return False
    try:
        if not _free.acquire(timeout=LOOK):  # who waits for less need not be told, and the page's elements keep their places
            _told_to_wait()
    finally:
        _left()
    return True


def _told_to_wait() -> None:
    place = st.empty()
    while not _free.acquire(timeout=LOOK):
        place.caption(f":material/groups: {WAITS}")
    place.empty()


def _joined() -> bool:
    global _waiting
    with _lock:
        if _waiting >= MOST:
            return False
        _waiting += 1
        return True


def _left() -> None:
    global _waiting
    with _lock:
        _waiting -= 1
