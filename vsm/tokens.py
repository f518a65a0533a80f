"""Keys with which programs read the dashboard's interface: made, checked, listed and taken back. Only a hash is kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from vsm.errors import UsageError
from vsm.models import ApiToken
from vsm.store import Engine, table_of, transaction

FORM = re.compile(r"vsm_([0-9a-f]{12})_([0-9a-f]{64})")
ROLES = ("viewer", "editor")
LONGEST = 100  # characters of a name


@dataclass(frozen=True)
class Token:
    """What is known of a key; the key itself is nowhere. ``streams``: None for all."""

    id: str
    name: str
    role: str
    streams: frozenset[str] | None
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """valid, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


def add(
    engine: Engine, name: str, *, now: datetime, role: str = "viewer", streams: Sequence[str] = (), expires: datetime | None = None,
    by: str | None = None,
) -> str:  # fmt: skip
    """A new key, which is told this one time. Raises UsageError for a name that a valid one has, or that is none."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST:
        raise UsageError(f"a token needs a name of 1 to {LONGEST} characters, which says what reads with it")
    if role not in ROLES:
        raise UsageError(f"no role {role!r}; expected one of {', '.join(ROLES)}")
    if expires is not None and expires <= now:
        raise UsageError(f"the token would have expired at {expires.isoformat()}: give a later --expires, or none")
    if any(one.name == name and one.state(now) == "valid" for one in every(engine)):
        raise UsageError(f"there is a valid token {name!r}: give another name, or take that one back with `vsm token revoke`")
    key, secret = secrets.token_hex(6), secrets.token_hex(32)
    row = {
        "id": key, "name": name, "role": role, "streams": sorted(streams) or None, "sha256": _hash(secret),
        "created_at": now, "created_by": by, "expires_at": expires,
    }  # fmt: skip
    with transaction(engine) as connection:
        connection.execute(table_of(ApiToken).insert().values(**row))
    return f"vsm_{key}_{secret}"


def every(engine: Engine) -> list[Token]:
    """Every key that was ever made, oldest first."""
    table = table_of(ApiToken)
    with engine.connect() as connection:
        return [_token(row) for row in connection.execute(sa.select(table).order_by(table.c.created_at, table.c.id)).mappings()]


def revoke(engine: Engine, name: str, *, now: datetime) -> int:
    """Take back the keys of a name that are not taken back already; gives how many. Raises UsageError where there is none."""
    table = table_of(ApiToken)
    with transaction(engine) as connection:
        mine = sa.or_(table.c.name == name, table.c.id == name)
        gone = connection.execute(table.update().where(mine, table.c.revoked_at.is_(None)).values(revoked_at=now)).rowcount
    if not gone:
        raise UsageError(f"there is no token {name!r} that is not taken back already: see `vsm token list`")
    return int(gone)


def known(engine: Engine, told: str, now: datetime) -> Token | None:
    """The valid token that a key is; None for a wrong, expired or revoked one. How long it takes tells nothing of the secret."""
    found = FORM.fullmatch(told)
    key, secret = found.groups() if found else ("", "")
    table = table_of(ApiToken)
    with engine.connect() as connection:
        row = connection.execute(sa.select(table).where(table.c.id == key)).mappings().first()
    same = hmac.compare_digest(_hash(secret), row["sha256"] if row else "0" * 64)
    if row is None or not same:
        return None
    token = _token(row)
    return token if token.state(now) == "valid" else None


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash: nobody can try them out.
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: Any) -> Token:
    times = {name: _utc(row[name]) for name in ("created_at", "expires_at", "revoked_at")}
    streams = None if row["streams"] is None else frozenset(row["streams"])
    return Token(**{name: row[name] for name in ("id", "name", "role", "created_by")}, streams=streams, **times)


def _utc(time: datetime | None) -> Any:
    """The store keeps UTC, and says so or not."""
    return None if time is None else time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
