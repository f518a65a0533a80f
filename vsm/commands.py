"""`vsm report` and `vsm explain`: the numbers without a browser."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsm.cli import common
from vsm.errors import UsageError, WorkError

if TYPE_CHECKING:
    import pandas as pd

DEFINITIONS = ("vsm", "devlake", "middleware")
LEVELS = ("sub-task", "item", "parent", "epic")
POLICIES = ("vsm", "jirametrics", "jira-agile-metrics", "pm4py")


def scoped(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a number speaks of."""
    for option in (
        click.option("--policy", type=click.Choice(POLICIES), default="vsm", show_default=True, help="Whose flow policy."),
        click.option(
            "--definition", type=click.Choice(DEFINITIONS), default="vsm", show_default=True, help="Whose DORA definitions."
        ),
        click.option(
            "--to", "end", metavar="WHEN", help="The window's end and 'now': a date or an instant. [default: the newest fact]"
        ),
        click.option("--from", "start", metavar="WHEN", help="The window's start. [default: 26 weeks before its end]"),
        click.option(
            "--level",
            type=click.Choice(LEVELS),
            help="Count the smallest tickets, whole ones, the same as their parts tell, or epics. [default: as configured]",
        ),
        click.option("--team", metavar="T", help="Only the items of one team."),
        click.option("--application", metavar="A", help="Only one application."),
        click.option("--stream", metavar="S", help="Only one value stream."),
    ):
        command = option(command)
    return common(command)


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.option("--schema", "only_schema", is_flag=True, help="Print the JSON Schema of the report and do nothing else.")
@click.option("--benchmarks", "industry", metavar="INDUSTRY", help="Put published survey answers beside it: an industry's, or all.")
@click.option(
    "--fail-if", "fail_if", metavar="'FIGURE > NUMBER'", multiple=True, help="Exit with 1 where that is so; several may be given."
)
@click.option("--engine", metavar="URL", help="Count in an engine: duckdb://FILE, postgresql://…, spark://HOST:PORT/FOLDER.")
@click.option("--fail-if-missing", is_flag=True, help="Exit with 1 also where a figure of --fail-if has no data.")
@scoped
def report(
    form: str,
    only_schema: bool,
    industry: str | None,
    fail_if: tuple[str, ...],
    fail_if_missing: bool,
    engine: str | None,
    **options: Any,
) -> None:
    """Every number of the dashboard, without a browser.

    --fail-if takes a name of `vsm explain` with one of its values ('change_lead_time.p85 > 72', in hours), or a path of the
    report's JSON ('streams.checkout.flow.wip.now > 30').
    """
    from vsm import report as reports  # pandas is a second's import, and --help needs none
    from vsm import report_words, thresholds
    from vsm.schema import schema

    if only_schema:
        click.echo(json.dumps(schema(), indent=2))
        return
    _known(industry)
    bars = thresholds.read(fail_if)
    if engine is None:
        measures, harvests = measured(**options, ahead=True)
        told = reports.document(measures, harvests, industry)
    else:
        measures, told = _in_engine(engine, industry, **options)
    verdicts = thresholds.judged(bars, measures, told)
    if verdicts:
        told["thresholds"] = [thresholds.row(one) for one in verdicts]
    written = {"json": lambda: json.dumps(told, indent=2, ensure_ascii=False) + "\n", "text": lambda: report_words.text(told)}
    click.echo(written.get(form, lambda: report_words.markdown(told))(), nl=False)
    failed = [one.said for one in verdicts if one.crossed or (one.value is None and fail_if_missing)]
    if failed:
        raise WorkError("\n  ".join(failed))


