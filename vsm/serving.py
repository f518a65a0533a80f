"""The `[server]` and `[hooks]` tables: by which names the dashboard may be asked, and whose deliveries it takes."""

import ipaddress
import os
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from vsm.errors import UsageError
from vsm.secrecy import remember

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
VARIABLE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")


def host(value: Any) -> str:
    """A name of a machine as it stands in a Host header, without a port. Raises ValueError."""
    told = str(value).strip().lower().rstrip(".")
    if not isinstance(value, str) or not (NAME.fullmatch(told) or _address(told)):
        raise ValueError('expected the name of a machine, such as "vsm.example.org", without https:// and a port')
    return told


def _address(told: str) -> bool:
    try:
        ipaddress.ip_address(told.strip("[]"))
    except ValueError:
        return False
    return True


def _network(value: Any) -> str:
    try:
        return str(ipaddress.ip_network(value)) if isinstance(value, str) and "/" in value else str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError('expected an address such as "10.0.0.5", or a network such as "10.0.0.0/24"') from None


def _variables(value: Any) -> tuple[str, ...]:
    """One variable, or several while an old secret is given up for a new one."""
    told = (value,) if isinstance(value, str) else value
    if not isinstance(told, (list, tuple)) or not told or not all(isinstance(one, str) and VARIABLE.fullmatch(one) for one in told):
        raise ValueError('expected "env:NAME", an environment variable that holds it, never the secret itself')
    return tuple(told)


Variables = Annotated[tuple[str, ...], BeforeValidator(_variables)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Part):
    """Beside this machine's own names ``hosts`` are those by which it is asked; what ``proxies`` forward is believed."""

    hosts: tuple[Annotated[str, BeforeValidator(host)], ...] = ()
    proxies: tuple[Annotated[str, BeforeValidator(_network)], ...] = ()


class Hooks(_Part):
    """Where the secrets are that deliveries are checked by; a hook without one is not there."""

    github: Variables = ()
    gitlab: Variables = ()
    jira: Variables = ()
    events: Variables = ()

    def secrets(self, hook: str) -> list[str]:
        """The secrets of a hook, empty where it is not configured. Raises UsageError for a variable that is not set."""
        told: tuple[str, ...] = getattr(self, hook)
        found = [remember(os.environ.get(one.removeprefix("env:"), "").strip()) for one in told]
        if missing := [one.removeprefix("env:") for one, value in zip(told, found, strict=True) if not value]:
            raise UsageError(f"hooks.{hook}: the environment variable {missing[0]} is not set; set it, or name another")
        return found
