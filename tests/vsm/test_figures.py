"""Every number opens its rows: what `vsm explain` gives of the sample, told again by plain arithmetic on the rows alone."""

import math
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from vsm import config, figures, measure, pipeline, store
from vsm.cli import run
from vsm.explain import explanation
from vsm.metrics.figure import definition
from vsm.scope import Scope, window

CONFIG = Path(__file__).parents[2] / "sample_data" / "vsm.toml"
VIENNA = ZoneInfo("Europe/Vienna")


@pytest.fixture(scope="module")
def measures(sample_store):
    """What is measured of one stream of the sample."""
    told = config.load(CONFIG)
    with store.opened(sample_store, create=False) as engine:
        flow = pipeline.read(store.facts(engine), told, harvested=store.filled_at(store.harvests(engine)))
    first, last = window(flow.now, told.zone)
    return measure.measure(flow, Scope(first, last, stream="checkout"))


@pytest.fixture(scope="module")
def explained(measures):
    """The document that `vsm explain NAME --format json` prints."""
    found = {}

    def explain(name):
        if name not in found:
            found[name] = explanation(measures.figure(name), measures.flow.people, "pseudonyms")
        return found[name]

    return explain


# Plain arithmetic. -----------------------------------------------------------------------------------------------------


def time(text):
    return None if text is None else datetime.fromisoformat(text)


def between(row, start, end):
    """Hours from one time of a row to another, None where one is missing."""
    return None if row[start] is None or row[end] is None else (time(row[end]) - time(row[start])) / timedelta(hours=1)


def rank(values, percent):
    """The smallest value that so many per cent do not exceed."""
    values = sorted(value for value in values if value is not None)
    return values[max(math.ceil(len(values) * percent / 100), 1) - 1] if values else None


def percentiles(values, *percents):
    return {f"p{percent}": rank(values, percent) for percent in percents}


