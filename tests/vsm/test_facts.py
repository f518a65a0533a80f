"""The facts folder: a round trip changes nothing, a bad row refuses the folder and says where and why."""

import json
import shutil
import string
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from vsm import cli, facts, store
from vsm.errors import UsageError, WorkError
from vsm.facts import FolderError
from vsm.models import RESULTS, TABLES, Fact, columns, kind, required

HEADER = "key,title,created_at"
AT = "2026-03-02T09:30:00Z"


def clock() -> datetime:
    return datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "facts"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Engine]:
    """Makes empty stores, by copying one: quicker than migrating each."""
    template = tmp_path_factory.mktemp("store") / "empty.db"
    store.open_store(f"sqlite:///{template}").dispose()

    def make(folder: Path) -> Engine:
        path = folder / f"store-{len(list(folder.iterdir()))}.db"
        shutil.copy(template, path)
        return store.open_store(f"sqlite:///{path}")

    return make


@pytest.fixture
def engine(kept: str) -> Iterator[Engine]:
    with store.opened(kept) as made:
        yield made


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode())


def load(engine: Engine, folder: Path) -> facts.Loaded:
    return facts.load(engine, facts.check(folder), clock)


def refusal(folder: Path) -> list[str]:
    """What is wrong with a folder, a line each; the first line counts."""
    with pytest.raises(FolderError) as caught:
        facts.check(folder)
    return [line.strip() for line in str(caught.value).splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# The way in. ---


def test_every_table_is_read_from_csv(engine: Engine, folder: Path) -> None:
    for name, table in TABLES.items():
        write(folder, f"{name}.csv", ",".join(columns(table)), ",".join(example(table, column) for column in columns(table)))
    loaded = load(engine, folder)
    assert loaded.rows == loaded.changed == dict.fromkeys(TABLES, 1)
    assert set(store.facts(engine).tickets["origin"]) == {"import"}


def test_every_table_is_read_from_jsonl(engine: Engine, folder: Path) -> None:
    for name, table in TABLES.items():
        row = {column: 7 if kind(table, column) == "number" else example(table, column) for column in columns(table)}
        write(folder, f"{name}.jsonl", json.dumps(row))
    assert load(engine, folder).changed == dict.fromkeys(TABLES, 1)


def example(table: type[Fact], column: str) -> str:
    return "success" if column == "result" else {"text": f"some {column}", "time": AT, "number": "7"}[kind(table, column)]


def test_importing_twice_changes_nothing(engine: Engine, folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"PAY-1,Pay by card,{AT}", f"PAY-2,,{AT}")
    assert load(engine, folder).changed == {"tickets": 2}
    assert load(engine, folder) == facts.Loaded(rows={"tickets": 2}, changed={"tickets": 0})


def test_only_what_differs_counts_as_changed(engine: Engine, folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"PAY-1,Pay by card,{AT}", f"PAY-2,,{AT}")
    load(engine, folder)
    write(folder, "tickets.csv", HEADER, f"PAY-1,Pay by cheque,{AT}", f"PAY-2,,{AT}", f"PAY-3,,{AT}")
    assert load(engine, folder).changed == {"tickets": 2}


def test_references_to_rows_that_are_not_there_are_kept(engine: Engine, folder: Path) -> None:
    write(folder, "transitions.csv", "ticket,at,to_status", f"GONE-1,{AT},Done")
    load(engine, folder)
    assert list(store.facts(engine).transitions["ticket"]) == ["GONE-1"]


def test_an_import_is_recorded_as_a_harvest(engine: Engine, folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"PAY-1,,{AT}")
    load(engine, folder)
    told = store.harvests(engine).iloc[0]
    assert (told["source"], told["kind"], told["status"], told["rows"], told["changed"]) == ("import", "import", "done", 1, 1)


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        pytest.param("\ufeffkey,created_at,title\nA,{at},x\n", ["x"], id="a byte order mark"),
        pytest.param("key,created_at,title\r\nA,{at},x\r\n", ["x"], id="line ends of Windows"),
        pytest.param("key,created_at,title\nA,{at},x", ["x"], id="no line end after the last row"),
        pytest.param("key,created_at,title\n\nA,{at},x\n\n\n", ["x"], id="empty lines between"),
        pytest.param('key,created_at,title\nA,{at},"a\r\nb"\n', ["a\r\nb"], id="a line end in a cell stays as it is"),
        pytest.param("key,created_at,title\nA,{at}, x \n", [" x "], id="spaces are part of a text"),
        pytest.param('key,created_at,title\nA,{at},say "hi"\n', ['say "hi"'], id="quotes within an unquoted cell"),
        pytest.param("key,created_at,title\nA,{at},\nB,{at},NaN\n", [None, "NaN"], id="empty is missing, NaN is a text"),
        pytest.param("key,created_at,title\nA,{at},x\nA,{at},x\n", ["x"], id="the same row twice counts once"),
        pytest.param("key,created_at\nA,{at}\n", [None], id="an optional column may be absent"),
        pytest.param("key,created_at,title\n", [], id="a header alone is no rows"),
        pytest.param("key,created_at,title\nA,{at}," + "x" * 200_000 + "\n", ["x" * 200_000], id="a very long cell"),
    ],
)
def test_what_csv_may_look_like(engine: Engine, folder: Path, text: str, titles: list[str | None]) -> None:
    (folder / "tickets.csv").write_bytes(text.replace("{at}", AT).encode())
    rows = load(engine, folder).rows["tickets"]
    assert [None if pd.isna(title) else title for title in store.facts(engine).tickets["title"]] == titles
    assert rows == len(titles)


