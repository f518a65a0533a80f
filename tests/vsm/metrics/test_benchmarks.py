"""Published figures: the Quick Check's own vectors, no tier anywhere, and whose they are beside them."""

import csv
from importlib import resources
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from setuptools import Distribution

from vsm.metrics import benchmarks as b
from vsm.metrics.figure import Figure

NAMES = {
    "leadtime": "change_lead_time", "deployfreq": "deployment_frequency", "failurerecovery": "failed_deployment_recovery_time",
    "changefailure": "change_fail_rate", "rework": "deployment_rework_rate",
}  # fmt: skip


def rows(recorded: Path, name: str) -> list[dict[str, str]]:
    with (recorded / "dora_oracle" / "benchmarks" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_answer_has_the_quick_check_s_score(recorded: Path) -> None:
    told = rows(recorded, "quickcheck_score_expected")
    assert len(told) == 11
    for row in told:
        metric = "change_lead_time" if row["type"] == "categorical" else "change_fail_rate"
        assert b.score(metric, float(row["answer"])) == pytest.approx(float(row["score_0_to_10"])), row


def test_the_means_make_the_quick_check_s_own_totals(recorded: Path) -> None:
    told = {(row["edition"], row["group_key"], row["quantity"]): float(row["value"]) for row in
            rows(recorded, "quickcheck_transformed_expected")}  # fmt: skip
    new, old = b.means("all", 2025), b.means("all", 2024)
    best = dict.fromkeys(b.THROUGHPUT, 6.0)
    five = b.quick_check_scores({**best, "change_fail_rate": 0.0, "deployment_rework_rate": 0.0})
    four = b.quick_check_scores({**best, "change_fail_rate": 0.0})
    rework = new["deployment_rework_rate"]

    assert {key: pytest.approx(value) for key, value in told.items() if key[2] != "stability score (10-instability)"} == {
        ("2025", "all", "change fail rate score (10-raw)"): new["change_fail_rate"],
        ("2025", "all", "rework score (10-raw)"): rework,
        ("2025", "all", "performance average of 5"): new["overall"],
        ("2024", "all", "performance average of 4"): old["overall"],
        ("2025", "all answers best (6;6;6;0%;0%)", "performance average"): five["overall"],
        ("2024", "all answers best (6;6;6;0%)", "performance average"): four["overall"],
    }
    # Published from unrounded answers; ours is of the two published means.
    assert new["stability"] == pytest.approx(told["2025", "all", "stability score (10-instability)"], abs=0.06)


def test_every_published_figure_is_the_source_s(recorded: Path) -> None:
    ours = b.quick_check()
    shipped = {(str(row.year), row.by, row.group, row.metric): (row.score, row.sd) for row in ours.itertuples()}
    told = {}
    for row in rows(recorded, "quickcheck_raw"):
        if row["metric"] in NAMES:
            mean = float(row["mean_raw"])
            flawed = (row["edition"], row["grouping"], row["metric"]) == ("2025", "organization_size", "failurerecovery")
            turned = row["metric"] in ("changefailure", "rework") or flawed
            key = (row["edition"], row["grouping"], row["group_key"], NAMES[row["metric"]])
            told[key] = (pytest.approx(10 - mean if turned else mean), pytest.approx(float(row["std"])))

    assert len(shipped) == 211
    assert shipped == told


def test_every_answer_s_words_are_the_survey_s(recorded: Path) -> None:
    words = {(NAMES[row["metric"]], float(row["answer_1_to_6"])): row["wording"].casefold() for row in
             rows(recorded, "quickcheck_response_categories")}  # fmt: skip
    values = {
        "change_lead_time": (0.5, 5, 50, 300, 2000, 9000), "failed_deployment_recovery_time": (0.5, 5, 50, 300, 2000, 9000),
        "deployment_frequency": (7 * 25, 7 * 3, 3, 0.5, 0.1, 0.01),
    }  # fmt: skip
    for metric, some in values.items():
        found = [b.answer(metric, value) for value in some]
        assert [place for place, _ in found] == [6, 5, 4, 3, 2, 1]
        assert [said for _, said in found] == [words[metric, place] for place, _ in found]


def test_the_flaw_of_2025_s_sizes_is_turned_so_that_all_agree() -> None:
    by = {kind: b.means("all", 2025, kind)["failed_deployment_recovery_time"] for kind in ("industry", "organization_size")}
    assert by == {"industry": 7.4, "organization_size": pytest.approx(7.4)}


def test_clusters_are_of_their_years_and_not_in_order() -> None:
    told = b.clusters()
    assert sorted(set(told["year"])) == [2018, 2019, 2021, 2022, 2023, 2024]
    rate = told[told["year"] == 2024].set_index("cluster")["change_fail_rate"]
    assert (rate["high"], rate["medium"]) == ("20%", "10%")
    assert "no standard" in b.WARNING


def figure(name: str, **values: float | None) -> Figure:
    return Figure(name, values, 1, "", "", "", rows=pd.DataFrame())


FIGURES = {
    "change_lead_time": figure("change_lead_time", p50=30.0),
    "deployment_frequency": figure("deployment_frequency", per_week=2.0),
    "failed_deployment_recovery_time": figure("failed_deployment_recovery_time", p50=None),
    "change_fail_rate": figure("change_fail_rate", value=0.19),
    "deployment_rework_rate": figure("deployment_rework_rate", value=0.0),
}


def test_a_value_has_its_place_among_the_answers_and_its_distance_and_what_is_not_known_has_none() -> None:
    found = b.benchmarks(FIGURES, "all")
    new = found[found["year"] == 2025].set_index("metric")

    assert new.loc["change_lead_time", ["answer", "score", "mean", "sd"]].tolist() == ["one day to one week", 6.0, 5.5, 2.4]
    assert new.loc["change_lead_time", "distance"] == pytest.approx(0.5 / 2.4)
    assert new.loc["change_fail_rate", "distance"] == pytest.approx(0.0)
    assert new.loc["deployment_rework_rate", "score"] == 10
    unknown = new.loc["failed_deployment_recovery_time"]
    assert pd.isna(unknown["score"])
    assert pd.isna(unknown["distance"])
    assert unknown["mean"] == 7.4
    assert "deployment_rework_rate" not in set(found.loc[found["year"] == 2024, "metric"])


def test_no_tier_is_given_to_anybody() -> None:
    assert not {"elite", "high", "medium", "low"} & {str(word) for word in b.benchmarks(FIGURES, "all")["answer"]}


def test_an_unknown_industry_is_named_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="no industry 'baking'; expected one of all, "):
        b.benchmarks(FIGURES, "baking")


