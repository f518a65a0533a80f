"""However a history of builds was harvested, in whatever pieces, the store tells what one harvest of it all would tell."""

import random

import jenkins_peer
import pytest
from shelf import both, in_turn

from collectors.jenkins import collector, history
from collectors.rebuild import rebuild

START = 1_760_000_000_000  # milliseconds
HOUR = 3_600_000
SHA = "{:040x}".format


class Life:
    """What happens on a server: builds are made, end, are run again and discarded; jobs come."""

    def __init__(self, jenkins: jenkins_peer.Jenkins, seed: int) -> None:
        self.jenkins, self.chance, self.now, self.highest = jenkins, random.Random(seed), START, {}
        for name in ("shop/build", "shop/deploy-prod"):
            self.job(name)

    def job(self, name: str) -> None:
        self.jenkins.job(name, self.chance.choice([jenkins_peer.FREESTYLE, jenkins_peer.PIPELINE]))
        self.highest[name] = 0

    def step(self) -> None:
        """Something happens to some job."""
        name = self.chance.choice(sorted(self.highest))
        what = self.chance.choices(
            [self.begin, self.begin_many, self.end, self.discard_old, self.discard_any, self.another], [6, 3, 8, 2, 2, 1]
        )
        what[0](name)

    def begin(self, name: str) -> None:
        self.now += HOUR
        self.highest[name] += 1
        number = self.highest[name]
        self.jenkins.build(name, number, timestamp=self.now, duration=0, building=True, result=None, actions=self.revision(number))
        if self.chance.random() < 0.7:
            self.finish(name, number)

    def begin_many(self, name: str) -> None:
        for _ in range(self.chance.randint(2, 12)):
            self.begin(name)

    def finish(self, name: str, number: int) -> None:
        build = self.jenkins.builds[name][number]
        result = self.chance.choice(["SUCCESS", "FAILURE", "UNSTABLE", "ABORTED", "NOT_BUILT"])
        build.update(building=False, result=result, duration=self.chance.randint(1, HOUR))
        stage = {"name": "Deploy", "status": "SUCCESS", "startTimeMillis": build["timestamp"] + 1, "durationMillis": 1000 + number}
        self.jenkins.stages[(name, number)] = [stage]

    def end(self, name: str) -> None:
        open_ = [number for number, build in self.jenkins.builds[name].items() if build["building"]]
        if open_:
            self.finish(name, self.chance.choice(open_))

    def discard_old(self, name: str) -> None:
        for number in sorted(self.ended(name)[:-1])[: self.chance.randint(1, 15)]:
            del self.jenkins.builds[name][number]

    def discard_any(self, name: str) -> None:
        if ended := self.ended(name)[:-1]:
            del self.jenkins.builds[name][self.chance.choice(ended)]

    def another(self, name: str) -> None:
        self.job(f"shop/web/feature%2F{len(self.highest)}")

    def again(self, name: str) -> None:
        """One of the newest builds is run again under its number, and another build follows."""
        if ended := [number for number in self.ended(name) if number > self.highest[name] - 10]:
            number = self.chance.choice(ended)
            self.now += HOUR
            self.jenkins.builds[name][number].update(timestamp=self.now)
            self.finish(name, number)
        self.begin(name)

    def ended(self, name: str) -> list[int]:
        return sorted(number for number, build in self.jenkins.builds[name].items() if not build["building"])

    def revision(self, number: int) -> list[dict]:
        return [
            {
                "_class": "hudson.plugins.git.util.BuildData",
                "lastBuiltRevision": {"SHA1": SHA(number), "branch": [{"name": "refs/remotes/origin/main"}]},
                "remoteUrls": ["git@example.org:ann/shop.git"],
            }
        ]


KEYS = {"deploy_jobs": ["deploy-(?P<environment>prod)"]}


def of(rows: dict, jenkins: jenkins_peer.Jenkins) -> dict:
    """The rows of builds that the server still has."""
    there = [f":{name}#{number}" for name, builds in jenkins.builds.items() for number in builds]
    belongs = ("build", "deployment", "id")
    return {
        table: kept
        for table, every in rows.items()
        if (
            kept := [
                row
                for row in every
                if any(f"{row[next(one for one in belongs if one in row)]}:".find(f"{key}:") > 0 for key in there)
            ]
        )
    }


@in_turn("seed", range(6))
def test_many_harvests_with_kills_between_tell_what_one_harvest_tells(site, shelves, monkeypatch, seed):
    monkeypatch.setattr(history, "PAGE", 7)
    monkeypatch.setattr(collector, "BATCH", 4)
    keys = {**KEYS, **({"deploy_stages": ["Deploy"]} if seed % 3 == 0 else {})}
    life, shelf = Life(site.jenkins, seed), shelves()
    for _ in range(18):
        for _ in range(life.chance.randint(1, 6)):
            life.step()
        if life.chance.random() < 0.3:
            life.again(life.chance.choice(sorted(life.highest)))
            assert shelf.collect(site.source(**keys)).error is None
        shelf.killed(site.source(**keys), life.chance.choice([1, 2, 3, 99, 99]))
    assert shelf.collect(site.source(**keys)).error is None
    whole = shelves()
    assert whole.collect(site.source(**keys)).error is None
    assert of(shelf.everything(), site.jenkins) == whole.everything()
    assert len(shelf.rows("builds")) >= len(whole.rows("builds")) > 0


def past(jenkins: jenkins_peer.Jenkins, job: str, numbers: range, result: str = "SUCCESS", since: int = START) -> None:
    """Builds that ended, an hour apart."""
    for number in numbers:
        jenkins.build(job, number, timestamp=since + number * HOUR, duration=60_000, building=False, result=result)


def numbers(shelf) -> list[int]:
    return sorted(int(row["id"].rpartition("#")[2]) for row in shelf.rows("builds"))


def results(shelf) -> dict[int, str | None]:
    return {int(row["id"].rpartition("#")[2]): row.get("result") for row in shelf.rows("builds")}


def test_a_thousand_builds_cost_eleven_questions_and_nothing_new_costs_one(site, shelf):
    past(site.jenkins, "shop/build", range(1, 1001))
    first = shelf.collect(site.source())
    assert (first.requests, len(site.served.requests), first.read["builds"]) == (11, 11, 1000)
    again = shelf.collect(site.source())
    assert (again.requests, len(site.served.requests) - 11, again.read.total()) == (1, 1, 0)


def test_ten_jobs_of_a_hundred_builds_cost_six_questions(site, shelf):
    for job in range(10):
        past(site.jenkins, f"shop/build{job}", range(1, 101))
    assert shelf.collect(site.source()).requests == 6
    assert len(shelf.rows("builds")) == 1000


def test_one_build_more_costs_one_question_for_its_job_alone(site, shelf):
    for job in range(10):
        past(site.jenkins, f"shop/build{job}", range(1, 101))
    shelf.collect(site.source())
    past(site.jenkins, "shop/build3", range(101, 102))
    again = shelf.collect(site.source())
    assert (again.requests, again.read["builds"], again.changed) == (2, 1, 1)


def test_stages_are_asked_for_once_a_build(site, shelf):
    site.jenkins.job("shop/deploy", jenkins_peer.PIPELINE)
    past(site.jenkins, "shop/deploy", range(1, 31))
    assert shelf.collect(site.source(stages=True)).requests == 2 + 30
    past(site.jenkins, "shop/deploy", range(31, 32))
    assert shelf.collect(site.source(stages=True)).requests == 2 + 1


def test_a_running_build_that_has_not_moved_is_not_asked_for_again(site, shelf):
    past(site.jenkins, "shop/build", range(1, 4))
    site.jenkins.build("shop/build", 4, timestamp=START + 4 * HOUR, duration=0, building=True, result=None)
    shelf.collect(site.source())
    assert shelf.collect(site.source()).requests == 1
    site.jenkins.build("shop/build", 4, building=False, result="SUCCESS", duration=5)
    assert (shelf.collect(site.source()).requests, results(shelf)[4]) == (2, "success")


def test_a_build_that_ends_after_two_hundred_newer_ones_is_asked_for_by_itself(site, shelf):
    site.jenkins.build("shop/build", 1, timestamp=START, duration=0, building=True, result=None)
    past(site.jenkins, "shop/build", range(2, 301))
    shelf.collect(site.source())
    assert shelf.collect(site.source()).requests == 2  # whether it has ended only the build itself can say
    site.jenkins.build("shop/build", 1, building=False, result="FAILURE", duration=5)
    assert (shelf.collect(site.source()).requests, results(shelf)[1]) == (2, "failure")
    assert shelf.collect(site.source()).requests == 1


@both
def test_a_build_run_again_in_its_place_is_told_anew(site, shelf):
    past(site.jenkins, "shop/build", range(1, 31), "FAILURE")
    shelf.collect(site.source())
    site.jenkins.build("shop/build", 30, timestamp=START + 99 * HOUR, result="SUCCESS")
    site.jenkins.build("shop/build", 25, timestamp=START + 98 * HOUR, result="SUCCESS")
    again = shelf.collect(site.source())
    assert again.read["builds"] == 2
    assert {number for number, result in results(shelf).items() if result == "success"} == {25, 30}


def test_discarded_builds_stay(site, shelf):
    past(site.jenkins, "shop/build", range(1, 31))
    shelf.collect(site.source())
    site.jenkins.builds["shop/build"] = {}
    past(site.jenkins, "shop/build", range(28, 32))
    shelf.collect(site.source(), full=True)
    assert numbers(shelf) == [*range(1, 32)]


@both
def test_the_builds_of_a_job_that_was_renamed_stay_and_it_goes_on_under_its_new_name(site, shelf):
    past(site.jenkins, "shop/build", range(1, 4))
    shelf.collect(site.source())
    site.jenkins.delete("shop/build")
    past(site.jenkins, "shop/compile", range(1, 5))
    assert shelf.collect(site.source()).error is None
    assert sorted(row["job"] for row in shelf.rows("builds")) == ["shop/build"] * 3 + ["shop/compile"] * 4


def test_a_job_that_was_made_anew_is_read_from_its_first_build(site, shelf):
    past(site.jenkins, "shop/build", range(1, 201), "FAILURE")
    shelf.collect(site.source())
    site.jenkins.delete("shop/build")
    past(site.jenkins, "shop/build", range(1, 151), "SUCCESS", START + 1000 * HOUR)
    shelf.collect(site.source())
    assert [results(shelf)[number] for number in (1, 150, 151, 200)] == ["success", "success", "failure", "failure"]


def test_a_newest_build_that_was_deleted_costs_one_question(site, shelf):
    past(site.jenkins, "shop/build", range(1, 501))
    shelf.collect(site.source())
    for number in (499, 500):
        del site.jenkins.builds["shop/build"][number]
    again = shelf.collect(site.source())
    assert (again.requests, again.read["builds"], len(shelf.rows("builds"))) == (2, 0, 500)


def test_a_running_build_that_the_list_hid_is_found_when_the_job_moves(site, shelf):
    past(site.jenkins, "shop/build", range(1, 31))
    site.jenkins.build("shop/build", 31, timestamp=START + 31 * HOUR, duration=0, building=True, result=None)
    past(site.jenkins, "shop/build", range(32, 34))
    site.jenkins.hidden.add(("shop/build", 31))
    shelf.collect(site.source())
    assert 31 not in numbers(shelf)
    site.jenkins.hidden.clear()
    past(site.jenkins, "shop/build", range(34, 35))
    shelf.collect(site.source())
    assert 31 in numbers(shelf)


@pytest.mark.parametrize("pages", range(1, 6))
def test_a_first_harvest_that_was_killed_goes_on_where_it_was_while_builds_come_and_go(site, shelves, monkeypatch, pages):
    monkeypatch.setattr(history, "PAGE", 10)
    monkeypatch.setattr(collector, "BATCH", 10)
    past(site.jenkins, "shop/build", range(1, 101))
    shelf = shelves()
    shelf.killed(site.source(), pages)
    before = set(numbers(shelf))
    past(site.jenkins, "shop/build", range(101, 106))
    for number in range(90, 106 if pages > 2 else 90, 2):  # so that what comes next has moved up the list
        del site.jenkins.builds["shop/build"][number]
    site.served.forget()
    assert shelf.collect(site.source()).error is None
    assert set(numbers(shelf)) == before | set(site.jenkins.builds["shop/build"])
    assert len(site.served.requests) <= 16 - pages


def test_only_what_happened_since_a_day_is_read_and_an_earlier_day_reads_the_rest(site, shelf):
    past(site.jenkins, "shop/build", range(1, 301))
    since = [history.builds.at(START + hours * HOUR) for hours in (290, 150)]
    assert shelf.collect(site.source(since=since[0])).requests == 2
    assert numbers(shelf) == [*range(290, 301)]
    assert shelf.collect(site.source(since=since[0])).requests == 1
    shelf.collect(site.source(since=since[1]))
    assert numbers(shelf) == [*range(150, 301)]


def test_a_budget_ends_a_run_with_all_that_it_read_and_the_next_goes_on(site, shelf):
    site.jenkins.job("shop/deploy", jenkins_peer.PIPELINE)
    past(site.jenkins, "shop/deploy", range(1, 31))
    runs = []
    for _ in range(4):
        site.served.forget()
        outcome = shelf.collect(site.source(stages=True, max_requests=12))
        runs.append((outcome.read["builds"], len(site.served.requests), outcome.error is None))
    assert runs == [(10, 12, False), (10, 12, False), (10, 12, True), (0, 1, True)]


def test_another_parameter_to_go_by_reads_the_builds_again(site, shelf):
    for number in range(1, 4):
        actions = [{"_class": "hudson.model.ParametersAction", "parameters": [{"name": "ENV", "value": "prod"}]}]
        site.jenkins.build(
            "deploy", number, timestamp=START + number, duration=1, building=False, result="SUCCESS", actions=actions
        )
    shelf.collect(site.source())
    outcome = shelf.collect(site.source(deploy_parameters={"ENV": "^prod"}))
    assert (outcome.requests, len(shelf.rows("deployments"))) == (2, 3)
    assert outcome.warnings == (
        "jenkins: the rules for deployments, application or unstable have changed: run vsm rebuild, so that the builds"
        " that are already here are told by the new ones",
    )
    assert shelf.collect(site.source(deploy_parameters={"ENV": "^prod"})).warnings == ()


def test_jobs_that_went_away_between_two_questions_are_no_fault(site, shelf):
    past(site.jenkins, "shop/build", range(1, 4))
    source = site.source()
    source.scope()
    site.jenkins.delete("shop/build")
    assert shelf.collect(source).error is None
    assert shelf.everything() == {}


def test_a_thousand_builds_of_a_hundred_branches_cost_six_questions(site, shelf):
    site.jenkins.job("shop/web", jenkins_peer.MULTIBRANCH)
    for branch in range(100):
        past(site.jenkins, f"shop/web/feature%2F{branch}", range(1, 11))
    first = shelf.collect(site.source())
    assert (first.requests, first.read["builds"]) == (6, 1000)
    assert shelf.collect(site.source()).requests == 1


def test_jobs_that_were_read_together_go_on_by_themselves_where_they_have_more(site, shelf):
    for job in ("shop/a", "shop/b", "shop/c"):
        past(site.jenkins, job, range(1, 61))
    past(site.jenkins, "shop/d", range(1, 151))
    assert shelf.collect(site.source()).requests == 1 + 1 + 2
    assert len(shelf.rows("builds")) == 330


def test_jobs_that_came_between_two_questions_do_not_mix_up_those_that_are_read_together(site, shelf):
    for job in ("shop/b", "shop/c", "shop/d"):
        past(site.jenkins, job, range(1, 4))
    source = site.source()
    source.scope()
    site.jenkins.kinds = {"shop": jenkins_peer.FOLDER, "shop/a": jenkins_peer.FREESTYLE, **site.jenkins.kinds}
    past(site.jenkins, "shop/a", range(1, 6))
    assert shelf.collect(source).error is None
    assert sorted(row["job"] for row in shelf.rows("builds")) == ["shop/b"] * 3 + ["shop/c"] * 3 + ["shop/d"] * 3
    assert shelf.collect(site.source()).error is None
    assert len(shelf.rows("builds")) == 14


@both
def test_a_rebuild_tells_all_of_it_again_without_the_network_and_by_the_rules_of_now(site, shelf):
    site.jenkins.job("shop/deploy-prod", jenkins_peer.PIPELINE)
    for number in range(1, 31):
        actions = Life(site.jenkins, 0).revision(number)
        ended = {"timestamp": START + number * HOUR, "duration": 60_000, "building": False, "result": "SUCCESS"}
        site.jenkins.build("shop/deploy-prod", number, actions=actions, **ended)
    shelf.collect(site.source(**KEYS))
    before = shelf.everything()
    site.served.forget()
    again = rebuild(shelf.engine, [site.source(**KEYS)], lambda: history.builds.EPOCH)[0]
    assert (again.told, again.changed, again.gone, shelf.everything()) == (30, 0, 0, before)
    changed = rebuild(shelf.engine, [site.source(deploy_jobs=["deploy"], application="web")], lambda: history.builds.EPOCH)[0]
    assert (changed.gone, site.served.requests) == (30, [])
    assert {(row["environment"], row["application"]) for row in shelf.rows("deployments")} == {("production", "web")}


def test_a_walk_that_was_killed_misses_nothing_when_what_it_had_passed_is_discarded(site, shelf, monkeypatch):
    monkeypatch.setattr(history, "PAGE", 10)
    monkeypatch.setattr(collector, "BATCH", 10)
    past(site.jenkins, "shop/build", range(1, 101))
    shelf.killed(site.source(), 5)
    passed = numbers(shelf)
    assert 40 <= len(passed) <= 60
    for number in range(66, 96):
        del site.jenkins.builds["shop/build"][number]
    assert shelf.collect(site.source()).error is None
    assert numbers(shelf) == sorted({*passed, *range(1, 66), *range(96, 101)})


def test_jobs_that_nobody_wants_are_not_read_together_with_others(site, shelf):
    for job in ("shop/a", "shop/b", "shop/c"):
        past(site.jenkins, job, range(1, 4))
    assert shelf.collect(site.source(exclude_jobs=["/b$"])).requests == 1 + 2
    assert {row["job"] for row in shelf.rows("builds")} == {"shop/a", "shop/c"}
