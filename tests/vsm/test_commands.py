"""`vsm report` and `vsm explain` as a user calls them."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from vsm import cli, commands
from vsm.schema import schema

CONFIG = str(Path(__file__).parents[2] / "sample_data" / "vsm.toml")
KEYS = {
    "window", "definition", "policy", "timezone", "store", "flow", "stages", "moves", "handoffs", "rework", "waste", "constraint",
    "lead_time_lever", "forecast", "dora", "streams", "applications", "coverage", "quality",
}  # fmt: skip
EXPLAINED = (
    "lead_time", "cycle_time", "deployment_frequency", "change_lead_time", "change_fail_rate", "failed_deployment_recovery_time",
    "deployment_rework_rate",
)  # fmt: skip


@pytest.fixture(scope="module")
def told():
    """What the program said to each call: nothing writes to the sample's store, so a call is made once."""
    return {}


@pytest.fixture(scope="module", autouse=True)
def measured_once():
    """What was measured of a scope is kept for the next call: explaining ten numbers need not measure the sample ten times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "measured", cache(commands.measured))
        yield


@pytest.fixture
def vsm(capsys, sample_store, told):
    """Run the program on the sample: its exit status, standard output and standard error."""

    def run(*arguments, store=sample_store, config=CONFIG):
        call = (arguments, store, config)
        if call not in told:
            status = cli.run([*arguments, "--store", store, "--config", config])
            told[call] = (status, *capsys.readouterr())
        return told[call]

    return run


def valid(text):
    told = json.loads(text)
    jsonschema.validate(told, schema(), format_checker=jsonschema.FormatChecker())
    return told


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="everything"),
        pytest.param(["--stream", "checkout"], id="a stream"),
        pytest.param(["--application", "insights"], id="an application"),
        pytest.param(["--stream", "checkout", "--team", "Basket"], id="a team"),
        pytest.param(["--from", "2020-01-01", "--to", "2020-02-01"], id="a window before all facts"),
    ],
)
def test_a_report_satisfies_its_own_schema_and_has_every_key(vsm, options):
    status, out, err = vsm("report", "--format", "json", *options)

    assert (status, err) == (0, "")
    told = valid(out)
    assert set(told) >= KEYS
    for body in told["streams"]:
        assert set(body) >= KEYS - {"window", "definition", "policy", "timezone", "store", "streams", "applications"}


def test_the_printed_schema_is_the_one_that_reports_satisfy(vsm, capsys):
    assert cli.run(["report", "--schema"]) == 0
    printed = json.loads(capsys.readouterr().out)

    jsonschema.Draft202012Validator.check_schema(printed)
    valid(vsm("report", "--format", "json")[1])
    assert printed == schema()


def test_what_needs_one_map_is_null_where_there_are_several_streams(vsm):
    told = valid(vsm("report", "--format", "json")[1])

    assert [told[name] for name in ("stages", "moves", "constraint", "lead_time_lever")] == [None] * 4
    assert [one["stream"] for one in told["streams"]] == ["checkout", "platform"]
    assert all(one["stages"] and one["moves"] and one["constraint"] for one in told["streams"])


def test_the_constraint_moved_as_it_was_planted(vsm, truths):
    """Windows wholly before the day on which people changed places name the constraint of then, those after it the one since."""
    told = valid(vsm("report", "--format", "json")[1])
    for one in told["streams"]:
        planted = truths["streams"][one["stream"]]["constraint"]
        history = one["constraint"]["history"]
        assert len(history) >= 8
        assert {row["stage"] for row in history if row["to"] <= truths["people_moved_on"]} == {planted["first half"]["planted"]}
        assert {row["stage"] for row in history if row["from"] > truths["people_moved_on"]} == {planted["second half"]["planted"]}
        assert all(0.5 < row["confidence"] <= 1 for row in history)
    assert "how it moved  Review in the windows up to 2026-06-28, then QA since" in vsm("report")[1]


def test_the_lever_names_what_is_equal_to_it_and_what_would_have_been(vsm):
    told = valid(vsm("report", "--format", "json")[1])
    levers = {one["stream"]: one["lead_time_lever"] for one in told["streams"]}
    assert {name: lever["stage"] for name, lever in levers.items()} == {"checkout": "QA", "platform": "Accept"}
    for lever in levers.values():
        assert lever["stage"] not in lever["equal"]
        assert lever["low"] <= lever["predicted_cut"] <= lever["high"]
        assert 0 < lever["cut_in_these_weeks"] < 1
        assert " or ".join([lever["stage"], *lever["equal"]]) in vsm("report")[1]


def test_a_chosen_stream_says_the_same_as_it_does_among_all(vsm):
    everything = valid(vsm("report", "--format", "json")[1])
    alone = valid(vsm("report", "--format", "json", "--stream", "checkout")[1])

    among_all = next(one for one in everything["streams"] if one["stream"] == "checkout")
    assert {name: alone[name] for name in among_all if name != "stream"} == {k: v for k, v in among_all.items() if k != "stream"}


def test_no_data_is_null_and_never_zero(vsm):
    told = valid(vsm("report", "--format", "json", "--from", "2020-01-01", "--to", "2020-02-01")[1])

    dora = told["dora"]
    assert dora["deployment_frequency"]["per_week"] is None
    assert dora["change_lead_time"]["p50"] is None
    assert dora["change_fail_rate"]["value"] is None
    assert told["flow"]["lead_time"]["p50"] is None
    assert told["flow"]["flow_efficiency"]["value"] is None


@pytest.mark.parametrize("metric", EXPLAINED)
def test_explain_gives_the_rows_that_the_report_counts(vsm, metric):
    told = valid(vsm("report", "--format", "json")[1])
    status, out, _ = vsm("explain", metric, "--format", "json")
    explained = json.loads(out)

    assert status == 0
    place = told["flow"] if metric in told["flow"] else told["dora"]
    assert len(explained["rows"]) == explained["n"] == place[metric]["n"]
    shared = set(explained["values"]) & set(place[metric])
    assert shared
    assert {name: explained["values"][name] for name in shared} == {name: place[metric][name] for name in shared}
    assert explained["definition"].endswith(".")
    assert explained["rule"]


@pytest.mark.parametrize("metric", EXPLAINED)
def test_explain_in_words_names_definition_rule_rows_and_what_was_left_out(vsm, metric):
    status, out, _ = vsm("explain", metric)

    assert status == 0
    assert all(word in out for word in ("Value:", "n:", "Rule:", "ROWS", "LEFT OUT"))


def quoted(figure):
    """The number of a metric that is quoted first."""
    return next((figure[name] for name in ("per_week", "p50", "mean", "value") if figure.get(name) is not None), None)


@pytest.mark.parametrize("definition", ["devlake", "middleware"])
def test_another_definition_s_report_has_the_same_keys_and_what_makes_the_difference_to_ours(vsm, definition):
    ours = valid(vsm("report", "--format", "json", "--stream", "platform")[1])
    theirs = valid(vsm("report", "--format", "json", "--stream", "platform", "--definition", definition)[1])

    assert (ours["definition"], ours["dora_differences"]) == ("vsm", [])
    assert theirs["definition"] == definition
    assert set(theirs) == set(ours)
    assert {name: set(theirs["dora"][name]) >= set(ours["dora"][name]) for name in ours["dora"]} == dict.fromkeys(
        ours["dora"], True
    )
    assert [one["metric"] for one in theirs["dora_differences"]] == list(ours["dora"])
    for one in theirs["dora_differences"]:
        places = [ours["dora"][one["metric"]], theirs["dora"][one["metric"]]]
        quoted = [
            next((place[n] for n in ("per_week", "p50", "mean", "value") if place.get(n) is not None), None) for place in places
        ]
        assert quoted == [one["ours"], one["theirs"]]
        assert (one["steps"][-1]["value"] if one["steps"] else one["ours"]) == pytest.approx(one["theirs"])
        assert sum(step["rows"] for step in one["steps"]) == one["rows"]
    assert theirs["dora"]["deployment_rework_rate"]["value"] is None
    rest = ("flow", "stages", "moves", "handoffs", "rework", "coverage", "quality")
    assert {name: theirs[name] for name in rest} == {name: ours[name] for name in rest}


def test_explain_gives_the_rows_of_the_definition_that_was_asked_for(vsm):
    theirs = valid(vsm("report", "--format", "json", "--stream", "platform", "--definition", "devlake")[1])["dora"]
    status, out, _ = vsm("explain", "change_lead_time", "--format", "json", "--stream", "platform", "--definition", "devlake")
    explained = json.loads(out)

    assert status == 0
    assert explained["definition"].startswith("As DevLake")
    assert len(explained["rows"]) == explained["n"] == theirs["change_lead_time"]["n"]
    assert {"coding", "pickup", "review", "deploy", "cycle", "deployment_commit"} <= set(explained["rows"][0])
    assert any("DevLake counts merged pull requests only" in row["reason"] for row in explained["left_out"])


def test_other_numbers_stand_beside_ours_in_words(vsm):
    status, out, _ = vsm("report", "--stream", "platform", "--definition", "devlake")

    assert status == 0
    assert "BESIDE DEVLAKE'S NUMBERS" in out
    assert "instead of the mean" in out
    assert "DevLake has no deployment rework rate" in out


def test_benchmarks_are_there_only_when_asked_for_with_their_source_and_warning(vsm):
    assert "benchmarks" not in valid(vsm("report", "--format", "json", "--stream", "platform")[1])
    told = valid(vsm("report", "--format", "json", "--stream", "platform", "--benchmarks", "technology")[1])["benchmarks"]
    _, out, _ = vsm("report", "--stream", "platform", "--benchmarks", "technology")

    assert told["industry"] == "technology"
    assert len(told["quick_check"]) == 9, "four metrics in 2024, five in 2025"
    assert all(said in out for said in (told["source"], told["warning"], told["note"], "BENCHMARKS: CLUSTERS BY REPORT YEAR"))


def test_text_and_markdown_carry_the_numbers_of_the_document(vsm):
    told = valid(vsm("report", "--format", "json")[1])

    for form in ("text", "markdown"):
        status, out, _ = vsm("report", "--format", form)
        assert status == 0
        assert f"{told['dora']['change_fail_rate']['value'] * 100:.1f} %" in out
        assert "data quality" in out.casefold()


def test_people_are_pseudonyms_unless_configured(vsm, sample_store, tmp_path):
    told = valid(vsm("report", "--format", "json", "--stream", "checkout")[1])
    people = {edge[side] for edge in told["handoffs"]["between_people"] for side in ("from", "to")}
    assert people
    assert all(person.startswith("Person ") for person in people)

    named = tmp_path / "vsm.toml"
    named.write_text(Path(CONFIG).read_text().replace('people = "pseudonyms"', 'people = "none"'))
    told = valid(vsm("report", "--format", "json", "--stream", "checkout", config=str(named))[1])
    assert told["handoffs"]["between_people"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["report", "--stream", "nope"], "expected one of 'checkout', 'platform'", id="unknown stream"),
        pytest.param(["report", "--application", "nope"], "expected one of", id="unknown application"),
        pytest.param(["report", "--team", "nope"], "expected one of", id="unknown team"),
        pytest.param(["report", "--from", "yesterday"], "expected a date", id="no time"),
        pytest.param(["report", "--from", "2026-03-02T10:00:00"], "has no offset", id="a time without offset"),
        pytest.param(["report", "--from", "2026-03-02", "--to", "2026-03-01"], "not before its end", id="end before start"),
        pytest.param(["report", "--definition", "fourkeys"], "Invalid value", id="unknown definition"),
        pytest.param(["report", "--benchmarks", "baking"], "expected one of all, ", id="an industry nobody published"),
        pytest.param(["report", "--format", "pdf"], "Invalid value", id="unknown format"),
        pytest.param(["explain", "speed"], "expected one of lead_time", id="unknown metric"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_exit_status_2(vsm, arguments, said):
    status, out, err = vsm(*arguments)

    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_store_that_is_not_there_is_named_with_what_to_do(vsm, tmp_path):
    status, _, err = vsm("report", store=f"sqlite:///{tmp_path / 'none.db'}")

    assert status == 2
    assert "vsm collect" in err
    assert not (tmp_path / "none.db").exists()


def test_a_store_without_facts_says_so(vsm, tmp_path):
    from vsm.store import open_store

    url = f"sqlite:///{tmp_path / 'empty.db'}"
    open_store(url).dispose()

    status, _, err = vsm("report", store=url)

    assert status == 2
    assert "holds no facts" in err


def test_the_program_writes_all_it_has_to_say_before_it_ends(tmp_path):
    program = [
        sys.executable,
        "-c",
        "import click; from vsm import cli; cli.run = lambda _: (click.echo('x' * 3_000_000), 7)[1]; cli.main()",
    ]
    done = subprocess.run(program, capture_output=True, check=False)
    assert (done.returncode, len(done.stdout), done.stderr) == (7, 3_000_001, b"")


def test_what_others_have_left_for_the_end_is_done(tmp_path):
    told = tmp_path / "told"
    program = (
        f"import atexit, pathlib; from vsm import cli; atexit.register(pathlib.Path({str(told)!r}).touch); cli.main(['--version'])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
    assert told.exists()


def test_output_that_cannot_be_written_is_a_sentence_and_a_reader_who_leaves_is_none(sample_store):
    program = f"{sys.executable} -c 'from vsm.cli import main; main()' doctor --store {sample_store}"

    def ran(line: str) -> tuple[int, str, str]:
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert ran(f"{program} > /dev/full") == (1, "", "vsm: the output cannot be written: No space left on device\n")
    status, out, err = ran(f"{program} | head -1")
    assert (status, out.count("\n"), err) == (0, 1, "")
    assert "Traceback" not in ran(f"{program} >&-")[2]
