"""Explain: the rows behind one number, the rule that linked each, what was left out and why."""

from typing import Any

import pandas as pd

from vsm.metrics.figure import Figure
from vsm.people import People

MANY = 12  # numbers that still stand in a line
PEOPLE = ("author", "actor", "reviewer", "person", "from_person", "to_person")


def explanation(figure: Figure, people: People, privacy: str) -> dict[str, Any]:
    """A figure with all that stands behind it, as a document: definition, rule, values, n, coverage, rows, left out."""
    return {
        "metric": figure.name,
        "definition": figure.definition,
        "rule": figure.rule,
        "unit": figure.unit,
        "values": figure.values,
        "n": figure.n,
        "of": figure.of,
        "coverage": figure.coverage,
        "said": figure.said,
        "rows": _records(rows_shown(figure.rows, people, privacy)),
        "left_out": _records(figure.left_out),
    }


def rows_shown(rows: pd.DataFrame, people: People, privacy: str) -> pd.DataFrame:
    """The rows with people as they may be shown."""
    return rows.assign(**{name: people.shown(rows[name], privacy) for name in PEOPLE if name in rows})


def text(figure: Figure, people: People, privacy: str) -> str:
    """The explanation for a terminal."""
    lines = [
        figure.name.replace("_", " ").upper(),
        figure.definition,
        "",
        *_values(figure),
        f"n:        {figure.n}" + (f" of {figure.of}" if figure.of is not None else ""),
        f"Rule:     {figure.rule}",
        *(f"{name.capitalize()}: {words}" for name, words in figure.said.items()),
        "",
        f"ROWS ({len(figure.rows)})",
        _table(rows_shown(figure.rows, people, privacy)),
        "",
        f"LEFT OUT ({len(figure.left_out)})",
        *_reasons(figure.left_out),
    ]
    return "\n".join(lines) + "\n"


def listed(names: dict[str, str]) -> str:
    """What can be explained, a line each."""
    width = max(map(len, names))
    return "".join(f"{name.ljust(width)}  {meaning}\n" for name, meaning in names.items())


def _values(figure: Figure) -> list[str]:
    """The numbers in a line; many of them, as a table's, a line each."""
    told = [f"{name} {'no data' if value is None else f'{value:.4g}'}" for name, value in figure.values.items()]
    if len(told) <= MANY:
        return [f"Value:    {', '.join(told)} ({figure.unit})"]
    return [f"Value:    {figure.unit}", *(f"  {words}" for words in told)]


def _reasons(left_out: pd.DataFrame) -> list[str]:
    """Each reason with how many it concerns, then the rows."""
    if left_out.empty:
        return ["  nothing"]
    counts = left_out["reason"].value_counts()
    return [*(f"  {count} × {reason}" for reason, count in counts.items()), _table(left_out)]


def _table(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "  nothing"
    ready = rows.copy()
    for name in ready.columns:
        if isinstance(ready[name].dtype, pd.DatetimeTZDtype):
            ready[name] = ready[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        elif ready[name].dtype.kind == "f":
            ready[name] = ready[name].map(lambda value: "" if pd.isna(value) else f"{value:.2f}")
    told: str = ready.astype("object").where(ready.notna(), "").to_string(index=False, max_colwidth=60)
    return told


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    plain = rows.astype("object").where(rows.notna(), None)
    return [{str(name): _value(value) for name, value in row.items()} for row in plain.to_dict("records")]


def _value(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat().replace("+00:00", "Z")
    return value.item() if hasattr(value, "item") else value
