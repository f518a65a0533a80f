"""What GitHub publishes about itself: the GraphQL schema, and the OpenAPI document of its REST."""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from urllib.parse import quote

from graphql import GraphQLSchema, build_schema
from jsonschema import Draft4Validator
from jsonschema.validators import extend
from programs import package
from referencing import Registry
from referencing.jsonschema import DRAFT4

GRAPHQL = "@octokit/graphql-schema/schema.graphql"
OPENAPI = "@octokit/openapi/generated/api.github.com.json"
NAME = "urn:github"


def graphql_schema() -> GraphQLSchema:
    """GitHub's GraphQL schema; it breaks a rule or two itself, so its own validity is taken for granted."""
    return build_schema(package(GRAPHQL).read_text(), assume_valid=True, assume_valid_sdl=True)


class OpenApi:
    """GitHub's OpenAPI document."""

    def __init__(self) -> None:
        self.document = json.loads(package(OPENAPI).read_bytes())
        self._registry = Registry().with_resource(NAME, DRAFT4.create_resource(self.document))

    @cached_property
    def _templates(self) -> list[tuple[re.Pattern[str], str]]:
        """Paths as patterns, those with fewer variables first; a ref may have slashes of its own."""
        paths = sorted(self.document["paths"], key=lambda path: path.count("{"))
        names = [re.sub(r"\\\{ref\\\}", ".+", re.escape(path)) for path in paths]
        return [(re.compile(re.sub(r"\\\{.*?\\\}", "[^/]+", name) + "$"), path) for name, path in zip(names, paths, strict=True)]

    def template(self, path: str) -> str:
        """The document's name of a path: "/repos/{owner}/{repo}/pulls" for "/repos/acme/shop/pulls"."""
        if path in self.document["paths"]:
            return path
        found = next((name for pattern, name in self._templates if pattern.match(path)), None)
        assert found, f"GitHub's OpenAPI document knows no path {path}"
        return found

    def problems(self, method: str, path: str, status: int, body: object) -> list[str]:
        """What in the body of an answer the document does not allow; the path without its query."""
        name = self.template(path)
        responses = self.document["paths"][name][method.lower()]["responses"]
        assert str(status) in responses, f"GitHub's OpenAPI document knows no {status} for {method} {name}"
        parts = ["paths", name, method.lower(), "responses", str(status)]
        response = responses[str(status)]
        if "$ref" in response:
            parts = response["$ref"].removeprefix("#/").split("/")
            response = self.document["components"]["responses"][parts[-1]]
        if "application/json" not in response.get("content", {}):
            return [] if body in (None, "", b"") else [f"{method} {name} {status} has no body, this one has"]
        pointer = "/".join(_escaped(part) for part in [*parts, "content", "application/json", "schema"])
        validator = _Validator({"$ref": f"{NAME}#/{pointer}"}, registry=self._registry)
        return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(body)]

    def check(self, method: str, path: str, status: int, body: object) -> None:
        """The body must be as the document says."""
        assert self.problems(method, path, status, body) == []


def _escaped(part: str) -> str:
    return quote(part.replace("~", "~0").replace("/", "~1"), safe="~")


def _nullable(keyword: str):
    """OpenAPI 3.0 says `nullable` where JSON Schema says that null is one of the types."""
    checked = Draft4Validator.VALIDATORS[keyword]

    def check(validator, value, instance, schema) -> Iterator:
        if instance is not None or not schema.get("nullable"):
            yield from checked(validator, value, instance, schema) or ()

    return check


_Validator = extend(Draft4Validator, {word: _nullable(word) for word in ("type", "enum", "allOf", "anyOf", "oneOf")})
