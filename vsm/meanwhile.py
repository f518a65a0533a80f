"""Work beside other work: what numpy and Arrow do with millions of rows leaves Python's lock to others."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

T = TypeVar("T")


def meanwhile(work: Callable[[], T]) -> Callable[[], T]:
    """Begin some work on another core; what is returned waits for it, and gives its result or raises its error."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work).result
    finally:
        pool.shutdown(wait=False)  # what is begun goes on


def later(work: Callable[[], T], pool: ThreadPoolExecutor | None) -> Callable[[], T]:
    """Some work for when it is first asked for; a pool, where there is one, may be faster. Whoever begins it does it, once."""
    alone = cache(work)
    if pool is None:
        return alone
    begun = pool.submit(work)
    return lambda: alone() if begun.cancel() else begun.result()
