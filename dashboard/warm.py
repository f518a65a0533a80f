"""What the first viewer would wait for, done before there is one: imports, and the numbers and charts of the usual choice."""

import importlib
import logging
import os
import threading

from dashboard.data import Choice, NothingYet
from vsm.errors import UsageError

MODULES = ("dashboard.board_page", "dashboard.cards", "dashboard.filters", "dashboard.frame", "dashboard.live", "dashboard.map",
           "dashboard.parts", "dashboard.tables", "dashboard.take_along")  # fmt: skip


def begin() -> threading.Thread | None:
    """Begin on a thread of its own; whoever comes meanwhile waits for what is being made, and nothing is made twice.

    Not where VSM_WARM is 0: a machine with little memory to spare makes what is asked for alone.
    """
    if os.environ.get("VSM_WARM") == "0":
        return None
    # Streamlit warns of whoever asks its cache outside of a page's run, as we do here on purpose.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    thread = threading.Thread(target=_work, name="warm", daemon=True)
    thread.start()
    return thread


def _work() -> None:
    for module in MODULES:
        importlib.import_module(module)
    from dashboard import access, memory

    with access.as_server():
        _make()
    memory.set_aside()  # all of it stays, and the first pages need not be searched for garbage through it


def _make() -> None:
    from dashboard import data, filters
    from dashboard.charts.catalogue import CATALOGUE

    try:
        usual: Choice = filters.usual()
        data.measures(usual)
        data.said(usual)
        for name in CATALOGUE:
            _draw(name, usual)
    except (NothingYet, UsageError):
        pass  # the pages say so
    except Exception:  # the boundary of the thread: a page that needs the same says what broke
        logging.getLogger("dashboard").exception("what the usual pages show could not be made ahead")


def _draw(name: str, choice: Choice) -> None:
    """A chart as pages show it: of everything, or where it needs one map of stages one of each stream."""
    from dashboard import data

    try:
        data.drawn(name, choice)
    except ValueError:
        for stream in data.known().streams:
            data.drawn(name, choice, stream)
