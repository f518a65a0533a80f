"""The other lists of our own GitHub: deployments, tags and releases, workflow runs and issues, by REST.

By GraphQL the peer in `github_graphql` has them already. Runs are dictionaries as REST names them, in a
repository's "runs", each with its "jobs"; all else is kept as GraphQL names it and answered here in REST's
words. What is ours is said there; here, too, a search among runs gives the newest thousand and no more.
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from github_graphql import Answer, GitHub, Thing, _user, actor
from graphql import GraphQLSchema

MOST = 1000
GONE: Answer = (410, {}, {"message": "This issue was deleted"})


class Lists(GitHub):
    """The handler for `served`."""

    def _of(self, one: Thing, path: str, rest: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        if rest == "/deployments":
            return self._paged(path, query, [_deployment(told) for told in _newest(one["deployments"], "createdAt")])
        if found := re.fullmatch(r"/deployments/(\d+)(/statuses)?", rest):
            told = next((told for told in one["deployments"] if str(told["databaseId"]) == found[1]), None)
            if told is None:
                return 404, {}, {"message": "Not Found"}
            return self._paged(path, query, list(map(_status, told["statuses"]))) if found[2] else (200, {}, _deployment(told))
        if rest == "/releases":
            return self._tagged(path, query, headers, [_release(told) for told in _newest(one["releases"], "createdAt")])
        if rest == "/git/matching-refs/tags/":
            refs = [{"ref": f"refs/tags/{told['name']}", "object": _object(told["target"])} for told in one["refs"]]
            return self._tagged(path, {"per_page": ["100000"]}, headers, sorted(refs, key=lambda ref: ref["ref"]))  # no pages
        if found := re.fullmatch(r"/git/(tags|commits)/(\w+)", rest):
            return self._git(one, found[2])
        if rest.startswith("/actions/runs"):
            return self._runs(one, path, rest, query, headers)
        if rest == "/issues":
            return self._issues(one, path, query, headers)
        if found := re.fullmatch(r"/issues/(\d+)", rest):
            return self._issue_of(one, found[1])
        if (found := re.fullmatch(r"/issues/(\d+)/timeline", rest)) and (told := _numbered(one["issues"], found[1])):
            return self._paged(path, query, [_event(node) for node in told["timelineItems"]])
        return super()._of(one, path, rest, query, headers)

    def _issue_of(self, one: Thing, number: str) -> Answer:
        """An issue; one that was moved elsewhere is found there ("moved": number in a repository to its new place)."""
        place, number = one.get("moved", {}).get(int(number), (one["nameWithOwner"], number))
        told = _numbered(self.find(place)["issues"], number)
        return (200, {}, _issue(told) | {"repository_url": f"https://api.github.example/repos/{place}"}) if told else GONE

    def _git(self, one: Thing, sha: str) -> Answer:
        found = next(target for ref in one["refs"] for target in _targets(ref["target"]) if target["oid"] == sha)
        if found["__typename"] == "Commit":
            return 200, {}, {"sha": sha, "committer": {"date": found["committedDate"]}}
        return 200, {}, {"sha": sha, "tagger": found["tagger"], "object": _object(found["target"])}

    def _runs(self, one: Thing, path: str, rest: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        runs = _newest(one.get("runs", ()), "created_at")
        if found := re.fullmatch(r"/actions/runs/(\d+)(/jobs)?", rest):
            run = next((run for run in runs if str(run["id"]) == found[1]), None)
            if run is None:
                return 404, {}, {"message": "Not Found"}
            return self._enveloped(path, query, run.get("jobs", []), "jobs") if found[2] else (200, {}, _plain(run))
        if "created" in query:
            low, _, high = query["created"][0].partition("..")
            runs = [run for run in runs if low <= run["created_at"] <= high]
            return self._enveloped(path, query, [_plain(run) for run in runs], "workflow_runs")
        status, more, body = self._enveloped(path, query, [_plain(run) for run in runs], "workflow_runs")
        etag = f'W/"{abs(hash(json.dumps(body)))}"'
        if headers.get("If-None-Match") == etag:
            return 304, {"ETag": etag}, None
        return status, more | {"ETag": etag}, body

    def _enveloped(self, path: str, query: Mapping[str, list[str]], things: list[Thing], key: str) -> Answer:
        status, more, body = self._paged(path, query, things[:MOST], key)
        return status, more, {"total_count": len(things), **body}

    def _issues(self, one: Thing, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> Answer:
        assert query["sort"] == ["updated"], "the peer knows no other order"
        assert query["direction"] == ["asc"], "the peer knows no other order"
        since = query.get("since", [""])[0]
        told = [_issue(issue) for issue in one["issues"]]
        told += [{"number": pull["number"], "updated_at": pull["updatedAt"], "pull_request": {}} for pull in one["pullRequests"]]
        some = sorted((issue for issue in told if issue["updated_at"] >= since), key=lambda issue: issue["updated_at"])
        return self._tagged(path, query, headers, some)


def _newest(things: Iterable[Thing], key: str) -> list[Thing]:
    return sorted(things, key=lambda thing: (thing[key], thing.get("databaseId") or thing["id"]), reverse=True)


def _numbered(things: Iterable[Thing], number: str) -> Thing | None:
    return next((thing for thing in things if thing["number"] == int(number)), None)


def _targets(target: Thing | None) -> Iterator[Thing]:
    while target:
        yield target
        target = target.get("target")


def _object(target: Thing) -> Thing:
    return {"type": target["__typename"].lower(), "sha": target["oid"]}


def _plain(run: Thing) -> Thing:
    return {name: value for name, value in run.items() if name != "jobs"}


def _deployment(told: Thing) -> Thing:
    return {
        "id": told["databaseId"],
        "node_id": told["id"],
        "sha": told["commitOid"],
        "ref": (told["ref"] or {"name": told["commitOid"]})["name"],
        "task": told["task"],
        "environment": told["latestEnvironment"],
        "original_environment": told["originalEnvironment"],
        "created_at": told["createdAt"],
        "updated_at": max([told["createdAt"], *(status["createdAt"] for status in told["statuses"])]),
        "payload": {},
    }


def _status(told: Thing) -> Thing:
    log = told["logUrl"] or ""
    place = told["environmentUrl"] or ""
    return {
        "state": told["state"].lower(),
        "created_at": told["createdAt"],
        "log_url": log,
        "target_url": log,
        "environment_url": place,
    }


def _release(told: Thing) -> Thing:
    return {
        "id": 1,
        "tag_name": told["tagName"],
        "draft": told["isDraft"],
        "prerelease": told["isPrerelease"],
        "published_at": told["publishedAt"],
        "created_at": told["createdAt"],
        "html_url": told["url"],
    }


def _issue(told: Thing) -> Thing:
    parent = told["parent"]
    return {
        "id": told["databaseId"],
        "number": told["number"],
        "title": told["title"],
        "html_url": told["url"],
        "body": "nobody reads this",
        "state": told["state"].lower(),
        "state_reason": told["stateReason"] and told["stateReason"].lower(),
        "user": _user(told["author"]),
        "created_at": told["createdAt"],
        "updated_at": told["updatedAt"],
        "closed_at": told["closedAt"],
        "labels": told["labels"],
        "parent_issue_url": parent
        and f"https://api.github.example/repos/{parent['repository']['nameWithOwner']}/issues/{parent['number']}",
    }


def _event(node: Thing) -> Thing:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", node["__typename"].removesuffix("Event")).lower()
    told: Thing = {"event": name, "actor": _user(node["actor"]), "created_at": node["createdAt"]}
    if "label" in node:
        told["label"] = node["label"]
    if "milestoneTitle" in node:
        told["milestone"] = {"title": node["milestoneTitle"]}
    return told | ({"assignee": _user(node["assignee"])} if "assignee" in node else {})


# What is in it. -----------------------------------------------------------------------------------


def status(state: str, when: str, log: str | None = None, place: str | None = None) -> Thing:
    """A deployment's status."""
    return {"__typename": "DeploymentStatus", "state": state, "createdAt": when, "logUrl": log, "environmentUrl": place}


