"""Stores in every state that a page may meet, and a way to look at a page without a browser."""

import csv
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from programs import Program, free_port
from screens import Screen, chromium
from streamlit.testing.v1 import AppTest

from vsm import cli, store

ROOT = Path(__file__).parents[2]
APP = ROOT / "dashboard" / "app.py"
SAMPLE_CONFIG = ROOT / "sample_data" / "vsm.toml"
EVIL = ":material/home: $x$ :red[hey] [evil](http://evil.example) <img src=x onerror=alert(1)>"

Look = Callable[..., AppTest]


def facts(folder: Path, **tables: list[dict[str, str]]) -> Path:
    """A facts folder with some rows."""
    folder.mkdir()
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


def imported(folder: Path, into: Path) -> str:
    url = f"sqlite:///{into}"
    assert cli.run(["import", str(folder), "--store", url]) == 0
    return url


@pytest.fixture(scope="session")
def stores(tmp_path_factory, sample_store) -> dict[str, str]:
    """The URL of a store in each state that a page may meet. Read only: tests share them."""
    place = tmp_path_factory.mktemp("states")
    store.open_store(f"sqlite:///{place / 'empty.db'}")
    ticket = {"key": "PAY-1", "title": EVIL, "type": "Feature", "status": "Doing", "created_at": "2026-11-01T10:00:00Z"}
    one = facts(
        place / "one",
        tickets=[ticket | {"url": "javascript:alert(1)"}],
        transitions=[{"ticket": "PAY-1", "at": "2026-11-03T10:00:00Z", "from_status": "To do", "to_status": "Doing"}],
    )
    sha, day = "a" * 40, "2026-11-03T"
    change = facts(
        place / "change",
        pull_requests=[
            {"repository": "shop", "number": "1", "title": EVIL, "merge_sha": sha, "first_commit_at": f"{day}08:00:00Z",
             "created_at": f"{day}08:30:00Z", "merged_at": f"{day}09:00:00Z"}
        ],
        deployments=[
            {"id": "d1", "application": "shop", "environment": "prod", "repository": "shop", "sha": sha, "result": "success",
             "finished_at": f"{day}12:00:00Z"}
        ],
    )  # fmt: skip
    git = place / "git"
    git.mkdir()
    for name in ("repositories", "commits", "tags"):
        shutil.copy(ROOT / "sample_data" / "facts" / f"{name}.csv", git)
    return {
        "none": f"sqlite:///{place / 'none.db'}",
        "empty": f"sqlite:///{place / 'empty.db'}",
        "one ticket": imported(one, place / "one.db"),
        "one change": imported(change, place / "change.db"),
        "git only": imported(git, place / "git.db"),
        "sample": sample_store,
    }


@pytest.fixture
def look(stores, monkeypatch) -> Look:
    """Look at a page: `look(page, state)`, with query parameters as keywords. It must not be broken."""

    def _look(page: str, state: str = "sample", **chosen: str) -> AppTest:
        # The navigation must have run once before a page can be switched to; without a store that costs least.
        monkeypatch.setenv("VSM_STORE", stores["none"])
        app = AppTest.from_file(str(APP), default_timeout=120).run()
        monkeypatch.setenv("VSM_STORE", stores.get(state, state))
        if state == "sample":
            monkeypatch.setenv("VSM_CONFIG", str(SAMPLE_CONFIG))
        else:
            monkeypatch.delenv("VSM_CONFIG", raising=False)
            monkeypatch.chdir(Path(__file__).parent)  # where there is no vsm.toml
        app.query_params.update({name: value.replace("_", " ") for name, value in chosen.items()})
        app.switch_page(f"views/{page}.py").run()
        assert [*app.exception, *app.error] == []
        return app

    return _look


@pytest.fixture
def run(look) -> Callable[..., AppTest]:
    """The same by the page's file: `run(path, state)`."""
    return lambda path, state="sample", **chosen: look(path.stem, state, **chosen)


@pytest.fixture
def sample(stores, monkeypatch) -> None:
    """Who asks the door without a page is told of the sample."""
    monkeypatch.setenv("VSM_STORE", stores["sample"])
    monkeypatch.setenv("VSM_CONFIG", str(SAMPLE_CONFIG))


# A real browser. -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A headless Chromium."""
    with chromium() as running:
        yield running


class Dashboard:
    """A dashboard as `vsm dashboard` serves it. It looks through two links, so that one server shows store after store."""

    def __init__(self, place: Path, store_url: str) -> None:
        self._place = place
        self.show(store_url, SAMPLE_CONFIG)
        port, program = free_port(), Path(sys.executable).with_name("vsm")
        options = ["--port", port, "--store", f"sqlite:///{place / 'shown.db'}", "--config", place / "shown.toml"]
        faults = {"PYTHONFAULTHANDLER": "1"}
        self._server = Program([program, "dashboard", *options], port, "/_stcore/health", place / "log", faults)
        self.url = f"http://localhost:{port}"

    def show(self, store_url: str, config: Path | None) -> None:
        """Show another store from now on, with another configuration, or with none."""
        (nothing := self._place / "nothing.toml").touch()
        for name, target in (("shown.db", store_url.removeprefix("sqlite:///")), ("shown.toml", config or nothing)):
            (new := self._place / "new").symlink_to(target)
            new.replace(self._place / name)

    def close(self) -> None:
        """End it. It must not have ended by itself."""
        try:
            os.kill(self._server.pid, 0)
        finally:
            self._server.close()


@pytest.fixture(scope="session")
def shows(sample_store, tmp_path_factory) -> Iterator[Dashboard]:
    """The one server of all browser tests: `shows.show(store, configuration)`."""
    running = Dashboard(tmp_path_factory.mktemp("dashboard"), sample_store)
    yield running
    running.close()


@pytest.fixture
def dashboard(shows, sample_store) -> str:
    """The address of a dashboard on the sample."""
    shows.show(sample_store, SAMPLE_CONFIG)
    return shows.url


@pytest.fixture
def visit(browser, dashboard) -> Iterator[Callable]:
    """Open a page in a window of its own and wait until it is there; gives the page and the hosts that it asked."""
    windows = []

    def open_page(path, dark=False, width=1440):
        windows.append(Screen(browser, dashboard, dark, width))
        return windows[-1].open(path), windows[-1].hosts

    yield open_page
    for window in windows:
        window.close()


@pytest.fixture(scope="session")
def _windows(browser, shows) -> Iterator[dict[bool, Screen]]:
    opened: dict[bool, Screen] = {}
    yield opened
    for one in opened.values():
        one.close()


@pytest.fixture
def window(browser, shows, _windows) -> Callable[[bool], Screen]:
    """The one window of a theme, which tests share: `window(dark)`. What Chromium has loaded it does not load again."""

    def of(dark: bool = False) -> Screen:
        if dark not in _windows:
            _windows[dark] = Screen(browser, shows.url, dark)
        return _windows[dark]

    return of
