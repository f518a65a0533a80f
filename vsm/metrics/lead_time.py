"""Change lead time: from a change's start to the production deployment that first held it, and its parts."""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from vsm.config import Dora
from vsm.frames import among, places
from vsm.metrics.figure import Figure, definition, hours, nearest_rank, no_rows, percentiles
from vsm.metrics.production import day, many, reasoned, span, successful, weekly_hours, why_none
from vsm.people import is_bot
from vsm.scope import Scope

PARTS = {
    "coding": ("first_commit_at", "opened_at"),
    "pickup": ("ready_at", "first_review_at"),
    "review": ("first_review_at", "merged_at"),
    "deploy": ("merged_at", "deployed_at"),
}
STARTS = {
    "first_commit": ("first_commit_at", "the first commit's author date"),
    "opened": ("opened_at", "when the pull request was opened"),
    "merged": ("merged_at", "the merge, or the push to the default branch,"),
}
ENDS = {"finished": ("deployed_at", "the finish of"), "started": ("started_at", "the start of")}
SAID = {
    "first_commit_at": "first commit", "opened_at": "opened", "merged_at": "merged", "deployed_at": "in production",
    "started_at": "deployment begun",
}  # fmt: skip
FIRST = {"none": "brings what its source states and nothing else", "history": "brings what its source states, else all before it"}
SETTLED = "in the first deployment known: in production since then at the latest, since when is not known"


def change_lead_time(
    changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, scope: Scope, zone: ZoneInfo,
    settled: pd.DataFrame | None = None, rules: Dora | None = None, unplaced: pd.DataFrame | None = None,
) -> Figure:  # fmt: skip
    """Time from a change's first commit (author date) to the finish of the first successful production deployment that held it.

    Changes whose first production deployment, of all that are given, lies in the window; a change
    that goes to several applications counts once, at the first. Of how many: also the changes that
    were merged in the window and are not known to be in production by its end. `settled`: deployment,
    change: what the first known deployment of an application held already. `unplaced`: change, reason:
    what no path rule places. `[dora]` may say other ends (lead_time_start, lead_time_end), and leave
    out authors, bots and labels, with their counts.
    """
    rules = rules or Dora()
    start, begun = STARTS[rules.lead_time_start]
    end, arrived = ENDS[rules.lead_time_end]
    apart = excluded(changes, rules)
    live = _live(changes, deployments, deployment_changes)
    here = _about(live[scope.holds(live["deployed_at"])], changes)
    mine = here[~among(here["change"], apart["id"])]
    spans = hours(mine[end] - mine[start])
    counted = mine[spans >= 0]
    columns = [*dict.fromkeys(
        ("change", "title", "repository", "url", "application", "first_commit_at", start, "merged_at", "deployment", "deployed_at")
    )]  # fmt: skip
    rows = counted[[*columns, "rule", "strength"]].reset_index(drop=True)
    rows.insert(len(columns), "hours", spans[spans >= 0].to_numpy())
    waiting = _not_live(changes[~among(changes["change"], apart["id"])], live, scope)
    asked = pd.concat([here["change"], _not_live(changes, live, scope)["change"]])
    apart = apart[among(apart["id"], asked)]
    out = [_no_start(mine, start, end), _why_waiting(waiting, deployments, settled, unplaced, scope, zone), apart]
    said = {"start": SAID[start], "end": SAID[end]}
    return Figure(
        "change_lead_time",
        percentiles(rows["hours"], 50, 85, 95),
        len(rows),
        "hours",
        definition(change_lead_time),
        f"from {begun} to {arrived} the first successful production deployment that held the change; "
        f"{many(len(rows), 'change')} deployed {span(scope, zone)}, {int((rows['strength'] == 'guessed').sum())} of them linked "
        f"by a guess; {len(mine) - len(rows)} deployed without a usable {SAID[start]}, {len(waiting)} merged and not known to be "
        f"deployed{_set_apart(apart, rules)}; the first deployment known {FIRST[rules.first_deployment]}; "
        "elapsed time, percentiles by nearest rank",
        rows,
        pd.concat(out, ignore_index=True),
        of=len(mine) + len(waiting),
        series=weekly_hours(rows, scope, zone, 25, 50, 75, 85, 95),
        said=said if len(rows) else said | {"why": _why_no_lead_time(mine, waiting, deployments, scope, zone)},
    )


