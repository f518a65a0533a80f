"""Jira Server 8.20 from PyPI (`jira820`), in this process: a seeded project with boards, sprints and histories.

It knows no `search/jql`, gives no changelog in a search, and no times by JQL: it answers an epoch in milliseconds with
an error and ignores dates with slashes. Its clock has only days.
"""

import threading
import time
from datetime import date

import uvicorn
from jira820 import Config, Store, make_app
from programs import free_port


class JiraServer:
    """A running Jira Server. `store` is its content; the JQL, workflow and answers are jira820's."""

    auth = ("admin", "admin")
    project = "SHOP"

    def __init__(self, day: date) -> None:
        config = Config(seed="0", base_date=day, project_key=self.project, project_name="Shop", port=free_port())
        self.store = Store(config)
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{config.port}"
        app = _counted(make_app(self.store), self.requests)
        options = uvicorn.Config(app, host="127.0.0.1", port=config.port, log_level="warning", loop="asyncio", lifespan="off")
        self._server = uvicorn.Server(options)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        end = time.monotonic() + 20
        while not self._server.started:
            assert self._thread.is_alive(), "jira820 did not start"
            assert time.monotonic() < end, "jira820 did not start in 20 seconds"
            time.sleep(0.005)

    def at(self, day: date) -> None:
        """Set its clock."""
        self.store.config.base_date = day

    def forget(self) -> None:
        """Count from zero again."""
        self.requests.clear()

    def close(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "jira820 did not end"


def _counted(app, requests):
    """The app, and a line for each request."""

    async def counting(scope, receive, send):
        if scope["type"] == "http":
            query = scope["query_string"].decode()
            requests.append(f"{scope['method']} {scope['raw_path'].decode()}{'?' if query else ''}{query}")
        await app(scope, receive, send)

    return counting
