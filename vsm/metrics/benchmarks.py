"""Published DORA figures beside ours: no tiers, only where a value lies among survey answers and what others answered.

The surveys asked people; ours is measured. So an answer that is read off a measured value is an approximation.
Sources and licence: vsm/benchmarks/NOTICE.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources

import pandas as pd

from vsm.metrics.figure import Figure

WARNING = "survey clusters, found anew in each year's answers: no standard, not in order, and not to be aimed at"
NOTE = "answers of people in a survey beside measured values: an approximation"
OVERLAP = "the survey's two highest answers overlap: from once a day up to once an hour the lower one is taken"
SOURCE = "DORA Quick Check and State of DevOps reports, © Google LLC / DORA, CC BY 4.0 (dora.dev)"
YEARS = (2024, 2025)
HOUR, DAY, WEEK, MONTH, HALF_YEAR = 1.0, 24.0, 168.0, 730.5, 4383.0  # hours; a month is a twelfth of 365.25 days
SPANS = ((HOUR, "less than one hour"), (DAY, "less than one day"), (WEEK, "one day to one week"),
         (MONTH, "one week to one month"), (HALF_YEAR, "one to six months"))  # fmt: skip
RATES = ((24.0, "on demand (multiple deploys per day)"), (1.0, "between once per hour and once per day"),
         (1 / 7, "between once per day and once per week"), (DAY / MONTH, "between once per week and once per month"),
         (DAY / HALF_YEAR, "between once per month and once every six months"))  # fmt: skip
TIMES = ("change_lead_time", "failed_deployment_recovery_time")
SHARES = ("change_fail_rate", "deployment_rework_rate")
THROUGHPUT = ("change_lead_time", "deployment_frequency", "failed_deployment_recovery_time")
METRICS = (*THROUGHPUT, *SHARES)


def score(metric: str, answer: float) -> float:
    """The Quick Check's score of an answer, 0 to 10: of answer 1 to 6 in steps of 2, of a percentage 0 to 100 the rest to 100.

    >>> score("change_lead_time", 3.5), score("change_fail_rate", 5)
    (5.0, 9.5)
    """
    return 10 - answer / 10 if metric in SHARES else (answer - 1) * 2.0


def answer(metric: str, value: float) -> tuple[float, str]:
    """Where a measured value lies among the Quick Check's answers: the answer and its words; of a rate its percentage.

    `value`: hours of times, deployments a week, a share of rates.

    >>> answer("change_lead_time", 30.0)
    (4.0, 'one day to one week')
    """
    if metric in SHARES:
        return value * 100, f"{value * 100:.1f} %"
    if metric in TIMES:
        found = next(((6.0 - place, words) for place, (bound, words) in enumerate(SPANS) if value < bound), None)
        return found or (1.0, "more than six months")
    per_day = value / 7
    found = next(
        ((6.0 - place, words) for place, (bound, words) in enumerate(RATES) if per_day > bound or (place and per_day == bound)),
        None,
    )
    return found or (1.0, "less than once per six months")


def quick_check_scores(answers: Mapping[str, float | None]) -> dict[str, float | None]:
    """The Quick Check's scores of answers by metric, 0 to 10, with throughput, stability and overall; None without an answer.

    Each of the three is the mean of its own scores and missing where one of them is; a rework rate that
    was not asked for (2024) is left out of `answers`.
    """
    scores = {metric: None if value is None else score(metric, value) for metric, value in answers.items()}
    return scores | {
        "throughput": _mean([scores.get(metric) for metric in THROUGHPUT]),
        "stability": _mean([scores[metric] for metric in SHARES if metric in scores]),
        "overall": _mean(list(scores.values())),
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


@cache
def quick_check() -> pd.DataFrame:
    """What others answered: year, by, group, name, metric, score (10 is best), sd.

    By size of organization the recovery time of 2025 was published the other way round; it is turned here.
    """
    told = _read("quick_check.csv")
    turned = told["metric"].isin(SHARES) | (
        (told["year"] == 2025) & (told["by"] == "organization_size") & (told["metric"] == "failed_deployment_recovery_time")
    )
    return told.assign(score=told["mean"].mask(turned, 10 - told["mean"]).round(6)).drop(columns="mean")


@cache
def clusters() -> pd.DataFrame:
    """The clusters by report year as DORA worded them: year, cluster, share_percent, the four answers, source."""
    return _read("clusters.csv")


def _read(name: str) -> pd.DataFrame:
    with resources.files("vsm.benchmarks").joinpath(name).open(encoding="utf-8") as file:
        return pd.read_csv(file)


def groups() -> tuple[str, ...]:
    """The industries that there are figures of; "all" is first."""
    told = quick_check()
    return tuple(dict.fromkeys(told.loc[told["by"] == "industry", "group"]))


def means(group: str, year: int, by: str = "industry") -> dict[str, float]:
    """What a group answered on the mean, as scores by metric, with throughput, stability and overall."""
    told = quick_check()
    mine = told[(told["group"] == group) & (told["year"] == year) & (told["by"] == by)]
    own: dict[str, float] = {metric: float(mine.loc[mine["metric"] == metric, "score"].iloc[0]) for metric in METRICS
                             if (mine["metric"] == metric).any()}  # fmt: skip
    stability = [own[metric] for metric in SHARES if metric in own]
    throughput = [own[metric] for metric in THROUGHPUT]
    overall = sum(own.values()) / len(own)
    return own | {
        "throughput": sum(throughput) / len(throughput), "stability": sum(stability) / len(stability), "overall": overall,
    }  # fmt: skip


def benchmarks(figures: Mapping[str, Figure], group: str) -> pd.DataFrame:
    """Each metric's place among the Quick Check's answers beside what an industry, or all, answered: a row a metric and edition.

    metric, value, answer (words), score, year, mean, sd, distance (how many of their standard deviations the score is above
    their mean). A value that is not known has no score. Raises ValueError, with what there is, for no such industry.
    """
    if group not in groups():
        raise ValueError(f"no industry {group!r}; expected one of {', '.join(groups())}")
    told = quick_check()
    told = told[(told["by"] == "industry") & (told["group"] == group)]
    rows = []
    for metric in METRICS:
        value = _measured(figures[metric])
        place = None if value is None else answer(metric, value)
        own = None if place is None else score(metric, place[0])
        for year, theirs, sd in told.loc[told["metric"] == metric, ["year", "score", "sd"]].itertuples(index=False):
            rows.append({
                "metric": metric, "value": value, "answer": place and place[1], "score": own, "year": int(year), "mean": theirs,
                "sd": sd, "distance": None if own is None or not sd > 0 else (own - theirs) / sd,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _measured(figure: Figure) -> float | None:
    """The number of a figure that the Quick Check asks for."""
    known = (figure.values.get(name) for name in ("per_week", "p50", "mean", "value"))
    return next((value for value in known if value is not None), None)
