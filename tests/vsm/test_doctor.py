"""What `vsm doctor` says of configuration, store, people and data, and what it proposes."""

from pathlib import Path

import pytest

from vsm import config, store
from vsm.cli import run
from vsm.config import Config
from vsm.doctor import checks, proposals, text
from vsm.store import opened, save, transaction

AT = "2026-03-02T09:00:00Z"


@pytest.fixture
def filled(tmp_path):
    """The URL of a store with the given rows by table."""

    def fill(**tables) -> str:
        url = f"sqlite:///{tmp_path / 'vsm.db'}"
        with opened(url) as engine, transaction(engine) as connection:
            for name, rows in tables.items():
                save(connection, store.TABLES[name], rows, origin="import")
        return url

    return fill


def said(found) -> dict[str, tuple[bool | None, str]]:
    return {check.what: (check.well, check.said) for check in found}


def test_without_a_store_it_says_so_and_what_fills_one(tmp_path):
    found = said(checks(Config(), f"sqlite:///{tmp_path / 'none.db'}"))
    assert found["configuration"][0] is None
    assert found["store"] == (
        False,
        f"no store at sqlite:///{tmp_path / 'none.db'}: fill it with `vsm collect` or `vsm import FOLDER` first",
    )
    assert list(proposals(Config(), f"sqlite:///{tmp_path / 'none.db'}")) == []


def test_an_empty_store_is_a_note_and_proposes_nothing(filled):
    url = filled()
    assert said(checks(Config(), url))["store"] == (None, "it has no facts yet")
    assert list(proposals(Config(), url)) == []


def test_a_run_that_failed_or_never_ended_is_told_by_source(filled):
    from datetime import UTC, datetime

    url, at = filled(), datetime(2026, 3, 2, 9, tzinfo=UTC)
    with opened(url) as engine:
        first = store.begin_harvest(engine, "jira", "jira", "all", at=at)
        store.finish_harvest(engine, first, at=at, status="failed", rows=0, changed=0, error="401: refused")
        store.begin_harvest(engine, "ci", "jenkins", "all", at=at)
    found = said(checks(Config(), url))
    assert found["jira"] == (False, "its last harvest failed: 401: refused")
    assert found["ci"] == (None, "a harvest that began 2026-03-02 09:00 UTC has not ended, or was killed")


def test_handles_that_nobody_places_are_listed_and_those_of_bots_are_not(filled):
    commit = {"repository": "shop", "authored_at": AT, "committed_at": AT}
    url = filled(
        commits=[commit | {"sha": f"{n}", "author": author} for n, author in enumerate(("ann@x.example", "bob", "fixer[bot]"))],
        identities=[{"source": "git", "handle": "Ann@x.example", "person": "Ann"}],
    )
    assert said(checks(Config(), url))["people"] == (
        None, "1 handles are placed by nobody, each counts as a person of its own: git:bob",
    )  # fmt: skip


def test_handles_that_the_configuration_places_are_not_listed_and_no_address_is_shown(filled):
    commit = {"repository": "shop", "authored_at": AT, "committed_at": AT}
    url = filled(commits=[commit | {"sha": f"{n}", "author": f"{name}@x.example"} for n, name in enumerate(("ann", "bob"))])
    assert said(checks(Config(people={"Ann": ("git:ann@x.example",)}), url))["people"] == (
        None, "1 handles are placed by nobody, each counts as a person of its own: git:b…@x.example",
    )  # fmt: skip


def test_stages_are_proposed_from_the_statuses_seen_and_can_be_pasted(sample_store):
    lines = "\n".join(proposals(Config(), sample_store))
    pasted = config.parse(lines, Path("vsm.toml"))
    (stream,) = pasted.streams
    named = {status for stage in stream.stages for status in (*stage.waiting, *stage.active)}
    named |= {*stream.new, *stream.done, *stream.cancelled, *stream.ignored}
    with opened(sample_store, create=False) as engine:
        seen = set(store.facts(engine).transitions["to_status"])
    assert seen <= named
    assert {"Done"} <= set(stream.done)


