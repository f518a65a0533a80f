"""Who runs when many look at once: a few pages at a time, the others in a queue that says so, and a sentence where it is too long.

A process runs Python on one core: fifty pages at once would each take fifty times as long, and none would come. In turn,
most come at once.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

AT_ONCE = 2 * (os.cpu_count() or 2)  # a page also waits for the store, and for numbers that are worked out without Python's lock
MOST = 200  # in the queue: at ten pages a second whoever comes last waits for twenty seconds
LOOK = 0.25  # seconds between two looks; with each Streamlit may end a run that its viewer no longer waits for
WAITS = "Many people are looking at once. Your page comes in its turn; nothing is lost."
FULL = "Too many people are looking at once. Wait a minute and load the page again; nothing is lost."

_free = threading.BoundedSemaphore(AT_ONCE)
_lock = threading.Lock()
_waiting = 0


@contextmanager
def turn() -> Iterator[bool]:
    """A run's turn: True once it has come; False where the queue is full, which has then been said."""
    if _free.acquire(blocking=False) or _in_its_turn():
        try:
            yield True
        finally:
            _free.release()
    else:
        yield False


def _in_its_turn() -> bool:
    """Wait for a turn; False where too many wait already."""
    if not _joined():
        st.warning(FULL, icon=":material/groups:")
        return False
    place = st.empty()
    try:
        while not _free.acquire(timeout=LOOK):
            place.caption(f":material/groups: {WAITS}")
    finally:
        _left()
    place.empty()
    return True


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