@given(st.sampled_from(b.METRICS), st.floats(0, 1), st.floats(0, 1))
def test_better_is_never_a_lower_score(metric: str, one: float, other: float) -> None:
    worse, better = sorted((one, other), reverse=metric != "deployment_frequency")
    scale = 1 if metric in b.SHARES else 10_000
    low, high = (b.score(metric, b.answer(metric, value * scale)[0]) for value in (worse, better))
    assert 0 <= low <= high <= 10


def test_a_score_that_lacks_a_part_is_missing() -> None:
    scores = b.quick_check_scores({"change_lead_time": 6.0, "deployment_frequency": None, "change_fail_rate": 10.0})
    assert (scores["change_lead_time"], scores["change_fail_rate"], scores["stability"]) == (10.0, 9.0, 9.0)
    assert (scores["throughput"], scores["overall"]) == (None, None)


def test_the_data_is_installed_with_its_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    package = Distribution()
    package.parse_config_files()
    package.include_package_data = False  # what a version control knows besides would be asked for
    build = package.get_command_obj("build_py")
    build.ensure_finalized()
    installed = {name for package, _, _, names in build.data_files if package == "vsm" for name in names}

    assert {f"benchmarks/{name}" for name in ("quick_check.csv", "clusters.csv", "NOTICE")} <= installed
    notice = resources.files("vsm.benchmarks").joinpath("NOTICE").read_text(encoding="utf-8")
    assert all(said in notice for said in ("CC BY 4.0", "quick_check.csv", "clusters.csv"))
