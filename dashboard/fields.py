"""What people type into a form, read back: a value or one sentence for each field that is none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vsm import durations


@dataclass(frozen=True)
class Typed:
    """A field: its label, its text, how it is read, and what stood there with its value. `needed`: may not be empty."""

    label: str
    text: str
    read: Callable[[str], Any]
    shown: str = ""
    value: Any = None
    needed: bool = False


def values(typed: dict[str, Typed]) -> tuple[dict[str, Any], list[str]]:
    """The values by name, and a sentence for each field that has none. What was not touched keeps its exact value."""
    told, wrong = {}, []
    for name, field in typed.items():
        text = field.text.strip()
        if text == field.shown.strip() and (text or not field.needed):
            told[name] = field.value
        elif not text:
            told[name] = None
            if field.needed:
                wrong.append(f"{field.label}: nothing is written there.")
        else:
            try:
                told[name] = field.read(text)
            except ValueError as error:
                wrong.append(f"{field.label}: {error}.")
    return told, wrong


def hours(text: str) -> float:
    """A duration in hours."""
    return durations.hours(text)


def share(text: str) -> float:
    """A percentage as a share. Raises ValueError with a sentence."""
    number = _number(text.removesuffix("%"), "a percentage, such as 85")
    if not 0 <= number <= 100:
        raise ValueError(f"{text!r} is no share: expected 0 to 100 %")
    return number / 100


def people(text: str) -> float:
    """A number of people, who may be there for a part of the time. Raises ValueError with a sentence."""
    number = _number(text, "a number of people, such as 2 or 0.5")
    if not 0 <= number <= 10_000:
        raise ValueError(f"{text!r} cannot be: expected 0 to 10,000 people")
    return number


def limit(text: str) -> int:
    """A WIP limit. Raises ValueError with a sentence."""
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 100_000:
        raise ValueError(f"{text[:40]!r} is no limit: expected a whole number from 1 on")
    return int(text)


def _number(text: str, expected: str) -> float:
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        number = float("nan")
    if number != number or "n" in text.lower():
        raise ValueError(f"{text.strip()[:40]!r} is no number: expected {expected}")
    return number


def shown(value: float | None, written: Callable[[float | None], str]) -> str:
    """A value as it stands in a field before anybody types; nothing where there is none."""
    return "" if value is None else written(value)


def plain(value: float | None) -> str:
    """A number without thousands' separators."""
    return "" if value is None else f"{value:g}"
