"""Who looks by a key, and what somebody did that is no edit: written down where people sign in."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import pandas as pd

from dashboard import access
from dashboard.behind import look
from vsm import access as rules
from vsm import audit, store, tokens
from vsm.access import Viewer
from vsm.errors import UsageError

T = TypeVar("T")


def viewer_with(token: str) -> Viewer | None:
    """The program that has a token; None for one that is wrong, has expired or was taken back."""
    place = look.url()
    file = look.file_behind(place)
    if file is None:
        return None
    found = tokens.known(look.engine_of(place, file), token, datetime.now(UTC))
    return None if found is None else rules.of_token(look.config(), found.name, found.role, found.streams)


def sign_in_address() -> str:
    """Where browsers find this dashboard; empty without sign-in, or while the configuration cannot be read."""
    try:
        told = look.config().sign_in
    except UsageError:
        return ""
    return "" if told is None else told.address


def note_down(who: str, what: str, about: str | None, once_since: datetime | None = None) -> None:
    """Write down what somebody did that is no edit; with `once_since` unless it is since then.

    Where the store does not take it, the server's log has it.
    """
    place = look.url()
    file = look.file_behind(place)
    try:
        if file is not None and not (once_since and audit.done_since(look.engine_of(place, file), who, what, once_since)):
            audit.add(look.engine_of(place, file), who, what, about, now=datetime.now(UTC))
    except (store.DBAPIError, UsageError) as error:
        said = getattr(error, "orig", error)
        logging.getLogger("dashboard").warning("not in the audit log: %s, %s, %s (%s)", who, what, about, said)


def exported(about: str, make: Callable[[], T]) -> Callable[[], T]:
    """Makes a file when it is asked for, for who looks now; where people sign in it is written down who took what."""
    if not access.on():
        return make

    def made() -> T:
        who = look.viewer()
        file = make()
        note_down(who.name, "export", about)
        return file

    return access.bound(made)


def audited(most: int) -> pd.DataFrame:
    """Who did what, newest first. Raises NotAllowed for who is no editor of all streams."""
    look.viewer().must_edit(None)
    return audit.entries(look.opened(), most=most)
