"""Which builds are deployments, by the rules of the configuration: a stage's name, else the job's, else a parameter."""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from collectors.jenkins import builds
from collectors.jenkins.builds import Row

NOT_DEPLOYED = (None, "skipped")  # still on its way, or never begun


@dataclass(frozen=True)
class Rules:
    """How a deployment is recognised, and what of.

    An expression may have a group ``(?P<environment>…)``, and ``(?P<application>…)``. Without it the
    environment is the value of a parameter that ``parameters`` names, else production.
    """

    production: str
    stages: tuple[re.Pattern[str], ...] = ()
    jobs: tuple[re.Pattern[str], ...] = ()
    parameters: Mapping[str, re.Pattern[str]] | None = None
    application: str | None = None
    unstable: str = "failure"

    @property
    def any(self) -> bool:
        """Whether anything is a deployment at all."""
        return bool(self.stages or self.jobs or self.parameters)

    @property
    def digest(self) -> int:
        """What tells whether the rules are the same as before."""
        patterns = [[one.pattern for one in some] for some in (self.stages, self.jobs, (self.parameters or {}).values())]
        told = [*patterns, [*(self.parameters or ())], self.production, self.application, self.unstable]
        return zlib.crc32(repr(told).encode())

    def deployments(self, build: Mapping[str, Any], row: Row, parts: Sequence[Row]) -> list[Row]:
        """The deployments that a build made, one an environment and application; `row` and `parts` are its rows."""
        if row["finished_at"] is None:  # its end may still fail it
            return []
        row = _revised(row, build)
        found: dict[tuple[str, str], Row] = {}
        for match, part in self._matches(build, row, parts):
            place = self._environment(match, build), self._application(match, build, row)
            found[place] = builds.together(found[place], part) if place in found else dict(part)
        return [self._row(row, part, *place) for place, part in found.items()]

    def _matches(self, build: Mapping[str, Any], row: Row, parts: Sequence[Row]) -> Iterator[tuple[re.Match[str], Row]]:
        """What was deployed by the first rule that finds anything: the expression's match, and the times and result."""
        deployed = [(match, part) for part in parts if (match := first(self.stages, [part["name"]]))]
        if deployed:
            yield from ((match, _timed(part, row)) for match, part in deployed if not _passed_over(part))
        elif row["result"] not in NOT_DEPLOYED:
            match = first(self.jobs, [row["job"], unquote(row["job"])]) or self._parameter(build)
            if match:
                yield match, row

    def _parameter(self, build: Mapping[str, Any]) -> re.Match[str] | None:
        values = builds.parameters(build)
        told = ((expression, values.get(name)) for name, expression in (self.parameters or {}).items())
        return next((match for expression, value in told if value and (match := expression.search(value))), None)

    def _environment(self, match: re.Match[str], build: Mapping[str, Any]) -> str:
        values = builds.parameters(build)
        told = (values.get(name) for name in self.parameters or ())
        return _group(match, "environment") or next((value for value in told if value), None) or self.production

    def _application(self, match: re.Match[str], build: Mapping[str, Any], row: Row) -> str:
        job = row["job"].rpartition("/")[0] if build.get("branch") is not None else row["job"]
        return _group(match, "application") or self.application or str(row["repository"] or job).rpartition("/")[2]

    def _row(self, row: Row, part: Row, environment: str, application: str) -> Row:
        return {
            "id": f"{row['id']}:{environment}" + (f":{application}" if self._several() else ""),
            "application": application,
            "environment": environment,
            "repository": row["repository"],
            "sha": row["sha"],
            "ref": row["branch"],
            "started_at": part["started_at"],
            "finished_at": part["finished_at"],
            "result": part["result"],
            "url": row["url"],
        }

    def _several(self) -> bool:
        """Whether one build may deploy several applications to one environment."""
        return any("application" in one.groupindex for one in (*self.stages, *self.jobs))


def first(expressions: Iterable[re.Pattern[str]], texts: Sequence[str]) -> re.Match[str] | None:
    """The match of the first expression that is found in any of the texts."""
    return next((match for one in expressions for text in texts if (match := one.search(text))), None)


def _group(match: re.Match[str], name: str) -> str | None:
    return match[name] or None if name in match.re.groupindex else None


def _revised(row: Row, build: Mapping[str, Any]) -> Row:
    """The row with what the build that started this one had checked out, where it checked out nothing itself."""
    if row["sha"] is not None or "upstream" not in build:
        return row
    revision = builds.own(build["upstream"])
    return {**row, "repository": revision.repository, "sha": revision.sha, "branch": row["branch"] or revision.branch}


def _passed_over(part: Row) -> bool:
    """Whether nothing was done: Jenkins may tell a stage that a condition left out as a success without a duration."""
    if part["result"] != "success" or not (part["started_at"] and part["finished_at"]):
        return part["result"] in NOT_DEPLOYED
    return bool(part["finished_at"] - part["started_at"] < timedelta(milliseconds=builds.BRIEF))


def _timed(part: Row, row: Row) -> Row:
    """A part, with the build's times where it has none of its own."""
    if part["started_at"] and part["finished_at"]:
        return part
    return {**part, "started_at": part["started_at"] or row["started_at"], "finished_at": part["finished_at"] or row["finished_at"]}


# A proposal. -------------------------------------------------------------------------------------

DEPLOYS = re.compile(
    r"(?<![a-z])(deploy\w*|releas\w*|roll-?out\w*|promot\w*|publish\w*|prod|production|live)(?![a-z])", re.IGNORECASE
)
ENVIRONMENT = re.compile(
    r"(?<![a-z])(production|prod|live|pre-?prod|staging|stage|test|qa|uat|int|integration|dev|development|sandbox|demo)(?![a-z])",
    re.IGNORECASE,
)
MOST = 20  # proposed lines; more would be noise


def proposed(names: Iterable[str]) -> list[str]:
    """Expressions for the jobs whose names say that they deploy, with the environment that is in the name.

    The name of a multibranch project ends with a slash.

    >>> proposed(["shop/build", "shop/deploy-prod", "shop/deploy-staging", "shop/promote.v2"])
    ['^shop/deploy-(?P<environment>prod)$', '^shop/deploy-(?P<environment>staging)$', '^shop/promote\\\\.v2$']
    """
    told = sorted({name for name in names if DEPLOYS.search(name.rstrip("/").rpartition("/")[2])})
    return [_expression(name) for name in told[:MOST]]


def _expression(name: str) -> str:
    folder, slash, short = name.rstrip("/").rpartition("/")
    end = "/" if name.endswith("/") else "$"
    place = list(ENVIRONMENT.finditer(short))
    if not place or place[-1].span() == (0, len(short)):
        return f"^{_escaped(folder)}{slash}{_escaped(short)}{end}"
    begin, last = place[-1].span()
    return f"^{_escaped(folder)}{slash}{_escaped(short[:begin])}(?P<environment>{short[begin:last]}){_escaped(short[last:])}{end}"


def written(expression: str) -> str:
    """An expression as TOML, without its backslashes doubled where that can be helped."""
    return json.dumps(expression) if "'" in expression else f"'{expression}'"


def _escaped(text: str) -> str:
    return re.escape(text).replace(r"\-", "-").replace(r"\ ", " ")
