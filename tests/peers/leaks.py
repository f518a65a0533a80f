"""Which of thousands of secrets are in a text of megabytes: looked for all at once, since one after the other takes minutes."""

import re
from collections.abc import Collection

import numpy as np

LENGTH = 8  # bytes that are compared at once


def leaked(secrets: Collection[str], text: str) -> list[str]:
    """The secrets in a text. One within a longer word is none: letters and digits may stand so by chance."""
    begins: dict[int, list[str]] = {}
    found = [one for one in secrets if len(one.encode()) < LENGTH and one in text]
    for one in secrets:
        if len(told := one.encode()) >= LENGTH:
            begins.setdefault(int.from_bytes(told[:LENGTH], "little"), []).append(one)
    there = _windows(text.encode())
    known = np.array(sorted(begins), dtype="uint64")
    if len(known) and len(there):
        place = np.minimum(np.searchsorted(known, there), len(known) - 1)
        for begin in np.unique(there[known[place] == there]).tolist():
            found += [one for one in begins[begin] if one in text]
    return [one for one in found if re.search(rf"(?<![A-Za-z0-9]){re.escape(one)}(?![A-Za-z0-9])", text)]


def _windows(content: bytes) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """Every eight bytes in a row, as a number."""
    told = np.frombuffer(content, dtype="uint8").astype("uint64")
    count = max(len(told) - LENGTH + 1, 0)
    found = np.zeros(count, dtype="uint64")
    for place in range(LENGTH):
        found |= told[place : place + count] << np.uint64(8 * place)
    return found
