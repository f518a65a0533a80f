"""Durations as people write them, read back: the other way round of how the report writes them."""

import re

HOURS = {"min": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}
WRITTEN = re.compile(r"\s*(\d{1,3}(?:,\d{3})+\.\d+|\d+(?:[.,]\d+)?)\s*(min|m|h|d|w)[a-z]*\.?\s*", re.IGNORECASE)
EXPECTED = "expected a number with min, h, d or w, such as 30 min, 4 h or 2.5 d"


def hours(text: str) -> float:
    """The hours of a duration such as `30 min`, `4 h` or `2.5 d` (days of 24 hours). Raises ValueError with a sentence.

    >>> hours("30 min"), hours("4h"), hours("2,5 d"), hours("1 week"), hours("0"), hours("1,056.0 d")
    (0.5, 4.0, 60.0, 168.0, 0.0, 25344.0)
    """
    if text.strip() == "0":
        return 0.0
    found = WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text.strip()[:40]!r} is no duration: {EXPECTED}")
    unit = found[2].lower()
    number = found[1].replace(",", "" if "." in found[1] else ".")
    return float(number) * HOURS["min" if unit == "m" else unit]
