"""One ``[[sources]]`` table of the configuration, read key by key: whatever is wrong is said with the source and the key."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from collectors.credentials import Secret, Setting, secret, setting
from collectors.way import is_loopback, is_metadata
from vsm.errors import ConfigError
from vsm.secrecy import concealed


@dataclass(frozen=True)
class Table:
    """A source's own keys, as they were written."""

    name: str
    told: Mapping[str, Any]

    @classmethod
    def of(cls, kind: str, keys: Mapping[str, Any], known: Iterable[str]) -> "Table":
        """The table of a source of a kind. Raises ConfigError for a key that such a source has not."""
        table = cls(str(keys.get("name", kind)), {key: value for key, value in keys.items() if key != "name"})
        if unknown := sorted(set(table.told) - set(known)):
            there = ", ".join((*known, "name"))
            raise ConfigError(f"source {table.name}: no such key: {', '.join(unknown)}; a {kind} source has {there}")
        return table

    def __contains__(self, key: str) -> bool:
        return key in self.told

    def place(self, key: str) -> str:
        """Where a key stands, for a message."""
        return f"source {self.name}: {key}"

    def wrong(self, key: str, expected: str) -> ConfigError:
        """The error that says what was expected of a key, and what is there."""
        return ConfigError(f"{self.place(key)}: expected {expected}, got {self.told.get(key)!r}")

    def text(self, key: str) -> str | None:
        """A text that is not empty, None where the key is left out."""
        value = self.told.get(key)
        if key in self.told and not (isinstance(value, str) and value.strip()):
            raise self.wrong(key, "text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or one text; empty where the key is left out."""
        if key not in self.told:
            return ()
        value = self.told[key]
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values or not all(isinstance(text, str) and text.strip() for text in values):
            raise self.wrong(key, "text or a list of texts")
        return tuple(values)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.told.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def number(self, key: str, least: int) -> int | None:
        """A whole number, None where the key is left out."""
        value = self.told.get(key)
        if key in self.told and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise self.wrong(key, f"a number of at least {least}")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str | None:
        """One of some words."""
        value = self.told.get(key, default)
        if key in self.told and value not in allowed:
            raise self.wrong(key, " or ".join(f'"{word}"' for word in allowed))
        return None if value is None else str(value)

    def expressions(self, key: str) -> tuple[re.Pattern[str], ...]:
        """Regular expressions; empty where the key is left out."""
        values = self.told.get(key, [])
        if not isinstance(values, list) or (key in self.told and not values):
            raise self.wrong(key, 'a list of regular expressions, such as ["^shop/.*"]')
        return tuple(self.expression(key, value) for value in values)

    def expression(self, key: str, value: Any) -> re.Pattern[str]:
        """One regular expression."""
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{self.place(key)}: expected a regular expression, got {value!r}")
        try:
            return re.compile(value)
        except (re.error, OverflowError) as error:
            raise ConfigError(f"{self.place(key)}: {value!r} is no regular expression: {error}") from None

    def url(self, what: str, secrets: str, default: str | None = None) -> str:
        """A server's address without a slash at its end; `what` it is, with an example, and how `secrets` are given."""
        value = self.told.get("url", default)
        parts = urlsplit(value) if isinstance(value, str) else None
        try:
            well = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number
            well = False
        if not well or parts is None:
            raise ConfigError(f"{self.place('url')}: expected {what}, got {concealed(repr(value))}")
        if parts.username or parts.password:
            raise ConfigError(f"{self.place('url')}: no user or password may stand in it; give {secrets}")
        host = parts.hostname or ""
        if is_metadata(host):
            raise ConfigError(f"{self.place('url')}: a link-local address gives out a machine's credentials and is never asked")
        if parts.scheme == "http" and "token" in self.told and not is_loopback(host) and not self.flag("plain_http", False):
            raise ConfigError(
                f"{self.place('url')}: the token would go to {host} in the clear: use https, or say plain_http = true where"
                " nobody else is on the way"
            )
        if parts.query or parts.fragment:
            raise ConfigError(f"{self.place('url')}: expected the address alone, without ? or #")
        return str(value).rstrip("/")

    def setting(self, key: str) -> Setting | None:
        """A value that is no secret, or where the environment has it; None where the key is left out."""
        return setting(self.told[key], self.place(key)) if key in self.told else None

    def secret(self, key: str) -> Secret | None:
        """Where a secret is; None where the key is left out."""
        return secret(self.told[key], self.place(key)) if key in self.told else None
