"""A Spark cluster of one master and two workers on the loopback, from PyPI's pyspark in an environment of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from programs import absent, free_port

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
MEMORY = "1g"


def packages() -> Path:
    """Where pyspark is: `.peers/spark`, or the folder VSM_SPARK."""
    told = os.environ.get("VSM_SPARK")
    folders = [Path(told)] if told else sorted((ROOT / ".peers" / "spark" / "lib").glob("python*/site-packages"))
    for folder in folders:
        if (folder / "pyspark").is_dir():
            return folder
    return absent("Spark (make .peers/spark.stamp)")


class Cluster:
    """`cluster.url` is what an engine is named by; tables are Parquet files in `cluster.folder`."""

    def __init__(self, workers: int = 2, cores: int = 1, short: bool = True) -> None:
        """`short`: for a log so small that to compile code for it would take longest."""
        if shutil.which("java") is None:
            absent("Java (default-jre-headless), which Spark needs")
        self.packages, self._short = packages(), short
        self.folder = Path(tempfile.mkdtemp(prefix="vsm-spark-"))
        self.port, self._page = free_port(), free_port()
        self._running: list[subprocess.Popen[bytes]] = []
        self._start("master.Master", "--host", HOST, "--port", str(self.port), "--webui-port", str(self._page))
        for _ in range(workers):
            words = ["--host", HOST, "--cores", str(cores), "--memory", MEMORY, "--webui-port", str(free_port())]
            self._start("worker.Worker", *words, "--work-dir", str(self.folder / "work"), f"spark://{HOST}:{self.port}")
        self._wait(workers)

    @property
    def url(self) -> str:
        return f"spark://{HOST}:{self.port}{self.folder / 'tables'}"

    def environment(self) -> dict[str, str]:
        """What a process needs so that it finds pyspark, and Spark its own Python and address."""
        home = str(self.packages / "pyspark")
        told = {"SPARK_HOME": home, "SPARK_LOCAL_IP": HOST, "PYSPARK_PYTHON": sys.executable}
        return told | ({"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"} if self._short else {})

    def _start(self, kind: str, *words: str) -> None:
        call = [str(self.packages / "pyspark" / "bin" / "spark-class"), f"org.apache.spark.deploy.{kind}", *words]
        told = {**os.environ, **self.environment(), "SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_DIRS": str(self.folder)}
        with (self.folder / "log").open("ab") as log:
            self._running.append(subprocess.Popen(call, stdout=log, stderr=log, env=told, start_new_session=True))

    def _wait(self, workers: int) -> None:
        for _ in range(600):
            try:
                with urlopen(f"http://{HOST}:{self._page}/json/") as answer:
                    if f'"aliveworkers" : {workers}' in answer.read().decode():
                        return
            except (URLError, ConnectionError):
                pass
            assert all(one.poll() is None for one in self._running), (self.folder / "log").read_text()
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def close(self) -> None:
        """End the workers and the master."""
        for one in reversed(self._running):
            os.killpg(one.pid, signal.SIGTERM)
            one.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
