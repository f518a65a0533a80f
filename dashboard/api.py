"""The read-only interface of the dashboard's server: the report as JSON, its numbers as OpenMetrics text.

It answers from the same cache as the pages and lies behind the same door, so that a number is the
same everywhere. What a path gives does not change within a version; what is new is only added.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboard import access, data
from dashboard.data import NothingYet
from vsm import openmetrics
from vsm.access import NotAllowed, SignedOut, Viewer
from vsm.errors import UsageError
from vsm.schema import schema

VERSION = "/api/v1"
OPTIONS = ("stream", "application", "team", "from", "to")
Answer = Callable[[Request], Response]


def routes() -> list[Route]:
    """Every path, for GET (and HEAD) alone."""
    paths: tuple[tuple[str, Answer], ...] = (
        (f"{VERSION}/report", report),
        (f"{VERSION}/schema", described),
        (f"{VERSION}/explain", names),
        (f"{VERSION}/explain/{{name:path}}", explain),
        (f"{VERSION}/metrics", metrics),
        ("/metrics", metrics),  # where Prometheus looks unless it is told otherwise
    )
    known = [Route(path, _kept(answer), methods=["GET"]) for path, answer in paths]
    # Without it Streamlit would give its page for a path that is not there, and who asks would take that for an answer.
    return [*known, Route("/api/{rest:path}", _kept(absent), methods=["GET"])]


def report(request: Request) -> Response:
    """The report of a scope, as `vsm report --format json` prints it."""
    return _json(data.document(**_options(request)))


def described(request: Request) -> Response:
    """The JSON Schema of the report."""
    return _json(schema())


def names(request: Request) -> Response:
    """Every number that can be explained, with what it means."""
    return _json(data.explainable())


def explain(request: Request) -> Response:
    """The rows behind one number, as `vsm explain NAME --format json` prints them."""
    return _json(data.explained(request.path_params["name"], **_options(request)))


def metrics(request: Request) -> Response:
    """The report's numbers as OpenMetrics text."""
    return PlainTextResponse(openmetrics.text(data.document(**_options(request))), media_type=openmetrics.CONTENT_TYPE)


def absent(request: Request) -> Response:
    """What is said where there is nothing."""
    return _json({"error": f"nothing is at {request.url.path}; see {VERSION}/report, /schema, /explain, /metrics"}, 404)


def _options(request: Request) -> dict[str, str | None]:
    """The options of the call. Raises UsageError for one that is not known or stands twice."""
    asked = request.query_params
    for name in asked:
        if name not in OPTIONS:
            raise UsageError(f"no option {name!r}; expected any of {', '.join(OPTIONS)}")
        if len(asked.getlist(name)) > 1:
            raise UsageError(f"the option {name!r} stands twice; give it once")
    return {"start" if name == "from" else "end" if name == "to" else name: asked.get(name) or None for name in OPTIONS}


def _kept(answer: Answer) -> Answer:
    """An answer with the headers of all of them; what goes wrong is a sentence, and never a traceback."""

    # Not async: Starlette runs it on a thread of its own, so that a long report holds up nobody's page.
    def kept(request: Request) -> Response:
        try:
            with access.as_viewer(_asking(request)):
                told = answer(request)
        except SignedOut as error:
            told = _json({"error": str(error)}, 401)
            told.headers["WWW-Authenticate"] = "Bearer"
        except NotAllowed as error:
            told = _json({"error": str(error)}, 403)
        except UsageError as error:
            told = _json({"error": str(error)}, 400)
        except NothingYet as nothing:
            told = _json({"error": str(nothing)}, 503)
        except Exception as error:  # the boundary: who asks gets a sentence, the log gets the traceback
            number = secrets.token_hex(4)
            logging.getLogger("dashboard").error("error %s", number, exc_info=error)
            told = _json({"error": f"this could not be answered; the server's log says why: look for error {number}"}, 500)
        told.headers["Cache-Control"] = "no-cache"
        told.headers["X-Content-Type-Options"] = "nosniff"
        return told

    return kept


def _asking(request: Request) -> Viewer:
    """Who asks: a program with a token, or who is signed in with this browser. Raises SignedOut or NotAllowed.

    A server without sign-in asks nobody.
    """
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if not access.on() or kind.casefold() != "bearer":
        return data.viewer_of(access.of_cookies(request.cookies, data.config()))
    found = data.viewer_with(token.strip())
    if found is None:
        raise SignedOut("this token is not known, has expired or was taken back: `vsm token add NAME` makes one")
    return found


def _json(told: Any, status: int = 200) -> Response:
    return JSONResponse(told, status)