def test_jsonl_may_have_empty_lines_nulls_and_a_byte_order_mark(engine: Engine, folder: Path) -> None:
    lines = ["\ufeff" + json.dumps({"key": "A", "created_at": AT, "title": None}), "", json.dumps({"key": "B", "created_at": AT})]
    write(folder, "tickets.jsonl", *lines)
    assert load(engine, folder).rows == {"tickets": 2}


def test_files_that_are_no_facts_are_left_alone(engine: Engine, folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"PAY-1,,{AT}")
    for name in ("TRUTHS.md", "vsm.toml", "notes.json", ".~lock.tickets.csv", ".hidden.csv"):
        write(folder, name, "not for us")
    (folder / "more").mkdir()
    assert load(engine, folder).rows == {"tickets": 1}


# What is refused. ---


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param("A,,2026-03-02T09:30:00", "column created_at: got '2026-03-02T09:30:00', expected a time", id="no offset"),
        pytest.param("A,,2026-02-30T09:30:00Z", "got '2026-02-30T09:30:00Z', expected a time in ISO 8601", id="no such day"),
        pytest.param("A,,", "column created_at: got nothing, expected a time in ISO 8601 with an offset or Z", id="missing"),
        pytest.param(f",x,{AT}", "column key: got nothing, expected text (it may not be missing)", id="no key"),
        pytest.param("A,x", "got 'A,x', expected 3 cells, as many as the header has, and not 2", id="too few cells"),
        pytest.param(f"A,x,{AT},y", "expected 3 cells, as many as the header has, and not 4", id="too many cells"),
        pytest.param(f'"A"x,y,{AT}', "expected quotes inside a quoted cell to be doubled", id="a stray quote"),
        pytest.param(f"A,a\0b,{AT}", r"column title: got 'a\x00b', expected text that is UTF-8 and has no NUL", id="NUL"),
        pytest.param("A,,0001-01-01T00:00:00+09:00", "column created_at: got '0001-01-01T00:00:00+09:00'", id="before the year 1"),
    ],
)
def test_a_bad_row_is_named_with_what_was_expected(folder: Path, row: str, said: str) -> None:
    write(folder, "tickets.csv", HEADER, f"OK-1,,{AT}", row, f"OK-2,,{AT}")
    first, *problems = refusal(folder)
    assert first == f"{folder}: one problem, nothing was loaded"
    assert problems[0].startswith("tickets.csv, line 3")
    assert said in problems[0]


