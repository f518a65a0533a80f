"""vsm.toml: every key of the contract is read, and what cannot be is refused with its place."""

import re
from pathlib import Path

import pytest

from vsm.config import Config, ConfigError, Production, load, minutes, parse

WHOLE = """
timezone = "Europe/Vienna"

[[streams]]
name = "checkout"
applications = ["shop"]
projects = ["PAY"]
teams = ["Payments"]
repositories = ["shop"]
new = ["Backlog"]
done = ["Done"]
cancelled = ["Won't do"]
ignored = ["Parked"]

[[streams.stages]]
name = "Development"
waiting = ["Ready"]
active = ["In development"]

[[streams.stages]]
name = "Review"
waiting = ["Ready for review"]
active = ["In review"]
opens = ["pull_request.ready"]
starts = ["review.submitted"]
closes = ["pull_request.merged", "deployment.finished:staging"]
people = 2.5
wip_limit = 5
team = "Payments"

[production]
environments = ["production", "prod", "live"]

[incidents]
link_within_days = 3
exclude_labels = ["maintenance"]

[calendar]
workdays = ["mon", "tue", "wed", "thu"]
hours = ["08:30", "17:00"]

[privacy]
people = "names"

[[sources]]
kind = "git"
path = "../service"
application = "service"
release_tags = "v*"

[[sources]]
kind = "github"
url = "https://api.github.com"
repositories = ["owner/name"]
token = "env:GITHUB_TOKEN"

[[sources]]
kind = "jenkins"
name = "ci"
url = "https://ci.example.org"
user = "env:JENKINS_USER"
token = "env:JENKINS_TOKEN"
jobs = ["^service/.*"]
deploy_jobs = ["deploy"]

[[sources]]
kind = "jira"
url = "https://example.atlassian.net"
email = "env:JIRA_EMAIL"
token = "env:JIRA_TOKEN"
projects = ["PAY"]
incident_types = ["Incident"]
"""
PLACE = Path("team/vsm.toml")


