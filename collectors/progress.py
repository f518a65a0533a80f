"""How a harvest goes, for the person who waits: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from collectors.base import Page
from vsm.cli import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from collectors.harvest import Outcome, Watcher


def on_a_terminal() -> bool:
    """Whether somebody watches."""
    return sys.stderr.isatty()


@contextmanager
def watcher() -> Iterator["Watcher"]:
    """Who tells on standard error how a harvest goes."""
    if not on_a_terminal():
        yield Lines()
        return
    from rich.console import Console  # a tenth of a second that only a terminal is worth
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[source]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bars(progress)


class Pace:
    """How fast a source's rows come, and how long the rest will take at that pace."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self.now, self.began = now, now()

    def rate(self, done: int) -> float | None:
        """Rows a second; None before there is a second to tell it from."""
        seconds = self.now() - self.began
        return done / seconds if seconds >= 1 and done else None

    def told(self, done: int, total: int | None) -> str:
        """ "120/s, 3 min left", as far as it is known.

        >>> pace = Pace(iter([0.0, 2.0, 2.0]).__next__)
        >>> pace.told(240, 21840), pace.told(240, None)
        ('120/s, 3 min left', '120/s')
        """
        rate = self.rate(done)
        if rate is None:
            return ""
        left = f", {_span((total - done) / rate)} left" if total is not None and total > done else ""
        return f"{rate:,.0f}/s{left}"


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


class Lines:
    """One line when a source begins, one a page, one at its end."""

    def __init__(self) -> None:
        self.pace = Pace()

    def begins(self, source: str, scope: str) -> None:
        """A source's turn has come."""
        self.pace = Pace()
        say(f"{source}: {scope or 'asking'}")

    def page(self, source: str, page: Page) -> None:
        """A page has been saved."""
        total = f" of {page.total:,}" if page.total is not None else ""
        pace = self.pace.told(page.done, page.total)
        say(f"{source}: {page.doing or 'saved'}, {page.done:,}{total}{f' ({pace})' if pace else ''}")

    def ends(self, outcome: "Outcome") -> None:
        """A source is done, or has failed."""
        say(f"{outcome.source}: {_ended(outcome)}")


class Bars:
    """One bar a source."""

    def __init__(self, progress: "Progress") -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}
        self.pace = Pace()

    def begins(self, source: str, scope: str) -> None:
        """A source's turn has come."""
        self.pace = Pace()
        self.tasks[source] = self.progress.add_task(scope, source=source, total=None, rate="")

    def page(self, source: str, page: Page) -> None:
        """A page has been saved."""
        rate = self.pace.told(page.done, None)
        self.progress.update(self.tasks[source], completed=page.done, total=page.total, description=page.doing, rate=rate)

    def ends(self, outcome: "Outcome") -> None:
        """A source is done, or has failed."""
        if outcome.source not in self.tasks:  # it had no turn, since it asked us to wait
            self.begins(outcome.source, outcome.scope)
        task = self.tasks[outcome.source]
        # A bar that nothing moved any more would go on pulsing.
        done = self.progress.tasks[task].completed
        self.progress.update(task, total=max(done, 1), completed=max(done, 1) if outcome.error is None else done)
        self.progress.update(task, description=_ended(outcome))


def _ended(outcome: "Outcome") -> str:
    how = "done" if outcome.error is None else "failed" if outcome.until is None else "parked"
    return f"{how} in {outcome.seconds:.1f} s"
