"""How long a client waits, and when it gives up for this time."""

from datetime import UTC, datetime

import pytest

from collectors.base import Blocked, CollectorError
from collectors.patience import Patience, Refused

NOW = 1_772_452_800.0  # 2026-03-02 12:00 UTC


class Server:
    """Answers with what it is given, one after the other; what is an exception is raised."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)

    def __call__(self) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def waits() -> list[float]:
    return []


def patience(waits: list[float], **more) -> Patience:
    return Patience("shop", pause=waits.append, wall=lambda: NOW, **more)


def test_the_servers_own_word_goes_first(waits):
    server = Server(
        Refused("busy", 503, {"Retry-After": "7"}),
        Refused("limit", 429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 20)}, limited=True),
        Refused("limit", 403, {}, limited=True),
        "done",
    )
    assert patience(waits).ask(server) == "done"
    assert waits == [7.0, 21.0, 60.0]


def test_without_a_word_the_pauses_double_with_some_jitter(waits):
    assert patience(waits).ask(Server(*[Refused("502", 502)] * 5, "done")) == "done"
    assert [round(wait / 2**attempt) for attempt, wait in enumerate(waits)] == [1] * 5
    assert all(0.75 <= wait / 2**attempt <= 1.25 for attempt, wait in enumerate(waits))


def test_a_server_that_stays_ill_ends_in_one_sentence(waits):
    with pytest.raises(CollectorError, match=r"^502 from https://x, 3 times; what was read before is saved: run it again"):
        patience(waits, tries=3).ask(Server(*[Refused("502 from https://x", 502)] * 3))
    assert len(waits) == 2


def test_a_wait_that_is_too_long_parks_the_source_until_then(waits):
    with pytest.raises(Blocked) as blocked:
        patience(waits).ask(Server(Refused("the hour's requests are used up", 403, {"Retry-After": "1800"})))
    assert blocked.value.until == datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    assert str(blocked.value) == "the hour's requests are used up; the server asks to wait until 2026-03-02 12:30 UTC"
    assert waits == []


def test_a_budget_that_is_used_up_stops_before_the_request(waits):
    careful, server = patience(waits, most=2), Server("one", "two", "three")
    assert [careful.ask(server), careful.ask(server)] == ["one", "two"]
    with pytest.raises(Blocked, match="max_requests allows 2 a run"):
        careful.ask(server)
    assert server.answers == ["three"]


def test_what_a_page_cost_counts_the_attempts(waits):
    careful = patience(waits)
    careful.ask(Server(Refused("502", 502), "done"))
    assert (careful.taken(), careful.taken(), careful.made) == (2, 0, 2)