def test_a_row_over_several_lines_is_named_by_its_first(folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f'A,"two\nlines",{AT}', '"B","more\r\nlines\n",yesterday', "C,,today")
    assert [problem.partition(":")[0] for problem in refusal(folder)[1:]] == [
        "tickets.csv, line 4, column created_at",
        "tickets.csv, line 7, column created_at",
    ]


def test_all_problems_are_told_at_once(folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, ",,", "B,,x")
    write(folder, "pull_requests.csv", "repository,number,additions", "svc,1.5,many")
    write(folder, "builds.jsonl", json.dumps({"id": "1", "job": 2, "started_at": AT, "result": "SUCCESS", "colour": "red"}))
    assert [problem.partition(":")[0] for problem in refusal(folder)[1:]] == [
        "tickets.csv, line 2, column key",
        "tickets.csv, line 2, column created_at",
        "tickets.csv, line 3, column created_at",
        "pull_requests.csv, line 2, column number",
        "pull_requests.csv, line 2, column additions",
        "builds.jsonl, line 1, column job",
        "builds.jsonl, line 1, column result",
        "builds.jsonl, line 1, column colour",
    ]


def test_more_than_fifty_problems_are_counted(folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, *(f"A-{n},,never" for n in range(1_234)))
    said = refusal(folder)
    assert said[0].endswith("1,234 problems, nothing was loaded")
    assert len(said) == 1 + 50 + 1
    assert said[-1] == "and 1,184 more"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("ticket.csv", b"", "ticket.csv: got a file that is no table, expected one of tickets, trans", id="no table"),
        pytest.param("Tickets.CSV", b"", "Tickets.CSV: got a file that is no table", id="names are lower case"),
        pytest.param("tickets.csv", b"", "tickets.csv, line 1: got no header, expected one such as key,title", id="empty file"),
        pytest.param("tickets.csv", b"key,created_at,colour\n", "column colour: got no such column, expected one of", id="unknown"),
        pytest.param("tickets.csv", b"key,created_at,origin\n", "column origin: got no such column", id="our own column"),
        pytest.param("tickets.csv", b"key,key,created_at\n", "column key: got it twice, expected each column once", id="twice"),
        pytest.param("tickets.csv", b"title,created_at\n", "column key: got nothing, expected a column of this name", id="key"),
        pytest.param("tickets.csv", b"key;created_at\n", "got 'key;created_at', expected commas between columns", id="semicolons"),
        pytest.param(
            "tickets.csv", "key,created_at".encode("utf-16"), "line 1: got bytes that are no text, expected UTF-8", id="16"
        ),
        pytest.param("tickets.csv", b'key,created_at\nA,"2026\nB,\n', "line 2: got a quote that is never closed", id="open quote"),
        pytest.param(
            "tickets.csv", b"key,created_at,title\nA,2026-03-02T09:30Z,M\xfcller\n", r"'M\udcfcller', expected text", id="latin"
        ),
        pytest.param("tickets.jsonl", b"[1]\n", "line 1: got '[1]', expected a JSON object", id="an array"),
        pytest.param(
            "tickets.jsonl", b"{'a': 1}\n", """line 1: got "{'a': 1}", expected one JSON object on a line""", id="no JSON"
        ),
        pytest.param("tickets.jsonl", b'{"key": "a", "key": "b"}\n', "(with each column once)", id="a column twice"),
        pytest.param("tickets.jsonl", b"[" * 100_000, "expected one JSON object on a line", id="deep"),
        pytest.param(
            "tickets.jsonl", b'{"key": 7, "created_at": "2026-03-02T09:30Z"}\n', "column key: got 7, expected text", id="number"
        ),
        pytest.param("tickets.jsonl", b'{"key": "\\ud800"}\n', r"got '\ud800', expected text that is UTF-8", id="half a pair"),
        pytest.param("tickets.jsonl", b'{"key": "a", "labels": ["x"]}\n', "column labels: got ['x'], expected text", id="a list"),
        pytest.param("tickets.jsonl", b'{"key": "a", "created_at": 1772443800}\n', "got 1772443800, expected a time", id="epoch"),
        pytest.param("comments.jsonl", b'{"repository": "r", "number": true}\n', "got True, expected a whole number", id="bool"),
        pytest.param("comments.jsonl", b'{"number": 9223372036854775808}\n', "expected a whole number", id="more than 64 bits"),
    ],
)
def test_a_bad_file_is_refused(folder: Path, name: str, content: bytes, said: str) -> None:
    (folder / name).write_bytes(content)
    assert any(said in problem for problem in refusal(folder)[1:])


