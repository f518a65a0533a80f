"""Lists that come to no end: a source that gives the same page again and again is left, with a sentence.

A page may come twice where things were added meanwhile, and a page without anything may be followed by others. Neither
happens for ever.
"""

import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from collectors.base import CollectorError

AGAIN = 3  # pages that were there before
EMPTY = 100  # pages without anything, after which the list was said to go on
LISTS = 1000  # lists that are watched at once


@dataclass
class Course:
    """The pages of one list, as they come. ``what`` says which list of whom, for the sentence."""

    what: str
    passed: set[int] = field(default_factory=set)
    again: int = 0
    empty: int = 0

    def page(self, content: Any) -> None:
        """Take note of a page after which the list is said to go on. Raises CollectorError where it comes to no end.

        >>> course = Course("the list of a peer")
        >>> course.page([1]), course.page([2]), course.page([1]), course.page([])
        (None, None, None, None)
        >>> course.page([1]), course.page([2])
        Traceback (most recent call last):
        ...
        collectors.base.CollectorError: the list of a peer gives the same page again and again; what was read before it is saved: \
run it again later, and tell those who run that server if it stays so
        """
        mark = hash(json.dumps(content, sort_keys=True, default=str))
        self.again += mark in self.passed and bool(content)
        self.empty += not content
        self.passed.add(mark)
        if self.again >= AGAIN or self.empty >= EMPTY:
            raise CollectorError(endless(self.what))


@dataclass
class Courses:
    """The courses of the lists of one run, each by what tells it from the others."""

    known: dict[Hashable, Course] = field(default_factory=dict)

    def page(self, key: Hashable, what: str, content: Any) -> None:
        """A page of a list. Raises CollectorError as `Course.page`."""
        if key not in self.known and len(self.known) >= LISTS:
            del self.known[next(iter(self.known))]
        self.known.setdefault(key, Course(what)).page(content)


def endless(what: str) -> str:
    """The sentence about a list that comes to no end."""
    return (
        f"{what} gives the same page again and again; what was read before it is saved: run it again later,"
        " and tell those who run that server if it stays so"
    )
