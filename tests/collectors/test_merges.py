"""What a merge brought: the walks against the git program, on histories drawn at random."""

import random

import pytest

from collectors.clone import Clone
from collectors.handles import Handles
from collectors.reading import Rest, look, read


def drawn(repo, dice: random.Random, commits: int) -> None:
    """A history of branches that are merged into each other in any direction, with times that run backwards, too."""
    stream, tips, numbers = ["feature done\n"], {}, 0
    for mark in range(1, commits + 1):
        name = dice.choice("abcd") if tips else "a"
        others = [other for other in tips if other != name and tips[other] != tips.get(name)]
        merged = (
            dice.sample(others, k=dice.choice([1, 1, 1, 2])) if len(others) > 1 and name in tips and dice.random() < 0.4 else []
        )
        numbers += bool(merged)
        message = f"Merge pull request #{numbers} from x/{merged[0]}" if merged else "work"
        seconds = 1_700_000_000 + dice.randrange(10_000)
        stream.append(
            f"commit refs/heads/{name}\nmark :{mark}\ncommitter A <a@example.org> {seconds} +0000\ndata {len(message)}\n{message}\n"
        )
        start = tips.get(name) or (dice.choice(list(tips.values())) if tips and dice.random() < 0.9 else None)
        stream.append(f"from :{start}\n" if start else "")
        stream += [f"merge :{tips[other]}\n" for other in merged]
        tips[name] = mark
    repo.git("fast-import", "--quiet", told="".join(stream) + "done\n")
    repo.git("symbolic-ref", "HEAD", "refs/heads/a")


@pytest.mark.parametrize("seed", range(12))
def test_a_pull_requests_commits_are_those_that_git_finds_beyond_the_first_parent(repo, seed):
    drawn(repo, random.Random(seed), commits=60)
    clone = Clone(repo.path)
    rest = next(part for part in read(clone, look(clone), Handles(b"")) if isinstance(part, Rest))
    assert rest.merged
    on_main = set(repo.git("rev-list", "a").split())
    for pull in rest.merged:
        # Not `git rev-list A ^B`: where times run backwards it may give commits that B reaches.
        found = set(repo.git("rev-list", pull.sha).split()) - set(repo.git("rev-list", f"{pull.sha}^1").split()) - {pull.sha}
        assert {sha for sha, _ in pull.commits} == found
        assert len(pull.commits) == len(found)
        times = [int(repo.git("show", "--no-patch", "--format=%at", sha)) for sha in found]
        assert pull.first == min(times, default=None)
        assert pull.default == (pull.sha in on_main)
