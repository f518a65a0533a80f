"""Secrets: where the configuration says that they are, never in it, and never shown."""

import os
from dataclasses import dataclass
from typing import Any

from vsm.errors import ConfigError
from vsm.secrecy import HIDDEN, remember
from vsm.secrecy import hidden as hidden


@dataclass(frozen=True)
class Setting:
    """A value that is no secret, such as a user's name, or where the environment has it: looked up when it is needed."""

    told: str
    place: str

    def reveal(self) -> str:
        """The value itself. Raises ConfigError where it is not there."""
        scheme, _, name = self.told.partition(":")
        return _environment(name, self.place) if scheme == "env" else self.told


class Secret:
    """Where a secret is; it does not show itself, and is looked up when a request needs it."""

    __slots__ = ("_place", "_told")

    def __init__(self, told: str, place: str) -> None:
        self._told, self._place = told, place

    def __repr__(self) -> str:
        return HIDDEN

    def reveal(self) -> str:
        """The value itself, for the request that needs it. Raises ConfigError where it is not there."""
        scheme, _, name = self._told.partition(":")
        return remember(_environment(name, self._place) if scheme == "env" else _keyring(name, self._place))


def secret(told: Any, place: str) -> Secret:
    """The secret that ``env:NAME`` or ``keyring:service/user`` names; `place` is the key in the configuration.

    Raises ConfigError for a secret that stands in the configuration itself, without repeating it.
    """
    scheme, colon, name = str(told).partition(":")
    if not (isinstance(told, str) and colon and name and scheme in ("env", "keyring")):
        raise ConfigError(
            f'{place}: a secret may not stand in the configuration; expected "env:NAME" for an environment variable'
            ' or "keyring:service/user"'
        )
    if scheme == "keyring" and not all(name.partition("/")):
        raise ConfigError(f'{place}: expected "keyring:service/user", but there is no user')
    return Secret(told, place)


def setting(told: Any, place: str) -> Setting:
    """A value that is no secret: the text itself, or ``env:NAME``. Raises ConfigError."""
    if not isinstance(told, str) or told.strip() in ("", "env:"):
        raise ConfigError(f'{place}: expected text, or "env:NAME" for an environment variable')
    return Setting(told, place)


def _environment(name: str, place: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"{place}: the environment variable {name} is not set; set it, or name another")
    return value


def _keyring(name: str, place: str) -> str:
    service, _, user = name.partition("/")
    try:
        import keyring
    except ModuleNotFoundError:
        raise ConfigError(
            f"{place}: the keyring is an extra: pip install 'value-stream-dashboard[keyring]', or use env:NAME"
        ) from None
    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # every backend has errors of its own
        raise ConfigError(f"{place}: the keyring does not answer ({type(error).__name__}); use env:NAME") from None
    if not value:
        raise ConfigError(f"{place}: the keyring has nothing for {service}/{user}; put it there with: keyring set {service} {user}")
    return str(value)