def deployment(number: int, created: str, *statuses: Thing, environment: str = "production", ref: str | None = "main") -> Thing:
    """A deployment with its statuses, the newest first as GitHub has them."""
    return {
        "__typename": "Deployment",
        "id": f"DE_{number}",
        "databaseId": number,
        "commitOid": f"{number:040x}",
        "environment": environment,
        "latestEnvironment": environment,
        "originalEnvironment": environment,
        "task": "deploy",
        "createdAt": created,
        "ref": ref and {"name": ref},
        "statuses": list(reversed(statuses)),
    }


def tag(name: str, when: str, sha: str, tagged: str | None = None) -> Thing:
    """A tag on a commit of some time; one with a time of its own is annotated."""
    commit: Thing = {"__typename": "Commit", "oid": sha, "committedDate": when}
    target = {"__typename": "Tag", "oid": f"7a9{sha[3:]}", "tagger": {"date": tagged}, "target": commit} if tagged else commit
    return {"name": name, "target": target, "at": when}


def release(name: str, published: str | None, created: str, **told: Any) -> Thing:
    """A release; a draft has no time of publication."""
    plain = {
        "__typename": "Release",
        "id": f"RE_{name}",
        "tagName": name,
        "publishedAt": published,
        "createdAt": created,
        "isDraft": published is None,
        "isPrerelease": False,
        "url": f"https://github.example/releases/{name}",
        "tagCommit": None,
    }
    return plain | told


