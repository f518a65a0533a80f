"""The documents: they name what is there, and nothing that is not."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from vsm import models

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("table", models.TABLES)
def test_every_column_of_every_table_is_documented(table):
    row = next(line for line in (ROOT / "docs" / "facts.md").read_text().splitlines() if line.startswith(f"| `{table}` |"))
    kept = models.TABLES[table]
    told = [name.strip() for cell in row.split("|")[2:4] for name in cell.split(",") if name.strip() != "–"]

    assert told == [name + ("" if models.required(kept, name) else "?") for name in models.columns(kept)]


@pytest.mark.parametrize("command", sorted(point.name for point in entry_points(group="vsm.commands")))
def test_every_command_is_in_the_readme(command):
    assert f"vsm {command}" in (ROOT / "README.md").read_text()


def test_the_project_speaks_only_of_itself():
    """No package registry, no lock file with addresses."""
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text()
