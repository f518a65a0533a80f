"""Some streams only: their numbers are what everybody sees, and nothing of the others is in any frame."""

import csv
import json
import re
import shutil
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from vsm import cli, config, measure, path, pipeline, report, store
from vsm.of_streams import HIDDEN, only
from vsm.scope import Scope

SAMPLE = Path(__file__).parents[2] / "sample_data"
OURS, THEIRS = "PAY-96", "PLT-253"


def _more(folder: Path, table: str, **row: str) -> None:
    """A row more of a table, with the columns that the sample has."""
    with (SAMPLE / "facts" / f"{table}.csv").open(newline="") as file:
        names = csv.DictReader(file).fieldnames
    new = not (folder / f"{table}.csv").exists()
    with (folder / f"{table}.csv").open("a", newline="") as file:
        writer = csv.DictWriter(file, names)
        if new:
            writer.writeheader()
        writer.writerow({name: row.get(name, "") for name in names})


@pytest.fixture(scope="module")
def flow(sample_store, tmp_path_factory):
    """The sample, with what could give one stream away to the other: an epic, a change, a tie and words of both."""
    place = tmp_path_factory.mktemp("both")
    (place / "facts").mkdir()
    shutil.copy(sample_store.removeprefix("sqlite:///"), place / "both.db")
    day = "2026-09-0"
    _more(
        place / "facts", "tickets", key="PLT-9000", title="Epic of both", type="Epic", created_at=f"{day}1T08:00:00Z", project="PLT"
    )
    for key, project, application in (("PAY-9001", "PAY", "shop"), ("PLT-9001", "PLT", "accounts")):
        title = "As plt-253 asks, unlike UTF-8" if project == "PAY" else "Purple accounts"
        row = {"key": key, "title": title, "type": "Feature", "project": project, "application": application, "parent": "PLT-9000"}
        _more(place / "facts", "tickets", **row, created_at=f"{day}2T08:00:00Z")
    for kind, ticket, other in (("blocks", "PAY-9001", "PLT-9001"), ("blocks", "PLT-9001", "PAY-9001")):
        _more(place / "facts", "ticket_links", ticket=ticket, kind=kind, other=other)
    change = {"field": "Epic Link", "ticket": "PAY-9001", "at": f"{day}3T08:00:00Z", "to": "PLT-9000"}
    _more(place / "facts", "ticket_changes", **change)
    both = {
        "title": "PAY-9001 PLT-9001 Purple accounts for shops",
        "source_branch": "feature/PLT-9001-purple",
        "repository": "shop",
    }
    _more(place / "facts", "pull_requests", **both, number="9001", created_at=f"{day}4T08:00:00Z")
    _more(
        place / "facts", "incidents", id="INC-900", application="shop", title="Down since plt-9001", opened_at=f"{day}5T08:00:00Z",
        ticket="PLT-9001",
    )  # fmt: skip
    url = f"sqlite:///{place / 'both.db'}"
    assert cli.run(["import", str(place / "facts"), "--store", url]) == 0
    with store.opened(url) as engine:
        return pipeline.read(store.facts(engine), config.load(SAMPLE / "vsm.toml"))


@pytest.fixture(scope="module")
def part(flow):
    return only(flow, frozenset({"checkout"}))


def _everything(flow) -> str:
    frames = [getattr(whole, field.name) for whole in (flow.facts, flow.links) for field in fields(whole)]
    frames += [frame for one in flow.streams for frame in (one.items, one.log, one.visits)]
    return "\n".join(frame.to_csv() for frame in [*frames, flow.homeless]) + repr(
        [flow.config, [one.workflow for one in flow.streams]]
    )


def test_no_key_and_no_title_of_another_stream_is_in_any_frame(flow, part):
    told = _everything(part)
    theirs = flow.facts.tickets[flow.facts.tickets["project"] == "PLT"]
    ours = set(part.facts.tickets["title"])

    assert len(theirs) > 300
    assert [line for line in told.splitlines() if re.search(r"(?i)plt-\d", line)] == []
    assert [title for title in theirs["title"] if title not in ours and title in told] == []
    assert [word for word in ("platform", "accounts", "insights", "Release train", "Purple") if word in told] == []
    assert "Purple accounts" in _everything(flow), "else the test looks at nothing"


def test_words_that_stay_lose_the_keys_of_others_and_nothing_else(part):
    title = part.facts.tickets.set_index("key")["title"]["PAY-9001"]
    assert title == f"As {HIDDEN} asks, unlike UTF-8"
    assert part.facts.tickets.set_index("key")["parent"].isna()["PAY-9001"]
    incident = part.facts.incidents.set_index("id").loc["INC-900"]
    assert (incident["title"], pd.isna(incident["ticket"])) == (f"Down since {HIDDEN}", True)


def test_a_change_of_both_streams_is_counted_and_has_no_words(part):
    change = part.links.changes.set_index("change").loc[part.links.changes["change"].eq("shop#9001").to_list()]
    assert len(change) == 1
    assert change[["title", "branch"]].isna().all(axis=None)
    assert part.links.item_changes.query("change == 'shop#9001'")["item"].to_list() == ["PAY-9001"]


def test_the_numbers_of_a_stream_are_those_that_everybody_sees(flow, part):
    scope = Scope(flow.now - pd.Timedelta(weeks=26), flow.now, stream="checkout")
    none = pd.DataFrame(columns=["source", "kind", "scope", "status", "started_at", "finished_at"])
    whole, mine = (report.document(measure.measure(one, scope), none) for one in (flow, part))
    for beside in ("facts", "quality", "blocked"):  # counts of all that is kept, and checks of it
        whole.pop(beside, None)
        mine.pop(beside, None)
    assert json.dumps(mine) == json.dumps(whole)


def test_all_streams_together_are_those_that_may_be_seen(part):
    window = (part.now - pd.Timedelta(weeks=26), part.now)
    together, alone = (measure.measure(part, Scope(*window, stream=name)) for name in (None, "checkout"))
    assert {name: one.values for name, one in together.figures.items()} == {name: one.values for name, one in alone.figures.items()}
    with pytest.raises(ValueError, match=r"no stream 'platform'; expected one of 'checkout'$"):
        measure.measure(part, Scope(*window, stream="platform"))


def test_no_path_of_what_may_not_be_seen_is_told(flow, part):
    assert path.path(flow, THEIRS) is not None
    assert path.path(part, THEIRS) is None
    assert path.path(part, OURS).stream == "checkout"
    assert path.path(part, "PAY-9001").related.empty