def run(number: int, created: str, conclusion: str | None = "success", *jobs: Thing, **told: Any) -> Thing:
    """A workflow run with its jobs."""
    plain = {
        "id": number,
        "name": "Build",
        "path": ".github/workflows/build.yml",
        "head_branch": "main",
        "head_sha": f"{number:040x}",
        "event": "push",
        "status": "completed" if conclusion else "in_progress",
        "conclusion": conclusion,
        "created_at": created,
        "run_started_at": created,
        "updated_at": created,
        "run_attempt": 1,
        "html_url": f"https://github.example/runs/{number}",
        "actor": {"login": "ann"},
        "jobs": list(jobs),
    }
    return plain | told


def job(name: str, started: str, ended: str | None, conclusion: str | None = "success", attempt: int = 1) -> Thing:
    """A job of a run."""
    return {
        "id": abs(hash((name, started))),
        "name": name,
        "status": "completed" if conclusion else "in_progress",
        "conclusion": conclusion,
        "started_at": started,
        "completed_at": ended,
        "run_attempt": attempt,
        "html_url": f"https://github.example/jobs/{name}",
        "steps": [],
    }


def issue(number: int, created: str, *events: Thing, labels: Iterable[str] = (), **told: Any) -> Thing:
    """An issue; what is not told is as in one that was just opened."""
    closed = told.get("closedAt")
    plain = {
        "__typename": "Issue",
        "id": f"I_{number}",
        "databaseId": 1000 + number,
        "number": number,
        "title": f"Issue {number}",
        "url": f"https://github.example/issues/{number}",
        "state": "CLOSED" if closed else "OPEN",
        "stateReason": None,
        "createdAt": created,
        "updatedAt": max([created, *(event["createdAt"] for event in events)]),
        "closedAt": None,
        "author": actor("ann"),
        "parent": None,
        "labels": [{"__typename": "Label", "name": name} for name in labels],
        "timelineItems": list(events),
    }
    return plain | told


def event(kind: str, when: str, by: str | None = "ann", what: str | None = None) -> Thing:
    """Something of an issue's timeline: `event("LabeledEvent", at(1), "ann", "bug")`."""
    plain: Thing = {"__typename": kind, "createdAt": when, "actor": actor(by)}
    if "abel" in kind:
        plain["label"] = {"__typename": "Label", "name": what}
    if "ssign" in kind:
        plain["assignee"] = actor(what)
    if "ilestone" in kind:
        plain["milestoneTitle"] = what
    return plain


def started(served: Callable[[Any], Any], schema: GraphQLSchema, one: Thing, refuses: bool = False) -> tuple[Lists, Any]:
    """A GitHub that holds one repository, and its server; `refuses` GraphQL, if it must."""
    peer = Lists(schema, [one])
    peer.refuses = refuses
    return peer, served(peer)


def cassette(path: Path) -> list[Any]:
    """The bodies of a recorded conversation with GitHub, those that are not empty; what its recorder hid is 0."""
    bodies = (one["response"]["body"] for one in json.loads(path.read_text())["http_interactions"])
    texts = [body.get("string") or b64decode(body.get("base64_string", "")).decode() for body in bodies]
    return [body for text in texts if text.strip() and (body := json.loads(re.sub("<[A-Z_]+>", "0", text)))]