def counted(changes: pd.DataFrame, rules: Dora) -> pd.DataFrame:
    """The changes that `[dora]` does not leave out."""
    return changes[~among(changes["change"], excluded(changes, rules)["id"])]


def excluded(changes: pd.DataFrame, rules: Dora) -> pd.DataFrame:
    """The changes that `[dora]` leaves out by their author or a label: id and reason."""
    if not (rules.exclude_authors or rules.exclude_bots or rules.exclude_labels):
        return no_rows()
    authors = changes["author"].fillna("").str.casefold()
    patterns = [name.casefold() for name in rules.exclude_authors]
    named = {author for author in authors.unique() if any(fnmatchcase(author, pattern) for pattern in patterns)}
    bots = {author for author in changes["author"].dropna().unique() if is_bot(author)} if rules.exclude_bots else set()
    why = {
        "its author is in [dora] exclude_authors": among(authors, named),
        "its author is a bot": among(changes["author"], bots),
    }
    for label in rules.exclude_labels:
        has = changes["labels"].str.contains(rf"(?:^|;)\s*{re.escape(label)}\s*(?:;|$)", case=False).eq(True)
        why[f"its label {label} is in [dora] exclude_labels"] = has
    return reasoned(changes["change"], why)


def _set_apart(apart: pd.DataFrame, rules: Dora) -> str:
    """How many were left out by configuration, in words; nothing where nothing can be."""
    if not (rules.exclude_authors or rules.exclude_bots or rules.exclude_labels):
        return ""
    return f", {len(apart)} left out by [dora]"


def lead_time_parts(
    changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, scope: Scope, rules: Dora | None = None
) -> pd.DataFrame:
    """Where a change's lead time goes: coding, pickup, review and deploy, each of the changes for which it is known.

    part, p50, p85 (hours), n. Coding: first commit to opened; pickup: ready for review (else opened)
    to the first review; review: to merged; deploy: merged to in production. A part without its
    start or end, or with the end before its start, is missing, never zero. Of all changes deployed
    in the window, also those whose first commit is not known; so each part has its own n.
    """
    return parts_of(part_times(changes, deployments, deployment_changes, scope, rules))


def parts_of(told: pd.DataFrame) -> pd.DataFrame:
    """The same, from each change's times (`part_times`)."""
    known = {part: told[part].dropna() for part in PARTS}
    return pd.DataFrame(
        {
            "part": pd.Series(list(PARTS), dtype="str"),
            "p50": pd.Series([nearest_rank(span, 0.5) for span in known.values()], dtype="float64"),
            "p85": pd.Series([nearest_rank(span, 0.85) for span in known.values()], dtype="float64"),
            "n": pd.Series([len(span) for span in known.values()], dtype="int64"),
        }
    )


def part_times(
    changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, scope: Scope, rules: Dora | None = None
) -> pd.DataFrame:
    """The hours of each part of every change deployed in the window, missing where it is not known: behind `lead_time_parts`."""
    apart = excluded(changes, rules or Dora())
    live = _live(changes, deployments, deployment_changes)
    live = live[scope.holds(live["deployed_at"])]
    mine = _about(live[~among(live["change"], apart["id"])], changes)
    mine = mine.assign(ready_at=mine["ready_at"].fillna(mine["opened_at"]))
    spans = {part: hours(mine[end] - mine[start]) for part, (start, end) in PARTS.items()}
    times = ["first_commit_at", "opened_at", "ready_at", "first_review_at", "merged_at", "deployed_at"]
    told = mine[["change", "title", "url", "application", "deployment", *times]]
    return told.assign(**{part: span.where(span >= 0) for part, span in spans.items()})


