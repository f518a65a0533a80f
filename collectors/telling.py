"""What a source's answer tells, or one sentence about an answer that is not as its source's answers are.

A source may say anything: leave a key out, put text in the place of a list, a year that no calendar has. Who tells its
answers need not ask of each word whether it is there.
"""

from collections.abc import Mapping
from typing import Any

from collectors.base import CollectorError, Tells, Told
from collectors.handles import Handles

# What looking into something of another form ends in; a row that cannot be a fact is one of them (`models.RowError`).
MALFORMED = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
LONGEST = 300  # characters of what is said of an answer
DEEPEST = 100  # lists and objects within each other: more is no answer, and what looks into it would come to no end


def told(teller: Tells, resource: str, external_id: str, answer: Any) -> Told:
    """The facts that an answer tells. Raises CollectorError for one that is not as such answers are."""
    try:
        return teller.told(resource, external_id, answer)
    except MALFORMED as error:
        raise refused(f"{resource} {external_id}", error) from error


def scrubbed(who: Handles, resource: str, external_id: str, answer: Any) -> Any:
    """An answer without any e-mail address. Raises CollectorError for one that goes too deep."""
    try:
        if _depth(answer) > DEEPEST:
            raise RecursionError(f"more than {DEEPEST} lists and objects within each other")
        return who.scrubbed(answer)
    except MALFORMED as error:
        raise refused(f"{resource} {external_id}", error) from error


def _depth(answer: Any) -> int:
    level, depth = [answer], 0
    while level and depth <= DEEPEST:
        level = [one for some in level for one in _inside(some)]
        depth += 1
    return depth


def _inside(some: Any) -> list[Any]:
    every = some.values() if isinstance(some, Mapping) else some if isinstance(some, (list, tuple)) else ()
    return [one for one in every if isinstance(one, (Mapping, list, tuple))]


def refused(what: str, error: Exception) -> CollectorError:
    """The sentence about an answer that cannot be told."""
    return CollectorError(
        f"its answer about {what[:LONGEST]} is not as we know such answers ({why(error)}): nothing of that page was saved, "
        "what came before it stays; run it again, and report it if it stays so"
    )


def why(error: Exception) -> str:
    """What was wrong with an answer, in short."""
    said = " ".join(str(error).split())
    said = f"there is no {said}" if isinstance(error, KeyError) else said or type(error).__name__
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
