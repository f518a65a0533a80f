"""What is made once and then shared by all viewers: a function's answers, by what it was asked, so many of them at most.

Streamlit's cache does the same and writes down and hashes all that it is asked at every look, also a configuration's whole
text: a page looks some twenty times a run, which took a seventh of its time. Here a look is one in a dictionary.
"""

import inspect
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

import streamlit as st

from dashboard import turns

P = ParamSpec("P")
T = TypeVar("T")
Key = tuple[Hashable, ...]

_inside: ContextVar[bool] = ContextVar("inside", default=False)  # what is made for something else says nothing of itself


@dataclass(frozen=True, eq=False)
class _This:
    """One thing and no other, however alike; as long as it is asked for, nothing else can be in its place."""

    one: Any

    def __hash__(self) -> int:
        return id(self.one)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _This) and other.one is self.one


class Shared(Generic[P, T]):
    """A function whose answers are kept; what failed is tried again. Arguments whose names begin with _ tell no answers apart."""

    def __init__(self, make: Callable[P, T], most: int, says: str, by_place: frozenset[str]) -> None:
        self._make, self._most, self.says = make, most, says
        self._names = tuple(inspect.signature(make).parameters)
        self._asked = [(place, name in by_place) for place, name in enumerate(self._names) if not name.startswith("_")]
        self._answers: OrderedDict[Key, tuple[T]] = OrderedDict()
        self._making: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def __call__(self, *args: P.args, **more: P.kwargs) -> T:
        """The answer; made now where it is not there yet, once for all who ask for it at the same time."""
        key, given = self._key(args, more)
        found = self._found(key)
        return self._made(key, given) if found is None else found[0]

    def ready(self, *args: P.args, **more: P.kwargs) -> bool:
        """Whether the answer is there already."""
        return self._key(args, more)[0] in self._answers

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()

    def _key(self, args: tuple[Any, ...], more: dict[str, Any]) -> tuple[Key, tuple[Any, ...]]:
        if more:
            args += tuple(more[name] for name in self._names[len(args) :])
        return tuple(_This(args[place]) if itself else args[place] for place, itself in self._asked), args

    def _found(self, key: Key) -> tuple[T] | None:
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def _made(self, key: Key, args: tuple[Any, ...]) -> T:
        with self._lock:
            one_at_a_time = self._making.setdefault(key, threading.Lock())
        with self._saying(), one_at_a_time:
            try:
                found = self._found(key)
                if found is None:
                    found = (self._make(*args),)  # type: ignore[call-arg]  # as they were given
                    self._keep(key, found)
                return found[0]
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def _keep(self, key: Key, found: tuple[T]) -> None:
        with self._lock:
            self._answers[key] = found
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)

    @contextmanager
    def _saying(self) -> Iterator[None]:
        if _inside.get():
            yield
            return
        token = _inside.set(True)
        try:
            with st.spinner(self.says) if self.says else nullcontext(), turns.aside():
                yield
        finally:
            _inside.reset(token)


def shared(most: int, says: str = "", by_place: tuple[str, ...] = ()) -> Callable[[Callable[P, T]], Shared[P, T]]:
    """Keep a function's newest `most` answers. `says`: what a page says meanwhile, where it is slow.

    `by_place`: arguments that are never changed and known by their place in memory. Answers are shared: they must not be
    changed, and a function that is shared draws nothing.
    """
    return lambda make: Shared(make, most, says, frozenset(by_place))


def made_of(one: object, what: Hashable, make: Callable[[], T]) -> T:
    """What is made of one thing that is shared and never changes: made once, and kept for as long as that thing is.

    `what` tells it from all else that is made of the same. It must not hold on to the thing itself, which then would never go.
    """
    known = _made.get(id(one))
    if known is None:
        known = _made[id(one)] = {}
        weakref.finalize(one, _made.pop, id(one), None).atexit = False  # before another can get its id
    if what not in known:
        known[what] = make()
    found: T = known[what]
    return found


_made: dict[int, dict[Hashable, Any]] = {}
