"""What `vsm doctor` says of the sources: one that is wrong does not keep the others from being asked."""

from collections.abc import Iterator

import pytest

from collectors import doctor, sources
from collectors.base import Check, CollectorError
from vsm.config import Config, ConfigError, Source


class Well:
    """A source that answers."""

    kind, name = "well", "well"

    @classmethod
    def configured(cls, keys, context):
        if "wrong" in keys:
            raise ConfigError("source well: no such key: wrong")
        return cls()

    def checks(self) -> Iterator[Check]:
        yield Check("token", True, "signed in as ann")
        yield Check("clock", False, "it is 9 minutes ahead", "set the server's clock")

    def proposal(self) -> str:
        return '[[streams]]\nname = "board"'


class Down(Well):
    """A source that does not."""

    def checks(self) -> Iterator[Check]:
        raise CollectorError("the server is down: try again later")

    def proposal(self) -> str:
        raise CollectorError("the server is down: try again later")


class Point:
    def __init__(self, name: str, kind: type) -> None:
        self.name, self.kind = name, kind

    def load(self) -> type:
        return self.kind


@pytest.fixture(autouse=True)
def _kinds(monkeypatch):
    monkeypatch.setattr(sources, "entry_points", lambda group: [Point("well", Well), Point("down", Down)])


def configured(*told: tuple[str, str, dict]) -> Config:
    return Config(sources=tuple(Source(kind=kind, name=name, keys=keys) for kind, name, keys in told))


def test_every_source_is_asked_and_says_how_it_is():
    config = configured(("down", "first", {}), ("well", "second", {}), ("well", "third", {"wrong": 1}), ("none", "fourth", {}))
    assert list(doctor.checks(config, "sqlite://")) == [
        Check("first", False, "the server is down: try again later"),
        Check("second: token", True, "signed in as ann"),
        Check("second: clock", False, "it is 9 minutes ahead", "set the server's clock"),
        Check("third", False, "source well: no such key: wrong"),
        Check("fourth", False, "source fourth: no such kind: none; there are down, well"),
    ]


def test_what_sources_propose_comes_from_those_that_answer():
    config = configured(("down", "first", {}), ("well", "second", {}))
    assert list(doctor.proposals(config, "sqlite://")) == ["[[streams]]", 'name = "board"']


def test_without_sources_nothing_is_asked_and_no_key_is_made(tmp_path):
    assert list(doctor.checks(Config(), f"sqlite:///{tmp_path / 'vsm.db'}")) == []
    assert list(tmp_path.iterdir()) == []
