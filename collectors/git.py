"""A local clone as a source: commits, tags, and what they tell of pull requests and deployments.

The messages are kept whole; which tickets they name and which commits they revert is read from them
later, by vsm.links. What the commit graph alone tells of deployments is derived on reading, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from collectors.base import CollectorError, Context, Page, Rows
from collectors.clone import Clone, Refs
from collectors.merges import Merged, Unmade
from collectors.past import Past, State, past
from collectors.patterns import takes
from collectors.reading import PAGE, Ahead, Batch, Before, Look, Rest, Tag, Wish, look, read
from collectors.remotes import public
from collectors.remotes import repository as repository_of
from collectors.sizes import Sizes
from collectors.table import Table
from vsm.errors import ConfigError

KEYS = ("path", "paths", "application", "release_tags", "repository", "changed_paths", "change_size")
VERSION = 2  # of the rows below: a store harvested by another version is read again from the start

Row = dict[str, Any]


@dataclass(eq=False)
class GitCollector:
    """One or several clones on this machine, read with the git program.

    ``release_tags`` are patterns as of a shell (`v*`); one that begins with `!` takes back what those
    before it took. A tag that they take is a deployment of the application to production.
    """

    kind: ClassVar[str] = "git"
    name: str
    paths: tuple[str, ...]
    context: Context
    application: str | None = None
    release_tags: tuple[str, ...] = ()
    repository: str | None = None
    changed_paths: bool = False
    change_size: bool = False
    page: int = PAGE
    readers: dict[Path, Ahead] = field(default_factory=dict)
    looks: dict[Path, Look] = field(default_factory=dict)

    @classmethod
    def configured(cls, keys: Mapping[str, Any], context: Context) -> Self:
        """A collector from one ``[[sources]]`` table. Raises ConfigError."""
        table = Table.of(cls.kind, keys, KEYS)
        if ("path" in table) == ("paths" in table):
            raise ConfigError(f'source {table.name}: expected either path = "../service" or paths = ["../service", "../shop"]')
        paths = table.texts("path" if "path" in table else "paths")
        if "repository" in table and len(paths) > 1:
            raise ConfigError(f"source {table.name}: repository names one clone, but paths has {len(paths)}: give each a source")
        return cls(
            name=table.name,
            paths=paths,
            context=context,
            application=table.text("application"),
            release_tags=table.texts("release_tags"),
            repository=table.text("repository"),
            changed_paths=table.flag("changed_paths", False),
            change_size=table.flag("change_size", False),
        )

    def ahead(self) -> None:
        """Begin to read the first clone in a process of its own, to go on from there in `pages`."""
        clone = self._clone(self.paths[0])
        if Ahead.may_begin():
            self.readers[clone.path] = Ahead(clone, self.context.who, self._wish())

    def scope(self) -> str:
        """Which refs of which clones are read: "all refs of ../service (1 branch, 224 tags)". Raises CollectorError."""
        return "; ".join(f"all refs of {path} ({_counted(self._look(self._clone(path)).refs)})" for path in self.paths)

    def pages(self, cursors: Mapping[str, Mapping[str, Any]], full: bool) -> Iterator[Page]:
        """The news of each clone since its cursor. One that cannot be read does not stop the others. Raises CollectorError."""
        failed = []
        for path in self.paths:
            try:
                yield from self._harvest(self._clone(path), cursors, full)
            except CollectorError as error:
                failed.append(str(error))
        if failed:
            raise CollectorError("; ".join(failed))

    def _clone(self, path: str) -> Clone:
        return Clone((self.context.folder / Path(path).expanduser()).resolve())

    def _wish(self) -> Wish:
        return Wish(self.context.watched, self.changed_paths, self.page)

    def _look(self, clone: Clone) -> Look:
        """What the clone is now: for one run the same, however often it is asked."""
        if clone.path not in self.looks:
            reader = self.readers.get(clone.path)
            self.looks[clone.path] = reader.look() if reader else look(clone)
        return self.looks[clone.path]

    def _harvest(self, clone: Clone, cursors: Mapping[str, Mapping[str, Any]], full: bool) -> Iterator[Page]:
        seen, resource = self._look(clone), str(clone.path)
        del self.looks[clone.path]
        place, before = self._place(clone, seen), State.told(cursors.get(resource, {}))
        now = self._state(place, seen)
        reaches = before.covers(now)
        if before.place[:1] == now.place[:1] and before.reaches_back(now):
            now = replace(now, since=before.since)
        if reaches and not full and before.says(now):
            return
        lost = past(clone, seen, before, now) if self._is_alone(place, before, resource, cursors) else Past()
        if lost.anew:
            before = State(place=before.place, since=before.since, deployments=before.deployments)
            yield _taken_back(place.repository, resource, before)
        known = clone.existing(before.refs.values()) if reaches and not (full or lost.anew or lost.deeper) else []
        done, total = 0, None
        for part in self._parts(clone, seen, Before(known, lost.tips, before.forges)):
            if isinstance(part, Rest):
                sizes = Sizes.kept(cursors, resource, anew=full) if self.change_size else None
                if sizes is not None:
                    merged = [pull for pull in part.merged if now.asks(pull.merged)]
                    yield from sizes.pages(clone, place.repository, merged, seen.edge, done)
                yield self._last(place, part, before, now, lost, done, clone, sizes)
            else:
                done, total = done + len(part.lines), part.total
                yield _commits(place, part, now, done, total)

    def _is_alone(self, place: "_Place", before: State, resource: str, cursors: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether this clone alone spoke of its repository, so that what it no longer tells is nowhere."""
        others = {str(self._clone(path).path) for path in self.paths} - {resource}
        named = [State.told(cursors[other]).place[:1] for other in others if other in cursors]
        return before.place[:1] == [place.repository] and [place.repository] not in named

    def _parts(self, clone: Clone, seen: Look, before: Before) -> Iterator[Batch | Rest]:
        reader = self.readers.pop(clone.path, None)
        if reader is not None and not any(before):
            return reader.read()
        if reader is not None:
            reader.stop()
        return read(clone, seen, self.context.who, self._wish(), before)

    def _place(self, clone: Clone, seen: Look) -> "_Place":
        repository = self.repository or repository_of(seen.origin) or _folder_name(clone.path)
        return _Place(repository, seen.origin and public(seen.origin), seen.refs.default, self.application, seen.refs.tip)

    def _state(self, place: "_Place", seen: Look) -> State:
        since, scrub = self.context.since, self.context.who.scrub
        return State(
            version=VERSION,
            place=list(place),
            release_tags=list(self.release_tags),
            production=self.context.production,
            since=since.isoformat() if since else None,
            paths=self.changed_paths,
            sizes=self.change_size,
            refs={scrub(name): sha for name, sha in seen.refs.tips.items()},
            edge=list(seen.edge),
        )

    def _last(
        self, place: "_Place", rest: Rest, before: State, now: State, lost: Past, done: int, clone: Clone, sizes: Sizes | None
    ) -> Page:
        """All that is cheap to tell again: repository, tags, deployments, pull requests, and how far we are."""
        tags = [tag for tag in rest.tags if now.asks(tag.at)]
        merged = [pull for pull in rest.merged if now.asks(pull.merged)]
        deployments = [self._deployment(place, tag) for tag in tags if takes(self.release_tags, tag.name)]
        tagged = {tag.name: tag.sha for tag in rest.tags}
        ids = [row["id"] for row in deployments]
        state = replace(now, deployments=ids, tagged=tagged, doubtful=lost.doubtful, forges=rest.forges)
        return Page(
            facts={
                "repositories": [place.row()],
                "tags": [_tag(place.repository, tag) for tag in tags],
                "deployments": deployments,
            },
            fill={
                "pull_requests": [_pull_request(place, pull, sizes) for pull in merged],
                "pull_request_commits": [row for pull in merged for row in _memberships(place.repository, pull)],
                "identities": [_identity(*account) for account in rest.accounts],
            },
            gone=_gone(place.repository, before, state, lost, rest),
            cursors={str(clone.path): vars(state)},
            requests=1,
            done=done,
            total=done,
            doing=f"{place.repository}: tags and pull requests",
            warnings=[*_warnings(place.repository, clone, state, rest), *(sizes.warnings(place.repository) if sizes else ())],
        )

    def _deployment(self, place: "_Place", tag: Tag) -> Row:
        application = self.application or place.repository.rpartition("/")[2]
        return {
            "id": f"git:{application}:{tag.name}",
            "application": application,
            "environment": self.context.production,
            "repository": place.repository,
            "sha": tag.sha,
            "ref": tag.name,
            "finished_at": _at(tag.at),
            "result": "success",
        }