def _in_engine(
    url: str, industry: str | None, policy: str, definition: str, level: str | None, store: str, **options: Any
) -> tuple[Any, dict[str, Any]]:
    """The measures and the document of an engine; the store is not asked. Raises UsageError for what only a store tells."""
    if policy != "vsm" or definition != "vsm" or level is not None:
        raise UsageError("--policy, --definition and --level read single items: leave them out with --engine, or report on a store")
    from vsm import report as reports
    from vsm.warehouse import engine as engines

    with engines.opened(url) as engine:
        from vsm.warehouse import report as counted  # Ibis is there now, or it was said that it is not

        measures, more = counted.told(engine, **options)
        return measures, reports.document(measures, counted.no_harvests(), industry) | more


def _known(industry: str | None) -> None:
    """Raises UsageError for an industry that nothing is published of."""
    if industry is not None:
        from vsm.metrics.benchmarks import groups

        if industry not in groups():
            raise UsageError(f"no published answers of {industry!r}; expected one of {', '.join(groups())}")


@click.command()
@click.argument("metric", required=False)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@scoped
def explain(metric: str | None, form: str, **options: Any) -> None:
    """The rows behind one number, the rule that linked each, what was left out and why.

    Without METRIC, what can be explained. stage:NAME is one stage's visits, quality:WORDS one check's rows.
    """
    from vsm import explain as explanations
    from vsm import figures

    if metric is None:
        click.echo(explanations.listed(figures.names()), nl=False)
        return
    kind, colon, which = metric.partition(":")
    name = kind.replace("-", "_").removesuffix("_per_week") + colon + which
    if kind not in figures.PREFIXED and name not in figures.names():
        raise UsageError(f"no metric {metric!r}; expected one of {', '.join(figures.names())}")
    measures, _ = measured(**options)
    people, privacy = measures.flow.people, measures.flow.config.privacy.people
    try:
        figure = measures.figure(name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if form == "json":
        click.echo(json.dumps(explanations.explanation(figure, people, privacy), indent=2, ensure_ascii=False))
    else:
        click.echo(explanations.text(figure, people, privacy), nl=False)


def measured(definition: Any, policy: Any, ahead: bool = False, **options: Any) -> "tuple[Any, pd.DataFrame]":
    """The measures of the scope that options name (those of `asked`), and the store's harvests. Raises UsageError as that does.

    `ahead`: all of them will be asked for (`measure.measure`).
    """
    from vsm import measure

    flow, scope, harvests = asked(**options)
    try:
        return measure.measure(flow, scope, policy, definition, ahead), harvests
    except ValueError as error:
        raise UsageError(str(error)) from None


def asked(
    store: str,
    config: Path | None,
    stream: str | None,
    application: str | None,
    team: str | None,
    start: str | None,
    end: str | None,
    level: Any = None,
    pseudonyms: bool = False,
) -> "tuple[Any, Any, pd.DataFrame]":
    """What the store's facts tell, the scope that options name, and the store's harvests; nothing is measured yet."""
    from vsm import config as configuration
    from vsm import pipeline
    from vsm import store as stores
    from vsm.scope import Scope, instant, window

    told = configuration.load(config)
    with stores.opened(store, create=False) as engine:
        facts, harvests, place = stores.facts(engine), stores.harvests(engine), str(engine.url)
        if pseudonyms:
            from vsm import disguise

            names = disguise.names_of(facts, told, disguise.key(engine, harvests["started_at"].max().to_pydatetime()))
            facts, told = disguise.disguised(facts, told, names)
            application, team = (None if one is None else names.kept(one) for one in (application, team))
            harvests = harvests.assign(source="a store", scope=None, error=None)
    try:
        now = instant(end, told.zone, last=True) if end else None
        flow = pipeline.read(facts, told, now, stores.filled_at(harvests), level)
        if flow.now is None:
            raise UsageError(f"the store {place} holds no facts yet: fill it with `vsm collect` or `vsm import FOLDER`")
        first, last = window(flow.now, told.zone, start, end)
        return flow, Scope(first, last, stream=stream, application=application, team=team), harvests
    except ValueError as error:
        raise UsageError(str(error)) from None
