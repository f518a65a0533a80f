"""Deliveries of webhooks: who sent one is checked, it is kept, and a harvest asks the source itself what is new.

Nothing of a delivery's text becomes a fact, but of /hooks/events, which takes what `vsm event` takes. A secret is compared in
constant time and a body is signed while it is read, so that none is held in memory and none that is too large is read at all.
"""

import base64
import binascii
import hashlib
import hmac
import json
import logging
import os
import secrets as dice
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard import data, harvest
from dashboard.deliveries import Deliveries, Delivery, Worker
from vsm import event_commands, turn
from vsm.errors import UsageError, WorkError
from vsm.event import EventError, lines

MARKS = {"github": ("github",), "gitlab": ("git",), "jira": ("jira",)}  # which kinds of sources a hook says have news
MIB = 2**20
LARGEST = {"github": 25 * MIB, "gitlab": 25 * MIB, "jira": 25 * MIB, "events": 5 * MIB}  # bytes; GitHub sends at most 25 MiB
IDS = {
    "github": ("x-github-delivery",),
    "gitlab": ("webhook-id", "idempotency-key", "x-gitlab-event-uuid"),
    "jira": ("x-atlassian-webhook-identifier",),
    "events": ("idempotency-key", "webhook-id", "ce-id"),
}
SIGNED_WITHIN = 300.0  # seconds that a signed time may be off
STANDARD = "whsec_"  # how a signing token of GitLab begins, as in the Standard Webhooks specification
Clock = Callable[[], float]


class Refused(Exception):
    """A delivery that is not taken: a status and a sentence."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status, self.said = status, said


def routes() -> list[Route]:
    """Every hook that there may be; one without a secret in vsm.toml is not there."""
    # For every method: else Streamlit would give its page to who asks in a wrong one.
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [Route("/hooks/{hook}", delivered, methods=methods), Route("/hooks", delivered, methods=methods)]


async def delivered(request: Request) -> Response:
    """What is said to a delivery; never who was expected, and never a traceback."""
    try:
        told = await _delivered(request, str(request.path_params.get("hook", "")))
    except Refused as refused:
        told = JSONResponse({"error": refused.said}, refused.status)
        if refused.status == 405:
            told.headers["Allow"] = "POST"
        elif refused.status == 401:
            told.headers["WWW-Authenticate"] = "Bearer"
        if refused.status in (401, 413):
            told.headers["Connection"] = "close"  # the rest of the body is not wanted
    except ClientDisconnect:
        told = JSONResponse({"error": "the body did not come whole"}, 400)
    except Exception as error:  # the boundary, as of every other answer
        number = dice.token_hex(4)
        logging.getLogger("dashboard").error("error %s", number, exc_info=error)
        told = JSONResponse({"error": f"this could not be taken; the server's log says why: look for error {number}"}, 500)
    told.headers["Cache-Control"] = "no-store"
    return told


async def _delivered(request: Request, hook: str) -> Response:
    known = await run_in_threadpool(_secrets, hook)
    if request.method != "POST":
        raise Refused(405, "a delivery is sent with POST")
    proof = _proof(hook, request.headers, known)
    body = bytearray()
    digest, most = hashlib.sha256(), LARGEST[hook]
    if request.headers.get("content-length", "0").strip() > "" and _number(request.headers.get("content-length", "0")) > most:
        raise Refused(413, f"larger than the {most // MIB} MiB that are taken")
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise Refused(413, f"larger than the {most // MIB} MiB that are taken")
        digest.update(part)
        proof.update(part)
        if hook == "events":
            body += part
    if not proof.holds(time.time()):
        raise Refused(401, "the signature or token is not the one that was agreed on")
    delivery = Delivery(hook, _marks(hook, request.headers), tuple(_known_by(hook, request.headers, digest.hexdigest())))
    if not await run_in_threadpool(kept().take, delivery, time.time()):
        raise Refused(409, "this delivery was taken before")
    if hook == "events":
        return await run_in_threadpool(_events, bytes(body), request.headers, delivery)
    return JSONResponse({"taken": True, "sources": list(delivery.marks)}, 202)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Refused(400, "Content-Length is no number")
    return int(text[:20])


def _secrets(hook: str) -> list[str]:
    known = data.config().hooks
    if hook not in LARGEST or not getattr(known, hook):
        raise Refused(404, "no such hook; docs/security.md tells of those that there may be, and how one is switched on")
    try:
        return known.secrets(hook)
    except UsageError as error:
        logging.getLogger("dashboard").error("%s", error)
        raise Refused(503, "this hook is not ready; the server's log says why") from None


# Who sent it. ----------------------------------------------------------------------------------------------------------


@dataclass
class Proof:
    """What shows that who sends knows a secret: a signature of the body, or a token that has been compared already."""

    signatures: tuple[str, ...] = ()  # as the sender made them, in hexadecimal
    macs: tuple[Any, ...] = ()
    at: float | None = None  # when the sender signed, where it is told
    token: bool = False

    def update(self, part: bytes) -> None:
        """More of the body."""
        for mac in self.macs:
            mac.update(part)

    def holds(self, now: float) -> bool:
        """Whether it does. Every comparison is made, each in constant time."""
        fits = [hmac.compare_digest(mac.hexdigest(), given) for mac in self.macs for given in self.signatures]
        fresh = self.at is None or abs(now - self.at) <= SIGNED_WITHIN
        return self.token or (any(fits) and fresh)


def _proof(hook: str, headers: Mapping[str, str], known: list[str]) -> Proof:
    """The proof in the headers. Raises Refused where there is none, or a token that is wrong: no body is read for those."""
    if hook == "events":
        kind, _, token = headers.get("authorization", "").partition(" ")
        return _by_token(token.strip() if kind.casefold() == "bearer" else "", known)
    if hook == "gitlab":
        if "webhook-signature" in headers:
            return _standard(headers, known)
        return _by_token(headers.get("x-gitlab-token", ""), [one for one in known if not one.startswith(STANDARD)])
    scheme, _, given = headers.get("x-hub-signature-256" if hook == "github" else "x-hub-signature", "").partition("=")
    if scheme != "sha256" or len(given) != 64 or not given.isascii():
        raise Refused(401, "the signature or token is not the one that was agreed on")
    return Proof((given.lower(),), tuple(hmac.new(one.encode(), digestmod=hashlib.sha256) for one in known))


def _by_token(given: str, known: list[str]) -> Proof:
    # Digests are of one length, so that not even the length of a secret shows.
    told = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
    fits = [hmac.compare_digest(told, hashlib.sha256(one.encode()).digest()) for one in known]
    if not any(fits):
        raise Refused(401, "the signature or token is not the one that was agreed on")
    return Proof(token=True)


def _standard(headers: Mapping[str, str], known: list[str]) -> Proof:
    """GitLab's signing token: base64 of an HMAC over id, time and body, as the Standard Webhooks specification has it."""
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = []
    for one in headers["webhook-signature"].split()[:10]:
        version, _, text = one.partition(",")
        try:
            given += [base64.b64decode(text, validate=True).hex()] if version == "v1" else []
        except (binascii.Error, ValueError):
            continue
    keys = [key for one in known if one.startswith(STANDARD) and (key := _key(one))]
    if not (name and at.isascii() and at.isdigit() and len(at) < 12 and given and keys):
        raise Refused(401, "the signature or token is not the one that was agreed on")
    return Proof(tuple(given), tuple(hmac.new(key, f"{name}.{at}.".encode(), hashlib.sha256) for key in keys), float(at))


