"""People's e-mail addresses as keyed hashes: they tell who is who, and not who it is.

The same address gives the same handle in every source, so a git author and a tracker's account meet.
Without the key nobody can try addresses until one fits.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from collectors.credentials import secret
from vsm.errors import ConfigError
from vsm.secrecy import HIDDEN, concealed, is_secret

# An address in a text. The `git` of git@host:path and ssh://git@host/path is nobody's.
ADDRESS = re.compile(
    r"(?<![A-Za-z0-9._%+-])(?!git@)[A-Za-z0-9_][A-Za-z0-9._%+'-]*(?:\[bot\])?@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?![A-Za-z0-9])"
)
# Forges give out addresses that only name an account: 123+ann@users.noreply.github.com, 45-ann@users.noreply.gitlab.com.
NO_REPLY = re.compile(r"(?:\d+[+-])?([A-Za-z0-9][A-Za-z0-9._-]*(?:\[bot\])?)@(users\.noreply\.[a-z0-9.-]+)")
PREFIX = "mail:"
LENGTH = 32  # bytes of a key


class Handles:
    """Addresses to handles, by one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Handles(…)"

    @property
    def key(self) -> bytes:
        """The key, for a process that reads for us; it goes through a pipe, where nobody else sees it."""
        return self._key

    def mail(self, address: str) -> str:
        """The handle of an address: a keyed hash; a forge's no-reply address as it is, without the account's number.

        >>> who = Handles(b"a key")
        >>> who.mail("Ann@Example.org") == who.mail("ann@example.org"), who.mail("ann@example.org")[:5]
        (True, 'mail:')
        >>> who.mail("123+Ann@users.noreply.github.com")
        'ann@users.noreply.github.com'
        """
        if address not in self._known:
            self._known[address] = self._told(address.strip().casefold())
        return self._known[address]

    def _told(self, address: str) -> str:
        if named := NO_REPLY.fullmatch(address):
            return f"{named[1]}@{named[2]}"
        if address.startswith(PREFIX):
            return address
        return PREFIX + hashlib.blake2b(address.encode(), key=self._key, digest_size=10).hexdigest()

    def login(self, address: str) -> str | None:
        """The account that a forge's no-reply address names, None for any other address.

        >>> Handles(b"").login("49699333+dependabot[bot]@users.noreply.github.com")
        'dependabot[bot]'
        """
        named = NO_REPLY.fullmatch(address.strip().casefold())
        return named[1] if named else None

    def scrub(self, text: str) -> str:
        """The text with every e-mail address in it replaced by its handle, and without what looks like a secret.

        >>> Handles(b"").scrub("Signed-off-by: Ann <ann@example.org>, see git@example.org:team/shop")
        'Signed-off-by: Ann <mail:fd2828ccc5ff9dddc998>, see git@example.org:team/shop'
        """
        text = concealed(text)
        if "@" not in text:
            return text
        return ADDRESS.sub(lambda found: self.mail(found[0]), text)

    def scrubbed(self, answer: Any) -> Any:
        """A source's answer with no e-mail address and no secret left in any of its texts."""
        if isinstance(answer, str):
            return self.scrub(answer)
        if isinstance(answer, Mapping):
            return {
                name: HIDDEN if isinstance(value, str) and value and is_secret(name) else self.scrubbed(value)
                for name, value in answer.items()
            }
        if isinstance(answer, (list, tuple)):
            return [self.scrubbed(value) for value in answer]
        return answer


def handles(store: str, told: str | None) -> Handles:
    """The handles of a store, given by its URL: by the configured key, else by one that is made beside the store's file.

    Raises ConfigError where the key cannot be had.
    """
    if told is not None:
        return Handles(hashlib.sha256(secret(told, "privacy.key").reveal().encode()).digest())
    if store.startswith("postgresql"):
        raise ConfigError(
            "privacy.key: a store on a server has no place beside it for the key of people's e-mail addresses:"
            ' give one in vsm.toml, [privacy] key = "env:VSM_KEY", the same wherever this store is filled from'
        )
    file = store_file(store)
    if file is None or not file.parent.is_dir():
        return Handles(os.urandom(32))  # a store that ends with us, or that cannot be opened, which is its own sentence
    return Handles(_kept(file.with_name(file.name + ".key")))


def store_file(url: str) -> Path | None:
    """The file of a store, None for a server's or one in memory."""
    scheme, colon, path = url.partition(":///")
    is_file = scheme.partition("+")[0] == "sqlite" and colon and path and not path.startswith((":memory:", "file:"))
    return Path(unquote(path.partition("?")[0])) if is_file else None


def _made(path: Path) -> None:
    """A new key, whole or not at all; of two that are made at once the first one stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(LENGTH).hex())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _kept(path: Path) -> bytes:
    """The key in a file, made at the first time; only its owner can read it."""
    try:
        if not path.exists():
            _made(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        if len(key) != LENGTH:
            raise ValueError(f"not {LENGTH} bytes")
        return key
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not the key that was made"
        raise ConfigError(
            f"{path}: the key of people's e-mail addresses cannot be had ({reason}); put it right, or give another"
            ' with [privacy] key = "env:VSM_KEY"'
        ) from None
