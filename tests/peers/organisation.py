"""An organisation of many small repositories on our own GitHub: two pull requests, an issue, a release and a few runs in each."""

from collections.abc import Iterable

import github_lists as lists
from github_graphql import Thing, at, commit, pull, repository, review
from graphql import GraphQLSchema


def organisation(count: int, schema: GraphQLSchema) -> lists.Lists:
    """The handler for `served`: acme/r0000 and so on; every tenth is archived."""
    peer = lists.Lists(schema, _many(count))
    by_name = {one["nameWithOwner"].lower(): one for one in peer.repositories}
    peer.find = lambda name: by_name.get(name.lower())  # a thousand are too many to look through for every request
    return peer


def _many(count: int) -> Iterable[Thing]:
    for number in range(count):
        sha = f"{number + 1:08x}"
        first = commit(f"{sha:0<40}", at(number % 700))
        head = commit(f"{sha:f<40}", at(number % 700 + 2), first, message="Sort the cart (#2)")
        pulls = [
            pull(1, at(number % 700), commits=[{"commit": first}], reviews=[review("bob", at(number % 700 + 1))]),
            pull(2, at(number % 700), mergedAt=at(number % 700 + 2), mergeCommit={"oid": head["oid"]}),
        ]
        yield repository(
            f"acme/r{number:04}",
            number + 1,
            pulls,
            head,
            isArchived=number % 10 == 9,
            issues=[lists.issue(3, at(number % 700))],
            refs=[lists.tag("v1", at(number % 700 + 2), head["oid"])],
            releases=[lists.release("v1", at(number % 700 + 3), at(number % 700 + 2))],
            runs=[lists.run(10 * number + place, at(number % 700 + place)) for place in range(1, 4)],
        )