def average(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None


def share(rows, flag):
    """A share with the interval of Wilson (1927), from his formula."""
    n, hits, z = len(rows), sum(row[flag] for row in rows), 1.959963984540054
    p, spread = hits / n, z * math.sqrt(hits / n * (1 - hits / n) / n + z * z / (4 * n * n))
    middle, whole = p + z * z / (2 * n), 1 + z * z / n
    return {"value": p, "low": (middle - spread) / whole, "high": (middle + spread) / whole, flag: hits}


def by(rows, *names):
    found = defaultdict(list)
    for row in rows:
        found[" → ".join("none" if row[name] is None else row[name] for name in names)].append(row)
    return found


def flat(tables):
    return {f"{key}: {name}": value for key, numbers in tables.items() for name, value in numbers.items()}


class Arithmetic:
    """Each figure's numbers from its rows; `told` is the whole document, `of` gives that of another name."""

    def __init__(self, measures, explained):
        self.start, self.end = (measures.scope.start.to_pydatetime(), measures.scope.end.to_pydatetime())
        self.hours = (self.end - self.start) / timedelta(hours=1)
        self.weeks = self.hours / 168
        self.line = measures.workflow.stages
        self.of = explained

    def within(self, text):
        return text is not None and self.start <= time(text) <= self.end

    def lead_time(self, rows, told):
        return percentiles([between(row, "created_at", "in_production_at") for row in rows], 50, 85, 95)

    def cycle_time(self, rows, told):
        return percentiles([between(row, "first_started", "done_at") for row in rows], 50, 85, 95)

    def throughput(self, rows, told):
        return {"mean": sum(self.within(row["done_at"]) for row in rows) / self.weeks}

    def wip(self, rows, told):
        return {"now": sum(row["now"] for row in rows), "mean": sum(row["hours"] for row in rows) / self.hours}

    def work_item_age(self, rows, told):
        return percentiles([(self.end - time(row["first_queued"])) / timedelta(hours=1) for row in rows], 50, 85)

    def flow_efficiency(self, rows, told):
        work, wait = (sum(row[name] for row in rows) for name in ("work", "wait"))
        return {"value": work / (work + wait), "work_hours": work, "wait_hours": wait}

    def blocked_time(self, rows, told):
        lasted = [between(row, "from", "to") for row in rows]
        spent = sum(row["hours"] for row in self.of("wip")["rows"])
        each = [sum(row["hours"] for row in some) for some in by(rows, "item").values()]
        now = len({row["item"] for row in rows if row["now"]})
        return {"hours": sum(lasted), "share": sum(lasted) / spent, **percentiles(each, 50, 85), "now": now}

    def forecast_hit_rate(self, rows, told):
        held = {f"p{sure}": average([float(row["finished"] >= row[f"p{sure}"]) for row in rows]) for sure in (50, 85, 95)}
        return {"value": held["p85"], **held}

    def handoffs_per_item(self, rows, told):
        moves = sum(row["moves"] for row in rows)
        return {"mean": average([row["handoffs"] for row in rows]), "moves_known": sum(row["known"] for row in rows) / moves}

    def rework(self, rows, told):
        again = sum(row["went_back"] > 0 for row in rows)
        return {
            "items": again,
            "share": again / len(rows),
            "reopened": sum(row["reopened"] > 0 for row in rows),
            "never_sent_back": sum(row["sent_back"] == 0 for row in rows) / len(rows),
            "rolled": self.percent_complete_accurate(self.of("percent_complete_accurate")["rows"], told)["rolled"],
        }

    def deployment_frequency(self, rows, told):
        days = {time(row["deployed_at"]).astimezone(VIENNA).date() for row in rows}
        return {"per_week": sum(self.within(row["deployed_at"]) for row in rows) / self.weeks, "days": len(days)}

    def change_lead_time(self, rows, told):
        return percentiles([between(row, "first_commit_at", "deployed_at") for row in rows], 50, 85, 95)

    def change_fail_rate(self, rows, told):
        runs = sum(row["reason"].startswith("the run failed") for row in told["left_out"])
        return {**share(rows, "failed"), "failed_runs": runs}

    def failed_deployment_recovery_time(self, rows, told):
        still = sum("still open" in row["reason"] for row in told["left_out"])
        return percentiles([between(row, "deployed_at", "recovered_at") for row in rows], 50, 85) | {"open": still}

    def deployment_rework_rate(self, rows, told):
        return share(rows, "unplanned")

    def tickets_linked(self, rows, told):
        return {"value": len({row["item"] for row in rows if row["change"]}) / len({row["item"] for row in rows})}

    def changes_deployed(self, rows, told):
        return {"value": len(rows) / (len(rows) + len(told["left_out"]))}

    incidents_linked = changes_deployed

    def stages(self, rows, told):
        return flat({stage.name: self.stage(stage, by(rows, "stage")[stage.name]) for stage in self.line})

    def stage(self, stage, rows):
        left = [row for row in rows if self.within(row["left"])]
        now = [row for row in rows if time(row["queued"]) <= self.end and not (row["left"] and time(row["left"]) <= self.end)]
        working = [row for row in now if row["started"] and not row["finished"]]
        total = sum(row["hours_in_window"] for row in rows)
        numbers = {
            "visits": len(left),
            "departures": len(left),
            "arrivals": sum(self.within(row["queued"]) for row in rows),
            "rework_visits": sum(self.within(row["queued"]) and row["kind_in"] == "back" for row in rows),
            "dwell_total": total,
            "wip_mean": total / self.hours,
            "wip_now": len(now),
            "working_now": len(working),
            "waiting_now": len(now) - len(working),
            "over_limit": self.over_limit(stage.wip_limit, rows),
        }
        for name in ("wait", "work", "dwell"):
            spans = [row[name] for row in left if row[name] is not None]
            numbers |= {f"{name}_{key}": value for key, value in percentiles(spans, 50, 85).items()}
            numbers |= {f"{name}_mean": average(spans), f"{name}_n": len(spans)}
        return numbers

    def over_limit(self, limit, rows):
        """The share of the window with more inside than the limit, minute by minute of change."""
        if limit is None:
            return None
        inside = [
            (max(time(row["queued"]), self.start), min(time(row["left"] or "9999-01-01T00:00:00Z"), self.end)) for row in rows
        ]
        marks = sorted({self.start, self.end, *(mark for span in inside for mark in span)})
        lasted = [two - one for one, two in pairwise(marks) if sum(since <= one < until for since, until in inside) > limit]
        return sum(lasted, timedelta()) / (self.end - self.start)

    def queue_share(self, rows, told):
        office = self.office_hours()
        whole = sum(((until - since) for since, until in office), timedelta())
        waits = by([row for row in rows if not row["parked"]], "stage")
        shares = {}
        for stage in self.line:
            covered = timedelta()
            for since, until in self.union(waits[stage.name]):
                covered += sum((max(min(until, shut) - max(since, opens), timedelta()) for opens, shut in office), timedelta())
            shares[stage.name] = covered / whole
        return shares | {"hours": whole / timedelta(hours=1)}

    def office_hours(self):
        """Nine to five from Monday to Friday in Vienna, within the window."""
        day, found = self.start.astimezone(VIENNA).date(), []
        while day <= self.end.astimezone(VIENNA).date():
            if day.weekday() < 5:
                opens, shut = (datetime(day.year, day.month, day.day, hour, tzinfo=VIENNA) for hour in (9, 17))
                found.append((max(opens, self.start), min(shut, self.end)))
            day += timedelta(days=1)
        return [(opens, shut) for opens, shut in found if opens < shut]

    def union(self, rows):
        merged = []
        for since, until in sorted((max(time(row["waited_from"]), self.start), time(row["waited_until"])) for row in rows):
            if merged and since <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(until, merged[-1][1]))
            else:
                merged.append((since, until))
        return merged

    def moves(self, rows, told):
        found = {}
        for key, some in by(rows, "from", "to").items():
            waits = [row["wait"] for row in some if row["wait"] is not None]
            known = {who: [row for row in some if row[f"from_{who}"] and row[f"to_{who}"]] for who in ("person", "team")}
            found[key] = {
                "n": len(some),
                "sent_back": sum(row["backward"] and not row["reopened"] for row in some),
                "reopened": sum(row["reopened"] for row in some),
                "wait_p50": rank(waits, 50),
                "wait_mean": average(waits),
                "wait_n": len(waits),
                **{
                    f"{who}_changed": average([float(row[f"from_{who}"] != row[f"to_{who}"]) for row in rows])
                    for who, rows in known.items()
                },
            }
        return flat(found)

    def expected_visits(self, rows, told):
        """Visits an item; and, going down the map, how many there would be of what goes on only to later stages."""
        items = len({row["item"] for row in rows})
        names = [stage.name for stage in self.line if any(row["stage"] == stage.name for row in rows)]
        visits, first, onward, stayed = Counter(row["stage"] for row in rows), Counter(), Counter(), Counter()
        for some in by(rows, "item").values():
            way = [row["stage"] for row in sorted(some, key=lambda row: row["seq"])]
            first[way[0]] += 1
            for one, two in pairwise(way):
                if names.index(two) > names.index(one):
                    onward[one, two] += 1
                else:
                    stayed[one] += 1
        once = {}
        for name in names:
            came = sum(once[before] * onward[before, name] / (visits[before] - stayed[before]) for before in once)
            once[name] = first[name] / items + came
        seen = {name: visits[name] / items for name in names}
        return flat(
            {
                name: {"observed": seen[name], "expected": seen[name], "once": once[name], "extra": seen[name] - once[name]}
                for name in names
            }
        )

    def percent_complete_accurate(self, rows, told):
        edges = {
            key: {"value": 1 - sum(row["sent_back"] for row in some) / len(some), "n": len(some)}
            for key, some in by(rows, "from", "to").items()
        }
        path = self.of("percent_complete_accurate")["said"]["path"].split(" → ")
        return flat(edges) | {"rolled": math.prod(edges[f"{one} → {two}"]["value"] for one, two in pairwise(path))}

    def handoffs_between_people(self, rows, told):
        return flat({key: {"n": len(some)} for key, some in by(rows, "from_person", "to_person").items()})

    def handoffs_between_teams(self, rows, told):
        return flat({key: {"n": len(some)} for key, some in by(rows, "from_team", "to_team").items()})

    def distribution(self, rows, told):
        return flat({key: {"n": len(some), "share": len(some) / len(rows)} for key, some in by(rows, "type").items()})

    def lead_time_parts(self, rows, told):
        ends = {
            "coding": ("first_commit_at", "opened_at"),
            "pickup": ("ready_at", "first_review_at"),
            "review": ("first_review_at", "merged_at"),
            "deploy": ("merged_at", "deployed_at"),
        }
        spans = {part: [between(row, *pair) for row in rows] for part, pair in ends.items()}
        known = {part: [span for span in some if span is not None and span >= 0] for part, some in spans.items()}
        return flat({part: {**percentiles(some, 50, 85), "n": len(some)} for part, some in known.items()})

    def batch_size(self, rows, told):
        numbers = {name: [row[name] for row in rows if row[name] is not None] for name in ("changes", "commits", "lines")}
        middle = {f"{name}_p50": rank(numbers[name], 50) for name in ("commits", "lines")}
        return percentiles(numbers["changes"], 50, 85) | middle

    def availability(self, rows, told):
        down, applications = sum(row["hours"] for row in rows), {row["application"] for row in self.of("batch_size")["rows"]}
        assert all(row["hours"] <= between(row, "start", "end") + 1e-9 for row in rows)
        return {"value": 1 - down / (self.hours * len(applications)), "down_hours": down}

    def time_to_acknowledge(self, rows, told):
        return percentiles([between(row, "noticed_at", "acknowledged_at") for row in rows], 50, 85)

    def blocked_by(self, rows, told):
        now = len({row["item"] for row in rows})
        return {"now": now, "share": now / len(self.of("work_item_age")["rows"])}

    def happy_path(self, rows, told):
        ends = ["begins", "opened_at", "ready_at", "first_review_at", "merged_at", "deployed_at"]
        return {"per_week": self.of("deployment_frequency")["values"]["per_week"]} | self.way(rows, told, ends)

    def recovery_stream(self, rows, told):
        fail, often = self.of("change_fail_rate")["values"]["value"], self.of("deployment_frequency")["values"]["per_week"]
        return {"per_week": fail * often} | self.way(rows, told, ["begins", "recovered_at"])

    def way(self, rows, told, ends):
        parts = list(dict.fromkeys(name.partition(":")[0] for name in told["values"] if ":" in name))
        for row in rows:
            assert sum(row[part] or 0 for part in parts) == pytest.approx(between(row, ends[0], ends[-1]), abs=1e-6)
        steps = {part: [row[part] for row in rows if row[part] is not None] for part in parts}
        return flat(
            {part: {**percentiles(some, 50, 85), "mean": sum(some) / len(rows), "n": len(some)} for part, some in steps.items()}
        )

    def waste(self, rows, told):
        sums = {name: sum(between(row, "from", "to") for row in some) for name, some in by(rows, "class").items()}
        classes = [name for name in told["values"] if name not in ("in_stages", "items_per_person")]
        # What the rest of a person's items cost is a part of the time in work: its rows have hours and no times of their own.
        hours = {name: sum(row["hours"] for row in rows if row["class"] == name) for name in classes}
        assert all(hours[name] == pytest.approx(sums.get(name, 0)) for name in ("waiting", "rework", "abandoned", "parked"))
        return {name: value if told["values"][name] is not None else None for name, value in hours.items()} | {
            "in_stages": sum(row["hours"] for row in rows)
        }

    def constraint(self, rows, told):
        queues = self.queue_share(self.of("queue_share")["rows"], None)
        numbers = self.stages(self.of("stages")["rows"], None)
        for row in rows:
            assert row["score"] == pytest.approx(row["queue_share"] * row["load"])
            assert row["queue_share"] == pytest.approx(queues[row["stage"]])
            assert row["wait_mean_hours"] == pytest.approx(numbers[f"{row['stage']}: wait_mean"])
            assert row["arrivals_per_week"] == pytest.approx(numbers[f"{row['stage']}: arrivals"] / self.weeks)
        assert told["said"]["stage"] == rows[0]["stage"]
        return {"finished": len(self.of("throughput")["rows"])}

    def lead_time_lever(self, rows, told):
        best = max(rows, key=lambda row: row["cut"])
        assert told["said"]["stage"] == best["stage"]
        return {name: best[name] for name in ("cut", "low", "high")}

    def quality(self, rows, told):
        return {row["check"]: len(self.of(f"quality:{row['check']}")["rows"]) for row in rows}


