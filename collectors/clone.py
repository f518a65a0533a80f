"""The git program, asked about one clone: its refs, its log, where it came from.

Everything is read with the program itself, in whole streams with NUL between the fields: faster than
every library, and no message, name or path can be mistaken for a separator. Nothing is ever written
to the clone, fetched, or asked of the person at the terminal.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

from collectors.base import CollectorError

CHUNK = 1 << 18  # bytes read at a time
PIPE = 1 << 20  # bytes that a pipe holds, so that who writes runs ahead of who reads

# Refs that say nothing of what was delivered: work put aside, remarks on commits, replaced objects.
UNSPOKEN = ("refs/stash", "refs/notes/", "refs/replace/")

# A hook or a `git` alias sets these, and git would then look at another repository than the one named.
ELSEWHERE = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_PREFIX",
)  # fmt: skip


class Entry(NamedTuple):
    """One commit of a log, as git prints it: times are seconds since 1970 as text, empty where git cannot read them."""

    sha: str
    parents: str  # shas, spaces between, the first parent first
    authored: str
    committed: str
    email: str
    name: str
    message: str


ENTRY = "%x00".join(("%H", "%P", "%at", "%ct", "%ae", "%an", "%B"))


class Tagged(NamedTuple):
    """A tag on a commit; ``at`` is seconds since 1970 as text: the tagger's time, of a plain tag the commit's."""

    name: str
    sha: str
    at: str
    subject: str  # an annotated tag's own; a plain tag has none


TAG = "%00".join(
    ("%(refname:lstrip=2)", "%(objecttype)", "%(objectname)", "%(*objecttype)", "%(*objectname)", "%(creatordate:unix)",
     "%(*committerdate:unix)", "%(contents:subject)", "")
)  # fmt: skip


@dataclass(frozen=True)
class Refs:
    """What a clone's refs name now: object by full ref name, and the branch that counts as the default one.

    ``tips`` has ``HEAD`` where it is detached, else no symbolic ref. ``default`` is the branch's
    name, ``tip`` its newest commit; both None where nothing says which branch that is.
    """

    tips: dict[str, str]
    default: str | None
    tip: str | None

    def names(self, prefix: str) -> list[str]:
        """The refs below a prefix, without it."""
        return [name.removeprefix(prefix) for name in self.tips if name.startswith(prefix)]


@dataclass(frozen=True)
class Clone:
    """A clone, bare or with a work tree, at an absolute path."""

    path: Path

    def ask(self, *arguments: str, told: str = "", absent: bool = False) -> str:
        """What a git command prints. Raises CollectorError; with `absent` a status of 1 means "there is none" and gives ""."""
        done = self._done(arguments, told)
        if done.returncode == 1 and absent:
            return ""
        if done.returncode != 0:
            raise self._refused(done.stderr)
        return _text(done.stdout)

    def _done(self, arguments: Sequence[str], told: str) -> "subprocess.CompletedProcess[bytes]":
        command, environment = self._command(*arguments), self._environment()
        try:
            return subprocess.run(command, input=told.encode(), capture_output=True, env=environment, check=False)
        except FileNotFoundError:
            raise _no_git() from None

    def refs(self) -> Refs:
        """The refs as they are now. Raises CollectorError where there is no clone to ask."""
        self._there()
        told = self.ask("for-each-ref", "--format=%(refname)%00%(objectname)%00%(symref)")
        lines = [line.split("\0") for line in told.splitlines()]
        tips = {name: sha for name, sha, symbolic in lines if not symbolic and not name.startswith(UNSPOKEN)}
        symbolic = {name: target for name, _sha, target in lines if target}
        head = self.ask("symbolic-ref", "--quiet", "HEAD", absent=True).strip()
        if not head and (detached := self.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}", absent=True).strip()):
            tips["HEAD"] = detached
        default = _default(tips, symbolic, head)
        # A clone that is only ever fetched has an old branch of its own beside the server's newer one.
        tip = tips.get(f"refs/remotes/origin/{default}", tips.get(f"refs/heads/{default}"))
        return Refs(tips, default, tip)

    def tags(self) -> list[Tagged]:
        """Every tag on a commit, by name; tags on other objects are none of ours."""
        told = self.ask("for-each-ref", f"--format={TAG}", "refs/tags")
        read = [record.split("\0") for record in told.split("\0\n") if record]
        nested = self._peeled([name for name, kind, _sha, inner, *_ in read if kind == inner == "tag"])
        return [tag for fields in read if (tag := _tagged(fields, nested)) is not None]

    def _peeled(self, names: list[str]) -> dict[str, str]:
        """The commits behind tags of tags, by tag name."""
        if not names:
            return {}
        told = "".join(f"refs/tags/{name}^{{}}\n" for name in names)
        lines = self.ask("cat-file", "--batch-check=%(objecttype) %(objectname)", told=told).splitlines()
        return {name: line.split()[1] for name, line in zip(names, lines, strict=True) if line.startswith("commit ")}

    def existing(self, shas: Iterable[str]) -> list[str]:
        """Which of the objects the clone still has: `git log` dies of one that it has not."""
        told = "".join(f"{sha}\n" for sha in shas)
        lines = self.ask("cat-file", "--batch-check=%(objectname)", told=told).splitlines() if told else []
        return [line for line in lines if not line.endswith(" missing")]

    def beyond(self, tips: Iterable[str], known: Iterable[str]) -> list[str]:
        """The commits reachable from the tips and not from the known ones."""
        told = _revisions(tips, known)
        return self.ask("rev-list", "--stdin", told=told).split() if told else []

    def edge(self) -> dict[str, list[str]]:
        """Where a shallow clone ends: the parents, which it has not, of each commit at its edge. Empty for a complete clone."""
        told = self._shallow_file().read_text("ascii").split() if self._shallow_file().is_file() else []
        return {sha: self._parents(sha) for sha in sorted(told)}

    def _shallow_file(self) -> Path:
        if (self.path / ".git").is_dir():
            return self.path / ".git" / "shallow"
        if (self.path / "HEAD").is_file():
            return self.path / "shallow"
        # A work tree of another clone, or a submodule.
        return self.path / self.ask("rev-parse", "--git-path", "shallow").strip()

    def _parents(self, sha: str) -> list[str]:
        """The parents that a commit itself names; the log leaves out those of commits at the edge."""
        header = self.ask("cat-file", "commit", sha).partition("\n\n")[0]
        return [line.split()[1] for line in header.splitlines() if line.startswith("parent ")]

    def paths(self, shas: Iterable[str]) -> dict[str, list[str]]:
        """The files that each commit changed, of a merge none; submodules are left out.

        Only folders are compared, no file is opened: a partial clone has what this needs.
        """
        command = ("diff-tree", "--stdin", "-r", "-z", "--root", "--raw", "--no-renames", "--ignore-submodules=all")
        told = self.ask(*command, told="".join(f"{sha}\n" for sha in shas)).split("\0")
        found: dict[str, list[str]] = {}
        files: list[str] = []
        fields = iter(told[:-1])
        for field in fields:
            if field.startswith(":"):
                files.append(next(fields))
            else:
                files = found[field] = []
        return found

    def shortstat(self, pairs: Iterable[tuple[str, str | None]]) -> tuple[list[tuple[str, str]], bool]:
        """What each commit changed against a given parent (None: against nothing), as git sums it up; whether git got to the end.

        A merge is compared with that one parent alone, renames are looked for as `git diff` does, submodules are left out.
        Files are opened: git stops at the first commit of which the clone lacks one, and the last answer may be cut short.
        """
        command = ("diff-tree", "--stdin", "--root", "--always", "-r", "--shortstat", "-M", "-l1000", "--ignore-submodules=all")
        done = self._done(command, "".join(f"{sha} {parent or ''}".rstrip() + "\n" for sha, parent in pairs))
        found: list[tuple[str, str]] = []
        for line in _text(done.stdout).splitlines():
            if line.startswith(" "):
                found[-1] = (found[-1][0], line)
            else:
                found.append((line, ""))
        return found, done.returncode == 0

    def origin(self) -> str | None:
        """The URL that the clone came from, as its configuration has it."""
        return self.ask("config", "--get", "remote.origin.url", absent=True).strip() or None

    def count(self, tips: Iterable[str], known: Iterable[str] = ()) -> int:
        """How many commits `log` would give."""
        told = _revisions(tips, known)
        return int(self.ask("rev-list", "--count", "--stdin", told=told)) if told else 0

    def log(self, tips: Iterable[str], known: Iterable[str] = (), size: int = 5000) -> Iterator[list[Entry]]:
        """The commits reachable from the tips and not from the known ones, newest first, in pages of about `size`."""
        told = _revisions(tips, known)
        if not told:
            return  # without a revision git would take HEAD
        page: list[Entry] = []
        for entries in self._entries(told):
            page += entries
            while len(page) >= size:
                yield page[:size]
                page = page[size:]
        if page:
            yield page

    def _entries(self, told: str) -> Iterator[Iterator[Entry]]:
        command = self._command("log", "-z", "--stdin", "--encoding=UTF-8", f"--format={ENTRY}")
        with tempfile.TemporaryFile() as errors, self._started(command, errors) as process:
            told_to, told_by = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)  # both are pipes
            try:
                told_to.write(told.encode())
                told_to.close()
                yield from _records(told_by)
                if process.wait() != 0:
                    errors.seek(0)
                    raise self._refused(errors.read())
            finally:
                process.kill()  # whoever reads may stop half way

    def _started(self, command: list[str], errors: IO[bytes]) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=self._environment(), pipesize=PIPE
            )
        except FileNotFoundError:
            raise _no_git() from None

    def _command(self, *arguments: str) -> list[str]:
        # The path is absolute, so it can never be taken for an option.
        settings = ("-c", "log.showSignature=false", "-c", "core.quotePath=false")
        return ["git", "-C", str(self.path), *settings, "--no-pager", *arguments]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        return kept | {
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_FLUSH": "0",  # into a pipe the log would be written commit by commit, which takes as long as the log itself
            # What a partial clone left out stays there, also where git is too old for the first of these.
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",
            # An empty folder inside another clone must not be taken for that clone.
            "GIT_CEILING_DIRECTORIES": str(self.path.parent),
        }

    def _there(self) -> None:
        if not self.path.is_dir():
            what = "is not a folder" if self.path.exists() else "is not there"
            raise CollectorError(f"{self.path} {what}: expected the folder of a git clone in `path`")

    def _refused(self, errors: bytes) -> CollectorError:
        told = _text(errors)
        if "dubious ownership" in told:
            return CollectorError(
                f"git does not read {self.path}, since it belongs to another user: if you trust it, run "
                f"`git config --global --add safe.directory {self.path}`"
            )
        if "not a git repository" in told:
            return CollectorError(f"{self.path} is not a git repository: expected the top folder of a clone, or a bare one")
        said = next((line for line in told.splitlines() if line.startswith("fatal:")), told.strip().partition("\n")[0])
        reason = said.removeprefix("fatal:").strip() or "it gave no reason"
        return CollectorError(f"git could not read {self.path}: {reason}; `git -C {self.path} fsck` tells more")


def _no_git() -> CollectorError:
    return CollectorError("the git program was not found: install git, or put it on the PATH")


def _text(told: bytes) -> str:
    return told.decode("utf-8", "replace")


def _revisions(tips: Iterable[str], known: Iterable[str]) -> str:
    wanted = [f"{sha}\n" for sha in dict.fromkeys(tips)]
    return "".join(wanted + [f"^{sha}\n" for sha in dict.fromkeys(known)]) if wanted else ""


def _records(stream: IO[bytes]) -> Iterator[Iterator[Entry]]:
    """The log's commits, as many at a time as a chunk has whole fields of."""
    width, rest = len(Entry._fields), b""
    fields: list[str] = []
    while chunk := stream.read(CHUNK):
        whole, nul, rest = (rest + chunk).rpartition(b"\0")
        if nul:
            fields += _text(whole).split("\0")
        ready = len(fields) - len(fields) % width
        yield map(Entry._make, zip(*[iter(fields[:ready])] * width, strict=True))
        del fields[:ready]


def _default(tips: dict[str, str], symbolic: dict[str, str], head: str) -> str | None:
    """The default branch: what the server says, else what is checked out, else the usual names.

    In an empty clone it is the branch that the first commit will make.
    """
    branches = {name for name in tips if name.startswith(("refs/heads/", "refs/remotes/origin/"))}
    asked = [symbolic.get("refs/remotes/origin/HEAD", ""), head]
    asked += [prefix + name for name in ("main", "master") for prefix in ("refs/heads/", "refs/remotes/origin/")]
    found = next((ref for ref in asked if ref in branches), "" if tips else head)
    return re.sub(r"^refs/(heads|remotes/origin)/", "", found) or None


def _tagged(fields: list[str], nested: dict[str, str]) -> Tagged | None:
    name, kind, sha, inner, inner_sha, at, committed_at, subject = fields[:8]
    if kind == "commit":
        return Tagged(name, sha, at, "")
    commit = inner_sha if inner == "commit" else nested.get(name)
    # The oldest annotated tags have no tagger, so no time of their own.
    return Tagged(name, commit, at or committed_at, subject) if kind == "tag" and commit else None
