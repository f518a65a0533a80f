"""The commit graph of one repository by the commits' own names; `history.History` is that of all repositories, in numbers."""

from dataclasses import dataclass

import pandas as pd

from vsm.frames import plain


@dataclass(frozen=True)
class CommitGraph:
    """Parents by sha, the first parent first. Commits that were never read have no entry."""

    parents: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, commits: pd.DataFrame) -> "CommitGraph":
        """From the commits of one repository."""
        told = zip(plain(commits["sha"]), plain(commits["parents"]), strict=True)
        return cls({sha: tuple(text.split()) if text else () for sha, text in told})

    def __contains__(self, sha: object) -> bool:
        return sha in self.parents
