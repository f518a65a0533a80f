"""What a collector is: something that turns a source's answers into pages of facts."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

from collectors.handles import Handles
from vsm.checks import Check as Check

if TYPE_CHECKING:
    from vsm.models import Fact  # a third of a second that the harvest of a clone does without


class CollectorError(Exception):
    """A source could not be read; the message says what, where, and what to do about it."""


class Blocked(CollectorError):
    """A source will not answer for now: it is left alone until then (None: until the next run), and the others go on."""

    def __init__(self, message: str, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


Rows = Mapping["type[Fact] | str", Sequence[Mapping[str, Any]]]  # by table, or by a table's name


@dataclass(frozen=True)
class Page:
    """What is saved together, in one transaction: facts, the raw answers they came from, and how far we are.

    ``facts``: rows by table. ``fill``: rows that may only fill what is missing in a row that is
    already there, because the source knows less about the thing than its own server does.
    ``gone``: keys, by table, of facts that the source has taken back. ``raw``: (resource,
    external id, answer); of a collector that `Tells`, the facts follow from these. ``lost``:
    (resource, external id) of things that the source no longer has: their facts go, too.
    ``cursors``: new state by resource. ``done`` of ``total`` are for the progress bar; a total of
    None is not known. ``warnings`` are sentences about what could not be taken as it was.
    """

    facts: Rows = field(default_factory=dict)
    fill: Rows = field(default_factory=dict)
    gone: Rows = field(default_factory=dict)
    raw: Sequence[tuple[str, str, Any]] = ()
    lost: Sequence[tuple[str, str]] = ()
    cursors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    requests: int = 0
    done: int = 0
    total: int | None = None
    doing: str = ""
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Context:
    """What a source may need to know beside its own keys.

    The folder of the configuration, its word for production and whether an environment's name says
    production, the instant before which nothing is asked for, whether somebody watches a progress
    bar (so that a total is worth a request), who is who, and how a client waits.
    """

    folder: Path
    production: str = "production"
    since: datetime | None = None
    watched: bool = False
    who: Handles = field(default_factory=lambda: Handles(b""))
    is_production: Callable[[str], bool] = lambda environment: environment.casefold() == "production"
    pause: Callable[[float], None] = time.sleep


class Collector(Protocol):
    """One configured source. A kind of source is a class with this shape, found by entry point ``vsm.collectors``."""

    kind: ClassVar[str]
    name: str

    @classmethod
    def configured(cls, keys: Mapping[str, Any], context: Context) -> Self:
        """A collector from one ``[[sources]]`` table: ``name``, and the keys of its own.

        Raises vsm.config.ConfigError for a key that is wrong or missing.
        """

    def scope(self) -> str:
        """What this source speaks of, in words, for the report: "all refs of ../service". Raises CollectorError."""

    def pages(self, cursors: Mapping[str, Mapping[str, Any]], full: bool) -> Iterator[Page]:
        """The news since the cursors (all of it if `full`), page by page. Raises CollectorError."""


Told = Mapping["type[Fact]", Sequence[Mapping[str, Any]]]


@runtime_checkable
class Tells(Protocol):
    """A collector whose facts follow from its raw answers alone, so that they can be told again without the network.

    ``fills`` names the tables of which it knows less than another source may: its rows there only fill
    what is missing (commits, of which a clone knows more; identities, which a person may have set right).
    """

    fills: ClassVar[frozenset[str]]

    def recall(self, cursors: Mapping[str, Mapping[str, Any]]) -> None:
        """Take up from the cursors what answers are read by (names of statuses); called before `pages` and `told`."""

    def told(self, resource: str, external_id: str, answer: Any) -> Told:
        """The facts that one raw answer tells, by table; the same whatever else was read before."""


@runtime_checkable
class Examines(Protocol):
    """A collector that can say how its source is, and propose a configuration."""

    def checks(self) -> Iterator[Check]:
        """Credentials, rights, the server's clock (in its Date header): a check each. Raises CollectorError."""

    def proposal(self) -> str:
        """Lines for vsm.toml that the source itself suggests (stages from a board), empty where there are none."""


@runtime_checkable
class ReadsAhead(Protocol):
    """A collector that can begin its first harvest before the store is open, beside the program's own start.

    So as not to wait for the models then, its pages name their tables in words, and have nothing raw.
    """

    def ahead(self) -> None:
        """Begin to read from the beginning; `pages` goes on from there if no cursor says otherwise."""