def test_production_is_proposed_only_where_no_environment_has_its_usual_name(filled):
    def deployed(*environments: str) -> dict:
        return {
            "deployments": [
                {"id": f"{n}", "application": "shop", "environment": name, "finished_at": AT, "result": "success"}
                for n, name in enumerate(environments)
            ]
        }

    url = filled(**deployed("customers-eu", "staging", "staging"))
    lines = list(proposals(Config(), url))
    assert lines[0].endswith("seen: staging (2), customers-eu (1)")
    assert config.parse("\n".join(lines), Path("vsm.toml")).production.environments == ("customers-eu",)
    assert list(proposals(Config(production={"environments": ["customers-eu"]}), url)) == []


def test_jobs_that_deploy_by_their_names_are_proposed_where_no_deployment_is_known(filled):
    jobs = ("shop/build", "shop/deploy-prod", "shop/released-notes", "Release/shop")
    url = filled(builds=[{"id": job, "job": job, "started_at": AT} for job in jobs])
    assert '# deploy_jobs = ["^Release/shop$", "^shop/deploy-prod$"]' in list(proposals(Config(), url))


@pytest.mark.parametrize("told", ['a "quoted" \\ name', "tab\tnew\nline", "Prüfung \u7f16", "\x7f"])
def test_any_name_survives_being_proposed(told):
    import tomllib

    assert tomllib.loads(f"name = {text(told)}") == {"name": told}


def test_the_program_ends_with_1_where_something_is_wrong_and_says_what(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert "WRONG store: no store at sqlite:///vsm.db" in out
    assert err == "vsm: 1 thing is wrong: see the lines marked WRONG\n"
    assert list(tmp_path.iterdir()) == []


def test_the_sample_is_well(sample_store, capsys):
    sample = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
    assert run(["doctor", "--store", sample_store, "--config", str(sample)]) == 0
    out = capsys.readouterr().out
    assert "well  store: " in out
    assert "WRONG" not in out
    assert "proposed" not in out


def test_facts_of_a_source_that_the_configuration_has_not_are_told(filled):
    url = filled()
    with opened(url) as engine, transaction(engine) as connection:
        save(connection, store.TABLES["tickets"], [{"key": "A-1", "created_at": AT}], origin="old name")
    sources = (config.Source(kind="jira", name="jira", keys={}),)
    assert said(checks(Config(sources=sources), url))["old name"] == (
        None, "1 facts are of a source of this name, which the configuration has not",
    )  # fmt: skip
    assert "old name" not in said(checks(Config(), url))


def test_a_doubt_about_the_data_names_its_first_rows_and_how_to_see_all(filled):
    tickets = [{"key": f"A-{n}", "created_at": AT, "status": "Open"} for n in range(1, 6)]
    (found,) = (check for check in checks(Config(), filled(tickets=tickets)) if "change of status" in check.said)
    assert found.said.startswith("5 tickets without any change of status (A-1, A-2, A-3 and 2 more): ")
    assert found.remedy.endswith("; vsm explain 'quality:tickets without any change of status'")


def test_a_date_after_the_store_was_last_filled_is_a_doubt(filled):
    from datetime import UTC, datetime

    url, at = filled(tickets=[{"key": "A-1", "created_at": "2031-01-01T00:00:00Z"}]), datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert not [check for check in checks(Config(), url) if "dates in the future" in check.said]
    with opened(url) as engine:
        run_ = store.begin_harvest(engine, "jira", "jira", "all", at=at)
        store.finish_harvest(engine, run_, at=at, status="done", rows=1, changed=1)
    (found,) = (check for check in checks(Config(), url) if "dates in the future" in check.said)
    assert found.said.startswith("1 dates in the future (tickets): ")
