"""Who is who, over sources, and what of a person may be shown."""

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm import pipeline
from vsm.config import Config
from vsm.people import People
from vsm.store import Facts

Told = Callable[..., Facts]
ANN = "git Ann@example.org person=Ann\ngithub ann-w person=Ann\njira 5b:ann person=Ann\njira bob person=Bob\ngithub bob person=Bert"


def persons(people: People, table: str, *handles: str | None) -> list[str | None]:
    found = people.persons(pd.Series(list(handles), dtype="str"), table)
    return [None if pd.isna(name) else str(name) for name in found]


def test_a_git_address_a_login_and_an_account_are_one_person(told: Told) -> None:
    people = People.of(told(identities=ANN))
    assert persons(people, "commits", "ann@example.org", "ANN@EXAMPLE.ORG") == ["Ann", "Ann"]
    assert persons(people, "reviews", "Ann-W") == persons(people, "transitions", "5b:ann") == ["Ann"]


def test_a_handle_that_means_two_persons_is_told_apart_by_its_source(told: Told) -> None:
    people = People.of(told(identities=ANN))
    assert persons(people, "transitions", "bob") == ["Bob"]
    assert persons(people, "pull_requests", "bob") == ["Bert"]
    assert people.ambiguous == {"bob"}


def test_where_the_source_does_not_tell_an_ambiguous_handle_is_nobody_known(told: Told) -> None:
    assert persons(People.of(told(identities=ANN)), "commits", "bob", "ann-w") == ["bob", "Ann"]


def test_a_handle_that_nobody_mapped_is_a_person_and_a_missing_one_is_none(told: Told) -> None:
    people = People.of(told(identities=ANN))
    assert persons(people, "commits", "eve", None) == ["eve", None]
    assert persons(people, "commits", None, None) == [None, None]
    assert persons(people, "commits") == []


def test_what_may_be_shown(told: Told) -> None:
    people = People.of(told("a author=ann@example.org\nb author=eve < a", identities=ANN))
    known = pd.Series(["Ann", "eve", None, "Ann"], dtype="str")
    assert people.shown(known, "names").equals(known)
    assert people.shown(known, "none").isna().all()
    shown = people.shown(known, "pseudonyms")
    assert shown.str.fullmatch(r"Person \d+").tolist() == [True, True, False, True]
    assert shown[0] == shown[3] != shown[1]
    assert pd.isna(shown[2])


def test_everybody_whom_any_fact_names_has_a_pseudonym(told: Told) -> None:
    facts = told(
        "a author=c", "1 author=p", "T-1: Todo 0, Done 1 t",
        reviews="1 2 r", comments="1 2 m", ticket_changes="T-1 1 assignee x actor=k", identities="git i person=I",
    )  # fmt: skip
    assert set(People.of(facts).pseudonyms) == {"c", "p", "t", "r", "m", "k", "I"}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=12, unique=True), st.randoms())
def test_pseudonyms_do_not_tell_who_did_how_much_or_came_first(told: Told, names: list[str], dice: object) -> None:
    """The same names give the same pseudonyms, however often and in which order the facts name them."""
    once = People.of(told("\n".join(f"a{place} author={name}" for place, name in enumerate(names))))
    lines = [*names, *names[:1] * 3]
    dice.shuffle(lines)  # type: ignore[attr-defined]  # random.Random
    often = People.of(told("\n".join(f"a{place} author={name}" for place, name in enumerate(lines))))
    assert once.pseudonyms == often.pseudonyms
    assert sorted(once.pseudonyms.values()) == sorted(f"Person {place + 1}" for place in range(len(names)))


def test_pseudonyms_are_not_in_the_order_of_the_alphabet(told: Told) -> None:
    names = [f"person{letter}" for letter in "abcdefghijklmnop"]
    people = People.of(told("\n".join(f"{name} author={name}" for name in names)))
    assert [people.pseudonyms[name] for name in names] != [f"Person {place + 1}" for place in range(len(names))]