# Numbers that rows alone cannot tell, and why.
BEYOND = {
    "flow_efficiency": {"hours_known"},  # of the items that are left out, too
    "waste": {"items_per_person"},  # a mean over time of the people's items
    "constraint": {"confidence", "threshold"},  # resampled weeks; a setting
}


@pytest.mark.parametrize("name", [name for name in figures.names() if name != "finished_in_12_weeks"])
def test_a_number_is_what_its_rows_come_to(measures, explained, name):
    told = explained(name)
    expected = getattr(Arithmetic(measures, explained), name)(told["rows"], told)
    numbers = {key: value for key, value in told["values"].items() if key not in BEYOND.get(name, ())}
    assert numbers
    assert set(numbers) == set(expected)
    assert {key: value for key, value in numbers.items() if value is None} == {k: v for k, v in expected.items() if v is None}
    known = {key: value for key, value in numbers.items() if value is not None}
    assert known == pytest.approx({key: expected[key] for key in known}, rel=1e-9, abs=1e-9)


def test_a_forecast_is_what_draws_from_its_weeks_come_to(explained):
    """By the normal distribution of twelve independent weeks; the figure draws weeks, and levels that are not sure."""
    told = explained("finished_in_12_weeks")
    weights = sum(row["weight"] for row in told["rows"])
    middle = sum(row["weight"] * row["items"] for row in told["rows"]) / weights
    spread = math.sqrt(sum(row["weight"] * (row["items"] - middle) ** 2 for row in told["rows"]) / weights)
    assert told["values"]["p50"] == pytest.approx(12 * middle, rel=0.05)
    assert 12 * middle - told["values"]["p85"] == pytest.approx(1.036 * spread * math.sqrt(12), rel=0.5)
    assert told["values"]["p95"] < told["values"]["p85"] < told["values"]["p50"]