def _key(token: str) -> bytes:
    try:
        return base64.b64decode(token.removeprefix(STANDARD), validate=True)
    except (binascii.Error, ValueError):
        return b""


# What it is. -----------------------------------------------------------------------------------------------------------


def _marks(hook: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Which kinds of sources have news; none where the sender only tries whether somebody is there."""
    return () if headers.get("x-github-event") == "ping" else MARKS.get(hook, ())


def _known_by(hook: str, headers: Mapping[str, str], digest: str) -> list[str]:
    """By what a second delivery of the same is known: its id, and, since nobody signs that, its body.

    Two events may well be told in the same words, a deployment at ten and one at eleven; who gives an id says which they are.
    """
    given = next((headers[name] for name in IDS[hook] if headers.get(name)), "")
    named = [f"{hook}:id:{hashlib.sha256(given.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"] if given else []
    return named if hook == "events" else [*named, f"{hook}:body:{digest[:32]}"]


def kept() -> Deliveries:
    """The deliveries of the store that is shown."""
    return Deliveries(turn.place(data.url(), "hooks"))


def worker(**told: Any) -> Worker:
    """Starts harvests of what deliveries say has news; every one asks the sources of a kind."""

    def begin(kinds: Any) -> None:
        if configured := sorted({one.kind for one in data.config().sources} & set(kinds)):
            harvest.begin(data.url(), os.environ.get(data.CONFIG), configured)

    return Worker(kept, begin, **told)


def _events(body: bytes, headers: Mapping[str, str], delivery: Delivery) -> Response:
    """Events as `vsm event from` takes them, saved in one transaction or not at all."""
    try:
        text = body.decode("utf-8")
        if headers.get("ce-type"):  # CloudEvents in binary mode: the envelope stands in the headers
            envelope = {
                name: headers[f"ce-{name}"] for name in ("specversion", "type", "id", "source", "time") if f"ce-{name}" in headers
            }
            text = json.dumps({**envelope, "data": json.loads(text)})
        said, left = event_commands.taken(data.url(), lines(text, None, "the body"))
    except (EventError, UsageError, ValueError, RecursionError) as error:
        kept().forget(delivery)
        raise Refused(400, str(error) if isinstance(error, UsageError) else "the body is no JSON in UTF-8") from None
    except WorkError as error:
        kept().forget(delivery)
        logging.getLogger("dashboard").error("%s", error)
        raise Refused(503, "the store could not be written: nothing was saved, try again") from None
    except BaseException:
        kept().forget(delivery)
        raise
    return JSONResponse({"taken": True, "saved": said, "left": left or None}, 200)
