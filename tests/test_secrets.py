"""Secrets planted wherever a source or a person may put one: after everything has run, none is in anything that was written."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from asgi import call
from jenkins_peer import Jenkins
from pypdf import PdfReader
from starlette.applications import Starlette

from collectors.handles import Handles
from collectors.patience import Patience
from vsm import cli

ENVIRONMENT = "enV-planted-0451-token-of-the-environment"
# In the forms in which forges and trackers give them out, each another one; put together so that no scanner takes them for real.
PLANTED = {
    "commit": "ghp_" + "Commit0" * 5 + "x",
    "tag": "glpat-" + "Tag4567890" * 2,
    "remote": "remote-Password-1",
    "parameter": "github_pat_" + "Parameter0" * 4,
    "description": "xoxb-" + "1234567890-Description",
    "header": "Q2FzZS1zZW5zaXRpdmUtSGVhZGVyLTEyMw==",
    "field": "nothing tells that this is a secret but its field",
    "query": "query-Token-1",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl",
    "key": "MIIEowIBAAKCAQEAplanted",
}
PEM = f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{PLANTED['key']}\n-----END RSA {'PRIVATE'} KEY-----"


def git(folder, *arguments):
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", folder, *author, *arguments], check=True, capture_output=True)


@pytest.fixture
def planted(tmp_path, monkeypatch, served) -> tuple[Path, Jenkins]:
    """A folder with a clone and a configured Jenkins that repeat secrets in every text."""
    shop = tmp_path / "shop"
    shop.mkdir()
    git(shop, "init", "-q")
    git(shop, "remote", "add", "origin", f"https://ann:{PLANTED['remote']}@forge.example/web/shop.git")
    git(shop, "commit", "-q", "--allow-empty", "-m", f"Use {PLANTED['commit']} (#1)\n\n{PEM}\n{PLANTED['jwt']}")
    git(shop, "tag", "-a", "v1.0", "-m", f"with {PLANTED['tag']}")
    jenkins = Jenkins("ci", ENVIRONMENT)
    parameters = [
        {"_class": "x", "name": "ENV", "value": "production"},
        {"_class": "x", "name": "GITHUB", "value": PLANTED["parameter"]},
        {"_class": "x", "name": "password", "password": PLANTED["field"], "value": PLANTED["parameter"]},
    ]
    told = {"result": "SUCCESS", "timestamp": 1772443800000, "duration": 60000, "building": False, "queueId": 1}
    said = f"by {PLANTED['description']}, Authorization: Basic {PLANTED['header']}"
    actions = [{"_class": "hudson.model.ParametersAction", "parameters": parameters}]
    jenkins.build(
        "deploy", 1, description=said, displayName=f"#1 {PLANTED['parameter']}", fullDisplayName=said, actions=actions, **told
    )
    peer = served(jenkins)
    (tmp_path / "vsm.toml").write_text(
        '[[sources]]\nkind = "git"\nname = "shop"\npath = "shop"\nrelease_tags = "v*"\n'
        f'[[sources]]\nkind = "jenkins"\nname = "ci"\nurl = "{peer.url}"\nuser = "ci"\ntoken = "env:PLANTED_TOKEN"\n'
        'deploy_jobs = ["deploy"]\ndeploy_parameters = { ENV = "^prod", GITHUB = "." }\napplication = "shop"\n'
    )
    monkeypatch.setenv("PLANTED_TOKEN", ENVIRONMENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VSM_STORE", f"sqlite:///{tmp_path / 'vsm.db'}")
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    return tmp_path, jenkins


def leaks(text: bytes) -> list[str]:
    return [name for name, value in {**PLANTED, "environment": ENVIRONMENT}.items() if value.encode() in text]


def test_after_a_harvest_and_all_that_reads_it_no_planted_secret_is_anywhere(planted, capfdbinary):
    place, jenkins = planted
    assert cli.run(["collect", "--progress", "progress.json"]) == 0
    jenkins.faults += [(500, {}, f"Authorization: Bearer {ENVIRONMENT} failed for {PLANTED['header']}")] * 9
    assert cli.run(["doctor"]) in (0, 1)
    jenkins.faults[:] = [(403, {}, f"the token {ENVIRONMENT} may not, nor {PLANTED['commit']}")]
    assert cli.run(["collect", "ci", "--full"]) == 1
    jenkins.faults.clear()
    assert cli.run(["rebuild"]) == 0
    for form in ("json", "markdown"):
        assert cli.run(["report", "--format", form]) == 0
    assert cli.run(["export", "facts", "facts"]) == 0
    assert cli.run(["import", "facts", "--store", f"sqlite:///{place / 'again.db'}"]) == 0

    said = b"".join(capfdbinary.readouterr())
    assert b"forge.example" in b"".join(path.read_bytes() for path in place.glob("vsm.db*"))  # it was read, without its password
    assert leaks(said) == []
    ours = [path for path in place.rglob("*") if path.is_file() and "shop/.git" not in str(path)]
    assert {path.name for path in ours} >= {"vsm.db", "again.db", "progress.json", "commits.csv"}
    assert {path.name: leaks(path.read_bytes()) for path in ours if leaks(path.read_bytes())} == {}


def test_the_interface_tells_none(planted, capfdbinary):
    from dashboard import api

    cli.run(["collect"])
    app = Starlette(routes=api.routes())
    for path in ("/api/v1/report", "/metrics", f"/api/v1/explain/none?access_token={PLANTED['query']}"):
        assert leaks(call(app, path=path).body) == [], path
    assert leaks(b"".join(capfdbinary.readouterr())) == []


def texts(path: Path) -> bytes:
    """All that can be read in a file that was written: also within what is packed in it."""
    told = path.read_bytes()
    if path.suffix == ".pdf":
        told += "\n".join(page.extract_text() for page in PdfReader(path).pages).encode()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            told += b"\n".join(archive.read(name) for name in archive.namelist())
    return told


# One chart is enough: the texts beside the charts are the same for all.
TAKEN = {
    **{f"pack.{kind}": ["export", "pack", "{file}", "--chart", "deployment_frequency"] for kind in ("html", "pdf", "pptx", "zip")},
    **{f"chart.{kind}": ["export", "chart", "deployment_frequency", "{file}"] for kind in ("svg", "csv")},
    "log.json": ["export", "ocel", "{file}"],
    "log.xes": ["export", "xes", "{file}"],
    "tables": ["export", "csv", "{file}"],
    "facts": ["export", "facts", "{file}"],
    "backup.zip": ["backup", "{file}"],
}


def test_nothing_that_is_taken_along_has_one(planted, capfdbinary, monkeypatch):
    from dashboard.export import commands, pack_command

    place, _ = planted
    assert cli.run(["collect"]) == 0
    measured, kept = commands.measured, []
    for module in (commands, pack_command):  # all of them show the same, which is worked out once
        monkeypatch.setattr(module, "measured", lambda **options: kept[0] if kept else kept.append(measured(**options)) or kept[0])
    (place / "taken").mkdir()
    for name, words in TAKEN.items():
        assert cli.run([word.format(file=place / "taken" / name) for word in words]) == 0, name
    assert cli.run(["doctor"]) in (0, 1)
    assert cli.run(["audit", "--format", "json"]) == 0
    files = {path.relative_to(place / "taken"): texts(path) for path in (place / "taken").rglob("*") if path.is_file()}
    assert len(files) > len(TAKEN)
    read = b"".join(files.values())
    assert b"Use *** (#1)" in read  # the commit with a secret in its title, without it
    assert {path: leaks(told) for path, told in files.items() if leaks(told)} == {}
    assert leaks(b"".join(capfdbinary.readouterr())) == []


BREAKS = """
import os, sys
from collectors import git, harvest
from collectors.credentials import secret
from vsm import cli
said = secret("env:PLANTED_TOKEN", "source git: token").reveal()