def test_a_long_value_is_shown_short(folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"A,,{'x' * 1000}")
    assert len(refusal(folder)[1]) < 250


def test_a_table_told_in_two_files_is_refused(folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"A,,{AT}")
    write(folder, "tickets.jsonl", json.dumps({"key": "A", "created_at": AT}))
    assert refusal(folder)[1] == "tickets.csv: got tickets.jsonl too, expected one file a table"


def test_one_key_with_two_meanings_is_refused_with_both_lines(folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"A,one,{AT}", f"B,,{AT}", f"A,two,{AT}")
    assert refusal(folder)[1] == (
        "tickets.csv, line 4, column key: got 'A', expected a key once, or the same row again; line 2 has other values"
    )


def test_a_missing_part_of_a_key_is_a_value_of_its_own(engine: Engine, folder: Path) -> None:
    write(folder, "transitions.csv", "ticket,at,from_status,to_status", f"A,{AT},,Todo", f"A,{AT},Todo,Todo")
    assert load(engine, folder).changed == {"transitions": 2}


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_no_folder_or_nothing_in_it_is_refused(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    make(tmp_path / "here")
    assert "expected" in refusal(tmp_path / "here")[0]


def test_a_refused_folder_leaves_no_trace(tmp_path: Path, folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"A,,{AT}")
    write(folder, "builds.csv", "id,job,started_at", "1,build,never")
    assert cli.run(["import", str(folder), "--store", f"sqlite:///{tmp_path}/new.db"]) == 2
    assert not (tmp_path / "new.db").exists()


def test_a_folder_that_changes_after_the_check_loads_nothing(engine: Engine, folder: Path) -> None:
    write(folder, "tickets.csv", HEADER, f"A,,{AT}")
    write(folder, "transitions.csv", "ticket,at,to_status", f"A,{AT},Done")
    checked = facts.check(folder)
    write(folder, "transitions.csv", "ticket,at,to_status", f"A,{AT},Done", f"B,{AT},Done")
    with pytest.raises(FolderError, match="changed while it was read"):
        facts.load(engine, checked, clock)
    assert sum(store.facts(engine).counts().values()) == 0
    assert list(store.harvests(engine)["status"]) == ["failed"]


FULL = {
    "sqlite": ["CREATE TRIGGER full_ BEFORE INSERT ON tickets BEGIN SELECT RAISE(ABORT, 'disk is full'); END"],
    "postgresql": [
        "CREATE FUNCTION full_() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk is full' USING DETAIL = 'of A'; END $$",
        "CREATE TRIGGER full_ BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION full_()",
    ],
}


@pytest.mark.parametrize("rows", [1, 50])
def test_a_store_that_cannot_be_written_is_a_sentence(place: str, folder: Path, rows: int) -> None:
    write(folder, "tickets.csv", HEADER, *(f"A-{n},,{AT}" for n in range(rows)))
    with store.opened(place) as engine:
        with store.transaction(engine) as connection:
            for statement in FULL[engine.dialect.name]:
                connection.exec_driver_sql(statement)
        with pytest.raises(WorkError, match=r"the store could not be written \(disk is full\): nothing was loaded"):
            load(engine, folder)


# Times without an offset. ---


def in_zone(folder: Path, time: str, zone: str = "Europe/Vienna") -> None:
    write(folder, "facts.toml", f'timezone = "{zone}"')
    write(folder, "tickets.csv", HEADER, f"A,,{time}")


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        pytest.param("2026-03-02T09:30:00", "2026-03-02T08:30Z", id="winter"),
        pytest.param("2026-07-01 09:30", "2026-07-01T07:30Z", id="summer"),
        pytest.param("2026-07-01T09:30:00Z", "2026-07-01T09:30Z", id="an offset counts more than the zone"),
        pytest.param("2026-10-25T02:30:00+01:00", "2026-10-25T01:30Z", id="an hour that was twice, with its offset"),
    ],
)
def test_the_folder_may_name_the_zone_of_local_times(engine: Engine, folder: Path, time: str, instant: str) -> None:
    in_zone(folder, time)
    load(engine, folder)
    assert list(store.facts(engine).tickets["created_at"]) == [pd.Timestamp(instant)]


