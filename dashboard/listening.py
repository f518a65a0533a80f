"""What the server's listener is told that Streamlit has no option for.

It does not say which program it is, believes a proxy only where the configuration names it, takes no more connections than
it can serve, and hangs up on who does not finish a request: a thousand half-said ones would else keep everybody out.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

WITHIN = 20.0  # seconds for a request to come whole
MOST = 1_000  # connections at a time; one more is answered with 503


class Impatient(H11Protocol):
    """A connection that is closed where a request, once begun or expected, does not come whole in time."""

    within = WITHIN
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A new connection: something must come."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Some of a request, or all of it."""
        self._expect()
        super().data_received(data)
        if self._whole() and not self.conn.trailing_data[0]:
            self._calm()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._calm()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.within, self._hang_up)

    def _calm(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _whole(self) -> bool:
        return self.cycle is not None and not self.cycle.more_body

    def _hang_up(self) -> None:
        self._late = None
        if self._whole() and not self.cycle.response_complete:
            self._expect()  # the next request waits for the answer to this one
        elif self.transport.get_protocol() is self and not self.transport.is_closing():  # a websocket has taken over else
            self.transport.close()  # what is sent already goes out; a browser that has only held a line ready takes it well


class Listener(uvicorn.Config):
    """uvicorn's own configuration with our defaults."""

    proxies: Sequence[str] = ()

    def __init__(self, *args: Any, **told: Any) -> None:
        ours = {
            "server_header": False,
            "http": Impatient,
            "limit_concurrency": MOST,
            "proxy_headers": bool(self.proxies),
            "forwarded_allow_ips": list(self.proxies),
        }
        super().__init__(*args, **{**ours, **told})


def settle(proxies: Sequence[str]) -> None:
    """Let Streamlit's runner listen by our configuration; before it runs. `proxies`: addresses whose X-Forwarded-… count."""
    Listener.proxies = tuple(proxies)
    uvicorn.Config = Listener  # type: ignore[misc]  # Streamlit makes it itself and hands on no options
