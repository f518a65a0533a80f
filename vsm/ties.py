"""Links between tickets, read: which ticket did what to which, and to which deployment an incident's links lead."""

import re
from collections.abc import Iterable

import pandas as pd

from vsm.deployed import Deployed
from vsm.frames import among, looked_up

# The last word of what is said the other way round: "A is caused by B" is "B causes A".
PASSIVE = re.compile(r"\b(by|durch|von|par|por|da)$")
RULE = "the incident's ticket is linked to a ticket of the deployment"


def told(links: pd.DataFrame, words: Iterable[str]) -> pd.DataFrame:
    """first, second, kind: the pairs of tickets of which the first did to the second what one of the words says, any case.

    Words that end in "by" are read the other way round, so that a link tells the same however its tracker puts it.
    """
    wanted = {_folded(word) for word in words}
    kinds = {kind: _folded(kind) for kind in links["kind"].unique()}
    meant = {kind for kind, folded in kinds.items() if folded in wanted}
    mine = links.loc[among(links["kind"], meant), ["ticket", "other", "kind"]]
    turned = among(mine["kind"], {kind for kind in meant if PASSIVE.search(kinds[kind])})
    pairs = pd.DataFrame(
        {
            "first": mine["ticket"].mask(turned, mine["other"]),
            "second": mine["other"].mask(turned, mine["ticket"]),
            "kind": mine["kind"],
        }
    ).drop_duplicates(["first", "second"])
    return pairs.sort_values(["first", "second"], kind="stable", ignore_index=True)


def _folded(kind: str) -> str:
    return " ".join(kind.split()).casefold()


def laid(
    incidents: pd.DataFrame,
    links: pd.DataFrame,
    tickets: pd.DataFrame,
    items: pd.DataFrame,
    shipped: Deployed,
    words: Iterable[str],
) -> pd.DataFrame:
    """The incidents; those whose ticket another one caused, as a link says, laid to the deployment that brought its change.

    `tickets`: change, ticket; `items`: item, change; `words`: of links that tell a cause. The deployment
    is the one that brought the change first to production, before the incident was noticed; of several
    the latest, and the incident's own application goes before others. What an incident's source states
    stays; a guess does not.
    """
    causes = told(links, words)
    open_ = incidents[~(incidents["strength"] == "stated") & incidents["ticket"].notna()]
    if causes.empty or open_.empty:
        return incidents
    changed = pd.concat([tickets[["ticket", "change"]], items.rename(columns={"item": "ticket"})[["ticket", "change"]]])
    known = open_.assign(at=open_[["detected_at", "opened_at"]].min(axis=1))[["id", "application", "ticket", "at"]]
    cases = known.merge(causes, left_on="ticket", right_on="second")[["id", "application", "at", "first"]]
    cases = cases.merge(changed.drop_duplicates(), left_on="first", right_on="ticket")
    cases = cases.merge(shipped.brought[["deployment", "change"]], on="change")
    about = shipped.deployments.set_index("id")
    cases = cases.assign(
        live=looked_up(cases["deployment"], about["finished_at"]),
        own=looked_up(cases["deployment"], about["application"]) == cases["application"],
    )
    cases = cases[cases["live"] <= cases["at"]]
    order = cases.sort_values(["own", "live", "deployment"], ascending=[False, False, True], kind="stable")
    found = looked_up(incidents["id"], order.drop_duplicates("id").set_index("id")["deployment"].astype("str"))
    mine = found.notna()
    return incidents.assign(
        deployment=incidents["deployment"].mask(mine, found).astype("str"),
        rule=incidents["rule"].mask(mine, RULE).astype("str"),
        strength=incidents["strength"].mask(mine, "named").astype("str"),
    )
