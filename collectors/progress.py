"""How a harvest goes, for the person who waits: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from collectors.base import Page

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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[source]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bars(progress)


class Lines:
    """One line when a source begins, one a page, one at its end."""

    def begins(self, source: str, scope: str) -> None:
        """A source's turn has come."""
        _say(f"{source}: {scope or 'asking'}")

    def page(self, source: str, page: Page) -> None:
        """A page has been saved."""
        total = f" of {page.total:,}" if page.total is not None else ""
        _say(f"{source}: {page.doing or 'saved'}, {page.done:,}{total}")

    def ends(self, outcome: "Outcome") -> None:
        """A source is done, or has failed."""
        _say(f"{outcome.source}: {_ended(outcome)}")


class Bars:
    """One bar a source."""

    def __init__(self, progress: "Progress") -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}

    def begins(self, source: str, scope: str) -> None:
        """A source's turn has come."""
        self.tasks[source] = self.progress.add_task(scope, source=source, total=None)

    def page(self, source: str, page: Page) -> None:
        """A page has been saved."""
        self.progress.update(self.tasks[source], completed=page.done, total=page.total, description=page.doing)

    def ends(self, outcome: "Outcome") -> None:
        """A source is done, or has failed."""
        task = self.tasks[outcome.source]
        # A bar that nothing moved any more would go on pulsing.
        done = self.progress.tasks[task].completed
        self.progress.update(task, total=max(done, 1), completed=max(done, 1) if outcome.error is None else done)
        self.progress.update(task, description=_ended(outcome))


def _ended(outcome: "Outcome") -> str:
    return f"{'done' if outcome.error is None else 'failed'} in {outcome.seconds:.1f} s"


def _say(line: str) -> None:
    click.echo(line, err=True)