def test_every_figure_has_a_name_that_means_what_the_figure_says(measures):
    names = figures.names()
    assert set(measures.figures) <= set(names)
    assert {name: measures.figure(name).definition for name in names} == names
    assert all(meaning.endswith(".") for meaning in names.values())


def test_the_numbers_of_a_stage_are_those_of_its_visits(measures, explained):
    told, every = explained("stage:QA"), explained("stages")["values"]
    assert told["n"] == len(told["rows"]) == every["QA: visits"]
    assert told["values"]["median_wait_hours"] == every["QA: wait_p50"] == rank([row["wait"] for row in told["rows"]], 50)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stage:Nowhere", "no stage 'Nowhere'; expected one of 'Refine', 'Develop', 'Review', 'QA', 'Release'"),
        ("quality:the moon", "no check has the words 'the moon'; expected one of: "),
        ("quality:ticket", "several checks have the words 'ticket'; expected one of: "),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(measures, name, said):
    with pytest.raises(ValueError, match=r".") as refused:
        measures.figure(name)
    assert str(refused.value).startswith(said)


def test_explain_lists_what_it_can_explain_and_names_the_streams_where_one_must_be_chosen(sample_store, capsys):
    assert run(["explain"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(figures.names())

    assert run(["explain", "moves", "--store", sample_store, "--config", str(CONFIG)]) == 2
    assert "several streams: choose one with --stream ('checkout', 'platform')" in capsys.readouterr().err
    assert run(["explain", "vibes"]) == 2
    assert "no metric 'vibes'; expected one of lead_time, cycle_time" in capsys.readouterr().err


def test_explain_prints_a_checks_rows_its_effect_and_its_remedy(sample_store, capsys):
    assert run(["explain", "quality:pull requests without a ticket", "--store", sample_store, "--config", str(CONFIG)]) == 0
    said = capsys.readouterr().out
    assert "Its effect: they flow as items of their own." in said
    assert "its remedy: name the ticket in the branch, the title or a commit message" in said
    assert "ROWS (106)" in said


def test_a_definition_is_a_metrics_own():
    assert all(figures.names()[name] == definition(metric) for name, metric in figures.PLAIN.items())
