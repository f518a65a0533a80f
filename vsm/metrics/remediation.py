"""Which deployments failed and why, what mended them, and whether what mended them was made for that."""

import numpy as np
import pandas as pd

from vsm.config import Dora
from vsm.deployed import hotfix_rules
from vsm.frames import among, empty, looked_up, no_text, no_times, text
from vsm.metrics.production import successful

REASONS = {"incident": "a linked incident", "rollback": "a rollback", "revert": "a revert", "hotfix": "a hotfix"}
TIME = "datetime64[us, UTC]"
REMEDIATION = {
    "deployment": "str", "reason": "str", "by": "str", "remedy": "str", "opened_at": TIME, "recovered_at": TIME,
    "rule": "str", "strength": "str", "unplanned": "bool", "because": "str",
}  # fmt: skip
LEFT_OUT = {"id": "str", "reason": "str", "at": TIME, "deployment": "str"}
LONGEST = 100_000  # days that a Timedelta can hold, with room to spare


def remediation(
    deployments: pd.DataFrame, deployment_changes: pd.DataFrame, changes: pd.DataFrame, incidents: pd.DataFrame,
    rules: Dora | None = None, days: float = 7,
) -> pd.DataFrame:  # fmt: skip
    """Every reason why a successful production deployment needed remediation: an incident, a rollback, a revert or a hotfix.

    deployment, reason, by (the incident, the deployment or the reverting change), remedy (the
    deployment that mended it; missing of an incident), opened_at (of an incident), recovered_at
    (missing of an open incident), rule, strength; unplanned (whether the remedy was made for that)
    and because (why, or why not). A deployment has as many rows as it has reasons, in the order of
    incident, rollback, revert, hotfix.

    A revert counts where its deployment came at most ``[dora] revert_within_days`` after the one
    that brought what it takes back. A hotfix mends what its deployment reverts, and the deployments
    of which an incident was open; where it reverts nothing it is guessed to mend the deployment just
    before it, if that was at most ``[incidents] link_within_days`` earlier.

    A remedy is unplanned if it is a rollback or its ref says hotfix, if an incident of a deployment
    that it mends was open when it began, or if reverts and hotfixes are at least
    ``[dora] unplanned_share`` of the changes that it brought: a planned release with a revert among
    other changes is none.
    """
    return judged(deployments, deployment_changes, changes, incidents, rules, days)[0]


