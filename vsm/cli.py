"""The `vsm` program: one group that finds its subcommands by entry point, so that it imports no neighbour.

Exit status: 0 done, 1 some of the work failed, 2 the call, the configuration or the input is wrong.
"""

import atexit
import functools
import os
import sys
from collections.abc import Callable
from importlib.metadata import entry_points, version
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import click

from vsm import memory
from vsm.errors import UsageError, WorkError
from vsm.secrecy import hidden

GROUP, EXPORTS = "vsm.commands", "vsm.exports"


class Commands(click.Group):
    """Subcommands by entry point; one is imported only when it is called for, since imports are what a start costs."""

    points = GROUP

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all installed subcommands."""
        return sorted({*super().list_commands(ctx), *(point.name for point in entry_points(group=self.points))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of a name, None where there is none."""
        for point in entry_points(group=self.points, name=cmd_name):
            found: click.Command = point.load()
            return found
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands with their first sentence."""
        rows = [
            (name, command.get_short_help_str(90)) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Exports(Commands):
    """What `vsm export` writes: a neighbour adds its own by entry point."""

    points = EXPORTS


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("value-stream-dashboard"), prog_name="vsm")
def vsm() -> None:
    """Show how work flows from idea to production, from the data that your tools already hold."""


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every subcommand: passes ``store`` (a SQLAlchemy URL) and ``config`` (a path or None)."""

    @click.option(
        "--store",
        metavar="URL",
        default=lambda: os.environ.get("VSM_STORE") or "sqlite:///vsm.db",
        show_default="$VSM_STORE, else sqlite:///vsm.db",
        help="The store, as a SQLAlchemy URL.",
    )
    @click.option(
        "--config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        default=None,
        show_default="vsm.toml in the working folder, where there is one",
        help="The configuration.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return command(*args, **kwargs)

    return wrapped


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit; an error that we know ends with its sentence, not a traceback."""
    sys.excepthook = broken
    memory.of_a_short_run()
    leave(run(arguments))


def broken(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python says of an error that nobody expected, without the secrets that its words may repeat."""
    import traceback

    said = hidden("".join(traceback.format_exception(kind, error, trace)).rstrip())
    say(said, wrong=True, status=1)


def leave(status: int) -> NoReturn:
    """End the program, everything written. Taking a million objects apart one by one would be a tenth of a short run."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # it was closed before we began
                stream.flush()
        except BrokenPipeError:
            pass  # whoever read our output has gone
        except OSError:
            status = status or 1
    os._exit(status)


def run(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit status."""
    out = sys.stdout
    try:
        if os.environ.get("VSM_LOG"):
            from vsm import logs  # a short run has nothing to log, and Python's logging takes time to load

            logs.begin()
        status = vsm.main(arguments, standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as done:
        return int(done.exit_code)
    except click.ClickException as error:
        error.show()
        return 2
    except UsageError as error:
        return _told(error, 2)
    except WorkError as error:
        return _told(error, 1)
    except (click.Abort, KeyboardInterrupt):
        say("vsm: stopped", wrong=True, status=130)
        return 130
    except (BrokenPipeError, SystemExit) as left:
        # Whoever read our output has gone (`vsm report | head`): nothing is wrong. click says so by putting another
        # stream in its place and leaving with 1.
        if isinstance(left, SystemExit) and sys.stdout is out:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _of_the_rest(error)


def _of_the_rest(error: Exception) -> int:
    """What nobody nearer to it has made a sentence of: a driver of a database, or an output, that gives up in the middle."""
    if (driver := getattr(error, "orig", None)) is not None:
        said = " ".join(str(driver).split())
        does = "let this user write its file and its folder" if "readonly" in said else "try again; what was saved before stays"
        return _told(WorkError(f"the store cannot be used now ({said}): {does}"), 1)
    if isinstance(error, OSError):
        return _told(WorkError(f"the output cannot be written: {error.strerror or error}"), 1)
    raise error


def say(sentence: str, *, wrong: bool = False, **more: Any) -> None:
    """Tell on standard error what is going on, or wrong; where VSM_LOG asks for JSON as a record, with `more` in it."""
    if os.environ.get("VSM_LOG") != "json":
        click.echo(sentence, err=True)
        return
    import logging

    logging.getLogger("vsm").log(logging.ERROR if wrong else logging.INFO, "%s", sentence.removeprefix("vsm: "), extra=more)


def _told(error: Exception, status: int) -> int:
    say(f"vsm: {hidden(str(error))}", wrong=True, status=status)
    return status
