"""Asks jira-agile-metrics 0.24: boards as JSON on standard input (`flow_logs`), its answers on standard output.

Run by the Python of an environment with pandas < 2, which is what that version can be run with. Only its
calculators are asked; what they ask of Jira is answered from the board.
"""

import contextlib
import json
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

COLUMNS = ("Backlog", "Dev", "Review", "Test", "Done")
KINDS = ("backlog", "accepted", "accepted", "accepted", "complete")


class Board:
    """What its QueryManager does, from a board."""

    jira = SimpleNamespace(_options={"server": "https://jira.example.org"})

    def __init__(self, board: dict[str, list[list[Any]]]) -> None:
        self.board = board

    def find_issues(self, _jql: str) -> list[SimpleNamespace]:
        """The board's tickets."""
        return [SimpleNamespace(key=key, fields=_fields(story[-1][0])) for key, story in self.board.items()]

    def iter_changes(self, issue: SimpleNamespace, _fields: list[str]) -> list[SimpleNamespace]:
        """A ticket's statuses, the first one too."""
        return [
            SimpleNamespace(
                change="status",
                from_string=None,
                to_string=status,
                date=datetime.fromtimestamp(at, UTC).replace(tzinfo=None),
            )
            for status, at, _ in self.board[issue.key]
        ]


def _fields(status: str) -> SimpleNamespace:
    named = SimpleNamespace(name=status)
    return SimpleNamespace(issuetype=named, summary="", status=named, resolution=None, resolutiondate=None)


def answers(board: dict[str, list[list[Any]]]) -> dict[str, Any]:
    """Its cycle times in days, the dates that it keeps, and its cumulative flow by day."""
    from jira_agile_metrics.calculators.cfd import calculate_cfd_data
    from jira_agile_metrics.calculators.cycletime import calculate_cycle_times

    cycle = [{"name": name, "statuses": [name], "type": kind} for name, kind in zip(COLUMNS, KINDS, strict=True)]
    data = calculate_cycle_times(Board(board), cycle, {}, "Backlog", "Done", [{"jql": ""}])
    days = data["cycle_time"].dt.days
    flow = calculate_cfd_data(data, list(COLUMNS))
    return {
        "cycle_days": {key: int(n) for key, n in zip(data["key"], days, strict=True) if n == n},
        "dates": {row["key"]: [_day(row[name]) for name in COLUMNS] for _, row in data.iterrows()},
        "cumulative": {str(day)[:10]: [int(n) for n in row] for day, row in zip(flow.index, flow.values, strict=True)},
        "p50_p85_days": [float(data["cycle_time"].quantile(share).total_seconds()) / 86400 for share in (0.5, 0.85)],
    }


def _day(date: Any) -> Any:
    return None if str(date) == "NaT" else str(date)[:10]


def main() -> None:
    """Answer."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        told = {name: answers(board) for name, board in json.load(sys.stdin).items()}
    json.dump(told, out)


if __name__ == "__main__":
    main()
