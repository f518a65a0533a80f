"""WireMock from npm, run by Java: answers that change from one request to the next, delays, cut and broken connections."""

import json
import shutil
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests
from programs import Program, absent, free_port, package

FAULTS = ("CONNECTION_RESET_BY_PEER", "EMPTY_RESPONSE", "MALFORMED_RESPONSE_CHUNK", "RANDOM_DATA_THEN_CLOSE")
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")  # half the start; it lives for seconds


def answer(
    status: int = 200, body: object = None, headers: Mapping[str, str] | None = None, delay: float = 0, fault: str | None = None
) -> dict[str, object]:
    """An answer: text as it is, bytes too, anything else as JSON; after a delay in seconds; or one of FAULTS."""
    if fault:
        return {"fault": fault}
    made: dict[str, object] = {"status": status, "headers": dict(headers or {}), "fixedDelayMilliseconds": round(delay * 1000)}
    if isinstance(body, bytes):
        return made | {"base64Body": b64encode(body).decode()}
    if isinstance(body, str):
        return made | {"body": body}
    made["headers"] = {"Content-Type": "application/json", **made["headers"]}
    return made if body is None else made | {"body": json.dumps(body)}


class WireMock:
    """A running WireMock."""

    def __init__(self, folder: Path) -> None:
        java = shutil.which("java")
        if java is None:
            absent("java")
        archive = next(package("wiremock/build").glob("wiremock-standalone-*.jar"))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = ["--port", port, "--bind-address", "127.0.0.1", "--root-dir", folder, "--disable-banner"]
        self._program = Program([java, *QUICK, "-jar", archive, *options], port, "/__admin/health", folder / "log")
        self._session = requests.Session()
        self._session.trust_env = False

    def stub(
        self, method: str, path: str, *answers: Mapping[str, object], query: Mapping[str, str] | None = None, **only: object
    ) -> None:
        """Answer a path: `stub("GET", "/user", answer(503), answer(200, {"login": "ann"}))` gives one after the other.

        The last answer stays. Without any, the keywords make the one: `stub("GET", "/user", status=503)`. A path that
        begins with "^" is a regular expression. A later stub goes before an earlier one.
        """
        given = answers or (answer(**only),)
        asked: dict[str, object] = {"method": method, "urlPathPattern" if path.startswith("^") else "urlPath": path}
        if query:
            asked["queryParameters"] = {name: {"equalTo": value} for name, value in query.items()}
        name = f"{method} {path} {json.dumps(query)}"
        for mapping in _scenario(name, asked, given):
            self.admin("POST", "/mappings", mapping)

    def admin(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """Ask WireMock's own interface, for what `stub` cannot say."""
        told = self._session.request(method, f"{self.url}/__admin{path}", json=body, timeout=30)
        assert told.ok, f"{method} {path}: {told.status_code} {told.text[:500]}"
        return told.json() if told.content else {}

    def requests(self) -> list[dict[str, object]]:
        """What it was asked, oldest first: `method`, `url` with the query, `headers`, `body`, `loggedDate` and more."""
        journal = self.admin("GET", "/requests")["requests"]
        return [entry["request"] for entry in reversed(journal)]

    def reset(self) -> None:
        """Forget all stubs and requests."""
        self.admin("POST", "/reset")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._program.pid

    def close(self) -> None:
        """End it."""
        self._session.close()
        self._program.close()


def _scenario(name: str, asked: Mapping[str, object], answers: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    if len(answers) == 1:
        return [{"request": asked, "response": answers[0]}]
    states = ["Started", *(f"{number} given" for number in range(1, len(answers)))]
    mappings: list[dict[str, object]] = []
    for number, (state, given) in enumerate(zip(states, answers, strict=True)):
        mapping = {"request": asked, "response": given, "scenarioName": name, "requiredScenarioState": state}
        if number + 1 < len(states):
            mapping["newScenarioState"] = states[number + 1]
        mappings.append(mapping)
    return mappings
