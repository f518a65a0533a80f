"""How often one may ask: too much is told when to come back, others are served on, and memory stays bounded."""

import asyncio

import pytest
from asgi import alone, call
from starlette.responses import PlainTextResponse

from dashboard import limits
from dashboard.limits import RATES, Buckets, Limits, Rate


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def app(clock, status=200):
    return Limits(PlainTextResponse("in", status), clock)


@pytest.mark.parametrize("prefix", RATES)
def test_what_is_too_much_is_told_when_to_come_back_and_is_served_then(prefix):
    asked, rate = app(clock := Time()), RATES[prefix]
    assert {call(asked, path=f"{prefix}x").status for _ in range(rate.burst)} == {200}
    refused = call(asked, path=f"{prefix}x")
    assert refused.status == 429
    clock.now += int(refused.headers["retry-after"])
    assert call(asked, path=f"{prefix}x").status == 200


def test_others_are_served_on_and_so_is_what_is_not_counted():
    asked = app(Time())
    while call(asked, path="/api/v1/report").status == 200:
        pass
    assert call(asked, path="/api/v1/report", client="10.0.0.9").status == 200
    assert call(asked, path="/hooks/github").status == 200
    assert {call(asked, path="/").status for _ in range(500)} == {200}


def test_a_token_is_counted_wherever_it_is_used():
    asked, told = app(Time()), {"authorization": "Bearer one"}
    answers = [call(asked, path="/api/x", headers=told, client=f"10.0.{n}.1").status for n in range(RATES["/api/"].burst + 1)]
    assert answers == [200] * RATES["/api/"].burst + [429]
    assert call(asked, path="/api/x", headers={"authorization": "Bearer two"}, client="10.0.0.1").status == 200


def test_who_tries_secrets_is_soon_not_heard_any_more():
    asked = app(clock := Time(), 401)
    answers = [call(asked, "POST", "/hooks/events", {"authorization": f"Bearer {n}"}).status for n in range(100)]
    assert answers.count(401) == limits.FAILED.burst
    clock.now += 6
    assert [call(asked, "POST", "/hooks/events").status for _ in range(2)] == [401, 429]


def test_an_ipv6_customers_whole_network_is_one_address():
    asked = app(Time())
    answers = [call(asked, path="/auth/login", client=f"2001:db8:1:2::{n:x}").status for n in range(RATES["/auth/"].burst + 1)]
    assert answers[-1] == 429
    assert call(asked, path="/auth/login", client="2001:db8:1:3::1").status == 200


def test_memory_is_bounded_and_who_asks_most_is_not_forgotten():
    buckets, rate = Buckets(clock := Time(), room=100), Rate(5, 1)
    for number in range(10_000):
        clock.now += 0.001
        buckets.wait(("/", f"10.{number}"), rate)
        last = buckets.wait(("/", "greedy"), rate)
    assert len(buckets) == 100
    assert last > 0


def test_one_address_holds_so_many_websockets_and_a_closed_one_makes_room(monkeypatch):
    monkeypatch.setattr(limits, "LIVE", 2)
    held = []

    async def listening(scope, receive, send):
        held.append(asyncio.Event())
        await held[-1].wait()

    asked, refused = Limits(listening), []

    def open_one(client):
        async def send(message):
            refused.append(message.get("status"))

        scope = {"type": "websocket", "path": "/_stcore/stream", "client": (client, 1), "headers": []}
        return asyncio.ensure_future(asked(scope, None, send))

    async def story():
        lines = [open_one("10.0.0.1") for _ in range(3)]
        await asyncio.sleep(0)
        assert (len(held), refused[0]) == (2, 429)
        held[0].set()
        await asyncio.sleep(0.01)
        lines += [open_one("10.0.0.1"), open_one("10.0.0.2")]
        await asyncio.sleep(0)
        assert len(held) == 4
        for one in held:
            one.set()
        await asyncio.gather(*lines)

    alone(story())
    assert not asked._live
