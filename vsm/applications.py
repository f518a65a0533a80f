"""Monorepos: which of a repository's applications each change belongs to, by the paths that it changed."""

import re
from dataclasses import dataclass

import pandas as pd

from vsm.config import Application
from vsm.frames import among, empty, looked_up, plain
from vsm.store import Facts

UNPLACED = "no path rule of [[applications]] places it"
UNREAD = "the paths that it changed are not known, so no rule of [[applications]] places it: changed_paths reads them"


@dataclass(frozen=True)
class Placed:
    """``pairs``: change, application (a change may belong to several). ``unplaced``: change, reason. ``ruled``: by repository."""

    pairs: pd.DataFrame
    unplaced: pd.DataFrame
    ruled: dict[str, frozenset[str]]

    def allows(self, application: pd.Series, change: pd.Series, repository: pd.Series) -> pd.Series:
        """Whether a deployment of an application may bring a change: where rules divide its repository, only its own."""
        names = {repo: names for repo, names in self.ruled.items() if (repository == repo).any()}
        divided = pd.Series(False, index=application.index)
        for repo, own in names.items():
            divided |= (repository == repo) & among(application, own)
        mine = among(change + "\n" + application, self.pairs["change"] + "\n" + self.pairs["application"])
        return ~divided | mine


def placed(facts: Facts, changes: pd.DataFrame, commits: pd.DataFrame, rules: tuple[Application, ...]) -> Placed:
    """Place the changes of the repositories that have rules. `commits`: change, repository, sha."""
    ruled: dict[str, frozenset[str]] = {}
    for rule in rules:
        ruled[rule.repository] = ruled.get(rule.repository, frozenset()) | {rule.name}
    mine = changes.loc[among(changes["repository"], ruled), ["change", "repository"]]
    if mine.empty:
        return Placed(empty(dict.fromkeys(("change", "application"), "str")), empty(_REASONED), ruled)
    told = facts.commits.loc[among(facts.commits["repository"], ruled) & facts.commits["paths"].notna()]
    paths = told["paths"].set_axis((told["repository"] + "@" + told["sha"]).astype("str"))
    own = commits[among(commits["change"], mine["change"])]
    own = own.assign(paths=looked_up((own["repository"] + "@" + own["sha"]).astype("str"), paths)).dropna(subset="paths")
    found = _matched(own, rules)
    rest = mine[~among(mine["change"], found["change"])]
    read = among(rest["change"], own["change"])
    unplaced = rest.assign(reason=pd.Series(UNPLACED, index=rest.index).where(read, UNREAD))[["change", "reason"]]
    return Placed(found, unplaced.astype("str").reset_index(drop=True), ruled)


_REASONED = dict.fromkeys(("change", "reason"), "str")


def _matched(own: pd.DataFrame, rules: tuple[Application, ...]) -> pd.DataFrame:
    """change, application: those of which a rule matches a path that a commit of the change changed; in the order of the rules."""
    by_repository: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for rule in rules:
        pattern = re.compile("|".join(pattern_of(path) for path in rule.paths))
        by_repository.setdefault(rule.repository, []).append((pattern, rule.name))
    places: dict[tuple[str, str], tuple[str, ...]] = {}
    found: dict[tuple[str, str], None] = {}
    for change, repository, told in zip(*(plain(own[name]) for name in ("change", "repository", "paths")), strict=True):
        for path in told.split(";"):
            key = (repository, path)
            if key not in places:
                name = path.replace("%3B", ";")
                places[key] = tuple(name_of for one, name_of in by_repository[repository] if one.fullmatch(name))
            found |= dict.fromkeys((change, application) for application in places[key])
    order = {name: at for at, name in reversed([*enumerate(rule.name for rule in rules)])}
    pairs = sorted(found, key=lambda pair: (pair[0], order[pair[1]]))
    return pd.DataFrame(pairs, columns=["change", "application"]).astype("str")


def pattern_of(glob: str) -> str:
    """A path pattern as a regular expression: ** any folders, * and ? within one; without any of them also all that is below.

    >>> bool(re.fullmatch(pattern_of("services/pay/**"), "services/pay/src/a.py"))
    True
    >>> bool(re.fullmatch(pattern_of("services/*.md"), "services/pay/README.md"))
    False
    >>> bool(re.fullmatch(pattern_of("services/pay"), "services/payroll/a.py"))
    False
    """
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.strip("/"))
    below = "" if re.search(r"[*?]", glob) else "(?:/.*)?"
    return "".join(signs.get(part, re.escape(part)) for part in parts) + below


def applied(changes: pd.DataFrame, told: Placed) -> pd.DataFrame:
    """The changes with the application that the rules place them in, the first where there are several."""
    first = told.pairs.drop_duplicates("change").set_index("change")["application"]
    return changes.assign(application=looked_up(changes["change"], first).fillna(changes["application"]).astype("str"))