@pytest.mark.parametrize(
    ("time", "said"),
    [
        pytest.param("2026-10-25T02:30:00", "expected an offset with it: clocks in Europe/Vienna went back", id="twice"),
        pytest.param("2026-03-29T02:30:00", "expected a time that was: clocks in Europe/Vienna went forward past it", id="never"),
        pytest.param("2026-03-29", "expected a time of day too", id="a date alone"),
        pytest.param("soon", "got 'soon', expected a time in ISO 8601", id="no time"),
        pytest.param("0001-01-01T00:00:00", "between the years 1 and 9999", id="too early"),
    ],
)
def test_a_local_time_that_names_no_instant_is_refused(folder: Path, time: str, said: str) -> None:
    in_zone(folder, time)
    problems = refusal(folder)[1:]
    assert len(problems) == 1
    assert said in problems[0]


def test_a_local_time_that_names_no_instant_hides_no_other_problem(folder: Path) -> None:
    write(folder, "facts.toml", 'timezone = "Europe/Vienna"')
    write(folder, "tickets.csv", "key,created_at,resolved_at", ",2026-03-29T02:30:00,x")
    assert [problem.split("column ")[1].partition(":")[0] for problem in refusal(folder)[1:]] == [
        "created_at",
        "key",
        "resolved_at",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('timezone = "Vienna"', "timezone: expected such as \"Europe/Vienna\", got 'Vienna'"),
        ("timezone = 1", "got 1"),
        ('timezone = "../etc/passwd"', "expected such as"),
        ('timezone = "Europe"', "expected such as"),
        ("timezone", "cannot be read as TOML"),
        ('zone = "UTC"', "zone: no such key; expected timezone alone"),
    ],
)
def test_settings_that_cannot_be_are_refused(folder: Path, text: str, said: str) -> None:
    write(folder, "facts.toml", text)
    write(folder, "tickets.csv", HEADER, f"A,,{AT}")
    assert said in refusal(folder)[0]


# Bad rows set aside. ---


def test_with_rejects_the_good_rows_load_and_the_bad_ones_are_kept(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    url, rejects = place, tmp_path / "rejects.jsonl"
    write(folder, "tickets.csv", HEADER, f"A,one,{AT}", "B,,never", f"A,two,{AT}", "C,", f'"D"x,,{AT}', f"E,,{AT}")
    write(folder, "comments.jsonl", "{", json.dumps({"repository": "r", "number": 1, "at": AT}))
    assert cli.run(["import", str(folder), "--store", url, "--rejects", str(rejects)]) == 1
    assert list(store.facts(store.open_store(url)).tickets["key"]) == ["A", "E"]
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(row["file"], row["line"], row["problems"][0]["column"]) for row in told] == [
        ("tickets.csv", 3, "created_at"),
        ("tickets.csv", 4, "key"),
        ("tickets.csv", 5, None),
        ("tickets.csv", 6, None),
        ("comments.jsonl", 1, None),
    ]
    assert told[0]["row"] == {"key": "B", "title": "", "created_at": "never"}
    assert told[2]["row"] == ["C", ""]
    assert told[3]["row"] == f'"D"x,,{AT}\n'
    assert "5 rows refused and not loaded" in capsys.readouterr().err


