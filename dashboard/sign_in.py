"""Sign-in: what Streamlit is told of the provider, the page of who has not signed in, and the line of who has."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import access, data
from dashboard.words import text
from vsm.access import NotAllowed, SignedOut, Viewer
from vsm.config import Config, load
from vsm.errors import UsageError

SEEN = "signed_in_as"  # of a session: so that a sign-in is written down once


def secrets() -> dict[str, Any] | None:
    """What Streamlit reads as `[auth]` of its secrets: handed over in memory, so that it is in no file. None without sign-in."""
    if not access.on():
        return None
    path = os.environ.get(data.CONFIG)
    return auth(load(Path(path) if path else None))


def auth(config: Config) -> dict[str, Any]:
    """The same of a configuration. Raises UsageError for a secret that is not there."""
    told = config.sign_in
    if told is None:
        return {}
    client, cookie = told.secrets()
    return {
        "auth": {
            "redirect_uri": f"{told.address}/oauth2callback",
            "cookie_secret": cookie,
            "client_id": told.client_id,
            "client_secret": client,
            "server_metadata_url": told.metadata_url,
            "client_kwargs": {"scope": told.scope, "prompt": told.prompt},
        }
    }


def entered() -> Viewer | Exception:
    """Who looks at this page; or why they may not, which is all that they are shown."""
    try:
        who = data.viewer()
    except UsageError as why:
        if isinstance(why, NotAllowed):
            _once("refused", account(), str(why), access.signed_in_at())
        return why
    if access.on():
        _once("sign-in", who.name, "editor" if who.editor else "viewer", who.at)
    return who


def _once(what: str, who: str, about: str, at: datetime | None) -> None:
    """Once a sign-in: each page that is opened is a session of its own, and a cookie is of many."""
    if st.session_state.get(SEEN) != (what, who, at):
        st.session_state[SEEN] = (what, who, at)
        data.note_down(who, what, about, once_since=at)


def account() -> str:
    """The account that somebody signed in with, also one that may see nothing."""
    told = access.claims()
    return str(told.get("email") or told.get("sub") or "an account without a name")


def closed(why: Exception) -> None:
    """The page of who may see nothing: a sentence, and what to do."""
    if isinstance(why, NotAllowed):
        st.title("You may not see this dashboard", anchor=False)
        st.warning(text(f"You are signed in as {account()}, but {why}."), icon=":material/lock:")
        st.button("Sign out", key="sign_out", on_click=leave, icon=":material/logout:")
        return
    if not isinstance(why, SignedOut):
        st.title("Nothing can be shown now", anchor=False)
        st.warning("The configuration cannot be used: whoever runs the dashboard must mend it.", icon=":material/build:")
        return
    st.title("Sign in", anchor=False)
    st.markdown(text(str(why)))
    if access.on():
        st.button("Sign in", key="sign_in", type="primary", on_click=st.login, icon=":material/login:")


def line(who: Viewer) -> None:
    """Who is signed in, as what, and a way out; nothing where nobody signs in."""
    if not access.on():
        return
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="account", gap="xsmall"):
        st.text(f"{who.name} ({'editor' if who.editor else 'viewer'})", width="content")  # Markdown would make it a link
        st.button("Sign out", key="sign_out", on_click=leave, type="tertiary", icon=":material/logout:")


def leave() -> None:
    """Sign out, here and at the provider."""
    data.note_down(account(), "sign-out", None)
    st.logout()
