"""`[sign_in]` and `[access]` of vsm.toml: whom the dashboard asks who somebody is, and what each may see and do."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vsm.errors import UsageError
from vsm.secrecy import remember

SHORTEST = 32  # characters of the secret that cookies are signed with
LONGEST_HOURS = 24 * 30  # the cookie itself lives as long


def _secret(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith("env:") or not value[4:].isidentifier():
        # What was given may be the secret itself, so it is not repeated (`_sentence` of vsm.config says so for this message).
        raise ValueError('expected where the secret is, such as "env:VSM_CLIENT_SECRET", and never the secret itself')
    return value


def _address(value: Any) -> Any:
    """An address over TLS; without it only on this machine, since cookies and codes travel with it."""
    parts = urlsplit(value) if isinstance(value, str) else None
    try:
        host = (parts.hostname or "") if parts else ""
        _ = parts and parts.port
    except ValueError:
        host = ""
    if parts is None or not host or parts.username or (parts.scheme != "https" and not (parts.scheme == "http" and local(host))):
        raise ValueError('expected an address such as "https://vsm.example.org" (http:// only on this machine)')
    return value


def _origin(value: Any) -> Any:
    if urlsplit(_address(value)).path.strip("/") or urlsplit(value).query or urlsplit(value).fragment:
        raise ValueError('expected the dashboard\'s own address without a path, such as "https://vsm.example.org"')
    return value.rstrip("/")


def local(host: str) -> bool:
    """Whether a host's name or address means this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


Secret = Annotated[str, BeforeValidator(_secret)]
Names = tuple[Annotated[str, Field(min_length=1)], ...]


class Table(BaseModel):
    """Only known keys, never changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SignIn(Table):
    """The OpenID provider that says who somebody is, and who of all whom it knows may come in."""

    metadata_url: Annotated[str, BeforeValidator(_address)]  # …/.well-known/openid-configuration
    client_id: str = Field(min_length=1)
    client_secret: Secret = "env:VSM_CLIENT_SECRET"  # noqa: S105 - where it is, not what it is
    cookie_secret: Secret = "env:VSM_COOKIE_SECRET"  # noqa: S105
    address: Annotated[str, BeforeValidator(_origin)]  # where browsers find this dashboard
    scope: str = "openid email profile"
    prompt: str = "select_account"  # what the provider is asked to do, where it is signed in there already
    groups_claim: str = Field(default="groups", min_length=1)
    email_domains: Names = ()  # only addresses of these; without any, of all
    groups: Names = ()  # only members of one of these; without any, everybody
    hours: Annotated[float, Field(gt=0, le=LONGEST_HOURS)] = 12  # after which one signs in again

    def secrets(self, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
        """The client's secret and the one that cookies are signed with. Raises UsageError for one that is missing or short."""
        found = []
        for name, told, least in (("client_secret", self.client_secret, 1), ("cookie_secret", self.cookie_secret, SHORTEST)):
            value = remember(environment.get(told[4:], "").strip())
            if len(value) < least:
                need = "a secret" if least == 1 else f"a secret of {least} characters or more, such as `openssl rand -hex 32` makes"
                raise UsageError(f"[sign_in] {name}: the environment variable {told[4:]} is empty or too short; expected {need}")
            found.append(value)
        return found[0], found[1]


class Access(Table):
    """Who may write things down and start harvests, and who sees every stream whatever groups it has."""

    editors: Names = ()  # e-mail addresses
    editor_groups: Names = ()
    all_streams: Names = ()  # e-mail addresses
    all_streams_groups: Names = ()
