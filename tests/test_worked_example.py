"""The worked example in the documents: its figures are what a store of the recorded stream says."""

import contextlib
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import infra_stream
import pytest

from vsm import cli, report_words

PAGE = (Path(__file__).parents[1] / "docs" / "dora-worked-example.md").read_text(encoding="utf-8")
YEARS = ("--from", "2021-01-01", "--to", "2023-12-31")
WEEK = ("--from", "2023-06-05", "--to", "2023-06-11")


@pytest.fixture(scope="module")
def recording(recorded: Path) -> Path:
    return recorded / "end_to_end" / "jenkins_infra"


@pytest.fixture(scope="module")
def place(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The store, made as the page says, with the page's own configuration."""
    folder = tmp_path_factory.mktemp("stream")
    infra_stream.write(recording, folder / "facts")
    (config := folder / "infra.toml").write_text(fenced("toml"), encoding="utf-8")
    url, refused = f"sqlite:///{folder / 'infra.db'}", folder / "refused.jsonl"
    cli.run(["import", str(folder / "facts"), "--store", url, "--rejects", str(refused)])
    return {"asked": ["--store", url, "--config", str(config)], "refused": refused.read_text(encoding="utf-8").splitlines()}


def fenced(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    return str(found)


def table(heading: str) -> dict[str, tuple[str, ...]]:
    """A table of the page by its first column; found by the words of its head."""
    lines = PAGE[PAGE.index(f"| {heading} |") :].splitlines()[2:]
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[: lines.index("") if "" in lines else None]
    ]
    return {row[0]: row[1:] for row in rows}


def said(place: dict[str, Any], *words: str) -> Any:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run([*words, "--format", "json", *place["asked"]]) == 0
    return json.loads(out.getvalue())


def test_the_figures_of_the_three_years(place: dict[str, Any]) -> None:
    rows = report_words._dora_rows(said(place, "report", *YEARS)["dora"])
    assert {name: (value, n) for name, value, n, _ in rows} == table("2021 to 2023")


def test_what_became_of_every_notice(place: dict[str, Any]) -> None:
    told = said(place, "report", *YEARS)
    quality = {row["check"]: row["rows"] for row in told["quality"]}
    laid = said(place, "explain", "incidents_linked", "--from", "2020-01-01", "--to", "2023-12-31")
    by_time = [row for row in laid["rows"] if row["rule"].startswith("latest")]
    found = [
        len(place["refused"]), quality["incidents left out by a label or title"], quality["incidents refused for their dates"],
        quality["incidents that are laid to no deployment"], len(laid["rows"]),
    ]  # fmt: skip
    assert list(map(int, table("notices"))) == found
    assert sum(found) == 182
    assert table("notices")[str(len(laid["rows"]))] == (f"laid to a deployment, {len(by_time)} of them by time alone",)


def test_what_became_of_every_change(place: dict[str, Any]) -> None:
    lead = said(place, "explain", "change_lead_time", *YEARS)
    reasons = Counter(row["reason"] for row in lead["left_out"])
    assert [int(number.replace(",", "")) for number in table("changes")] == [*sorted(reasons.values(), reverse=True), lead["n"]]
    assert f"({lead['n']} of {lead['of']})" in PAGE
    assert sum(reasons.values()) + lead["n"] == 3920


def test_what_shows_the_failures_and_how_many_of_the_links_are_guesses(place: dict[str, Any]) -> None:
    fails = [row for row in said(place, "explain", "change_fail_rate", *YEARS)["rows"] if row["failed"]]
    by = Counter(row["reason"] for row in fails)
    assert f"{by['revert']} deployments by a revert and {by['hotfix']} by a hotfix" in PAGE
    guessed = sum(row["reason"] == "hotfix" and "guessed" in row["rule"] for row in fails)
    assert f"{guessed} of those that a hotfix accuses are guesses" in PAGE
    assert f"8 of the {len(fails)}." in PAGE


def test_the_week_that_was_counted_by_hand(place: dict[str, Any], recording: Path) -> None:
    """Counted anew from the recorded files, without this project."""
    commits = [json.loads(line) for line in (recording / "deployment_commits_2021_2023.jsonl").read_text().splitlines()]
    days = Counter(datetime.fromisoformat(one["committed_at"]).astimezone(UTC).date().isoformat() for one in commits)
    in_week = {day: n for day, n in sorted(days.items()) if "2023-06-05" <= day <= "2023-06-11"}
    assert "\n".join(f"{n:7} {day}" for day, n in in_week.items()) in PAGE
    dora = said(place, "report", *WEEK)["dora"]
    assert dora["deployment_frequency"] == {"per_week": pytest.approx(25), "n": sum(in_week.values()), "days": len(in_week)}
    assert (dora["change_fail_rate"]["failed"], dora["deployment_rework_rate"]["unplanned"]) == (4, 4)
    rows = said(place, "explain", "failed_deployment_recovery_time", *WEEK)["rows"]
    told = table("failed")
    assert {f"`{row['deployment']}`" for row in rows} == set(told)
    for row in rows:
        assert told[f"`{row['deployment']}`"][1].endswith(f" {row['hours'] * 60:.0f} min")
