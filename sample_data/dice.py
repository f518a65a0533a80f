"""Seeded draws that are the same on every machine and Python.

Only `random.Random.random` is promised to stay the same between versions, so all other draws are
made from it here. Each part of the sample has dice of its own: a change to the titles does not
move a single deployment.
"""

import hashlib
import math
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """One stream of draws, named after what it decides."""

    def __init__(self, seed: int, name: str) -> None:
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        self._random = Random(int.from_bytes(digest[:8], "big"))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random.random() < probability

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._random.random() * (high - low + 1))

    def minutes(self, low: int, high: int) -> int:
        """Seconds between so many minutes and so many."""
        return self.integer(low * 60, high * 60)

    def pick(self, things: Sequence[T]) -> T:
        """One of the things, each as likely as the others."""
        return things[int(self._random.random() * len(things))]

    def weighted(self, weights: dict[str, float]) -> str:
        """One of the names, as likely as its weight says."""
        left = self._random.random() * math.fsum(weights.values())
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return name

    def lognormal(self, mean: float, cv: float) -> float:
        """A duration with this mean and coefficient of variation; never 0."""
        sigma2 = math.log(1 + cv * cv)
        normal = math.sqrt(-2 * math.log(1 - self._random.random())) * math.cos(2 * math.pi * self._random.random())
        return mean * math.exp(math.sqrt(sigma2) * normal - sigma2 / 2)

    def erlang(self, mean: float, shape: int = 5) -> float:
        """A gap between arrivals, more even than chance alone: planned work does not come by Poisson."""
        return math.fsum(-math.log(1 - self._random.random()) for _ in range(shape)) * mean / shape
