"""A pipeline fails by a figure: the sentence names figure, value, n and threshold; no data is no failure unless asked for."""

import copy
import json
from pathlib import Path

import pytest
from jsonschema import validate

from vsm import cli, measure
from vsm.commands import asked
from vsm.errors import UsageError
from vsm.report import document
from vsm.report_words import markdown
from vsm.schema import schema
from vsm.thresholds import judged, read, row

CONFIG = str(Path(__file__).parents[2] / "sample_data" / "vsm.toml")


@pytest.fixture(scope="module")
def checkout(sample_store):
    """The measures of the stream checkout, and the report of them."""
    flow, scope, harvests = asked(sample_store, Path(CONFIG), "checkout", None, None, None, None)
    measures = measure.measure(flow, scope)
    return measures, document(measures, harvests)


@pytest.fixture
def verdicts(checkout):
    """`verdicts('wip > 3')`: what becomes of each, of the stream checkout."""
    return lambda *bars: judged(read(bars), *checkout)


@pytest.fixture
def vsm(sample_store, capsys):
    """`vsm('wip > 3')`: exit status, output and what was said, of the program for one day of checkout."""

    def run(*words: str) -> tuple[int, str, str]:
        day = ("--stream", "checkout", "--from", "2025-11-12", "--to", "2025-11-12")
        status = cli.run(["report", "--store", sample_store, "--config", CONFIG, "--format", "json", *day, *words])
        out = capsys.readouterr()
        return status, out.out, out.err

    return run


def test_a_crossed_threshold_ends_with_1_and_a_sentence_and_the_report_is_there_all_the_same(vsm):
    status, out, said = vsm("--fail-if", "flow.wip.now >= 0", "--fail-if", "change_fail_rate > 2", "--fail-if", "lead_time.n < 1")
    told = json.loads(out)
    validate(told, schema())
    assert [one["crossed"] for one in told["thresholds"]] == [True, False, True]
    assert (status, said) == (
        1,
        f"vsm: flow.wip.now is {told['flow']['wip']['now']}, which is >= 0\n  lead_time.n is 0 (n 0), which is < 1\n",
    )


def test_no_data_is_no_failure_unless_asked_for(vsm):
    bar = ("--fail-if", "failed_deployment_recovery_time.p85 > 1")
    assert vsm(*bar)[::2] == (0, "")
    status, _, said = vsm(*bar, "--fail-if-missing")
    assert (status, said) == (
        1,
        "vsm: failed_deployment_recovery_time.p85 has no data (n 0): nobody can say whether it is > 1\n",
    )


@pytest.mark.parametrize("bar", ["change_fail_rate = 1", "change_fail_rte > 1"])
def test_a_wrong_expression_ends_with_2_and_no_report(vsm, bar):
    status, out, said = vsm("--fail-if", bar)
    assert (status, out) == (2, "")
    assert said.startswith(f"vsm: --fail-if {bar!r}: ")
    assert said.count("\n") == 1


def test_a_sentence_names_figure_value_n_and_threshold(verdicts, checkout):
    rate = checkout[1]["dora"]["change_fail_rate"]
    crossed, held = verdicts("change_fail_rate > 1%", "change-fail-rate > 0.5")
    assert (crossed.crossed, held.crossed) == (True, False)
    assert crossed.said == f"change_fail_rate.value is {rate['value']:.4g} (n {rate['n']}), which is > 0.01"
    assert held.said == f"change_fail_rate.value is {rate['value']:.4g} (n {rate['n']}), which is not > 0.5"


@pytest.mark.parametrize(
    ("bar", "where"),
    [
        ("flow.lead_time.p85 > 0", ("flow", "lead_time", "p85")),
        ("dora.change_fail_rate.failed > 0", ("dora", "change_fail_rate", "failed")),
        ("coverage.tickets_linked.value > 0", ("coverage", "tickets_linked", "value")),
        ("change_lead_time.p85 > 0", ("dora", "change_lead_time", "p85")),
        ("change_lead_time > 0", ("dora", "change_lead_time", "p50")),
        ("lead_time.n > 0", ("flow", "lead_time", "n")),
    ],
)
def test_a_figure_or_a_path_of_the_report_is_the_number_of_the_report(verdicts, checkout, bar, where):
    value = checkout[1]
    for key in where:
        value = value[key]
    [verdict] = verdicts(bar)
    assert (verdict.value, verdict.crossed) == (value, True)


def test_a_row_of_a_list_is_named_by_its_first_column(verdicts, checkout):
    [stage] = [one for one in checkout[1]["stages"] if one["stage"] == "QA"]
    found = verdicts("stages.QA.dwell.p50 > 1", "stage:QA.median_stay_hours > 1")
    assert [one.value for one in found] == [stage["dwell"]["p50"]] * 2


@pytest.mark.parametrize(
    ("bar", "said"),
    [
        ("change_fail_rate", "expected such as 'change_fail_rate > 0.15'"),
        ("change_fail_rate > lots", "expected such as 'change_fail_rate > 0.15'"),
        ("change_fail_rate = 1", "expected such as 'change_fail_rate > 0.15'"),
        ("> 1", "expected such as 'change_fail_rate > 0.15'"),
        ("__import__('os') > 1", "no figure \"__import__('os')\""),
        ("change_fail_rte > 1", "did you mean change_fail_rate?"),
        ("lead_time.p77 > 1", "lead_time has no value 'p77'; expected lead_time with one of .p50, .p85, .p95, .n"),
        ("constraint > 1", "expected constraint with one of .confidence"),
        ("flow.wip > 1", "flow.wip is no number of the report; expected one of .now, .mean"),
        ("window.from > 1", "window.from is no number of the report"),
        ("stage:Nowhere.n > 1", "no stage 'Nowhere.n'; expected one of 'Refine'"),
    ],
)
def test_a_wrong_expression_is_refused_with_what_was_expected(verdicts, bar, said):
    with pytest.raises(UsageError) as error:
        verdicts(bar)
    assert str(error.value).startswith(f"--fail-if {bar!r}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bar_may_be_a_percentage():
    assert [one.bar for one in read(["a > 15%", "a > 0.15", "a<-2", "a >= 1e3"])] == [0.15, 0.15, -2.0, 1000.0]


def test_markdown_tells_thresholds_first_and_calls_nobody(verdicts, checkout):
    told = copy.deepcopy(checkout[1]) | {"thresholds": [row(one) for one in verdicts("change_fail_rate > 0")]}
    told["stages"][0]["stage"] = "@everyone <b>\u202e](https://example.org) ~x~\n| a"
    text = markdown(told)
    assert text.index("## Thresholds") < text.index("## DORA")
    assert r"| change\_fail\_rate \> 0 | FAILED |" in text
    assert "| @\u200beveryone \\<b\\> \\](https:\u200b//example.org) \\~x\\~ \\| a |" in text
    assert "|  |  |" not in text  # a table without names is a list
