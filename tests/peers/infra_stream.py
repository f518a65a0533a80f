"""A real stream of deployments and notices of a public infrastructure project, as a folder of facts to import.

`python tests/peers/infra_stream.py RECORDED FOLDER`, RECORDED being the folder of the two recorded files. What is told, and no
more than that:

- Every first-parent commit of the main branch is a deployment to production: the pipeline applies each. How a run ended and how
  long it took is not recorded; each is taken to have succeeded at the moment of the commit.
- A subject that ends in `(#12)` is a squashed pull request: its own commits are not recorded, so its start is not known.
- A notice is an incident. Its times stay as people typed them; the folder's settings say that those without an offset are UTC.
  Its application is the one that is deployed here if it names a service that runs on these clusters, else the service that it
  names first. Which services run there is told by the project's own notices of maintenance on all of them.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = "kubernetes-management"
APPLICATION = "clusters"
SQUASHED = re.compile(r"\(#(\d+)\)$")
Row = dict[str, Any]


def write(recorded: Path, folder: Path) -> None:
    """Make the folder of facts."""
    commits = [json.loads(line) for line in _lines(recorded / "deployment_commits_2021_2023.jsonl")]
    notices = [json.loads(line) for line in _lines(recorded / "incidents_2020_2023.jsonl")]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "facts.toml").write_text('timezone = "UTC"\n', encoding="utf-8")
    told = {
        "repositories": [{"name": REPOSITORY, "default_branch": "main", "head_sha": commits[0]["sha"], "application": APPLICATION}],
        "commits": list(map(_commit, commits)),
        "pull_requests": [row for commit in commits if (row := _request(commit))],
        "deployments": list(map(_deployment, commits)),
        "incidents": list(_incidents(notices)),
    }
    for name, rows in told.items():
        text = "".join(json.dumps({key: value for key, value in row.items() if value is not None}) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _commit(commit: Row) -> Row:
    same = ("sha", "authored_at", "committed_at", "author", "subject")
    message = f"{commit['subject']}\n\n{commit['body']}".strip()
    return {"repository": REPOSITORY, "message": message, "parents": " ".join(commit["parents"])} | {
        name: commit[name] for name in same
    }


def _request(commit: Row) -> Row | None:
    found = SQUASHED.search(commit["subject"])
    if found is None:
        return None
    return {
        "repository": REPOSITORY, "number": int(found[1]), "title": commit["subject"][: found.start()].strip(),
        "author": commit["author"], "target_branch": "main", "merged_at": commit["committed_at"], "merge_sha": commit["sha"],
    }  # fmt: skip


def _deployment(commit: Row) -> Row:
    return {
        "id": commit["sha"][:12], "application": APPLICATION, "environment": "production", "repository": REPOSITORY,
        "sha": commit["sha"], "finished_at": commit["committed_at"], "result": "success",
    }  # fmt: skip


def _incidents(notices: list[Row]) -> Iterator[Row]:
    about = [notice["front_matter"] for notice in notices]
    here = {name for one in about if "Maintenance Window on AKS" in one["title"] for name in one["affected"]}
    for notice, one in zip(notices, about, strict=True):
        affected = one.get("affected") or []
        yield {
            "id": Path(notice["path"]).stem, "title": one["title"], "severity": one["severity"],
            "application": APPLICATION if here & set(affected) else next(iter(affected), None),
            "opened_at": one["date"], "resolved_at": one.get("resolvedWhen"),
        }  # fmt: skip


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
