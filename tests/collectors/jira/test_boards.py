"""Stages from a board, and what doctor says of a Jira."""

from pathlib import Path

import pytest

from collectors.jira.boards import Column, stream
from vsm.config import parse

TODO, DOING, REVIEWED = ("To Do", "new"), ("In Progress", "indeterminate"), ("In Review", "indeterminate")
READY, DONE, DROPPED = ("Ready for review", "indeterminate"), ("Done", "done"), ("Won't do", "done")


def stages(*columns, others=()):
    """The stages of a board."""
    return stream("Board", ["PAY"], [Column(name, list(statuses)) for name, *statuses in columns], others)


def test_the_first_column_is_the_backlog_and_the_last_one_the_end():
    made = stages(("To Do", TODO), ("Doing", DOING), ("Done", DONE, DROPPED))
    assert (made.new, made.stages, made.done, made.cancelled) == (
        ["To Do"],
        [("Doing", [], ["In Progress"])],
        ["Done"],
        ["Won't do"],
    )


def test_a_column_in_which_work_waits_goes_with_the_one_that_it_waits_for():
    made = stages(("To Do", TODO), ("Doing", DOING), ("Ready for review", READY), ("Review", REVIEWED), ("Done", DONE))
    assert made.stages == [("Doing", [], ["In Progress"]), ("Review", ["Ready for review"], ["In Review"])]


def test_a_column_of_waiting_before_the_end_is_a_stage_that_only_holds_work():
    made = stages(("Doing", DOING), ("Ready for release", ("Waiting for train", "indeterminate")), ("Done", DONE))
    assert made.stages == [("Doing", [], ["In Progress"]), ("Ready for release", ["Waiting for train"], [])]


def test_waiting_and_work_may_share_a_column():
    made = stages(("To Do", TODO), ("Review", READY, REVIEWED), ("Done", DONE))
    assert made.stages == [("Review", ["Ready for review"], ["In Review"])]


def test_a_status_of_several_projects_is_in_one_place_whatever_its_letters():
    made = stages(("To Do", TODO, ("TO DO", "new")), ("Doing", DOING, ("to do", "new")), ("Done", DONE))
    assert (made.new, made.stages) == (["To Do"], [("Doing", [], ["In Progress"])])


def test_statuses_beside_the_board_are_placed_by_their_category():
    made = stages(
        ("Doing", DOING), others=[TODO, DOING, ("等待测试", "indeterminate"), ("测试中", "indeterminate"), DONE, ("已取消", "done")]
    )
    assert (made.new, made.done, made.cancelled) == (["To Do"], ["Done"], ["已取消"])
    assert made.stages == [("Doing", [], ["In Progress"]), ("等待测试", ["等待测试"], []), ("测试中", [], ["测试中"])]


def test_columns_of_one_name_are_stages_of_two():
    made = stages(("Doing", DOING), ("Doing", REVIEWED))
    assert [name for name, _, _ in made.stages] == ["Doing", "Doing 2"]


@pytest.mark.parametrize("boards", [[], [1], ["pay BOARD"]], ids=["of the project", "by number", "by name"])
def test_the_proposal_can_be_pasted_as_it_is(line, boards):
    one = line()
    one.jira.statuses |= {"6": ('Ready for "review"', "indeterminate"), "7": ("Rejected", "done"), "8": ("Idea", "new")}
    one.jira.columns = [("To Do", ["1"]), ("Doing", ["3"]), ("Ready", ["6"]), ("Review", ["4"]), ("Done", ["5", "7"])]
    text = one.collector(**({"boards": boards} if boards else {})).proposal()
    assert text == (
        '[[streams]]\nname = "PAY board"\nprojects = ["PAY"]\nnew = ["To Do", "Idea"]\n'
        'done = ["Done"]\ncancelled = ["Rejected"]\n\n'
        '[[streams.stages]]\nname = "Doing"\nactive = ["In Progress"]\n\n'
        '[[streams.stages]]\nname = "Review"\nwaiting = ["Ready for \\"review\\""]\nactive = ["Review"]\n'
    )
    config = parse(text, Path("vsm.toml"))
    assert [stage.name for stage in config.streams[0].stages] == ["Doing", "Review"]
    assert one.collector().proposal() == one.collector().proposal()


def test_a_jira_without_boards_proposes_stages_from_its_statuses(line):
    def none(jira, method, path, *rest):
        return (404, {}, {}) if "agile" in path else jira.handle(method, path, *rest)

    config = parse(line(none).collector().proposal(), Path("vsm.toml"))
    told = config.streams[0]
    assert (told.name, told.new, told.done) == ("PAY", ("To Do",), ("Done",))
    assert [(stage.name, stage.active) for stage in told.stages] == [("In Progress", ("In Progress",)), ("Review", ("Review",))]


def test_a_board_that_nobody_knows_is_one_sentence(line):
    one = line()
    with pytest.raises(Exception, match="no board is called 'Shipping'; its number is in its address"):
        one.collector(boards=["Shipping"]).proposal()


def test_each_check_says_how_it_is(line):
    one = line(millis=False, zone="Asia/Tokyo")
    one.jira.make()
    collector = one.collector(projects=["PAY", "SHOP", "NONE"], team_field="Squad")
    collector.client.patience.wall = lambda: one.jira.now.timestamp() + 3600
    host = one.peer.url.removeprefix("http://")
    browse = "check the key, and give the account the permission Browse Projects"
    assert [(check.what, check.well, check.said, check.remedy) for check in collector.checks()] == [
        ("server", True, f"{host} is Jira Cloud 1001.0.0", ""),
        ("account", True, "signed in as Ann, whose time zone is Asia/Tokyo", ""),
        ("PAY", True, "its issues can be read", ""),
        ("SHOP", None, "no issue can be seen", browse),
        ("NONE", False, f"{host}: search/jql: The value 'NONE' does not exist for the field 'project'.", browse),
        ("team_field", False, "no field is called 'Squad'", "give a field's name or id, such as customfield_10001"),
        (
            "clock", None, "the server's clock is 60 minutes from this machine's",
            "set the clock that is wrong; nothing is lost by it, for only the server's counts",
        ),
        ("times", True, "JQL takes times in minutes, in the account's zone Asia/Tokyo", ""),
    ]  # fmt: skip