def broken(*asked, **told):
    try:
        raise ValueError(f"https://ann:{os.environ['PLANTED_PASSWORD']}@forge.example/ refused {said}")
    except ValueError as error:
        raise RuntimeError(f"token={said}") from error

if sys.argv[1] == "collector":
    git.GitCollector.pages = broken
else:
    harvest.harvest = broken
cli.main(["collect"])
"""


@pytest.mark.parametrize("log", ["text", "json"])
@pytest.mark.parametrize("where", ["collector", "program"])
def test_an_error_that_nobody_expected_is_told_without_them(planted, where, log):
    place, _ = planted
    told = {"PLANTED_PASSWORD": PLANTED["remote"], "VSM_LOG": log}
    call = [sys.executable, "-c", BREAKS, where]
    done = subprocess.run(call, cwd=place, env=os.environ | told, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"RuntimeError: token=***" in done.stderr
    assert (b"ValueError" in done.stderr) is (where == "program")  # a source's failure is one sentence
    assert leaks(done.stdout + done.stderr) == []
    assert {path.name: leaks(path.read_bytes()) for path in place.glob("vsm.db*") if leaks(path.read_bytes())} == {}


WRONG = {
    "a url with a password": f'kind = "jenkins"\nurl = "https://ann:{PLANTED["remote"]}@ci.example.org"',
    "one that is none": f'kind = "jenkins"\nurl = "htps://ann:{PLANTED["remote"]}@ci.example.org"',
    "a token as it is": f'kind = "github"\nrepositories = ["a/b"]\ntoken = "{PLANTED["commit"]}"',
    "a password as it is": f'kind = "jira"\nurl = "https://j.example.org"\nprojects = ["A"]\ntoken = "{PLANTED["field"]}"',
    "a key that is none": f'kind = "jira"\nurl = "https://j.example.org"\nprojects = ["A"]\npasswort = "{PLANTED["field"]}"',
    "a token for a job": f'kind = "github"\nrepositories = ["{PLANTED["commit"]}"]',
    "a query for a url": f'kind = "jira"\nprojects = ["A"]\nurl = "https://j.example.org?token={PLANTED["query"]}"',
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
@pytest.mark.parametrize("command", ["collect", "doctor"])
def test_a_mistake_in_the_configuration_is_told_without_the_secret(tmp_path, monkeypatch, capfdbinary, mistake, command):
    monkeypatch.chdir(tmp_path)
    Path("vsm.toml").write_text(f"[[sources]]\n{WRONG[mistake]}\n")
    assert cli.run([command, "--store", f"sqlite:///{tmp_path / 'vsm.db'}"]) in (1, 2)
    said = b"".join(capfdbinary.readouterr())
    assert said
    assert leaks(said) == []


ECHO = f"Authorization: token {ENVIRONMENT} (basic {PLANTED['header']}), body {PLANTED['commit']}"
FAULTS = {
    "401": (401, {"WWW-Authenticate": f'Basic realm="{ENVIRONMENT}"'}, {"message": ECHO, "errorMessages": [ECHO]}),
    "403": (403, {}, {"message": ECHO, "errorMessages": [ECHO]}),
    "404": (404, {}, {"message": ECHO, "errorMessages": [ECHO]}),
    "500": (500, {}, ECHO),
    "no JSON": (200, {}, f"<html>{ECHO}"),
    "an error of GraphQL": (200, {}, {"data": None, "errors": [{"message": ECHO, "type": "FORBIDDEN"}], "errorMessages": [ECHO]}),
    "a redirect elsewhere": (302, {"Location": f"https://ann:{ENVIRONMENT}@elsewhere.example/?token={ENVIRONMENT}"}, ""),
    "a redirect in a circle": (302, {"Location": f"?token={ENVIRONMENT}"}, ""),
    "a long wait": (429, {"Retry-After": "7200", "X-Reason": ENVIRONMENT}, {"message": ECHO}),
}
ASKED = {
    "github": 'repositories = ["acme/shop"]\ntoken = "env:PLANTED_TOKEN"',
    "jira": 'projects = ["PAY"]\nemail = "ann@example.org"\ntoken = "env:PLANTED_TOKEN"',
    "jenkins": 'user = "ci"\ntoken = "env:PLANTED_TOKEN"',
}


wait = Patience.wait


def at_once(self, refused, attempt):
    """Wait as it does, but for no time."""
    self.pause = lambda seconds: None
    wait(self, refused, attempt)


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_source_that_fails_with_the_token_in_its_mouth_is_told_without_it(
    kind, fault, tmp_path, monkeypatch, served, capfdbinary, caplog
):
    peer = served(lambda *asked: FAULTS[fault])
    (tmp_path / "vsm.toml").write_text(f'[[sources]]\nkind = "{kind}"\nurl = "{peer.url}"\n{ASKED[kind]}\n')
    monkeypatch.setenv("PLANTED_TOKEN", ENVIRONMENT)
    monkeypatch.setattr(Patience, "wait", at_once)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VSM_STORE", f"sqlite:///{tmp_path / 'vsm.db'}")
    monkeypatch.delenv("VSM_CONFIG", raising=False)
    assert cli.run(["collect", "--progress", "progress.json"]) == 1
    said = b"".join(capfdbinary.readouterr())
    assert peer.requests
    assert said
    assert leaks(said + caplog.text.encode()) == []
    assert {path.name: leaks(path.read_bytes()) for path in tmp_path.iterdir() if leaks(path.read_bytes())} == {}


def test_a_stores_password_is_in_no_error(tmp_path, capfdbinary):
    for url in (
        f"postgresql://ann:{PLANTED['remote']}@127.0.0.1:1/vsm",
        f"mysql://ann:{PLANTED['remote']}@h/x",
        f"x:{PLANTED['jwt']}",
    ):
        assert cli.run(["report", "--store", url]) != 0
    assert leaks(b"".join(capfdbinary.readouterr())) == []


def test_an_answer_is_kept_without_the_secrets_in_it_and_otherwise_as_it_is():
    answer = {
        "key": "PAY-1", "url": "https://example.org/x?page=2", "n": 3, "none": None,
        "private_token": PLANTED["field"],
        "hooks": [{"config": {"secret": PLANTED["field"], "url": f"https://h.example/?token={PLANTED['query']}"}}],
        "body": f"curl -H 'Authorization: token {PLANTED['header']}' https://u:{PLANTED['remote']}@h/ {PEM}",
    }  # fmt: skip
    told = Handles(b"").scrubbed(answer)
    assert leaks(json.dumps(told).encode()) == []
    assert {name: told[name] for name in ("key", "url", "n", "none")} == {
        name: answer[name] for name in ("key", "url", "n", "none")
    }


@pytest.mark.parametrize(
    "text",
    [
        "Rotate the token: it leaks", "token=", "Authorization is missing", "glacier-melting-project-of-2026-in-winter",
        "https://example.org/a@b/c:d", "ssh://git@example.org:22/x", "Basic understanding of bearer tokens", "a@b: c@d",
        "eyJ is how a JWT begins", "a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d0", "feature/ghp_short", "glance-at-the-picture",
    ],
)  # fmt: skip
def test_plain_words_stay_as_they_are(text):
    assert Handles(b"").scrub(text) == text
