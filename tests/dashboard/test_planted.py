"""Secrets of the configuration and the environment are in nothing that the running server sends: pages, interface, log."""

import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from programs import Program, free_port
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

pytestmark = pytest.mark.browser  # a running server, as a browser asks it
ENVIRONMENT = {
    "P_TOKEN": "planted-0451-token-of-a-source",
    "P_HOOK": "planted-0452-secret-of-a-hook",
    "P_KEY": "planted-0453-key-of-handles",
    "P_OTHER": "planted-0454-of-nobody",
}
WRITTEN = "planted-0455-written-down"
CONFIG = """
[privacy]
key = "env:P_KEY"
[hooks]
github = "env:P_HOOK"
[[sources]]
kind = "github"
url = "http://127.0.0.1:9"
repositories = ["acme/shop"]
token = "env:P_TOKEN"
"""
PAGES = ("", "map", "flow", "bottlenecks", "delivery", "forecast", "retro", "data", "no_such_page")
PATHS = (
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/report",
    "/api/v1/explain/none",
    "/api/v1/none",
    "/hooks/github",
    "/vsm.toml",
)


def page(port: int, name: str) -> bytes:
    """All that a page sends."""
    address, origin = f"ws://127.0.0.1:{port}/_stcore/stream", f"http://127.0.0.1:{port}"
    with connect(address, subprotocols=["streamlit"], max_size=None, origin=origin) as socket:
        asked = BackMsg()
        asked.rerun_script.page_name = name
        socket.send(asked.SerializeToString())
        told = []
        while True:
            told.append(socket.recv(timeout=120))
            if ForwardMsg.FromString(told[-1]).WhichOneof("type") == "script_finished":
                return b"".join(told)


def answer(port: int, path: str) -> bytes:
    """What a path answers, its headers, too."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": "Bearer x"})  # our own server
    try:
        with urllib.request.urlopen(asked, timeout=60) as told:  # noqa: S310 - our own server on the loopback
            return str(told.headers).encode() + told.read()
    except urllib.error.HTTPError as error:
        return str(error.headers).encode() + error.read()


def test_no_page_no_answer_and_no_log_tells_a_planted_secret(sample_store, tmp_path):
    (tmp_path / "vsm.toml").write_text(CONFIG)
    port, vsm = free_port(), Path(sys.executable).with_name("vsm")
    call = [vsm, "dashboard", "--port", port, "--store", sample_store, "--config", tmp_path / "vsm.toml"]
    server = Program(call, port, "/_stcore/health", tmp_path / "log", ENVIRONMENT)
    try:
        told = {**{name: page(port, name) for name in PAGES}, **{path: answer(port, path) for path in PATHS}}
        assert min(len(told[name]) for name in PAGES) > 500
        wrong = f'[[sources]]\nkind = "jira"\nurl = "https://ann:{WRITTEN}@j.example.org"\ntoken = "{WRITTEN}"\n'
        (tmp_path / "vsm.toml").write_text(wrong)
        told |= {f"{name}, wrong": page(port, name) for name in ("", "data")} | {
            f"{path}, wrong": answer(port, path) for path in PATHS
        }
    finally:
        server.close()
    told["the log"] = (tmp_path / "log").read_bytes()
    secrets = [one.encode() for one in (*ENVIRONMENT.values(), WRITTEN)]
    assert {name: one for name, text in told.items() for one in secrets if one in text} == {}