def test_rejects_of_an_earlier_import_do_not_stay(tmp_path: Path, folder: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    rejects.write_text("old")
    write(folder, "tickets.csv", HEADER, f"A,,{AT}")
    assert facts.check(folder, rejects).refused == 0
    assert rejects.read_text() == ""


def test_bytes_that_are_no_text_are_rejected_and_still_told(tmp_path: Path, folder: Path) -> None:
    (folder / "tickets.csv").write_bytes(b"key,created_at,title\nA,2026-03-02T09:30Z,M\xfcller\n")
    checked = facts.check(folder, tmp_path / "rejects")
    assert checked.refused == 1
    assert json.loads((tmp_path / "rejects").read_text())["row"]["title"] == "M\udcfcller"


def test_a_file_as_a_whole_is_not_set_aside(tmp_path: Path, folder: Path) -> None:
    rejects = tmp_path / "rejects"
    rejects.write_text("old")
    write(folder, "tickets.csv", "key,created_at,colour", f"A,{AT},red")
    with pytest.raises(FolderError, match="column colour"):
        facts.check(folder, rejects)
    assert rejects.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["facts", "rejects"]


@pytest.mark.parametrize("name", ["facts/rejects.jsonl", "nowhere/rejects"])
def test_rejects_need_a_place(tmp_path: Path, folder: Path, name: str) -> None:
    write(folder, "tickets.csv", HEADER, f"A,,{AT}")
    with pytest.raises(FolderError, match="give --rejects"):
        facts.check(folder, tmp_path / name)


# The way out. ---


def test_export_writes_every_table_sorted_by_key(engine: Engine, folder: Path, tmp_path: Path) -> None:
    rows = ["r,10,2026-03-02T09:30:00+01:00,", f"r,9,{AT},bea", f"r,9,{AT},Ann", "r,9,2026-03-02T09:30:00.5Z,", f"r,9,{AT},"]
    write(folder, "comments.csv", "repository,number,at,author", *rows)
    load(engine, folder)
    facts.dump(engine, tmp_path / "deep" / "out")
    assert sorted(contents(tmp_path / "deep" / "out")) == sorted(f"{name}.csv" for name in TABLES)
    assert (tmp_path / "deep" / "out" / "comments.csv").read_bytes().decode().split("\n") == [
        "repository,number,at,author",
        "r,9,2026-03-02T09:30:00Z,",
        "r,9,2026-03-02T09:30:00Z,Ann",
        "r,9,2026-03-02T09:30:00Z,bea",
        "r,9,2026-03-02T09:30:00.500000Z,",
        "r,10,2026-03-02T08:30:00Z,",
        "",
    ]
    assert (tmp_path / "deep" / "out" / "identities.csv").read_bytes() == b"source,handle,person\n"


def test_export_replaces_files_only_when_told_to(engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "out"
    facts.dump(engine, out)
    before = contents(out)
    with pytest.raises(UsageError, match="--force"):
        facts.dump(engine, out)
    (out / "tickets.csv").write_text("old")
    facts.dump(engine, out, force=True)
    assert contents(out) == before


def test_export_leaves_no_table_told_twice(engine: Engine, folder: Path) -> None:
    write(folder, "tickets.jsonl", json.dumps({"key": "A", "created_at": AT}))
    with pytest.raises(FolderError, match=r"tickets.jsonl, which would tell a table twice"):
        facts.dump(engine, folder, force=True)


def test_export_to_a_file_is_refused(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        facts.dump(engine, tmp_path / "out", force=True)


def test_an_export_that_fails_leaves_nothing_half_written(engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "out"
    facts.dump(engine, out)
    before = contents(out)
    (out / "builds.csv").unlink()
    (out / "builds.csv").mkdir()  # a name that cannot be taken
    (out / "builds.csv" / "x").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        facts.dump(engine, out, force=True)
    shutil.rmtree(out / "builds.csv")
    assert contents(out) == {name: content for name, content in before.items() if name != "builds.csv"}


def test_the_program_imports_and_exports(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    url, out = place, tmp_path / "out"
    write(folder, "tickets.csv", HEADER, f"A,,{AT}", f"B,,{AT}")
    write(folder, "identities.jsonl", json.dumps({"source": "git", "handle": "ann@example.org", "person": "Ann"}))
    assert cli.run(["import", str(folder), "--store", url]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["tickets", "2", "rows", "read", "2", "new", "or", "changed"],
        ["identities", "1", "row", "read", "1", "new", "or", "changed"],
        ["total", "3", "rows", "read", "3", "new", "or", "changed"],
    ]
    assert cli.run(["export", "facts", str(out), "--store", url]) == 0
    assert cli.run(["export", "facts", str(out), "--store", url]) == 2
    assert cli.run(["export", "facts", str(out), "--store", url, "--force"]) == 0
    assert cli.run(["import", str(out), "--store", url]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["total", "3", "rows", "read", "0", "new", "or", "changed"]


def test_export_without_a_store_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    assert cli.run(["export", "facts", str(tmp_path / "out"), "--store", place]) == 2
    assert "fill it with" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# There and back. ---

ODD = st.sampled_from(
    [
        '"',
        '""',
        ",",
        ";",
        "\r",
        "\n",
        "\r\n",
        " ",
        "\t",
        "007",
        "1e5",
        "NaN",
        "null",
        "=1+1",
        "\x1f",
        "\x1e",
        "\ufeff",
        "\u2028",
        "\x85",
    ]
)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5)
TEXT = st.lists(ODD | ANY, min_size=1, max_size=4).map("".join)
KEYED = st.sampled_from(list(string.ascii_letters)) | TEXT  # few letters, so that keys meet
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)) | st.just(datetime(2026, 3, 2, tzinfo=UTC))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 20)


def rows(table: type[Fact]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of rows of a table of which no two have one key."""
    cells = {column: cell(table, column) for column in columns(table)}
    return st.lists(
        st.fixed_dictionaries(cells), max_size=6, unique_by=lambda row: tuple(row[name] or None for name in table.key_columns)
    )


def cell(table: type[Fact], column: str) -> st.SearchStrategy[Any]:
    of = {"text": KEYED, "time": TIMES, "number": NUMBERS}[kind(table, column)]
    of = st.sampled_from(RESULTS) if column == "result" else of
    return of if required(table, column) else st.sampled_from([None, ""]) | of


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.fixed_dictionaries({name: rows(table) for name, table in TABLES.items()}))
def test_export_import_export_gives_the_same_bytes(
    new_store: Callable[[Path], Engine], told: dict[str, list[dict[str, Any]]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        one, two = Path(place, "one"), Path(place, "two")
        first, second = new_store(Path(place)), new_store(Path(place))
        with store.transaction(first) as connection:
            for name, table in TABLES.items():
                assert store.save(connection, table, told[name], origin="import") == len(told[name])
        facts.dump(first, one)
        assert load(second, one).rows == {name: len(told[name]) for name in TABLES}
        facts.dump(second, two)
        assert contents(one) == contents(two)
        before, after = store.facts(first), store.facts(second)
        for name in TABLES:
            pd.testing.assert_frame_equal(getattr(before, name), getattr(after, name))
        assert sum(load(second, one).changed.values()) == 0
        first.dispose()
        second.dispose()
