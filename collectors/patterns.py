"""Patterns as of a shell, by which the configuration names tags that are deployments."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def takes(patterns: Iterable[str], name: str) -> bool:
    """Whether the patterns take a name: the last one that fits decides, and one with `!` takes it back.

    >>> [takes(("v*", "!*rc*"), name) for name in ("v1.0", "v1.0rc1", "1.0")]
    [True, False, False]
    """
    taken = False
    for pattern in patterns:
        if fnmatchcase(name, pattern.removeprefix("!")):
            taken = not pattern.startswith("!")
    return taken
