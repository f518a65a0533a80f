"""Every REST request that we send is one that GitHub's published OpenAPI document knows, with parameters that it has."""

import random

import pytest
from company import github_of
from served import Request


def parameters(document: dict, template: str, method: str) -> dict[str, dict]:
    """The query parameters of a path by name."""
    told = document["paths"][template][method.lower()].get("parameters", [])
    every = (document["components"]["parameters"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in told)
    return {one["name"]: one.get("schema", {}) for one in every if one["in"] == "query"}


def unknown(openapi, request: Request) -> list[str]:
    """What of a request the document does not know."""
    template = openapi.template(request.path)
    known = parameters(openapi.document, template, request.method)
    found = [f"{template}: no parameter {name}" for name in request.query if name not in known]
    for name, values in request.query.items():
        allowed = known.get(name, {}).get("enum")
        found += [f"{template}: {name} may not be {value}" for value in values if allowed and value not in allowed]
    return found


@pytest.mark.parametrize("refuses", [False, True], ids=["by GraphQL", "by REST"])
def test_every_request_is_one_that_github_documents(served, graphql_schema, openapi, shelf, refuses):
    peer = github_of(graphql_schema, 130, random.Random(5))
    peer.refuses = refuses
    server = served(peer)
    for full in (False, False, True):
        outcome = shelf.collect(server.url, full=full, deploy_workflows=["Build"], release_tags=["v*"])
        assert outcome.error is None
    asked = [request for request in server.requests if request.path != "/graphql"]
    assert len({openapi.template(request.path) for request in asked}) >= (6 if refuses else 2)
    assert [problem for request in asked for problem in unknown(openapi, request)] == []
