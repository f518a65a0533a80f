"""Which of thousands of secrets are in a text of megabytes: looked for all at once, since one after the other takes minutes."""

import re
from collections.abc import Collection

import numpy as np

Numbers = np.ndarray[tuple[int], np.dtype[np.uint64]]
LENGTH = 8  # bytes that are compared at once


def leaked(secrets: Collection[str], text: str) -> list[str]:
    """The secrets in a text. One within a longer word is none: letters and digits may stand so by chance."""
    content, by_length = np.frombuffer(text.encode(), dtype="uint8").astype("uint64"), {}
    for one in secrets:
        by_length.setdefault(min(len(one.encode()), LENGTH), []).append(one)
    found = []
    for length, several in by_length.items():
        windows = _windows(content, length)
        both = _there([one.encode()[:length] for one in several], windows) & _there(
            [one.encode()[-length:] for one in several], windows
        )
        found += [one for one, is_there in zip(several, both, strict=True) if is_there and one in text]
    return [one for one in found if re.search(rf"(?<![A-Za-z0-9]){re.escape(one)}(?![A-Za-z0-9])", text)]


def _there(parts: list[bytes], windows: Numbers) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which parts are among the windows."""
    told = np.array([int.from_bytes(part, "little") for part in parts], dtype="uint64")
    known = np.unique(told)
    place = np.minimum(np.searchsorted(known, windows), len(known) - 1)
    return np.isin(told, np.unique(known[place][known[place] == windows]))


def _windows(content: Numbers, length: int) -> Numbers:
    """Every few bytes in a row, as a number."""
    count = max(len(content) - length + 1, 0)
    found = np.zeros(count, dtype="uint64")
    for place in range(length):
        found |= content[place : place + count] << np.uint64(8 * place)
    return found
