"""The server: the pages, the interface beside them, and the boundary for what breaks outside of a page's own run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from dashboard import api, data, hooks, ready, sign_in, warm
from dashboard.door import Door
from dashboard.headers import Headers
from dashboard.hosts import Hosts
from dashboard.limits import Limits
from vsm import logs
from vsm.errors import UsageError

logs.begin()
warm.begin()


def broken(error: Exception) -> bool:
    """What broke in a callback or a dialog is said in our words and logged; true so that Streamlit says nothing in its own."""
    from dashboard import parts  # not before the server has begun: pages' caches ask for it

    parts.failed(error)
    return True


def hosts() -> tuple[str, ...]:
    """The names by which the server may be asked. A configuration that is wrong is told by every page, and names none here."""
    try:
        return data.config().server.hosts
    except UsageError:
        return ()


@asynccontextmanager
async def lifetime(_: Any) -> AsyncIterator[None]:
    """What works beside the requests, for as long as the server lives."""
    (worker := hooks.worker()).start()
    yield
    worker.end()


app = st.App(
    Path(__file__).parent / "app.py",
    lifespan=lifetime,
    routes=[*api.routes(), *hooks.routes(), *ready.routes()],
    middleware=[Middleware(Headers), Middleware(Hosts, configured=hosts), Middleware(Limits), Middleware(Door)],
    secrets=sign_in.secrets(),
    on_script_error=broken,
)
