"""Definitions: one home, the docstring."""

from pathlib import Path

import pytest

from vsm.definitions import definitions, page

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("group", "name", "meaning", "more"), definitions())
def test_every_metric_is_defined_in_one_sentence(group, name, meaning, more):
    assert meaning.endswith(".")
    assert len(meaning) < 160


def test_the_written_definitions_are_those_of_the_code():
    assert (DOCS / "definitions.md").read_text() == page(), "run: python -m vsm.definitions > docs/definitions.md"
