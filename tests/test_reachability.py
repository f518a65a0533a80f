"""What each deployment brought, against the git program: `git rev-list` of this one without all before it, to the last commit."""

import random
import subprocess
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from vsm import cli, store
from vsm.brought import REACHED
from vsm.config import Config
from vsm.copies import LIKE
from vsm.links import Links, link
from vsm.people import People

CONFIG = '[[sources]]\nkind = "git"\npath = "clone"\nrepository = "project"\napplication = "project"\nrelease_tags = "*"\n'


def git(clone: Path, *arguments: str, given: bytes | None = None) -> str:
    ran = subprocess.run(["git", "-C", str(clone), *arguments], input=given, stdout=subprocess.PIPE, check=True)
    return ran.stdout.decode()


def linked(facts: store.Facts) -> Links:
    return link(facts, Config(), People.of(facts))


def by_git(clone: Path, tips: list[str]) -> list[set[str]]:
    """The commits that each tip reaches and none before it did."""
    return [set(git(clone, "rev-list", tip, "--not", *tips[:place]).split()) for place, tip in enumerate(tips)]


def told(made: Links) -> tuple[list[str], list[set[str]], list[set[str]]]:
    """The deployed commits in order, the landing commits that each brought by reach, and those that came by a copy before."""
    landing = made.changes.dropna(subset="sha").set_index("change")["sha"]
    good = made.deployments.dropna(subset="sha")
    brought = pd.concat([made.deployment_changes, made.settled_changes.assign(rule=REACHED)])
    of = brought.groupby(["rule", "deployment"])["change"].agg(lambda names: {landing[name] for name in names}).to_dict()
    reached = [of.get((REACHED, key), set()) for key in good["id"]]
    return list(good["sha"]), reached, [of.get((LIKE, key), set()) for key in good["id"]]


@pytest.mark.parametrize(("name", "releases"), [("pytest", 224), ("alloy", 163)])
def test_every_release_of_a_real_history_brought_what_git_says(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, releases: int
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(clone)], check=True)
    git(
        clone,
        "fast-import",
        "--quiet",
        given=zlib.decompress((recorded / "git_history" / f"{name}-history.fi.gz").read_bytes(), wbits=31),
    )
    (tmp_path / "vsm.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["collect", "git"]) == 0
    with store.opened("sqlite:///vsm.db", create=False) as engine:
        made = linked(store.facts(engine))
    tips, reached, copied = told(made)
    landing = set(made.changes["sha"].dropna())
    first, *later = zip(by_git(clone, tips), reached, copied, strict=True)
    before = first[1] - first[0]  # what the first one holds as a copy is settled with the rest
    assert first[1] - before == first[0] & landing
    for fresh, ours, copies in later:
        assert ours == (fresh & landing) - before - copies
        before |= copies
    assert len(tips) == releases
    assert sum(map(len, reached)) > 500


def test_copies_in_a_real_history_have_the_subject_and_author_date_of_what_they_copy(recorded: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(clone)], check=True)
    stream = zlib.decompress((recorded / "git_history" / "pytest-history.fi.gz").read_bytes(), wbits=31)
    git(clone, "fast-import", "--quiet", given=stream)
    (tmp_path / "vsm.toml").write_text(CONFIG.replace('"clone"', f'"{clone}"'))
    place = ["--store", f"sqlite:///{tmp_path / 'vsm.db'}", "--config", str(tmp_path / "vsm.toml")]
    assert cli.run(["collect", "git", *place]) == 0
    with store.opened(place[1], create=False) as engine:
        made = linked(store.facts(engine))
    of = made.change_commits.groupby("change")["sha"].agg(list)
    tags = made.deployments.set_index("id")["sha"]
    rows = made.deployment_changes[made.deployment_changes["rule"] == LIKE]
    assert len(rows) > 50
    for row in rows.iloc[::8].itertuples():
        shown = git(clone, "show", "--no-patch", "--format=%at %s", *of[row.change]).splitlines()
        there = set(git(clone, "log", "--format=%at %s", tags[row.deployment]).splitlines())
        assert set(shown) & there


@pytest.mark.parametrize("seed", range(4))
def test_every_deployment_of_a_made_history_brought_what_git_says(tmp_path: Path, seed: int) -> None:
    """Branches merged into each other in any direction, deployed in any order: forward, back, again, from any branch."""
    dice, clone = random.Random(seed), tmp_path / "clone"
    subprocess.run(["git", "init", "--quiet", "-b", "a", str(clone)], check=True)
    stream, tips = ["feature done\n"], {}
    for mark in range(1, 121):
        name = dice.choice("abcd") if tips else "a"
        others = [tip for other, tip in tips.items() if other != name and tip != tips.get(name)]
        merged = dice.sample(others, k=dice.choice([1, 1, 2])) if len(others) > 1 and name in tips and dice.random() < 0.4 else []
        start = tips.get(name) or (dice.choice(list(tips.values())) if tips else None)
        stream.append(f"commit refs/heads/{name}\nmark :{mark}\ncommitter A <a@example.org> {1_700_000_000 + mark} +0000\n")
        stream.append(f"data 4\nwork\n{f'from :{start}' if start else ''}\n" + "".join(f"merge :{tip}\n" for tip in merged))
        tips[name] = mark
    git(clone, "fast-import", "--quiet", given="".join([*stream, "done\n"]).encode())
    at = datetime(2026, 3, 2, tzinfo=UTC)
    commits = [line.split(" ", 1) for line in git(clone, "log", "--all", "--format=%H %P").splitlines()]
    rows = [
        {"repository": "shop", "sha": sha, "parents": parents, "authored_at": at, "committed_at": at} for sha, parents in commits
    ]
    chosen = [dice.choice(commits)[0] for _ in range(25)]
    runs = [
        {
            "id": f"d{place:02}", "application": "shop", "environment": "production", "repository": "shop", "sha": sha,
            "finished_at": at + timedelta(hours=place), "result": "success",
        }
        for place, sha in enumerate(chosen)
    ]  # fmt: skip
    made = linked(store.Facts.of(commits=rows, deployments=runs))
    tips_told, reached, _ = told(made)
    landing = set(made.changes["sha"].dropna())
    assert tips_told == chosen
    assert reached == [fresh & landing for fresh in by_git(clone, chosen)]
    assert sum(map(len, reached)) > 20
