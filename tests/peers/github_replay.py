"""A GitHub made of real answers: the exchanges that PyGithub's tests have recorded, read from its source at test time.

Some are old and trimmed. A question is known by its method, path and query; where only the page is the same, the answer
to that is given, so that a client may choose another size of pages. Of several answers the first good one is given.
"""

import ast
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from programs import HERE, absent
from served import Answer, Query

GITHUB = "https://api.github.com"
LEFT_OUT = {"content-length", "transfer-encoding", "content-encoding", "connection", "keep-alive"}


@dataclass(frozen=True)
class Exchange:
    """A recorded question and its answer. `name` is the test that recorded it, "Issue.testGetComments"."""

    name: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: str
    status: int
    headers: tuple[tuple[str, str], ...]
    answer: str


def exchanges(*names: str) -> list[Exchange]:
    """What the real GitHub was asked and answered, of tests whose names begin with one of these, or of all."""
    return [one for one in _recorded() if not names or one.name.startswith(names)]


def replay(*names: str):
    """A handler for `served` that answers from recordings; what nobody has asked GitHub is a 404."""
    exact: dict[tuple[object, ...], Exchange] = {}
    by_page: dict[tuple[object, ...], Exchange] = {}
    for one in sorted(exchanges(*names), key=lambda one: one.status >= 300):  # the sort is stable
        exact.setdefault((one.method, one.path, one.query, one.body if one.method == "POST" else ""), one)
        by_page.setdefault((one.method, one.path, dict(one.query).get("page", "1")), one)

    def handle(method: str, path: str, query: Query, headers, body: bytes) -> Answer:
        asked = (method, path, _sorted(query), body.decode() if method == "POST" else "")
        one = exact.get(asked) or by_page.get((method, path, query.get("page", ["1"])[0]))
        if one is None:
            return 404, {}, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}
        ours = f"http://{headers['Host']}"
        kept = {name: value.replace(GITHUB, ours) for name, value in one.headers if name.lower() not in LEFT_OUT}
        return one.status, kept, one.answer.replace(GITHUB, ours)

    return handle


@cache
def _recorded() -> tuple[Exchange, ...]:
    archive = next((HERE / "recorded").glob("pygithub-*.tar.gz"), None)
    if archive is None:
        absent("recorded answers of GitHub")
    with tarfile.open(archive) as tar:
        files = [member for member in tar if re.search(r"/ReplayData/[^/]+\.txt$", member.name)]
        texts = [(Path(member.name).stem, tar.extractfile(member).read().decode()) for member in files]
    return tuple(one for name, text in sorted(texts) for one in _exchanges(name, text))


def _exchanges(name: str, text: str) -> Iterator[Exchange]:
    """Eleven lines each: scheme, method, host, port, path, headers, body; status, headers, body; an empty one."""
    lines = text.split("\n")
    for start in range(0, len(lines) - 9, 11):
        _, method, host, _, address, _, body, status, headers, answer = lines[start : start + 10]
        if host == "api.github.com" and status.isdigit():
            url = urlsplit(address)
            query = _sorted(parse_qs(url.query, keep_blank_values=True))
            sent = "" if body == "None" else body
            yield Exchange(name, method, url.path, query, sent, int(status), _pairs(headers), answer)


def _pairs(headers: str) -> tuple[tuple[str, str], ...]:
    read = ast.literal_eval(headers)
    return tuple(read.items() if isinstance(read, dict) else read)


def _sorted(query: Query) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, values[-1]) for name, values in query.items()))
