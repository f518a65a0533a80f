"""Tokens and the audit log: only a hash is kept, what is wrong opens nothing, and what was done is written down."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from vsm import access_commands, audit, cli, store, tokens
from vsm.errors import UsageError

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'vsm.db'}"


@pytest.fixture
def engine(url):
    with store.opened(url) as opened:
        yield opened


@pytest.fixture
def call(url, tmp_path, capsys, monkeypatch):
    """Call a command, also where the installed program does not know it yet; gives status, output and errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vsm.toml").write_text('[[streams]]\nname = "checkout"\n')
    for command in (access_commands.token, access_commands.audit):
        monkeypatch.setitem(cli.vsm.commands, command.name, command)

    def run(*words):
        capsys.readouterr()
        status = cli.run([*words, "--store", url])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_token_is_known_until_it_expires_or_is_taken_back(engine):
    told = tokens.add(engine, "grafana", now=NOW, streams=["checkout"], expires=NOW + DAY)
    found = tokens.known(engine, told, NOW)

    assert (found.name, found.role, found.streams) == ("grafana", "viewer", {"checkout"})
    assert tokens.known(engine, told, NOW + DAY) is None
    tokens.revoke(engine, "grafana", now=NOW)
    assert tokens.known(engine, told, NOW) is None
    assert [one.state(NOW) for one in tokens.every(engine)] == ["revoked"]


@pytest.mark.parametrize(
    "wrong", [lambda told: told[:-1] + ("0" if told[-1] != "0" else "1"), str.upper, lambda _: "", lambda t: t + "\n"]
)
def test_what_is_not_the_token_opens_nothing(engine, wrong):
    told = tokens.add(engine, "grafana", now=NOW)
    assert tokens.known(engine, wrong(told), NOW) is None
    assert tokens.known(engine, told, NOW) is not None


def test_the_token_is_nowhere_in_the_store(engine, url):
    _, key, secret = tokens.add(engine, "grafana", now=NOW).split("_")
    engine.dispose()
    kept = b"".join(file.read_bytes() for file in store.file_of(engine).parent.iterdir())
    assert key.encode() in kept
    assert secret.encode() not in kept


def test_two_valid_tokens_have_two_names(engine):
    tokens.add(engine, "grafana", now=NOW, expires=NOW + DAY)
    with pytest.raises(UsageError, match="there is a valid token 'grafana'"):
        tokens.add(engine, " grafana ", now=NOW)
    assert tokens.add(engine, "grafana", now=NOW + 2 * DAY)


def test_the_program_makes_shows_and_takes_back_tokens_and_tells_who_did(call):
    status, told, said = call("token", "add", "grafana", "--stream", "checkout", "--expires", "90d")
    assert (status, tokens.FORM.fullmatch(told.strip()) is not None, "not shown again" in said) == (0, True, True)

    _, listed, _ = call("token", "list", "--format", "json")
    (row,) = json.loads(listed)
    assert {name: row[name] for name in ("name", "state", "role", "streams")} == {
        "name": "grafana", "state": "valid", "role": "viewer", "streams": ["checkout"],
    }  # fmt: skip
    assert told.strip().split("_")[2] not in listed

    assert call("token", "revoke", "grafana")[0] == 0
    _, written, _ = call("audit", "--format", "json")
    assert [(one["what"], one["about"]) for one in json.loads(written)] == [
        ("token.revoke", "grafana"), ("token.add", "grafana (viewer, only checkout)"),
    ]  # fmt: skip
    assert call("audit", "--since", "2999-01-01")[1] == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("token", "add", " "), "a token needs a name"),
        (("token", "add", "a", "--stream", "nope"), "no stream 'nope'; expected one of 'checkout'"),
        (("token", "add", "a", "--expires", "soon"), "--expires: 'soon' is no time"),
        (("token", "add", "a", "--expires", "2020-01-01"), "the token would have expired"),
    ],
)
def test_a_token_that_cannot_be_is_said_in_a_sentence(call, words, sentence):
    status, out, said = call(*words)
    assert (status, out, sentence in said) == (2, "", True)


def test_what_nobody_has_cannot_be_taken_back(call, engine):
    status, _, said = call("token", "revoke", "nobody")
    assert (status, "there is no token 'nobody'" in said) == (2, True)


def test_entries_are_told_newest_first(engine):
    audit.add(engine, "ann@example.org", "note.add", "two  people\njoined", now=NOW)
    audit.add(engine, audit.HERE, "harvest.start", None, now=NOW + DAY)
    told = audit.entries(engine)

    assert told["what"].tolist() == ["harvest.start", "note.add"]
    assert told["about"].isna().tolist() == [True, False]
    assert told["about"][1] == "two people joined"
    assert len(audit.entries(engine, since=NOW + DAY)) == len(audit.entries(engine, most=1)) == 1