class _Place(NamedTuple):
    """The repository that a clone is of."""

    repository: str
    url: str | None
    default: str | None
    application: str | None
    head: str | None

    def row(self) -> Row:
        names = ("name", "url", "default_branch", "application", "head_sha")
        return dict(zip(names, self, strict=True))


# What is taken back. -----------------------------------------------------------------------------


def _gone(repository: str, before: State, now: State, lost: Past, rest: Rest) -> Rows:
    """What an earlier run told and this one takes back.

    Deleted tags, deployments of tags that are deleted or no longer meant, commits that no ref reaches
    any more, the pull requests that these had merged, and the commits of a merge whose number has gone
    to another merge.
    """
    tags = before.tags() - now.tags() if before.place[:1] == [repository] else set()
    deployments = set(before.deployments) - set(now.deployments)
    # A pull request may have gone to a merge of a time that nobody asked for.
    old = [Unmade(pull.number, [sha for sha, _ in pull.commits]) for pull in rest.merged if lost.lost and not now.asks(pull.merged)]
    unmade = [*rest.unmade, *old]
    members = [(one.number, sha) for one in unmade for sha in one.commits]
    members += [(pull.number, sha) for pull in rest.merged for sha in pull.disowned] if before.refs else []
    return {
        "tags": [{"repository": repository, "name": name} for name in sorted(tags)],
        "deployments": [{"id": key} for key in sorted(deployments)],
        "commits": [{"repository": repository, "sha": sha} for sha in lost.lost],
        "pull_requests": [{"repository": repository, "number": one.number} for one in unmade],
        "pull_request_commits": [{"repository": repository, "number": number, "sha": sha} for number, sha in members],
    }


