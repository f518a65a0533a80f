"""A small Jenkins: ours, since no Jenkins server can be had.

It serves recorded builds and made-up ones from a tree of folders and jobs, and understands `tree=a[b,c[d]]{m,n}` as
Jenkins does: named fields alone, `*` for all plain ones, `_class` always, objects without chosen fields as empty ones,
{m,n} from m to before n. Names are quoted in paths once, so a branch feature%2Fcard is asked for as feature%252Fcard.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import unquote

from served import Answer, Query

FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
ORGANISATION = "jenkins.branch.OrganizationFolder"
MULTIBRANCH = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
FREESTYLE = "hudson.model.FreeStyleProject"
PIPELINE = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
MATRIX = "hudson.matrix.MatrixProject"
MULTIJOB = "com.tikal.jenkins.plugins.multijob.MultiJobProject"
RUNS = {
    FREESTYLE: "hudson.model.FreeStyleBuild",
    PIPELINE: "org.jenkinsci.plugins.workflow.job.WorkflowRun",
    MATRIX: "hudson.matrix.MatrixBuild",
    MULTIJOB: "com.tikal.jenkins.plugins.multijob.MultiJobBuild",
}
LOGIN = "<html><head><title>Sign in [Jenkins]</title></head><body>Sign in</body></html>"
RANGE = re.compile(r"\{(\d*)(,?)(\d*)\}")

Json = dict[str, Any]
Wish = dict[str, tuple["Wish | None", slice]]  # type: ignore[misc]  # a wish within a wish


@dataclass
class Jenkins:
    """A server whose jobs a test fills; `peer = served(jenkins)`."""

    user: str | None = None
    token: str | None = None
    version: str = "2.516.3"
    wfapi: bool = True
    prefix: str = ""
    date: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    builds: dict[str, dict[int, Json]] = field(default_factory=dict)
    stages: dict[tuple[str, int], list[Json]] = field(default_factory=dict)
    hidden: set[tuple[str, int]] = field(default_factory=set)  # running builds that the list leaves out, as Jenkins once did
    faults: list[Answer | None] = field(default_factory=list)  # given to the next requests, one each

    def job(self, name: str, kind: str = FREESTYLE) -> str:
        """A job or folder, with the folders above it."""
        above = name.rpartition("/")[0]
        if above and above not in self.kinds:
            self.job(above, FOLDER)
        self.kinds.setdefault(name, kind)
        self.builds.setdefault(name, {})
        return name

    def build(self, job: str, number: int, **told: Any) -> Json:
        """A build as it is now: made, or told anew."""
        self.job(job)
        known = self.builds[job].get(number, {"_class": RUNS.get(self.kinds[job], ""), "number": number, "actions": []})
        url = "/".join(f"job/{part.replace('%', '%25')}" for part in job.split("/"))
        self.builds[job][number] = {"url": f"http://jenkins.example{self.prefix}/{url}/{number}/", **known, **told}
        return self.builds[job][number]

    def delete(self, job: str) -> None:
        """A job goes, with its builds."""
        del self.kinds[job], self.builds[job]

    # Answers. ------------------------------------------------------------------------------------

    def __call__(self, method: str, path: str, query: Query, headers: Message, body: bytes) -> Answer | None:
        """What Jenkins says."""
        if self.faults:
            return self.faults.pop(0)
        told = {"X-Jenkins": self.version, **({"Date": self.date} if self.date else {})}
        if self.token and headers.get("Authorization") != self._basic():
            return (401 if headers.get("Authorization") else 403), told, LOGIN
        found = self._found(path.removeprefix(self.prefix)) if path.startswith(self.prefix) else None
        if method != "GET" or found is None:
            return 404, told, "<html><body>Not Found</body></html>"
        tree = query.get("tree", [""])[0]
        answer = chosen(found, wish(tree)) if tree else found
        return 200, {**told, "Content-Type": "application/json;charset=utf-8"}, json.dumps(answer)

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.token}".encode()).decode()

    def _found(self, path: str) -> Json | None:
        if path == "/api/json":
            return {"_class": "hudson.model.Hudson", "jobs": self._inside("")}
        if path == "/me/api/json":
            return {"id": self.user, "fullName": self.user} if self.user else None
        parts = re.fullmatch(r"((?:/job/[^/]+)+)(?:/(\d+))?(/api/json|/wfapi/describe/)", path)
        if parts is None:
            return None
        name = "/".join(unquote(part) for part in parts[1].split("/job/")[1:])
        if name not in self.kinds:
            return None
        if parts[2] is None:
            return self._job(name)
        if parts[3] == "/api/json":
            return self.builds[name].get(int(parts[2]))
        return self._describe(name, int(parts[2]))

    def _describe(self, name: str, number: int) -> Json | None:
        if not self.wfapi or self.kinds[name] != PIPELINE or number not in self.builds[name]:
            return None
        return {"id": str(number), "name": f"#{number}", "stages": self.stages.get((name, number), [])}

    def _inside(self, folder: str) -> list[Json]:
        return [self._job(name) for name in self.kinds if name.rpartition("/")[0] == folder]

    def _job(self, name: str) -> Json:
        kind, short = self.kinds[name], name.rpartition("/")[2]
        told: Json = {"_class": kind, "name": short, "fullName": name, "url": f"http://jenkins.example/{name}"}
        if kind in (FOLDER, ORGANISATION, MULTIBRANCH):
            return {**told, "jobs": self._inside(name)}
        builds = [self.builds[name][number] for number in sorted(self.builds[name], reverse=True)]
        done = [build for build in builds if not build.get("building")]
        return {
            **told,
            "color": "blue",
            "lastBuild": builds[0] if builds else None,
            "lastCompletedBuild": done[0] if done else None,
            "allBuilds": [build for build in builds if (name, build["number"]) not in self.hidden],
        }


def wish(tree: str) -> Wish:
    """What a `tree` asks for: by field what of it (None for as it is), and which of many.

    >>> wish("a[b,c[d]]{0,2},e")
    {'a': ({'b': (None, slice(None, None, None)), 'c': ({'d': (None, slice(None, None, None))}, slice(None, None, None))}, \
slice(0, 2, None)), 'e': (None, slice(None, None, None))}
    """
    found, rest = _fields(tree)
    if rest:
        raise ValueError(f"no tree: {tree!r} at {rest!r}")
    return found


def _fields(text: str) -> tuple[Wish, str]:
    found: Wish = {}
    while True:
        name = re.match(r"[\w$*]+", text)
        if name is None:
            raise ValueError(f"a field is missing at {text!r}")
        inner, text = None, text[name.end() :]
        if text.startswith("["):
            inner, text = _fields(text[1:])
            if not text.startswith("]"):
                raise ValueError(f"a bracket is open at {text!r}")
            text = text[1:]
        span = slice(None)
        if (bounds := RANGE.match(text)) is not None:
            span, text = _span(bounds), text[bounds.end() :]
        found[name[0]] = (inner, span)
        if not text.startswith(","):
            return found, text
        text = text[1:]


def _span(bounds: re.Match[str]) -> slice:
    begin, comma, end = bounds.groups()
    if not comma:
        return slice(int(begin), int(begin) + 1)
    return slice(int(begin) if begin else None, int(end) if end else None)


def chosen(value: Any, asked: Wish | None, span: slice = slice(None)) -> Any:
    """What of a value is asked for."""
    if isinstance(value, list):
        return [chosen(one, asked) for one in value[span]]
    if not isinstance(value, dict):
        return value
    asked = asked or {}
    told = {"_class": value["_class"]} if "_class" in value else {}
    if "*" in asked:
        told |= {name: one for name, one in value.items() if not isinstance(one, (dict, list))}
    return told | {name: chosen(value[name], *how) for name, how in asked.items() if name in value and name != "*"}
