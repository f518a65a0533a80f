"""An export appears whole or not at all, replaces nothing unasked, and clears what a killed one left behind."""

import errno
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from vsm.errors import UsageError, WorkError
from vsm.outfiles import whole_file, whole_folder

HALF_A_FILE = """
    import sys, time
    from pathlib import Path
    from vsm.outfiles import whole_file
    with whole_file(Path(sys.argv[1]), force=True) as draft:
        with open(draft, "w") as out:
            out.write("half")
            out.flush()
            print("begun", flush=True)
            time.sleep(60)
"""
HALF_A_FOLDER = """
    import sys, time
    from pathlib import Path
    from vsm.outfiles import whole_folder
    with whole_folder(Path(sys.argv[1]), ["a.csv", "b.csv"], force=True) as draft:
        (draft / "a.csv").write_text("half")
        print("begun", flush=True)
        time.sleep(60)
"""


def begun(program: str, target: Path) -> "subprocess.Popen[str]":
    """An export that has written a half of what it wants to, and goes on."""
    running = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), target], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    return running


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, text: str, force: bool = False) -> None:
    with whole_file(path, force) as draft:
        draft.write_text(text)


def fails_halfway(path: Path, error: Exception) -> None:
    with whole_file(path, force=True) as draft:
        draft.write_text("half")
        raise error


def test_a_file_takes_its_name_when_it_is_whole(tmp_path):
    with whole_file(tmp_path / "log.json", force=False) as draft:
        draft.write_text("all")
        assert not (tmp_path / "log.json").exists()
    assert (tmp_path / "log.json").read_text() == "all"
    assert names(tmp_path) == ["log.json"]


def test_a_file_that_is_there_is_replaced_only_when_told_to(tmp_path):
    (tmp_path / "log.json").write_text("mine")
    with pytest.raises(UsageError, match=r"log.json is there already: give another name, or --force to replace it"):
        write(tmp_path / "log.json", "new")
    assert (tmp_path / "log.json").read_text() == "mine"
    write(tmp_path / "log.json", "new", force=True)
    assert (tmp_path / "log.json").read_text() == "new"


def test_a_file_that_somebody_makes_meanwhile_is_not_replaced(tmp_path):
    def raced() -> None:
        with whole_file(tmp_path / "x", force=False) as draft:
            draft.write_text("mine")
            (tmp_path / "x").write_text("theirs")

    with pytest.raises(UsageError, match="made by another program meanwhile"):
        raced()
    assert (tmp_path / "x").read_text() == "theirs"
    assert names(tmp_path) == ["x"]


def test_a_link_stays_one_and_what_it_names_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "log").write_text("old")
    (tmp_path / "log").symlink_to(tmp_path / "there" / "log")
    write(tmp_path / "log", "new", force=True)
    assert (tmp_path / "log").is_symlink()
    assert (tmp_path / "there" / "log").read_text() == "new"


def test_an_export_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "log").write_text("old")
    with pytest.raises(ZeroDivisionError):
        fails_halfway(tmp_path / "log", ZeroDivisionError())
    assert (tmp_path / "log").read_text() == "old"
    assert names(tmp_path) == ["log"]


@pytest.mark.parametrize("place", ["nowhere/log.json", "file/log.json"])
def test_a_place_that_cannot_be_is_refused_in_a_sentence(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written \(.+\); give a place that can be written"):
        write(tmp_path / place, "all")


def test_a_full_disk_is_no_fault_of_the_call(tmp_path):
    with pytest.raises(WorkError, match=r"log: cannot be written \(No space left on device\): nothing is there"):
        fails_halfway(tmp_path / "log", OSError(errno.ENOSPC, "No space left on device"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_killed_export_leaves_a_draft_at_most_and_the_next_one_clears_it(tmp_path, how, before):
    target = tmp_path / "log [1].json"
    if before is not None:
        target.write_text(before)
    running = begun(HALF_A_FILE, target)
    running.send_signal(how)
    running.communicate()
    assert (target.read_text() if target.exists() else None) == before
    left = [name for name in names(tmp_path) if name != target.name]
    assert len(left) == 1
    assert left[0].startswith(".log [1].json.")
    write(target, "new", force=True)
    assert names(tmp_path) == [target.name]


def test_a_draft_of_an_export_that_still_runs_is_left_alone(tmp_path):
    target = tmp_path / "log"
    running = begun(HALF_A_FILE, target)
    write(target, "ours")
    assert len(names(tmp_path)) == 2
    running.kill()
    running.communicate()


def test_a_killed_export_of_a_folder_leaves_no_folder_and_the_next_one_clears_its_draft(tmp_path):
    running = begun(HALF_A_FOLDER, tmp_path / "out")
    running.kill()
    running.communicate()
    assert not (tmp_path / "out").exists()
    assert len(names(tmp_path)) == 1
    with whole_folder(tmp_path / "out", ["a.csv"], force=False) as draft:
        (draft / "a.csv").write_text("all")
    assert names(tmp_path) == ["out"]


def test_a_folder_keeps_what_is_not_ours_and_each_file_is_replaced_as_a_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    for text in ("one", "two"):
        with whole_folder(tmp_path / "out", ["a.csv"], force=text == "two") as draft:
            (draft / "a.csv").write_text(text)
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {"mine.txt": "mine", "a.csv": "two"}
    assert names(tmp_path) == ["out"]
