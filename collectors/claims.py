"""What a commit's message says of the pull request that it is.

Every forge has its own words for it. Only what a forge writes at its own place counts: the subject from
its beginning or at its end, GitLab's line at the end of the body. So a revert that quotes a merge, or a
body that lists others, claims nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable
from heapq import nlargest
from operator import attrgetter
from typing import NamedTuple

# GitHub, Gitea and Forgejo: a squash, or a merge with the pull request's title. A revert and a backport carry the
# number of what they speak of too; their own is the last. Elsewhere people write a ticket's number so.
SUFFIX = re.compile(r"\(#(\d{1,9})\)$")
GITHUB = re.compile(r"Merge pull request #(\d{1,9}) from (\S+)")
GITLAB = "\nSee merge request "
GITLAB_NUMBER = re.compile(r"(?:[\w.~/-]*!|https?://\S+/merge_requests/)(\d{1,9})\s*")
GITLAB_BRANCHES = re.compile(r"Merge branch '([^']+)'(?: of \S+)? into '([^']+)'$")
# What may stand below GitLab's line: nothing, trailers, and where a copy came from.
TRAILER = re.compile(r"\s*(?:[A-Za-z][\w-]*: .*)?")
COPIED = "(cherry picked from commit "
OTHERS = (
    # Cloud
    ("bitbucket", re.compile(r"Merged in (?P<branch>\S+) \(pull request #(?P<number>\d{1,9})\)$")),
    # Server and Data Center, before and since version 7
    ("bitbucket", re.compile(r"Merge pull request #(?P<number>\d{1,9}) in \S+ from (?P<branch>\S+) to (?P<target>\S+)$")),
    ("bitbucket", re.compile(r"Pull request #(?P<number>\d{1,9}): (?P<title>.*)")),
    # DevOps, and in the days of Team Services
    ("azure", re.compile(r"Merged PR (?P<number>\d{1,9}): (?P<title>.*)")),
    ("azure", re.compile(r"Merge pull request (?P<number>\d{1,9}) from (?P<branch>\S+) into (?P<target>\S+)$")),
    # With another tracker beside it Gitea writes !12.
    (
        "gitea",
        re.compile(r"Merge pull request '(?P<title>.*)' \([#!](?P<number>\d{1,9})\) from (?P<branch>\S+) into (?P<target>\S+)$"),
    ),
)
RECENT, SHARE = 100, 10  # claims that tell which forge a history lives on now; it has named itself in a tenth of them
SERVER_BRANCHES = re.compile(r"Merge in \S+ from (\S+) to (\S+)$", re.M)


class Claim(NamedTuple):
    """A commit whose message says that it is what a pull request became; ``forge`` is empty where several write so."""

    forge: str
    sha: str
    number: int
    title: str | None
    branch: str | None
    target: str | None
    at: int


def claim(sha: str, message: str, at: int) -> Claim | None:
    """The pull request that a commit's message speaks for, None for any other commit; `at` is when it was committed.

    >>> claim("a1", 'Revert "Sort the cart (#12)" (#13)', 1772452800)[2:4]
    (13, 'Revert "Sort the cart (#12)"')
    >>> claim("b2", "Merge pull request #14 from ann/fix/cart\\n\\nCount a gift once", 1772452800)[2:6]
    (14, 'Count a gift once', 'fix/cart', None)
    >>> claim("c3", "Merge branch 'gift' into 'main'\\n\\nCount a gift once\\n\\nSee merge request web/shop!15", 1772452800)[2:6]
    (15, 'Count a gift once', 'gift', 'main')
    """
    subject, _, body = message.partition("\n")
    if GITLAB in message and (found := _gitlab(subject, body)):
        return Claim("gitlab", sha, *found, at)
    if subject.startswith(("Merged ", "Merge pull request '", "Pull request #")) and (other := _other(subject, body)):
        return Claim(other[0], sha, *other[1], at)
    if squashed := SUFFIX.search(subject):
        return Claim("", sha, int(squashed[1]), subject[: squashed.start()].rstrip() or None, None, None, at)
    if merged := GITHUB.match(subject):
        owner, slash, branch = merged[2].partition("/")
        return Claim("github", sha, int(merged[1]), _first_line(body), branch if slash else owner, None, at)
    if subject.startswith("Merge pull request ") and (other := _other(subject, body)):
        return Claim(other[0], sha, *other[1], at)
    return None


def at_home(claims: Iterable[Claim]) -> frozenset[str]:
    """The forges whose numbers count: a history that has moved has another forge's numbers in its older part.

    The one that most of the newest claims name. A bare (#12) names none: it may be GitHub's number, then
    it counts, or that of a ticket, where another forge has named itself often enough.

    >>> told = [claim("a", "Merged in gift (pull request #1)", 1), claim("b", "Merge pull request #1 from ann/gift", 2)]
    >>> sorted(at_home(told + told[1:]))
    ['', 'gitea', 'github']
    """
    newest = nlargest(RECENT, claims, key=attrgetter("at", "sha"))
    named = Counter(one.forge for one in newest if one.forge)
    forge = max(named, key=lambda name: (named[name], name), default="")
    seldom = named[forge] * SHARE < len(newest)
    return frozenset({"github", "gitea", ""} if seldom or forge in ("github", "gitea", "") else {forge})


# number, title, branch, target
Found = tuple[int, str | None, str | None, str | None]


def _gitlab(subject: str, body: str) -> Found | None:
    """A merge, or a squash whose template has GitLab's line, at the end of the body."""
    rest = ("\n" + body).rpartition(GITLAB)[2]
    number = GITLAB_NUMBER.fullmatch(rest.partition("\n")[0])
    below = rest.partition(COPIED)[0].splitlines()[1:]
    if number is None or not all(TRAILER.fullmatch(line) for line in below):
        return None
    if merged := GITLAB_BRANCHES.match(subject):
        title = _first_line(body)
        return int(number[1]), None if title and title.startswith(GITLAB.strip()) else title, merged[1], merged[2]
    return int(number[1]), subject.strip() or None, None, None


def _other(subject: str, body: str) -> tuple[str, Found] | None:
    for forge, form in OTHERS:
        if found := form.match(subject):
            told = found.groupdict()
            branch, target, title = told.get("branch"), told.get("target"), told.get("title")
            if branch is None and (server := SERVER_BRANCHES.match(_first_line(body) or "")):
                branch, target = server[1], server[2]
            if title is None and target is None:  # Bitbucket Cloud has the title below; its older kin a list of commits
                title = _first_line(body)
            # A fork's branch has its repository before a colon, which no branch's name can have.
            return forge, (int(told["number"]), (title or "").strip() or None, branch and branch.rpartition(":")[2], target)
    return None


def _first_line(body: str) -> str | None:
    return next((line.strip() for line in body.splitlines() if line.strip()), None)