def told(text: str) -> list[str]:
    """The sentences with which a configuration is refused, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse(text, PLACE)
    lines = str(caught.value).splitlines()
    assert all(line.startswith("team/vsm.toml: ") for line in lines)
    return [line.removeprefix("team/vsm.toml: ") for line in lines]


def test_a_whole_configuration_is_read() -> None:
    config = parse(WHOLE, PLACE)
    (stream,) = config.streams
    review = stream.stages[1]
    assert config.zone.key == "Europe/Vienna"
    assert (config.path, config.folder) == (PLACE, Path("team"))
    assert (stream.name, stream.applications, stream.cancelled) == ("checkout", ("shop",), ("Won't do",))
    assert [stage.name for stage in stream.stages] == ["Development", "Review"]
    assert (review.opens, review.starts) == (("pull_request.ready",), ("review.submitted",))
    assert review.closes == ("pull_request.merged", "deployment.finished:staging")
    assert (review.people, review.wip_limit, review.team) == (2.5, 5, "Payments")
    assert (config.incidents.link_within_days, config.incidents.exclude_labels) == (3, ("maintenance",))
    assert config.calendar is not None
    assert (config.calendar.workdays, config.calendar.hours) == (("mon", "tue", "wed", "thu"), ("08:30", "17:00"))
    assert config.privacy.people == "names"


def test_sources_keep_the_keys_that_only_their_collector_knows() -> None:
    git, github, jenkins, jira = parse(WHOLE, PLACE).sources
    assert [source.name for source in (git, github, jenkins, jira)] == ["git", "github", "ci", "jira"]
    assert git.keys == {"path": "../service", "application": "service", "release_tags": "v*"}
    assert github.keys["token"] == "env:GITHUB_TOKEN"


def test_without_a_word_everything_has_its_default() -> None:
    config = parse("", PLACE)
    assert (config.timezone, config.streams, config.calendar, config.sources) == ("UTC", (), None, ())
    assert config.production.environments == ("production", "prod", "live")
    assert (config.incidents.link_within_days, config.privacy.people) == (7, "pseudonyms")


def test_an_empty_calendar_is_the_usual_week() -> None:
    calendar = parse("[calendar]", PLACE).calendar
    assert calendar is not None
    assert (calendar.workdays, calendar.hours) == (("mon", "tue", "wed", "thu", "fri"), ("09:00", "17:00"))


def test_two_sources_of_a_kind_are_told_apart_by_what_they_read() -> None:
    config = parse('[[sources]]\nkind = "git"\npath = "../a"\n[[sources]]\nkind = "git"\npath = "../b"\n', PLACE)
    assert [source.name for source in config.sources] == ["git ../a", "git ../b"]


STREAM = '[[streams]]\nname = "a"\n'
STAGE = STREAM + '[[streams.stages]]\nname = "Review"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("timezone = ", "not valid TOML: Invalid value", id="no TOML"),
        pytest.param('timezone = "Vienna"', "timezone: expected a time zone such as", id="no zone"),
        pytest.param("timezone = 1", "timezone: expected a time zone such as .*, got 1", id="a number as zone"),
        pytest.param('time_zone = "UTC"', "time_zone: no such key", id="unknown key"),
        pytest.param("[[streams]]", r"^streams\[0\].name: expected this key, but it is not there$", id="a stream without a name"),
        pytest.param('[[streams]]\nname = ""', r"streams\[0\].name: expected some text, got ''", id="an empty name"),
        pytest.param('[streams]\nname = "a"', "^streams: expected a list$", id="a table instead of tables"),
        pytest.param(STREAM + 'stage = "x"', r"streams\[0\].stage: no such key", id="unknown key of a stream"),
        pytest.param(STREAM + 'done = "Done"', r"streams\[0\].done: expected a list, got 'Done'", id="text instead of a list"),
        pytest.param(STREAM + "done = [1]", r"streams\[0\].done\[0\]: expected text, got 1", id="a number instead of text"),
        pytest.param(STREAM + STREAM, "the configuration: expected stream names that differ, but 'a' is there twice", id="twice"),
        pytest.param(
            STAGE + 'opens = ["merged"]', r"stages\[0\].opens\[0\]: expected one of ticket.created, .*'merged'", id="event"
        ),
        pytest.param(STAGE + 'opens = ["build.started:prod"]', r"opens\[0\]: expected one of", id="an environment for a build"),
        pytest.param(STAGE + 'closes = ["deployment.finished:"]', r"closes\[0\]: expected one of", id="an empty environment"),
        pytest.param(STAGE + "people = 0", r"stages\[0\].people: expected greater than 0, got 0", id="nobody"),
        pytest.param(STAGE + "wip_limit = 1.5", r"stages\[0\].wip_limit: .*, got 1.5", id="half an item"),
        pytest.param(
            STAGE + STAGE.removeprefix(STREAM), "expected each stage in one place, but 'Review' is in several", id="stages"
        ),
        pytest.param(
            STAGE + 'active = ["x"]\nwaiting = ["X"]', "expected each status in one place, but 'x' is in", id="status twice"
        ),
        pytest.param(
            '[[streams]]\nname = "a"\nnew = ["x"]\ndone = ["x"]', r"streams\[0\]: expected each status in one", id="meanings"
        ),
        pytest.param(
            STAGE + 'opens = ["build.started"]\n[[streams.stages]]\nname = "Test"\nstarts = ["build.started"]',
            "expected each event in opens or starts in one place, but 'build.started' is in several",
            id="an event that opens two stages",
        ),
        pytest.param("production = 1", "production: expected a table, got 1", id="a number instead of a table"),
        pytest.param("[production]\nenvironments = 1", "production.environments: expected a list, got 1", id="environments"),
        pytest.param('[incidents]\nexclude_titles = ["("]', r"exclude_titles\[0\]: expected a regular expression", id="a pattern"),
        pytest.param('[dora]\nlead_time_start = "commit"', "dora.lead_time_start: expected 'first_commit', 'opened'", id="a start"),
        pytest.param('[dora]\nremediation = ["luck"]', r"dora.remediation\[0\]: expected 'incident', 'rollback'", id="a reason"),
        pytest.param("[dora]\nunplanned_share = 0", "dora.unplanned_share: expected greater than 0, got 0", id="a share"),
        pytest.param('[[applications]]\nname = "a"\nrepository = "b"\npaths = []', r"paths: expected at least one", id="no paths"),
        pytest.param("[incidents]\nlink_within_days = -1", "incidents.link_within_days: .*, got -1", id="days before"),
        pytest.param(
            '[calendar]\nworkdays = ["monday"]', r"calendar.workdays\[0\]: expected 'mon', 'tue'.*, got 'monday'", id="a day"
        ),
        pytest.param("[calendar]\nworkdays = []", "calendar.workdays: expected at least one, got", id="no workday"),
        pytest.param(
            '[calendar]\nhours = ["9", "17:00"]', r'calendar.hours\[0\]: expected a time of day such as "09:00"', id="clock"
        ),
        pytest.param(
            '[calendar]\nhours = ["09:00", "24:30"]', r"hours\[1\]: expected a time of day from 00:00 to 24:00", id="late"
        ),
        pytest.param('[calendar]\nhours = ["17:00", "09:00"]', "calendar: expected hours to end after they begin", id="backwards"),
        pytest.param('[calendar]\nhours = ["09:00"]', r"calendar.hours\[1\]: expected this key", id="one hour"),
        pytest.param(
            '[privacy]\npeople = "all"', "privacy.people: expected 'pseudonyms', 'names' or 'none', got 'all'", id="privacy"
        ),
        pytest.param("[[sources]]", r'sources\[0\]: expected a kind, such as kind = "git"', id="a source without a kind"),
        pytest.param('[sources]\nkind = "git"', r"sources: expected tables that begin with \[\[sources\]\]", id="one table"),
        pytest.param('[[sources]]\nkind = "git"\nname = 1', r"sources\[0\].name: expected text", id="a number as name"),
        pytest.param(
            '[[sources]]\nkind = "git"\nname = "x"\n[[sources]]\nkind = "jira"\nname = "x"',
            "expected source names that differ, but 'x' is there twice",
            id="two sources of one name",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text: str, said: str) -> None:
    (sentence,) = told(text)
    assert re.search(said, sentence), sentence


@pytest.mark.parametrize("handle", ["ann", ":ann", "github:", ""])
def test_a_persons_handle_needs_its_kind_of_source(handle: str) -> None:
    said = 'people.Ann[1]: expected a handle with its kind of source, such as "git:ann@example.org" or "github:ann", got '
    assert told(f'[people]\nAnn = ["git:ann@example.org", "{handle}"]') == [f"{said}{handle!r}"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert [sentence.partition(":")[0] for sentence in told('colour = "red"\ntimezone = "x"\n[privacy]\npeople = 1')] == [
        "timezone",
        "privacy.people",
        "colour",
    ]


def test_a_status_may_be_in_two_streams() -> None:
    other = STAGE.replace('"a"', '"b"')
    assert len(parse(STAGE + 'active = ["Doing"]\n' + other + 'active = ["Doing"]', PLACE).streams) == 2


def test_one_event_may_open_and_start_the_same_stage() -> None:
    text = STAGE + 'opens = ["build.started"]\nstarts = ["build.started"]\ncloses = ["build.finished"]'
    assert parse(text, PLACE).streams[0].stages[0].starts == ("build.started",)


@pytest.mark.parametrize(
    ("environment", "is_production"),
    [
        ("production", True),
        ("Production", True),
        ("PROD", True),
        ("live", True),
        ("prod-eu", True),
        ("eu_prod", True),
        ("shop/production", True),
        ("production (blue)", True),
        ("prod.eu.example.org", True),
        ("staging", False),
        ("preprod", False),
        ("pre-prod", False),
        ("non-prod", False),
        ("nonprod", False),
        ("not_production", False),
        ("products", False),
        ("reproduction", False),
        ("delivery", False),
        ("olive", False),
        ("", False),
        ("non-prod mirror of prod", True),
    ],
)
def test_production_is_a_whole_word_of_the_environment(environment: str, is_production: bool) -> None:
    assert Production().matches(environment) is is_production


def test_the_five_metrics_have_their_ends_and_rules() -> None:
    text = '[dora]\nlead_time_start = "merged"\nremediation = ["incident"]\n[incidents]\nexclude_titles = ["^Planned"]\n'
    config = parse(text + '[[applications]]\nname = "pay"\nrepository = "mono"\npaths = ["pay/**"]', PLACE)
    assert (config.dora.lead_time_start, config.dora.remediation, config.dora.revert_within_days) == ("merged", ("incident",), 28)
    assert config.incidents.exclude_titles == ("^Planned",)
    assert [(one.name, one.repository, one.paths) for one in config.applications] == [("pay", "mono", ("pay/**",))]


def test_production_may_have_another_name() -> None:
    production = Production(environments=("eu west", "Kunde"))
    assert production.matches("eu-west-1")
    assert production.matches("KUNDE")
    assert not production.matches("west-eu")
    assert not production.matches("production")
    assert not Production(environments=("", "-")).matches("production")
    assert not Production(environments=()).matches("production")


def test_a_configuration_does_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse("", PLACE).timezone = "UTC"


def test_the_file_in_the_working_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None) == Config()
    (tmp_path / "vsm.toml").write_text('timezone = "Asia/Tokyo"')
    assert load(None).timezone == "Asia/Tokyo"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read .No such file or directory.; give --config"):
        load(tmp_path / "none.toml")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "vsm.toml").write_text('\ufefftimezone = "Asia/Tokyo"', encoding="utf-8")
    assert load(tmp_path / "vsm.toml").timezone == "Asia/Tokyo"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vsm.toml").write_bytes(b'timezone = "\xff"')
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        load(tmp_path / "vsm.toml")


def test_minutes_of_a_clock() -> None:
    assert [minutes(clock) for clock in ("00:00", "09:30", "24:00")] == [0, 570, 1440]