def _taken_back(repository: str, resource: str, before: State) -> Page:
    """All that was told of a repository, which is read again from its beginning."""
    tables = ("commits", "tags", "pull_requests", "pull_request_commits")
    return Page(
        gone={table: [{"repository": repository}] for table in tables},
        cursors={resource: vars(before)},
        doing=f"{repository}: once more from the beginning",
    )


# Rows. -------------------------------------------------------------------------------------------


def _at(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _commits(place: _Place, batch: Batch, now: State, done: int, total: int | None) -> Page:
    repository, at = place.repository, datetime.fromtimestamp
    rows: list[Row] = [
        {
            "repository": repository,
            "sha": sha,
            "authored_at": at(authored, UTC),
            "committed_at": at(committed, UTC),
            "author": author,
            "subject": subject,
            "message": message,
            "parents": parents,
        }
        for sha, parents, authored, committed, author, subject, message in batch.lines
        if now.since is None or now.asks(committed)
    ]
    if batch.paths is not None:
        for row in rows:
            row["paths"] = _joined(batch.paths.get(row["sha"], ()))
    return Page(facts={"commits": rows}, requests=1, done=done, total=total, doing=f"{repository}: commits")


def _joined(paths: Iterable[str]) -> str | None:
    """Paths as one text; a `;` within one is written as in a URL.

    >>> _joined(["cart.py", "a;b"])
    'cart.py;a%3Bb'
    """
    return ";".join(path.replace(";", "%3B") for path in paths) or None


def _identity(handle: str, login: str) -> Row:
    """Who stands behind a no-reply address: the forge's account, and of a program that it is one.

    >>> _identity("dependabot[bot]@users.noreply.github.com", "dependabot[bot]")["person"]
    'bot:dependabot'
    """
    name = login.removesuffix("[bot]")
    return {"source": "git", "handle": handle, "person": login if name == login else f"bot:{name}"}


def _tag(repository: str, tag: Tag) -> Row:
    return {"repository": repository, "name": tag.name, "sha": tag.sha, "tagged_at": _at(tag.at), "subject": tag.subject}


def _pull_request(place: _Place, pull: Merged, sizes: Sizes | None) -> Row:
    added, deleted = sizes.of(pull.sha) if sizes is not None else (None, None)
    return {
        "repository": place.repository,
        "number": pull.number,
        "title": pull.title,
        "author": pull.author,
        "source_branch": pull.branch,
        "target_branch": pull.target or (place.default if pull.default else None),
        "first_commit_at": _at(pull.first),
        "merged_at": _at(pull.merged),
        "merge_sha": pull.sha,
        "head_sha": pull.head,
        "additions": added,
        "deletions": deleted,
    }


def _memberships(repository: str, pull: Merged) -> Iterator[Row]:
    for sha, authored in pull.commits:
        yield {"repository": repository, "number": pull.number, "sha": sha, "authored_at": _at(authored)}


def _warnings(repository: str, clone: Clone, now: State, rest: Rest) -> Iterator[str]:
    """What could not be taken as it was, a sentence each."""
    if now.edge:
        yield (
            f"{repository}: a shallow clone, what came before {_many(len(now.edge), 'commit')} at its edge is not there, and of"
            f" some pull requests it cannot be told what they brought: `git -C {clone.path} fetch --unshallow` completes it"
        )
    if rest.pathless:
        yield (
            f"{repository}: not all changed paths can be told, since the clone lacks folders (as one with --filter=tree:0 does):"
            " clone it with --filter=blob:none instead, or leave out changed_paths"
        )
    if rest.half_dated:
        yield f"{repository}: {_many(rest.half_dated, 'commit')} with one time that is no time: the other one stands for both"
    if rest.undated:
        yield f"{repository}: {_many(rest.undated, 'commit')} without any time: left out"
    if undated := sum(tag.at is None for tag in rest.tags):
        yield f"{repository}: {_many(undated, 'tag')} without a time: kept without one"


# Names. ------------------------------------------------------------------------------------------


def _folder_name(path: Path) -> str:
    return path.name.removesuffix(".git") or path.parent.name or "repository"


def _counted(refs: Refs) -> str:
    tags, own, server = refs.names("refs/tags/"), refs.names("refs/heads/"), refs.names("refs/remotes/")
    rest = len(refs.tips) - len(tags) - len(own) - len(server)
    counts = [(len(own), "branch"), (len(server), "remote branch"), (len(tags), "tag"), (rest, "other ref")]
    return ", ".join(_many(count, word) for count, word in counts if count) or "no refs yet"


def _many(count: int, word: str) -> str:
    plural = f"{word}es" if word.endswith("ch") else f"{word}s"
    return f"{count:,} {word if count == 1 else plural}"
