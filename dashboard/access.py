"""Who is looking, on a page or through the interface, and what is written down of that.

Where sign-in is on, nobody is let in by default: whoever asks the door (`dashboard.data`) for anything is asked for here first.
What the provider says of somebody is read from Streamlit's own signed cookie, by Streamlit on a page and here for the rest.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

import streamlit as st
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

from vsm import access as rules
from vsm.access import ANYBODY, NotAllowed, SignedOut, Viewer
from vsm.config import Config

ON = "VSM_SIGN_IN"  # the environment by which `vsm dashboard` says that it was started with sign-in
COOKIE = "_streamlit_user"
Claims = Mapping[str, Any]
T = TypeVar("T")

_asking: ContextVar[Viewer | None] = ContextVar("asking", default=None)  # a program with a token
_claimed: ContextVar[Claims | None] = ContextVar("claimed", default=None)  # somebody of whom no page is being drawn


def on() -> bool:
    """Whether the server was started with sign-in; an edited configuration cannot open it."""
    return os.environ.get(ON) == "1"


def viewer(config: Config, now: datetime) -> Viewer:
    """Who asks. Raises SignedOut where that is nobody, and NotAllowed for whom the dashboard is not meant for."""
    if not on():
        if config.sign_in is not None:
            raise SignedOut("vsm.toml has [sign_in] since the dashboard was started: whoever runs it must start it again")
        return ANYBODY
    asking = _asking.get()
    if asking is not None:
        if asking.streams is not None and not asking.streams:
            raise NotAllowed("none of the streams of this token is configured any more: ask whoever made it")
        return asking
    return rules.viewer(config, claims(), now)


def claims() -> Claims:
    """What the provider says of who looks; nothing where nobody has signed in."""
    claimed = _claimed.get()
    return st.user.to_dict() if claimed is None else claimed


def signed_in_at() -> datetime | None:
    """When who looks signed in, also where they are not let in."""
    return rules.signed_in(claims().get("iat"), UTC)


@contextmanager
def as_viewer(asking: Viewer) -> Iterator[None]:
    """What is asked meanwhile is asked by a program with a token."""
    token = _asking.set(asking)
    try:
        yield
    finally:
        _asking.reset(token)


def as_server() -> AbstractContextManager[None]:
    """What is asked meanwhile the server asks for itself (whether it is ready, what it makes ahead), and tells nobody."""
    return as_viewer(ANYBODY)


@contextmanager
def as_claimed(claimed: Claims) -> Iterator[None]:
    """What is asked meanwhile is asked by somebody of whom the provider says this, page or no page."""
    token = _claimed.set(claimed)
    try:
        yield
    finally:
        _claimed.reset(token)


def bound(make: Callable[[], T]) -> Callable[[], T]:
    """What is made later, and by another thread, for who looks now; that they may is asked again then."""
    if not on():
        return make
    mine = claims()

    def made() -> T:
        with as_claimed(mine):
            return make()

    return made


def of_cookies(cookies: Mapping[str, str], config: Config) -> Claims:
    """What Streamlit's cookie says, where its signature is ours and it is of this address; nothing otherwise."""
    secret = get_cookie_secret()
    if not secret or config.sign_in is None:
        return {}

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        return None if value is None else decode_signed_value(secret, name, value.encode("latin-1", "replace"))

    try:
        told = json.loads(get_cookie_with_chunks(signed, COOKIE) or b"{}")
    except (ValueError, TypeError):
        return {}
    return told if isinstance(told, dict) and told.get("origin") == config.sign_in.address else {}