def changes_of(
    changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame, applications: Collection[str]
) -> pd.DataFrame:
    """The changes of some applications: those of their own repositories, and those that their deployments brought."""
    theirs = deployments.loc[among(deployments["application"], applications), "id"]
    brought = deployment_changes.loc[among(deployment_changes["deployment"], theirs), "change"]
    return changes[among(changes["application"], applications) | among(changes["change"], brought)]


def _live(changes: pd.DataFrame, deployments: pd.DataFrame, deployment_changes: pd.DataFrame) -> pd.DataFrame:
    """Each change that is in production, with the first deployment that brought it there; oldest first."""
    good = successful(deployments)  # oldest first: so which brought a change first is the smallest place
    place, change = places(deployment_changes["deployment"], good["id"]), places(deployment_changes["change"], changes["change"])
    pairs = np.flatnonzero((place >= 0) & (change >= 0))
    pairs = pairs[np.argsort(place[pairs], kind="stable")]
    pairs = pairs[~pd.Series(change[pairs]).duplicated().to_numpy()]
    brought = good.iloc[place[pairs]][["started_at", "finished_at"]].set_axis(["started_at", "deployed_at"], axis=1)
    first = deployment_changes[["deployment", "change", "rule", "strength"]].iloc[pairs].reset_index(drop=True)
    return pd.concat([first, brought.reset_index(drop=True)], axis=1)


def _about(live: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """The same with all that is known of the changes; to ask it of few is fast."""
    return live.merge(changes, on="change").sort_values(["deployed_at", "change"], kind="stable", ignore_index=True)


def _not_live(changes: pd.DataFrame, live: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The changes that were merged in the window and are not known to be in production by its end."""
    arrived = live.loc[live["deployed_at"] <= scope.end, "change"]
    return changes[scope.holds(changes["merged_at"]) & ~among(changes["change"], arrived)]


def _no_start(mine: pd.DataFrame, start: str, end: str) -> pd.DataFrame:
    """Changes in production without a lead time: one of its ends is not known, or they are the wrong way round."""
    rules = mine["start_rule"].fillna("when its first commit was made is not known")
    unknown = rules if start == "first_commit_at" else f"when it was {SAID[start]} is not known"
    why = {
        "in production before its first commit" if start == "first_commit_at" else f"in production before it was {SAID[start]}":
            mine[end] < mine[start],
        "when its deployment began is not known": mine[start].notna() & mine[end].isna(),
    }  # fmt: skip
    told = reasoned(mine["change"], why)
    rest = mine[start].isna()
    reason = unknown[rest] if isinstance(unknown, pd.Series) else unknown
    none = pd.DataFrame({"id": mine.loc[rest, "change"], "reason": reason}).astype("str")
    return pd.concat([none, told], ignore_index=True)


def _why_waiting(
    waiting: pd.DataFrame, deployments: pd.DataFrame, settled: pd.DataFrame | None, unplaced: pd.DataFrame | None, scope: Scope,
    zone: ZoneInfo,
) -> pd.DataFrame:  # fmt: skip
    running = successful(deployments)
    held = settled["change"][among(settled["deployment"], running["id"])] if settled is not None else ()
    why = {} if unplaced is None else {
        str(reason): among(waiting["change"], some["change"]) for reason, some in unplaced.groupby("reason")
    }  # fmt: skip
    why |= {
        SETTLED: among(waiting["change"], held),
        "merged, but no production deployment of its application is known": ~among(waiting["application"], running["application"]),
        f"merged, not in production by {day(scope.end, zone)}": waiting["change"].notna(),
    }
    return reasoned(waiting["change"], why)


def _why_no_lead_time(mine: pd.DataFrame, waiting: pd.DataFrame, deployments: pd.DataFrame, scope: Scope, zone: ZoneInfo) -> str:
    if len(mine):
        return f"of {many(len(mine), 'change')} deployed {span(scope, zone)} none has a first commit before its deployment"
    if successful(deployments, scope).empty:
        return why_none(deployments, scope, zone)
    merged = f"; {many(len(waiting), 'change')} merged in it not known to be in production" if len(waiting) else ""
    return f"no change is linked to a successful production deployment {span(scope, zone)}{merged}"