@pytest.mark.parametrize("privacy", ["names", "none", "pseudonyms"])
def test_nobody_at_all(told: Told, privacy: str) -> None:
    shown = People.of(told()).shown(pd.Series([], dtype="str"), privacy)
    assert (len(shown), str(shown.dtype)) == (0, "str")


def test_an_account_leads_through_an_e_mails_handle_to_a_name():
    identities = [
        {"source": "jira", "handle": "5b10", "person": "mail:ab"},
        {"source": "git", "handle": "mail:ab", "person": "ann-lee"},
        {"source": "github", "handle": "ann-lee", "person": "Ann"},
    ]
    people = People.of(Facts.of(identities=identities))
    assert people.persons(pd.Series(["5b10"]), "transitions").tolist() == ["Ann"]
    assert people.persons(pd.Series(["mail:ab"]), "commits").tolist() == ["Ann"]
    assert people.persons(pd.Series(["ann-lee", "other", None]), "reviews").tolist()[:2] == ["Ann", "other"]


def test_identities_that_go_round_in_a_circle_are_one_person():
    people = People.of(Facts.of(identities=[
        {"source": "git", "handle": "a", "person": "b"}, {"source": "github", "handle": "b", "person": "a"},
    ]))  # fmt: skip
    assert people.persons(pd.Series(["a", "b"]), "commits").tolist() == ["a", "a"]


# What the configuration says. ------------------------------------------------------------------------------------------

IMPORTED = {
    "code": "a author=Ann@Example.org\nb author=bob@example.org < a",
    "pulls": "1 author=ann-w\n2 author=Bob",
    "tickets": "T-1: Todo 0, Done 1 5b:ann",
}
CONFIGURED = {"Ann": ("git:ann@example.org", "github:Ann-W", "jira:5b:ann"), "Bert": ("github:bob",)}


def test_facts_that_were_imported_are_met_by_the_configured_handles(told: Told) -> None:
    people = People.of(told(**IMPORTED), CONFIGURED)
    assert persons(people, "commits", "Ann@Example.org", "bob@example.org") == ["Ann", "bob@example.org"]
    assert persons(people, "pull_requests", "ann-w", "Bob") == ["Ann", "Bert"]
    assert persons(people, "transitions", "5b:ann") == ["Ann"]
    assert set(people.pseudonyms) == {"Ann", "Bert", "bob@example.org"}
    assert people.unplaced(told(**IMPORTED))["handle"].tolist() == ["bob@example.org"]


def test_the_configuration_goes_before_the_identities_of_the_store(told: Told) -> None:
    facts = told(**IMPORTED, identities="git ann@example.org person=Eve\ngithub eve-2 person=Eve")
    people = People.of(facts, CONFIGURED)
    assert persons(people, "commits", "ann@example.org") == ["Ann"]
    assert persons(people, "reviews", "eve-2") == ["Eve"]


def test_a_flow_is_read_with_the_configured_people(told: Told) -> None:
    flow = pipeline.read(told(**IMPORTED), Config(people=CONFIGURED))
    assert list(flow.links.changes.dropna(subset="number")["author"]) == ["Ann", "Bert"]


@pytest.mark.parametrize("privacy", ["names", "pseudonyms", "none"])
def test_an_e_mail_address_is_never_shown(told: Told, privacy: str) -> None:
    people = People.of(told(**IMPORTED), CONFIGURED)
    shown = people.shown(pd.Series(["Ann", "bob@example.org", None], dtype="str"), privacy)
    known = {"names": ["Ann", people.pseudonyms["bob@example.org"]], "none": [None, None]}
    expected = known.get(privacy, [people.pseudonyms["Ann"], people.pseudonyms["bob@example.org"]])
    assert [None if pd.isna(name) else name for name in shown] == [*expected, None]
    assert str(shown.dtype) == "str"
