"""Golden answers: runs pm4py and jira-agile-metrics on the boards of `flow_logs` and writes what they say.

`make flow-peers`, then `.venv/bin/python tests/peers/flow_golden.py`. Tests compare with what is written,
so that they need neither tool; `make bench` asks pm4py itself, on other boards.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import flow_logs

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOLDEN = ROOT / "tests" / "vsm" / "metrics" / "golden"
ENVIRONMENTS = ROOT / ".peers"


def boards() -> dict[str, flow_logs.Board]:
    """The known board, the one of instants and the random ones, by name."""
    return {"known": flow_logs.known(), "instants": flow_logs.instants()} | {
        f"seed {seed}": flow_logs.board(seed) for seed in flow_logs.SEEDS
    }


def python(tool: str) -> Path | None:
    """The Python of a tool's environment; None where it was not made."""
    found = ENVIRONMENTS / tool / "bin" / "python"
    return found if found.exists() else None


def ask(tool: str, script: str, told: dict[str, Any], *words: str) -> dict[str, Any]:
    """What a tool answers in its own environment."""
    program = python(tool)
    if program is None:
        raise SystemExit(f"no {tool} in {ENVIRONMENTS}: `make flow-peers` installs it")
    asked = subprocess.run(
        [str(program), str(HERE / script), *words],
        input=json.dumps(told),
        capture_output=True,
        text=True,
    )
    if asked.returncode:
        raise SystemExit(f"{tool} failed: {asked.stderr[-2000:]}")
    return dict(json.loads(asked.stdout))


def pm4py(told: dict[str, list[list[object]]]) -> dict[str, Any]:
    """pm4py's answers on lists of events."""
    return ask("pm4py", "flow_pm4py.py", told)


def events() -> dict[str, list[list[object]]]:
    """What pm4py is asked: every status of the boards, and only the stages entered."""
    told = {f"{name}, every status": flow_logs.events(board) for name, board in boards().items()}
    return told | {f"{name}, stages entered": flow_logs.entries(board) for name, board in boards().items()}


def main() -> None:
    """Write the golden answers anew."""
    GOLDEN.mkdir(exist_ok=True)
    for name, answers in (
        ("pm4py", pm4py(events())),
        ("jira_agile_metrics", ask("jira-agile-metrics", "flow_jam.py", boards())),
    ):
        lines = [f"{json.dumps(log)}: {json.dumps(told, separators=(',', ':'))}" for log, told in answers.items()]
        (GOLDEN / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
