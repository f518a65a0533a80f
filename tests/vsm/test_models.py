"""The border: what a row must be before it is a fact."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm.models import RESULTS, TABLES, Fact, RowError, Transition, columns, kind, required, uid, uids, validate
from vsm.rows import written

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
# The tables of the facts folder (docs/facts.md): key · other columns, "?" may be missing.
FOLDER = """
tickets: key · title? type? status? created_at resolved_at? resolution? project? team? priority? parent? labels? application? url?
transitions: ticket, at, from_status?, to_status · actor? team?
ticket_changes: ticket, at, field, to? · from? actor?
ticket_links: ticket, kind, other ·
repositories: name · url? default_branch? application? head_sha?
commits: repository, sha · authored_at committed_at author? subject? message? parents? paths?
tags: repository, name · sha tagged_at? subject?
pull_requests: repository, number · title? author? source_branch? target_branch? created_at? ready_at? first_commit_at? \
first_review_at? approved_at? merged_at? closed_at? merge_sha? head_sha? labels? additions? deletions? url?
pull_request_commits: repository, number, sha · authored_at?
reviews: repository, number, submitted_at, reviewer? · state
comments: repository, number, at, author? ·
builds: id · job repository? sha? branch? queued_at? started_at finished_at? result? url?
build_stages: build, name, started_at? · finished_at? result?
deployments: id · application environment repository? sha? ref? started_at? finished_at? result url?
deployment_commits: deployment, repository, sha ·
incidents: id · application? title? severity? opened_at detected_at? acknowledged_at? resolved_at? deployment? ticket? labels? url?
identities: source, handle · person
"""


@pytest.mark.parametrize("line", FOLDER.strip().splitlines(), ids=lambda line: line.partition(":")[0])
def test_tables_are_those_of_the_facts_folder(line: str) -> None:
    name, _, told = line.partition(": ")
    key, _, rest = told.replace(",", "").partition("·")
    table, every = TABLES[name], [*key.split(), *rest.split()]
    assert list(columns(table)) == [column.rstrip("?") for column in every]
    assert list(table.key_columns) == [column.rstrip("?") for column in key.split()]
    assert [column for column in columns(table) if not required(table, column)] == [c.rstrip("?") for c in every if c[-1] == "?"]


def test_the_facts_folder_names_every_table() -> None:
    assert [line.partition(":")[0] for line in FOLDER.strip().splitlines()] == list(TABLES)


def least(table: type[Fact]) -> dict[str, Any]:
    """The smallest row of a table."""
    values = {"text": "x", "time": AT, "number": 1}
    row = {column: values[kind(table, column)] for column in columns(table) if required(table, column)}
    return row | ({"result": "success"} if "result" in row else {})


@pytest.mark.parametrize("name", TABLES)
def test_a_row_needs_what_is_required_and_nothing_more(name: str) -> None:
    table = TABLES[name]
    valid = validate(table, least(table))
    assert set(valid) == set(columns(table))
    for column in least(table):
        with pytest.raises(RowError) as caught:
            validate(table, {key: value for key, value in least(table).items() if key != column})
        assert [problem.column for problem in caught.value.problems] == [column]


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T09:30:00Z", "2026-03-02T10:30:00+01:00", "2026-03-02 04:30-05:00", "20260302T093000Z", "2026-W10-1T09:30Z"],
)
def test_a_time_with_an_offset_is_kept_in_utc(text: str) -> None:
    time = validate(TABLES["tickets"], {"key": "A", "created_at": text})["created_at"]
    assert (time, time.utcoffset()) == (AT, timedelta(0))


def test_microseconds_are_kept() -> None:
    row = {"key": "A", "created_at": "2026-03-02T09:30:00.123456Z"}
    assert validate(TABLES["tickets"], row)["created_at"].microsecond == 123456


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2026-03-02T09:30:00", id="no offset"),
        pytest.param("2026-03-02", id="a date"),
        pytest.param("2026-02-29T00:00Z", id="no such day"),
        pytest.param("yesterday", id="words"),
        pytest.param(1772443800, id="seconds since 1970"),
        pytest.param(datetime(2026, 3, 2), id="a naive datetime"),
        pytest.param(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))), id="before the year 1 in UTC"),
        pytest.param("9999-12-31T23:00:00-09:00", id="after the year 9999 in UTC"),
    ],
)
def test_a_time_that_names_no_instant_is_refused(value: Any) -> None:
    with pytest.raises(RowError, match=r"created_at: .*, expected a time in ISO 8601 with an offset or Z"):
        validate(TABLES["tickets"], {"key": "A", "created_at": value})


@pytest.mark.parametrize("value", [7, "7", "007", "-7", 2**63 - 1, -(2**63), str(2**63 - 1)])
def test_a_whole_number_may_be_text(value: int | str) -> None:
    assert validate(TABLES["pull_requests"], {"repository": "r", "number": value})["number"] == int(value)


@pytest.mark.parametrize("value", [True, 1.0, "1.0", "1_0", " 1", "1e3", "", "x", "٣", 2**63, "9" * 19, "9" * 5000, [1]])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(RowError, match="expected a whole number"):
        validate(TABLES["pull_requests"], {"repository": "r", "number": value})


@pytest.mark.parametrize("value", [7, True, ["a"], {"a": 1}, "a\0b", "a\ud800"])
def test_what_no_database_keeps_as_text_is_refused(value: Any) -> None:
    with pytest.raises(RowError, match=r"title: .*, expected text"):
        validate(TABLES["tickets"], {"key": "A", "created_at": AT, "title": value})


def test_empty_text_is_missing_and_spaces_are_not() -> None:
    valid = validate(TABLES["tickets"], {"key": " A ", "created_at": AT, "title": "", "type": None, "team": " "})
    assert (valid["key"], valid["title"], valid["type"], valid["team"]) == (" A ", None, None, " ")


@pytest.mark.parametrize("result", [*RESULTS, None, ""])
def test_results_are_five_words(result: str | None) -> None:
    assert validate(TABLES["build_stages"], {"build": "1", "name": "test", "result": result})["result"] == (result or None)


@pytest.mark.parametrize("result", ["SUCCESS", "passed", 1, ["success"]])
def test_another_result_is_refused(result: Any) -> None:
    with pytest.raises(RowError, match=r"result: .*, expected one of success, failure, cancelled, skipped, unknown"):
        validate(TABLES["build_stages"], {"build": "1", "name": "test", "result": result})


def test_all_that_is_wrong_with_a_row_is_told() -> None:
    with pytest.raises(RowError) as caught:
        validate(TABLES["builds"], {"id": None, "job": 1, "result": "ok", "colour": "red", "uid": "x"})
    assert [problem.column for problem in caught.value.problems] == ["id", "job", "started_at", "result", "colour", "uid"]
    assert caught.value.problems[0].expected == "text (it may not be missing)"
    assert "builds has id, job, repository" in caught.value.problems[4].expected


def test_from_is_a_column_and_python_s_name_for_it_is_not() -> None:
    row = {"ticket": "A", "at": AT, "field": "assignee"}
    assert validate(TABLES["ticket_changes"], row | {"from": "ann"})["from"] == "ann"
    with pytest.raises(RowError, match="from_: 'ann', expected no such column"):
        validate(TABLES["ticket_changes"], row | {"from_": "ann"})


PART = st.none() | st.text(st.sampled_from("a\x1e\x1f01"), min_size=1, max_size=4)


@given(first=st.tuples(PART, PART), second=st.tuples(PART, PART))
def test_two_keys_are_one_text_only_if_they_are_equal(first: tuple[str | None, ...], second: tuple[str | None, ...]) -> None:
    one, two = ({"ticket": "A", "at": AT, "from_status": a, "to_status": b} for a, b in (first, second))
    assert (uid(Transition, one) == uid(Transition, two)) == (first == second)


@given(
    st.lists(
        st.tuples(
            st.text("a\x1e\x1f01é", min_size=1, max_size=4),
            st.datetimes(timezones=st.sampled_from([UTC, UTC, timezone(timedelta(hours=2))]), min_value=datetime(2, 1, 1)),
            st.none() | st.text("a\x1e\x1f", min_size=1, max_size=3),
        ),
        max_size=6,
    )
)
def test_keys_of_many_rows_are_those_of_each(rows: list[tuple[str, datetime, str | None]]) -> None:
    each = [{"ticket": ticket, "at": at, "from_status": status, "to_status": "Done"} for ticket, at, status in rows]
    found = {name: tuple(row[name] for row in each) for name in Transition.key_columns}
    assert uids(Transition, found) == [uid(Transition, row) for row in each]
    if all(row["at"].tzinfo is UTC for row in each):
        assert uids(Transition, found | {"at": written(found["at"])}) == uids(Transition, found)
