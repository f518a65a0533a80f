"""`vsm collect` as a program: what it says, where, and how it ends."""

import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collectors.clone import Clone
from collectors.handles import Handles, handles
from collectors.reading import WISH, Ahead

PROGRAM = [sys.executable, "-c", "from vsm.cli import main; main()"]


@pytest.fixture
def vsm(tmp_path):
    """Runs the program in a folder; gives its status, output and errors."""

    def run(*arguments: str, folder: Path = tmp_path) -> tuple[int, str, str]:
        done = subprocess.run([*PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def timeless(said: str) -> str:
    """What was said, whatever time it took."""
    return re.sub(r"\b\d+\.\d s\b", "T s", said)


def configure(folder: Path, *paths: str) -> None:
    tables = (f'[[sources]]\nkind = "git"\nname = "{path}"\npath = "{path}"\nrelease_tags = "v*"\n' for path in paths)
    (folder / "vsm.toml").write_text("\n".join(tables))


def test_a_harvest_says_what_it_read_of_which_refs_and_a_second_one_that_nothing_is_new(repo, tmp_path, vsm):
    repo.commit("Sort the cart (#1)")
    repo.tag("v1")
    configure(tmp_path, "shop")
    status, out, err = vsm("collect")
    assert status == 0
    assert timeless(out) == (
        "shop: all refs of shop (1 branch, 1 tag): 1 commits, 1 repositories, 1 tags, 1 deployments, 1 pull requests read;"
        " 5 rows new, 0 changed, 0 as they were; 2 requests, T s\n"
    )
    assert err.splitlines()[:3] == [
        "shop: all refs of shop (1 branch, 1 tag)",
        "shop: shop: commits, 1",
        "shop: shop: tags and pull requests, 1 of 1",
    ]
    status, out, _ = vsm("collect", "git")
    assert (status, timeless(out)) == (0, "shop: all refs of shop (1 branch, 1 tag): nothing new; 0 requests, T s\n")


def test_one_source_down_leaves_the_other_done_and_status_1_says_what_to_do(repo, tmp_path, vsm):
    repo.commit()
    configure(tmp_path, "nowhere", "shop")
    status, out, err = vsm("collect")
    assert status == 1
    assert "shop: all refs of shop (1 branch): 1 commits" in out
    assert f"vsm: 1 of 2 sources failed, the rest is saved:\n  nowhere: {tmp_path}/nowhere is not there" in err
    assert err.endswith("when that is put right: vsm collect nowhere\n")


LOCKED = {
    "jenkins": 'url = "http://127.0.0.1:9"\nuser = "env:NO_SUCH_USER"\ntoken = "env:NO_SUCH_TOKEN"\n',
    "jira": 'url = "http://127.0.0.1:9"\nprojects = ["PAY"]\nemail = "env:NO_SUCH_USER"\ntoken = "env:NO_SUCH_TOKEN"\n',
    "github": 'repositories = ["acme/shop"]\ntoken = "env:NO_SUCH_TOKEN"\n',
}


def test_a_missing_secret_fails_its_source_alone(repo, tmp_path, vsm):
    repo.commit()
    locked = "".join(f'[[sources]]\nkind = "{kind}"\n{keys}\n' for kind, keys in LOCKED.items())
    (tmp_path / "vsm.toml").write_text(locked + '[[sources]]\nkind = "git"\npath = "shop"\n')
    status, out, err = vsm("collect")
    assert status == 1
    assert "git: all refs of shop (1 branch): 1 commits" in out
    assert err.split("vsm: ")[1] == (
        "3 of 4 sources failed, the rest is saved:\n"
        "  jenkins: source jenkins: user: the environment variable NO_SUCH_USER is not set; set it, or name another\n"
        "  jira: source jira: email: the environment variable NO_SUCH_USER is not set; set it, or name another\n"
        "  github: source github: token: the environment variable NO_SUCH_TOKEN is not set; set it, or name another\n"
        "  when that is put right: vsm collect jenkins jira github\n"
    )
    status, out, _ = vsm("rebuild")
    assert (status, "jenkins: 0 raw records told again" in out) == (0, True)
    status, out, _ = vsm("doctor")
    assert [kind for kind in LOCKED if f"WRONG {kind}: source {kind}: " in out] == list(LOCKED)
    assert "well  git: all refs of shop (1 branch)" in out


def test_a_mistake_in_the_file_stops_all_before_anything_is_asked(repo, tmp_path, vsm):
    repo.commit()
    (tmp_path / "vsm.toml").write_text(
        '[[sources]]\nkind = "git"\npath = "shop"\n[[sources]]\nkind = "github"\nrepositories = ["a/b"]\ntoken = "keyring:vsm"\n'
    )
    status, out, err = vsm("collect")
    assert (status, out) == (2, "")
    assert 'source github: token: expected "keyring:service/user", but there is no user' in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["collect", "jira"], "no such source: jira; configured are shop (git)"),
        (["collect", "--since", "yesterday"], "--since 'yesterday' is no time: expected a date (2026-03-02)"),
        (["collect", "--since", "2026-03-02T09:00"], "has no offset: expected such as 2026-03-02T09:00Z"),
        (["collect", "--config", "nowhere.toml"], "nowhere.toml"),
        (["collect", "--store", "nonsense"], "expected such as sqlite:///"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_status_2(tmp_path, vsm, arguments, sentence):
    configure(tmp_path, "shop")
    status, out, err = vsm(*arguments)
    assert (status, out) == (2, "")
    assert sentence in err


def test_an_unknown_kind_and_an_unknown_key_are_sentences(tmp_path, vsm):
    (tmp_path / "vsm.toml").write_text('[[sources]]\nkind = "cvs"\n')
    status, _, err = vsm("collect")
    assert status == 2
    assert "source cvs: no such kind: cvs; there are " in err
    (tmp_path / "vsm.toml").write_text('[[sources]]\nkind = "git"\nfolder = "x"\n')
    status, _, err = vsm("collect")
    assert (status, "no such key: folder; a git source has path" in err) == (2, True)


def test_without_a_configuration_or_a_clone_it_shows_the_lines_to_write(tmp_path, vsm):
    status, _, err = vsm("collect")
    assert status == 2
    assert '[[sources]]\nkind = "git"\npath = "../service"\nrelease_tags = "v*"\n' in err
    (tmp_path / "vsm.toml").write_text('timezone = "UTC"\n')
    assert "vsm.toml names no sources" in vsm("collect")[2]


def test_a_folder_that_is_a_clone_needs_no_configuration(repo, shelf, vsm, tmp_path):
    repo.commit()
    for tag in ("v1.2.3", "1.3", "1.4rc1", "v2.0-beta", "nightly"):
        repo.tag(tag)
    status, _, err = vsm("collect", "git", "--store", f"sqlite:///{tmp_path / 'store.db'}", folder=repo.path)
    assert status == 0
    assert "no vsm.toml here: this folder is a git clone and is taken as the only source" in err
    assert {row["ref"] for row in shelf.rows("deployments")} == {"v1.2.3", "1.3"}


def test_a_date_is_the_days_first_moment_in_the_reporting_zone(repo, shelf, vsm, tmp_path):
    repo.commit("before midnight", GIT_COMMITTER_DATE="2026-03-02T22:59:59Z")
    repo.commit("midnight in Vienna", GIT_COMMITTER_DATE="2026-03-02T23:00:00Z")
    configure(tmp_path, "shop")
    (tmp_path / "vsm.toml").write_text('timezone = "Europe/Vienna"\n' + (tmp_path / "vsm.toml").read_text())
    vsm("collect", "--since", "2026-03-03", "--store", f"sqlite:///{tmp_path / 'store.db'}")
    assert [row["message"] for row in shelf.rows("commits")] == ["midnight in Vienna"]


def test_on_a_terminal_there_is_a_bar(repo, tmp_path):
    repo.commit()
    configure(tmp_path, "shop")
    terminal, end = pty.openpty()
    process = subprocess.Popen([*PROGRAM, "collect"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=end)
    os.close(end)
    shown = b""
    while process.poll() is None or len(shown) == 0:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    assert process.communicate()[0].startswith(b"shop: all refs of shop")
    assert process.returncode == 0
    assert "━".encode() in shown
    assert b"1/1" in shown


def test_a_harvest_reads_ahead_the_same_as_it_reads_itself(repo, shelf, fresh, vsm, tmp_path):
    repo.commit("Größe\n\n漢字")
    repo.branch("work")
    repo.commit()
    repo.switch("main")
    repo.merge("work", message="Merge pull request #1 from ann/work")
    repo.tag("v1", "-a", "-m", "One")
    configure(tmp_path, "shop")
    url = f"sqlite:///{tmp_path / 'ahead.db'}"
    vsm("collect", "--store", url)
    shelf.who = handles(url, None)
    shelf.collect(repo.path, release_tags="v*")
    from vsm import store

    ahead = fresh()
    ahead.engine = store.open_store(f"sqlite:///{tmp_path / 'ahead.db'}")
    assert ahead.everything() == shelf.everything()


def test_nothing_in_the_working_folder_is_run_when_reading_ahead(repo, tmp_path, vsm):
    repo.commit()
    (tmp_path / "marshal.py").write_text("raise SystemExit('run!')")
    (tmp_path / "collectors").mkdir()
    (tmp_path / "collectors" / "__init__.py").write_text("raise SystemExit('run!')")
    repo_clone = Clone(repo.path)
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        ahead = Ahead(repo_clone, Handles(b"a key"), WISH)
        assert ahead.look().refs.default == "main"
        assert [type(part).__name__ for part in ahead.read()] == ["Batch", "Rest"]
    finally:
        os.chdir(before)


def test_a_killed_harvest_is_completed_by_the_next(repo, shelf, fresh, tmp_path, vsm):
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@example.org> {1_700_000_000 + n} +0000\ndata 9\nwork {n:4}\n" for n in range(9000)
    )
    repo.git("fast-import", "--quiet", told=stream)
    configure(tmp_path, "shop")
    store_url = f"sqlite:///{tmp_path / 'store.db'}"
    process = subprocess.Popen([*PROGRAM, "collect", "--store", store_url], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "commits, 5,000" in line:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(shelf.rows("commits")) in (5000, 9000)
    assert vsm("collect", "--store", store_url)[0] == 0
    other = fresh()
    other.who = handles(store_url, None)
    other.collect(repo.path, release_tags="v*", name="shop")
    assert len(shelf.rows("commits")) == 9000
    assert shelf.everything() == other.everything()


def test_ctrl_c_ends_it_without_a_traceback(repo, tmp_path):
    repo.commit()
    configure(tmp_path, "shop")
    # A git that takes its time stands for a harvest that does.
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text(
        '#!/bin/sh\ncase "$*" in *"log -z"*) sleep 30;; esac\nexec /usr/bin/env -i PATH=/usr/bin:/bin git "$@"\n'
    )
    (slow / "git").chmod(0o755)
    (tmp_path / "store.db").touch()  # a store that is there: nothing is read ahead
    process = subprocess.Popen(
        [*PROGRAM, "collect", "--store", f"sqlite:///{tmp_path / 'store.db'}"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PATH": f"{slow}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert "all refs of shop" in process.stderr.readline()
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_the_harvest_of_a_clone_loads_nothing_that_only_other_sources_screens_and_reports_need(repo, tmp_path):
    repo.commit()
    configure(tmp_path, "shop")
    collected = "import sys; from vsm.cli import run; run(['collect']); print(*sys.modules)"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", collected], cwd=tmp_path, capture_output=True, text=True, check=True)
        loaded = set(done.stdout.splitlines()[-1].split())
        assert {"vsm.sqlite_store", "collectors.git", "collectors.harvest"} <= loaded
        assert not {"vsm.store", "vsm.models", "sqlalchemy", "sqlmodel", "alembic", "pandas", "rich"} & loaded


def test_collecting_loads_nothing_that_only_screens_and_reports_need():
    loaded = "import sys, collectors.commands, collectors.git, collectors.harvest, vsm.store; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pandas", "numpy", "pyarrow", "streamlit", "networkx", "altair", "alembic", "rich"} & set(told)


def test_a_store_that_is_none_of_ours_is_refused_with_a_sentence(repo, tmp_path, vsm):
    repo.commit()
    configure(tmp_path, "shop")
    with sqlite3.connect(tmp_path / "vsm.db") as connection:
        connection.execute("CREATE TABLE moz_places (id INTEGER)")
    connection.close()
    status, out, err = vsm("collect")
    assert (status, out) == (2, "")
    assert "has tables but is not a store of this program: give another --store" in err


def test_a_store_whose_name_is_written_with_percent_signs_is_one_file_with_its_key(repo, tmp_path, vsm):
    repo.commit()
    configure(tmp_path, "shop")
    for _ in range(2):
        assert vsm("collect", "--store", "sqlite:///our%20store.db")[0] == 0
    assert vsm("report", "--store", "sqlite:///our%20store.db")[0] == 0
    assert {path.name for path in tmp_path.glob("our*")} == {"our store.db", "our store.db.key", "our store.db.harvest.log"}
