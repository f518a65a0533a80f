"""A viewer without a browser: asks a Streamlit server for a page over its websocket and reads all that it sends."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

ENDS = 200  # bytes: what says that a run is over is shorter
TICK = 0.01  # seconds: how fine Linux counts a process's CPU time


@dataclass
class Answer:
    """What a run of a page sent: charts as specifications with their data, how many bytes, in what time."""

    charts: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0
    seconds: float = 0.0


class Viewer:
    """One session of a server on the loopback."""

    def __init__(self, port: int, page: str = "", query: str = "", keep: bool = True) -> None:
        self._socket = connect(
            f"ws://127.0.0.1:{port}/_stcore/stream", subprotocols=["streamlit"], max_size=None, origin=f"http://127.0.0.1:{port}"
        )
        self._page, self._query, self._keep = page, query, keep  # whether to read the charts, which takes this process's time

    def run(self, page: str | None = None) -> Answer:
        """Run the page once more, or another page."""
        self._page = self._page if page is None else page
        told = BackMsg()
        told.rerun_script.query_string = self._query
        told.rerun_script.page_name = self._page
        answer, began = Answer(), time.perf_counter()
        self._socket.send(told.SerializeToString())
        while True:
            data = self._socket.recv(timeout=300)
            answer.sent += len(data)
            if not self._keep and len(data) > ENDS:
                continue
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "script_finished":
                answer.seconds = time.perf_counter() - began
                return answer
            if self._keep and kind == "delta" and message.delta.new_element.WhichOneof("type") == "vega_lite_chart":
                answer.charts.append(_ready(message.delta.new_element.vega_lite_chart))

    def close(self) -> None:
        """Leave."""
        self._socket.close()


def _ready(chart: Any) -> dict[str, Any]:
    """A chart as one specification with its rows in it."""
    spec: dict[str, Any] = json.loads(chart.spec)
    told = {one.name: _rows(one.data.data) for one in chart.datasets}
    if told:
        spec["datasets"] = {**spec.get("datasets", {}), **told}
    if chart.HasField("data") and chart.data.data:
        spec["data"] = {"values": _rows(chart.data.data)}
    return spec


def _rows(data: bytes) -> list[dict[str, Any]]:
    return list(json.loads(pa.ipc.open_stream(data).read_pandas().to_json(orient="records", date_format="iso")))


def cpu(process: int) -> float:
    """The CPU seconds that a process has used, its threads included."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK
