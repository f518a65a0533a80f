"""Whether the configuration, the store and the data are well, and what a configuration could say, from the facts alone."""

import re
import shlex
from collections.abc import Iterator, Sequence

import pandas as pd

from vsm import pipeline, workflow
from vsm.checks import Check
from vsm.config import Config
from vsm.errors import UsageError
from vsm.metrics import quality
from vsm.people import People, hinted
from vsm.store import BESIDE, Facts, about, facts, filled_at, harvests, opened

BY_HAND = ("import", "event", "configuration")  # origins that are no sources
EXAMPLES = 3  # rows of a check that are named; `vsm explain quality:…` prints all of them
NAMES = 8  # listed at most; the rest is counted
DEPLOYS = re.compile(r"(?<![a-z])(deploy|release|rollout|roll-out|promote|publish|ship)(?!e?d\b)", re.I)
PRODUCTION = re.compile(r"(?<![a-z])(prd|prod\w*|live|public|customers?|main|master|gh-pages|github-pages)(?![a-z])", re.I)


def checks(config: Config, store: str) -> Iterator[Check]:
    """Configuration, store, harvests, people and data quality."""
    yield _configuration(config)
    try:
        with opened(store, create=False) as engine:
            read, runs, place = facts(engine), harvests(engine), about(engine)
            runs = runs[~runs["kind"].isin(BESIDE)]  # they read no source
    except UsageError as error:
        yield Check("store", False, str(error))
        return
    yield _store(read, runs, place)
    yield from _runs(runs, config)
    yield from _origins(read, config)
    yield from _people(read, config)
    yield from _quality(read, config, filled_at(runs))


def _configuration(config: Config) -> Check:
    if config.path is None:
        return Check(
            "configuration", None, "there is no vsm.toml: one stream is derived from what is there", "paste what is proposed below"
        )
    told = [f"{len(config.streams)} streams", f"{len(config.sources)} sources"]
    well = None if not config.streams else True
    remedy = (
        ""
        if config.streams
        else "without [[streams]] the stages are guessed from names: paste what is proposed below and correct it"
    )
    return Check("configuration", well, f"{config.path}: {', '.join(told)}", remedy)


def _store(read: Facts, runs: pd.DataFrame, place: str = "") -> Check:
    rows, where = sum(read.counts().values()), f"; {place}" if place else ""
    if not rows:
        return Check("store", None, f"it has no facts yet{where}", "fill it: vsm collect, vsm import FOLDER or vsm event")
    last = runs.loc[runs["status"] == "done", "finished_at"].max()
    when = f", last filled {last:%Y-%m-%d %H:%M} UTC" if pd.notna(last) else ""
    return Check("store", True, f"{rows:,} facts in {sum(count > 0 for count in read.counts().values())} tables{when}{where}")


def _origins(read: Facts, config: Config) -> Iterator[Check]:
    """Facts of sources that the configuration does not have: nobody will ever take them back."""
    tables = [getattr(read, table) for table in read.counts()]
    told = pd.concat([table["origin"].astype("str") for table in tables], ignore_index=True).value_counts()
    known = {*BY_HAND, *(source.name for source in config.sources)}
    for origin, count in told.items() if config.sources else ():
        if origin not in known:
            said = f"{count:,} facts are of a source of this name, which the configuration has not"
            yield Check(str(origin), None, said, "give its source that name again, or fill a new store")


def _runs(runs: pd.DataFrame, config: Config) -> Iterator[Check]:
    """Each source's last run, where that did not end well."""
    names = {source.name for source in config.sources}
    for source, mine in runs.groupby("source", sort=True):
        last = mine.iloc[0]
        remedy = f"vsm collect {shlex.quote(str(source))}" if source in names else "do it again"
        if last["status"] == "failed":
            yield Check(str(source), False, f"its last harvest failed: {last['error']}", remedy)
        elif last["status"] == "running":
            began = f"{last['started_at']:%Y-%m-%d %H:%M} UTC"
            yield Check(str(source), None, f"a harvest that began {began} has not ended, or was killed", remedy)


def _people(read: Facts, config: Config) -> Iterator[Check]:
    """Handles that no identity names: each is a person of its own, though it may be one known by another name."""
    unplaced = People.of(read, config.people).unplaced(read)
    if unplaced.empty:
        return
    listed = [f"{source}:{hinted(handle)}" for source, handle in unplaced[["source", "handle"]].head(NAMES).itertuples(index=False)]
    more = f" and {len(unplaced) - NAMES:,} more" if len(unplaced) > NAMES else ""
    yield Check(
        "people",
        None,
        f"{len(unplaced):,} handles are placed by nobody, each counts as a person of its own: {', '.join(listed)}{more}",
        'where two are one person, say so: [people] "Ann" = ["git:ann@example.org", "github:ann"]',
    )


def _quality(read: Facts, config: Config, harvested: pd.Timestamp | None) -> Iterator[Check]:
    """Each check of the data that found something, the most rows first, with the first of its rows."""
    flow = pipeline.read(read, config, harvested=harvested)
    found = [one for one in quality.findings(flow, flow.streams) if len(one.found)]
    for one in sorted(found, key=lambda one: (-len(one.found), one.check)):
        asked = f"vsm explain {shlex.quote(f'quality:{one.check}')}"
        yield Check("data", None, f"{len(one.found):,} {one.check} ({_first(one.found)}): {one.effect}", f"{one.remedy}; {asked}")


def _first(found: pd.DataFrame) -> str:
    """The first of the rows by what names them, and how many more there are."""
    named = found.iloc[:, 0].astype("str").drop_duplicates()
    more = len(found) - min(len(named), EXAMPLES)
    return ", ".join(named.head(EXAMPLES)) + (f" and {more:,} more" if more else "")


# What a configuration could say. -------------------------------------------------------------------


def proposals(config: Config, store: str, before: Sequence[str] = ()) -> Iterator[str]:
    """Lines for vsm.toml: stages from the statuses seen, production environments and deploy jobs from their names.

    Stages that a source itself has proposed `before`, from its board, go before those that names suggest.
    """
    try:
        with opened(store, create=False) as engine:
            read = facts(engine)
    except UsageError:
        return
    if not config.streams and not any(line.startswith("[[streams]]") for line in before):
        yield from _streams(read, config)
    yield from _environments(read, config)
    yield from _jobs(read, config)


def _streams(read: Facts, config: Config) -> Iterator[str]:
    found = pipeline.read(read, config).streams[0].workflow
    if not found.by_statuses:
        return
    yield "[[streams]]  # from the statuses seen, by their names and the order in which they are reached: correct it"
    yield f"name = {text('everything')}"
    for name in workflow.ENDS:
        if statuses := getattr(found, name):
            yield f"{name} = {listed(statuses)}"
    seen = {*read.tickets["status"].dropna(), *read.transitions["to_status"]}
    if others := sorted(status for status in seen if found.meaning(status)[0] == "unknown"):
        yield f"ignored = {listed(others)}  # only tickets that contain others were in these"
    for stage in found.stages:
        yield ""
        yield "[[streams.stages]]"
        yield f"name = {text(stage.name)}"
        for name in ("waiting", "active"):
            if statuses := getattr(stage, name):
                yield f"{name} = {listed(statuses)}"
    yield ""


def _environments(read: Facts, config: Config) -> Iterator[str]:
    names = read.deployments["environment"].value_counts()
    if names.empty or any(config.production.matches(name) for name in names.index):
        return
    likely = [name for name in names.index if PRODUCTION.search(name)]
    told = ", ".join(f"{name} ({count:,})" for name, count in names.head(NAMES).items())
    yield f"[production]  # no deployment seen went to an environment of these names; seen: {told}"
    yield f"environments = {listed(likely or names.index[:1])}"
    yield ""


def _jobs(read: Facts, config: Config) -> Iterator[str]:
    """Jobs that by their names deploy, where no deployment is known."""
    if len(read.deployments):
        return
    jobs = sorted(job for job in read.builds["job"].unique() if DEPLOYS.search(job))
    if jobs:
        yield "# Jobs that seem to deploy; for the source that they come from (deploy_jobs, for GitHub deploy_workflows):"
        yield f"# deploy_jobs = {listed([_exactly(job) for job in jobs[:NAMES]])}"
        yield ""


def _exactly(name: str) -> str:
    """A regular expression for one name; re.escape() would also escape what needs none."""
    return "^" + re.sub(r"([.^$*+?{}|()\[\]\\])", r"\\\1", name) + "$"


def listed(names: object) -> str:
    """A list of texts in TOML."""
    return f"[{', '.join(text(name) for name in names)}]"  # type: ignore[attr-defined]  # any iterable of texts


def text(value: str) -> str:
    """A text in TOML.

    >>> print(text('Won"t \\\\ do'))
    "Won\\"t \\\\ do"
    """
    escaped = "".join(
        f"\\u{ord(char):04x}" if ord(char) < 32 or ord(char) == 127 else char
        for char in value.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'
