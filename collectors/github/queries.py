"""The texts of our GraphQL queries; each is checked against GitHub's published schema in a test."""

from collections.abc import Iterable

PAGE = "pageInfo { hasNextPage endCursor }"
ACTOR = "{ __typename login }"
RATE = "rateLimit { cost remaining resetAt }"
EVENTS = {
    "READY_FOR_REVIEW_EVENT": "ReadyForReviewEvent",
    "CONVERT_TO_DRAFT_EVENT": "ConvertToDraftEvent",
    "HEAD_REF_FORCE_PUSHED_EVENT": "HeadRefForcePushedEvent",
    "REVIEW_REQUESTED_EVENT": "ReviewRequestedEvent",
    "CLOSED_EVENT": "ClosedEvent",
    "REOPENED_EVENT": "ReopenedEvent",
}

REPOSITORY = """
id databaseId nameWithOwner url isArchived pushedAt
defaultBranchRef { name target { oid } }
"""

# The lists within a pull request, each as (its name, arguments beside first and after, how many, what of each).
_EVENT = " ".join(f"... on {kind} {{ createdAt actor {ACTOR} }}" for kind in EVENTS.values())
NESTED = {
    "commits": ("", 100, "commit { oid authoredDate committedDate author { email user { login } } }"),
    "reviews": ("", 30, f"state submittedAt author {ACTOR}"),
    "comments": ("", 50, f"createdAt author {ACTOR}"),
    "timelineItems": (f", itemTypes: [{', '.join(EVENTS)}]", 50, f"__typename {_EVENT}"),
    "labels": ("", 20, "name"),
}


def nested(name: str, after: str = "") -> str:
    """A list within a pull request: its first things, or those after the cursor in a variable."""
    more, size, parts = NESTED[name]
    place = f"first: 100, after: {after}" if after else f"first: {size}"
    return f"{name}({place}{more}) {{ {PAGE} nodes {{ {parts} }} }}"


PULL_REQUEST = f"""
id number title url state isDraft createdAt updatedAt closedAt mergedAt additions deletions
author {ACTOR} baseRefName headRefName headRefOid headRepository {{ nameWithOwner }} mergeCommit {{ oid }}
{" ".join(nested(name) for name in NESTED)}
"""


def pull_requests(after: str = "") -> str:
    """A repository's pull requests, the one that changed last first."""
    place = f"first: $first{after}, orderBy: {{field: UPDATED_AT, direction: DESC}}"
    return f"pullRequests({place}) {{ totalCount {PAGE} nodes {{ {PULL_REQUEST} }} }}"


MORE_PULL_REQUESTS = f"""
query MorePullRequests($id: ID!, $first: Int!, $after: String) {{
  node(id: $id) {{ ... on Repository {{ {pull_requests(", after: $after")} }} }}
  {RATE}
}}
"""


def top_up(lists: Iterable[str]) -> str:
    """The rest of lists that were cut short: of the thing $i0 the list after $a0, of $i1 after $a1, and so on."""
    names = list(lists)
    variables = ", ".join(f"$i{place}: ID!, $a{place}: String!" for place in range(len(names)))
    parts = (
        f"t{place}: node(id: $i{place}) {{ ... on PullRequest {{ {nested(name, f'$a{place}')} }} }}"
        for place, name in enumerate(names)
    )
    return f"query TopUp({variables}) {{ {' '.join(parts)} {RATE} }}"


COMMIT = "oid authoredDate committedDate message author { email user { login } } parents(first: 10) { nodes { oid } }"
NEWEST_COMMITS = f"defaultBranchRef {{ name target {{ oid ... on Commit {{ history(first: 20) {{ nodes {{ {COMMIT} }} }} }} }} }}"
HISTORY = f"""
query History($id: ID!, $head: GitObjectID!, $after: String, $since: GitTimestamp) {{
  node(id: $id) {{ ... on Repository {{ object(oid: $head) {{ ... on Commit {{
    history(first: 100, after: $after, since: $since) {{ totalCount {PAGE} nodes {{ {COMMIT} }} }}
  }} }} }} }}
  {RATE}
}}
"""

OWNED = f"""
query Owned($login: String!, $after: String) {{
  repositoryOwner(login: $login) {{
    repositories(first: 100, after: $after, ownerAffiliations: [OWNER], orderBy: {{field: NAME, direction: ASC}}) {{
      {PAGE} nodes {{
        databaseId nameWithOwner isArchived isFork pushedAt repositoryTopics(first: 20) {{ nodes {{ topic {{ name }} }} }}
      }}
    }}
  }}
  {RATE}
}}
"""


def poll(fields: Iterable[str]) -> str:
    """All that is asked of one repository at once: what it is, and the newest of each of its lists."""
    asked = "\n".join(fields)
    first = ", $first: Int!" if "$first" in asked else ""
    return f"""
query Poll($owner: String!, $name: String!{first}) {{
  repository(owner: $owner, name: $name) {{ {REPOSITORY} {asked} }}
  {RATE}
}}
"""