def judged(
    deployments: pd.DataFrame, deployment_changes: pd.DataFrame, changes: pd.DataFrame, incidents: pd.DataFrame,
    rules: Dora | None = None, days: float = 7,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """What `remediation` tells, and what looks like a reason but does not count: id, reason, deployment, and its finish (at).

    Each application is judged by itself: of all together comes what comes of each alone.
    """
    rules = rules or Dora()
    good = successful(deployments)
    reverts, old = _by_revert(good, deployment_changes, changes, rules.revert_within_days)
    taking = set(reverts["remedy"]) | set(old["remedy"])
    hotfixes, far = _by_hotfix(good, incidents, taking, rules, days)
    found = {"incident": _by_incident(good, incidents), "rollback": _by_rollback(good), "revert": reverts, "hotfix": hotfixes}
    counted = [rows for reason, rows in found.items() if reason in rules.remediation and len(rows)]
    every = pd.concat([empty(REMEDIATION), *counted], ignore_index=True).drop_duplicates(["deployment", "reason", "by"])
    every = _in_order(every, good)
    out = [rows for reason, rows in (("revert", old), ("hotfix", far)) if reason in rules.remediation and len(rows)]
    out = [empty(LEFT_OUT), *(rows.rename(columns={"remedy": "deployment"}) for rows in out)]
    left_out = pd.concat(out, ignore_index=True)[list(LEFT_OUT)].astype(LEFT_OUT)
    return _planned(every, good, deployment_changes, changes, incidents, rules), left_out


def _in_order(every: pd.DataFrame, good: pd.DataFrame) -> pd.DataFrame:
    rank = every["reason"].map(list(REASONS).index).astype("int64")
    order = every.assign(at=looked_up(every["deployment"], good.set_index("id")["finished_at"]), rank=rank)
    order = order.sort_values(["at", "deployment", "rank", "recovered_at", "by"], kind="stable", ignore_index=True)
    return order[list(REMEDIATION)]


# The four reasons. -----------------------------------------------------------------------------------------------------


def _by_incident(good: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    linked = incidents[among(incidents["deployment"], good["id"])]
    times = (linked["opened_at"], linked["resolved_at"])
    return _reason("incident", linked["deployment"], linked["id"], None, times, linked["rule"], linked["strength"])


def _by_rollback(good: pd.DataFrame) -> pd.DataFrame:
    back = good[among(good["rollback_of"], good["id"])]
    rule, strength = text("returned to a version that was live before", back.index), text("stated", back.index)
    return _reason("rollback", back["rollback_of"], back["id"], back["id"], (None, back["finished_at"]), rule, strength)


def _by_revert(
    good: pd.DataFrame, deployment_changes: pd.DataFrame, changes: pd.DataFrame, days: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Changes that were taken back by a later deployment of the same application; in the same one they never did harm.

    And those that were in production for longer than some days before: id, reason, remedy, at.
    """
    reverts = changes.loc[changes["reverts"].notna(), ["change", "reverts"]]
    some = among(deployment_changes["change"], pd.concat([reverts["change"], reverts["reverts"]]))
    about = good[["id", "application", "finished_at"]].rename(columns={"id": "deployment"})
    brought = deployment_changes.loc[some, ["deployment", "change", "strength"]].merge(about, on="deployment")
    mended = brought.merge(reverts, on="change")
    pairs = brought.merge(mended, left_on=["change", "application"], right_on=["reverts", "application"], suffixes=("", "_by"))
    pairs = pairs[pairs["finished_at_by"] > pairs["finished_at"]]
    lasted = pairs["finished_at_by"] - pairs["finished_at"]
    late = lasted > pd.Timedelta(days=min(days, LONGEST))
    old = pairs[late]
    after = lasted[late].dt.days.astype("str")
    why = "reverts " + old["change"] + " " + after + " days after " + old["deployment"]
    why = why + f" had brought it: more than {days:g} days, so that is no failure of it"
    out = pd.DataFrame(
        {"id": old["change_by"], "reason": why.astype("str"), "remedy": old["deployment_by"], "at": old["finished_at_by"]}
    )
    pairs = pairs[~late]
    guessed = (pairs["strength"] == "guessed") | (pairs["strength_by"] == "guessed")
    rule, strength = pairs["change_by"] + " reverts " + pairs["change"], text("named", pairs.index).mask(guessed, "guessed")
    bad, by, remedy, at = (pairs[name] for name in ("deployment", "change_by", "deployment_by", "finished_at_by"))
    return _reason("revert", bad, by, remedy, (None, at), rule, strength), out


def _by_hotfix(
    good: pd.DataFrame, incidents: pd.DataFrame, taking: set[str], rules: Dora, days: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each hotfix mends; the same commit once more, or an older version, is no fix.

    And those of which nothing tells what they mend: id, reason, remedy. An open incident tells of one
    deployment more and never takes the guess back: what is known of incidents must not make a rate smaller.
    """
    about = good.set_index("id")
    same = good["sha"] == looked_up(good["previous"], about["sha"])
    fixes = good[good["hotfix"] & good["rollback_of"].isna() & ~same]
    shown = _open_then(fixes, incidents, good, rules.revert_within_days)
    lone = fixes[~among(fixes["id"], taking) & among(fixes["previous"], good["id"])]
    lone = lone[~among(lone["id"] + " " + lone["previous"], shown["remedy"] + " " + shown["deployment"])]
    lasted = lone["finished_at"] - looked_up(lone["previous"], about["finished_at"])
    near = lasted <= pd.Timedelta(days=min(days, LONGEST))
    guessed = lone[near & rules.guess_hotfixes]
    rule = guessed["hotfix_rule"] + ": guessed to mend the deployment just before it"
    strength = text("guessed", guessed.index)
    rows = _reason("hotfix", guessed["previous"], guessed["id"], guessed["id"], (None, guessed["finished_at"]), rule, strength)
    far = lone[~among(lone["id"], pd.concat([shown["remedy"], guessed["id"]]))]
    gap = lasted.loc[far.index].dt.days.astype("str")
    why = (
        f"more than {days:g} days, so nothing tells what it mends"
        if rules.guess_hotfixes
        else "by configuration that is not guessed"
    )
    told = "a hotfix " + gap + " days after the deployment before it: " + why
    out = pd.DataFrame({"id": far["id"], "reason": told.astype("str"), "remedy": far["id"], "at": far["finished_at"]})
    return pd.concat([shown, rows], ignore_index=True), out


def _open_then(fixes: pd.DataFrame, incidents: pd.DataFrame, good: pd.DataFrame, days: float) -> pd.DataFrame:
    """The hotfixes that began while an incident of an earlier deployment of their application was open."""
    laid = _laid(incidents, good)
    both = fixes.assign(began=_began(fixes)).merge(laid, on="application")
    near = both["finished_at"] - both["opened_at"] <= pd.Timedelta(days=min(days, LONGEST))
    both = both[near & (both["live"] < both["finished_at"]) & _open(both)].reset_index(drop=True)
    rule = both["hotfix_rule"] + ", and incident " + both["incident"] + " was open"
    strength = both["incident_strength"]
    return _reason("hotfix", both["bad"], both["id"], both["id"], (None, both["finished_at"]), rule.astype("str"), strength)


def _laid(incidents: pd.DataFrame, good: pd.DataFrame) -> pd.DataFrame:
    """Incidents with the application and the finish of the deployment that they are laid to, the earliest first."""
    linked = incidents[among(incidents["deployment"], good["id"])].sort_values(["opened_at", "id"], kind="stable")
    about = good.set_index("id")
    return pd.DataFrame(
        {
            "incident": linked["id"], "bad": linked["deployment"], "opened_at": linked["opened_at"],
            "resolved_at": linked["resolved_at"], "incident_strength": linked["strength"],
            "application": looked_up(linked["deployment"], about["application"]),
            "live": looked_up(linked["deployment"], about["finished_at"]),
        }
    )  # fmt: skip


def _began(good: pd.DataFrame) -> pd.Series:
    return good["started_at"].fillna(good["finished_at"])


def _open(both: pd.DataFrame) -> pd.Series:
    """Whether an incident was opened by the finish of a deployment, and not over before it began."""
    return (both["opened_at"] <= both["finished_at"]) & ~(both["resolved_at"] < both["began"])


def _reason(
    reason: str, deployment: pd.Series, by: pd.Series, remedy: pd.Series | None, times: tuple[pd.Series | None, pd.Series],
    rule: pd.Series, strength: pd.Series,
) -> pd.DataFrame:  # fmt: skip
    opened, recovered = times
    mended = no_text(by.index) if remedy is None else remedy
    began = no_times(by.index) if opened is None else opened
    columns = (deployment, text(reason, by.index), by, mended, began, recovered, rule, strength, False, no_text(by.index))
    return pd.DataFrame(dict(zip(REMEDIATION, columns, strict=True))).astype(REMEDIATION)


# Whether a remedy was made for that. -----------------------------------------------------------------------------------


def _planned(
    remedies: pd.DataFrame, good: pd.DataFrame, deployment_changes: pd.DataFrame, changes: pd.DataFrame, incidents: pd.DataFrame,
    rules: Dora,
) -> pd.DataFrame:  # fmt: skip
    """The remedies with unplanned and because; a remedy is one or the other, whatever it mends."""
    mended = remedies[remedies["remedy"].notna()]
    if mended.empty:
        return remedies
    incident = _while_open(mended, good, incidents)
    brought = deployment_changes.loc[among(deployment_changes["deployment"], mended["remedy"]), ["deployment", "change"]]
    reverts = mended[mended["reason"] == "revert"]
    fixing = among(_in(brought["change"], brought["deployment"], good), _in(reverts["by"], reverts["remedy"], good))
    fixing |= looked_up(brought["change"], hotfix_rules(changes)).notna()
    counts = fixing.groupby(brought["deployment"]).agg(["sum", "size"])
    own, n = (looked_up(remedies["remedy"], counts[name]).fillna(0).astype("int64") for name in ("sum", "size"))
    named = looked_up(remedies["remedy"], good.set_index("id")["hotfix_rule"]).str.contains("deployed ref").eq(True)
    back = among(remedies["remedy"], mended.loc[mended["reason"] == "rollback", "remedy"])
    while_open = looked_up(remedies["remedy"], incident)
    share = own.astype("str") + " of the " + n.astype("str") + " changes that it brought "
    share = share + np.where(own == 1, "is a revert or hotfix", "are reverts or hotfixes")
    mostly = own >= rules.unplanned_share * n
    because = np.select(
        [back, named, while_open.notna(), n == 0, mostly],
        ["it is a rollback", "the deployed ref says hotfix", while_open.fillna(""), "it brought nothing else", share],
        "planned: no incident of what it mends was open, and " + share,
    )
    is_one = remedies["remedy"].notna()
    unplanned = is_one & (back | named | while_open.notna() | mostly)
    return remedies.assign(unplanned=unplanned, because=pd.Series(because, index=remedies.index).where(is_one).astype("str"))


def _in(changes: pd.Series, deployments: pd.Series, good: pd.DataFrame) -> pd.Series:
    """Changes as they came to an application: what one application takes back may be nothing to another that gets it, too."""
    return changes + " in " + looked_up(deployments, good.set_index("id")["application"])


def _while_open(mended: pd.DataFrame, good: pd.DataFrame, incidents: pd.DataFrame) -> pd.Series:
    """By remedy: that an incident of a deployment that it mends was open when it began."""
    laid = _laid(incidents, good)[["incident", "bad", "opened_at", "resolved_at"]]
    about = good.assign(began=_began(good))[["id", "began", "finished_at"]].rename(columns={"id": "remedy"})
    both = mended[["deployment", "remedy"]].merge(laid, left_on="deployment", right_on="bad").merge(about, on="remedy")
    both = both[_open(both)].sort_values(["remedy", "opened_at", "incident"], kind="stable").drop_duplicates("remedy")
    told = "incident " + both["incident"] + " of " + both["deployment"] + " was open when it began"
    return pd.Series(told.to_numpy(), index=both["remedy"].to_numpy(), dtype="str")
