"""Walks from the newest thing down: whatever breaks them off, what comes meanwhile, all is read in the end."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.base import CollectorError
from collectors.github.walks import Piece, Thing, Walk, moment

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def when(thing: Thing) -> datetime:
    """The order of the list."""
    return thing["at"]


def things(*minutes: int) -> list[Thing]:
    """Things that were made so many minutes after the start."""
    return [{"id": f"{place}:{minute}", "at": MONDAY + timedelta(minutes=minute)} for place, minute in enumerate(minutes)]


class List:
    """A list of the newest things first, some a page; a position is what stands last on the page before."""

    def __init__(self, some: list[Thing], size: int = 3) -> None:
        self.some, self.size, self.reads = some, size, 0
        self.refuses = 0  # so many positions are not taken

    def read(self, after: str | None) -> Piece:
        """A page."""
        self.reads += 1
        if after is not None and self.refuses:
            self.refuses -= 1
            raise CollectorError(f"GraphQL: `{after}` does not appear to be a valid cursor.")
        order = sorted(self.some, key=lambda one: (one["at"], one["id"]), reverse=True)
        start = 0 if after is None else [one["id"] for one in order].index(after) + 1
        page = order[start : start + self.size]
        return Piece(page, page[-1]["id"] if start + self.size < len(order) else None, len(order))


def walked(many: List, state: Thing, pages: int | None = None, by: str = "graphql", since: datetime | None = None) -> set[str]:
    """The ids that a walk gives before it is broken off after some pages; the state is as it is left."""
    walk, found = Walk.resumed(state, by, when, since), set()
    for number, page in enumerate(walk.pieces(many.read), 1):
        found |= {one["id"] for one in page.things}
        state.clear()
        state.update(walk.state)
        if number == pages:
            break
    return found


def ids(many: List) -> set[str]:
    """All there is."""
    return {one["id"] for one in many.some}


def test_a_first_walk_reads_all_and_the_next_only_the_news():
    many, state = List(things(*range(0, 300, 10))), {}
    assert walked(many, state) == ids(many)
    many.some += [{"id": "new", "at": MONDAY + timedelta(days=1)}]
    many.reads = 0
    assert "new" in walked(many, state)
    assert many.reads == 1


def test_a_position_that_is_not_taken_any_more_is_looked_for_from_the_top():
    many, state = List(things(*range(0, 300, 10))), {}
    walked(many, state, pages=4)
    many.refuses = 1
    assert walked(many, state) == ids(many)


def test_a_server_that_takes_no_position_at_all_is_an_error():
    many, state = List(things(*range(0, 300, 10))), {}
    many.refuses = 1000
    with pytest.raises(CollectorError, match="cursor"):
        walked(many, state)


def test_another_interface_begins_above_what_was_left_open():
    many, state = List(things(*range(0, 300, 10))), {}
    walked(many, state, pages=4, by="graphql")
    assert walked(many, state, by="rest") == ids(many)


def test_more_of_the_past_is_read_once_it_is_asked_for():
    many, state = List(things(*range(0, 300, 10))), {}
    assert len(walked(many, state, since=MONDAY + timedelta(minutes=200))) == 10
    assert len(walked(many, state, since=MONDAY + timedelta(minutes=100))) == 20
    assert walked(many, state) == ids(many)


def test_a_time_without_an_offset_is_refused():
    with pytest.raises(CollectorError, match="where its schema has a time"):
        moment("2026-03-02T09:00:00")


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    st.lists(st.integers(0, 12), max_size=12),
    st.lists(st.tuples(st.lists(st.integers(0, 6), max_size=7), st.integers(1, 4)), max_size=5),
    st.integers(1, 4),
)
def test_whatever_breaks_off_and_whatever_comes_all_is_read(first, rounds, size):
    """News come later than what was there, by less than the overlap or by more, several of them at one instant."""
    clock, many, state = 0, List(things(*first), size), {}
    read = walked(many, state, pages=1)
    clock = max(first, default=0)
    for number, (news, pages) in enumerate(rounds):
        late = [clock + minutes for minutes in news]
        many.some += [{**one, "id": f"{number}:{one['id']}"} for one in things(*late)]
        clock = max([clock, *late])
        read |= walked(many, state, pages)
    read |= walked(many, state)
    assert read == ids(many)
    assert state["gaps"] == []
