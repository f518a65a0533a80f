"""Who is looking, and what that person may see and do: pure functions of the configuration and of what the provider says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from vsm.audit import HERE
from vsm.config import Config
from vsm.errors import UsageError
from vsm.sign_in import Access

FUTURE = timedelta(minutes=5)  # by which clocks may differ


class NotAllowed(UsageError, ValueError):
    """Somebody may not see or do this; the message says why, and who could."""


class SignedOut(UsageError):
    """Nobody has signed in, or too long ago; nothing is shown."""


@dataclass(frozen=True)
class Viewer:
    """Somebody who looks. ``streams``: the names of those that may be seen, None for all. ``at``: when they signed in."""

    name: str
    editor: bool = True
    streams: frozenset[str] | None = None
    at: datetime | None = None

    @property
    def allowed(self) -> tuple[str, ...] | None:
        """The streams in one order, as a part of a key; None for all."""
        return None if self.streams is None else tuple(sorted(self.streams))

    def must_edit(self, stream: str | None) -> None:
        """Raises NotAllowed unless this viewer may write something down of a stream, or (None) of all of them."""
        if not self.editor:
            raise NotAllowed("only editors may do this, and you may look: ask whoever runs the dashboard ([access] in vsm.toml)")
        if self.streams is not None and stream not in self.streams:
            said = "all streams" if stream is None else "another stream"
            raise NotAllowed(f"you may see some streams only, and this is of {said}: choose one of yours first")


ANYBODY = Viewer(HERE)  # where nobody signs in: whoever sits at the machine


def viewer(config: Config, claims: Mapping[str, Any], now: datetime) -> Viewer:
    """Who the provider says that somebody is, as the configuration lets them in.

    Raises SignedOut where nobody has signed in or that was too long ago, and NotAllowed, with the reason, for
    whom the dashboard is not meant for. An address counts only where the provider says that it is verified.
    """
    sign_in, access = config.sign_in, config.access
    if sign_in is None:
        raise SignedOut("vsm.toml has no [sign_in] any more: whoever runs the dashboard must start it again")
    if claims.get("is_logged_in") is not True:
        raise SignedOut("This is shown to people who have signed in.")
    at = signed_in(claims.get("iat"), now.tzinfo)
    if at is None or now - at >= timedelta(hours=sign_in.hours) or at - now > FUTURE:
        raise SignedOut("You signed in too long ago: sign in again.")
    email = str(claims.get("email") or "").strip().casefold()
    if "@" not in email or claims.get("email_verified") is not True:
        raise NotAllowed("the account has no e-mail address that its provider has verified: verify it there, then sign in again")
    domains = {one.casefold().lstrip("@") for one in sign_in.email_domains}
    if domains and email.rpartition("@")[2] not in domains:
        raise NotAllowed("this dashboard is not for addresses of your domain: sign in with another account")
    groups = groups_of(claims, sign_in.groups_claim)
    if sign_in.groups and not groups & set(sign_in.groups):
        raise NotAllowed("you are in none of the groups that this dashboard is for: ask whoever runs it")
    editor = email in _folded(access.editors) or bool(groups & set(access.editor_groups))
    streams = _streams(config, access, email, groups)
    if streams is not None and not streams:
        raise NotAllowed("no stream of this dashboard is for one of your groups: ask whoever runs it")
    return Viewer(email, editor, streams, at)


def groups_of(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """The groups that a claim names: a list of texts, or one text; what is neither names none."""
    told = claims.get(claim)
    names = [told] if isinstance(told, str) else told if isinstance(told, list | tuple) else []
    return frozenset(name for name in names if isinstance(name, str))


def of_token(config: Config, name: str, role: str, streams: frozenset[str] | None) -> Viewer:
    """The viewer that a program with a token is: streams that are configured no more are seen no more."""
    known = frozenset(one.name for one in config.streams)
    return Viewer(f"token {name}", role == "editor", None if streams is None else streams & known)


def signed_in(told: Any, zone: tzinfo | None) -> datetime | None:
    """When the provider told who somebody is (its claim iat, seconds since 1970)."""
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    try:
        return datetime.fromtimestamp(told, zone)
    except (OverflowError, ValueError, OSError):
        return None


def _streams(config: Config, access: Access, email: str, groups: frozenset[str]) -> frozenset[str] | None:
    """The streams that somebody may see: those without groups, and those of one of theirs; None where that is all of them."""
    if email in _folded(access.all_streams) or groups & set(access.all_streams_groups):
        return None
    seen = frozenset(one.name for one in config.streams if not one.groups or groups & set(one.groups))
    return None if len(seen) == len(config.streams) else seen


def _folded(names: tuple[str, ...]) -> set[str]:
    return {name.casefold() for name in names}
