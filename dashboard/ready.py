"""Whether the server lives, and whether it can answer: for what watches over it, without a number or a name in the answer."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard import data

NO_STORE = {"Cache-Control": "no-store"}


def routes() -> list[Route]:
    """`/healthz`: the process answers. `/readyz`: its store can be read, and is of this program's version."""
    return [Route("/healthz", healthy, methods=["GET"]), Route("/readyz", ready, methods=["GET"])]


def healthy(_: Request) -> Response:
    """Always 200: whoever gets no answer may start us anew."""
    return JSONResponse({"status": "ok"}, headers=NO_STORE)


def ready(_: Request) -> Response:
    """200 where pages can be drawn, else 503 with why; nobody should be sent here then."""
    why_not = data.why_not_ready()
    if why_not is None:
        return JSONResponse({"status": "ready"}, headers=NO_STORE)
    return JSONResponse({"status": "not ready", "why": why_not}, 503, headers=NO_STORE)
