"""A store's facts and configuration for sharing: both under pseudonyms, so that together they tell the same numbers."""

import os
import re
import secrets
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from vsm import store
from vsm.applications import pattern_of
from vsm.config import Config
from vsm.errors import UsageError, WorkError
from vsm.people import People
from vsm.pseudonyms import Pseudonyms, pseudonymised
from vsm.store import DBAPIError, Engine, Facts

KEY = "VSM_PSEUDONYM_KEY"
CURSOR = "pseudonyms"  # where a store keeps its own key


def key(engine: Engine, at: datetime) -> bytes:
    """The key of a store's pseudonyms: what the environment says, else the store's own, made the first time.

    Raises WorkError where a store cannot keep one.
    """
    if told := os.environ.get(KEY):
        if len(told) < 16:
            raise UsageError(f"{KEY}: expected a secret of 16 characters or more, such as `openssl rand -hex 32` makes")
        return told.encode()
    try:
        with store.transaction(engine) as connection:
            kept = store.load_cursors(connection, CURSOR).get("key", {}).get("key")
            if kept is None:
                kept = secrets.token_hex(32)
                store.save_cursor(connection, CURSOR, "key", {"key": kept}, at=at)
    except DBAPIError as error:
        raise WorkError(f"the store cannot keep a key for pseudonyms ({error.orig}): set {KEY} to a secret of your own") from None
    return bytes.fromhex(kept)


def names_of(facts: Facts, config: Config, secret: bytes) -> Pseudonyms:
    """Other names for what is in the facts, that leave the configuration's own words alone."""
    return Pseudonyms(
        secret, facts, (*config.incidents.exclude_labels, *config.dora.exclude_labels), config.incidents.exclude_titles
    )


def disguised(facts: Facts, config: Config, names: Pseudonyms) -> tuple[Facts, Config]:
    """The facts, and the configuration that tells the same of them, under other names."""
    told = Config.model_validate(_told(facts, config, names) | {"folder": config.folder, "path": config.path})
    return pseudonymised(facts, names, _placed(config, names) if config.applications else None), told


def _told(facts: Facts, config: Config, names: Pseudonyms) -> dict[str, Any]:
    told = config.model_dump(mode="json", exclude={"sources", "people", "folder", "path"}, exclude_defaults=True)
    for stream in told.get("streams", []):
        stream |= {part: [names.kept(name) for name in stream[part]] for part in PARTS & set(stream)}
        if "repositories" in stream:
            stream["repositories"] = [names.repository(name) for name in stream["repositories"]]
        for stage in stream.get("stages", []):
            stage |= {part: [names.kept(name) for name in stage[part]] for part in ("waiting", "active") if part in stage}
            stage |= {"team": names.kept(stage["team"])} if "team" in stage else {}
    for rule in told.get("applications", []):
        rule |= {
            "name": names.kept(rule["name"]),
            "repository": names.repository(rule["repository"]),
            "paths": [_part(rule, names)],
        }
    if config.incidents.exclude_titles:
        told["incidents"]["exclude_titles"] = [re.escape(word).replace("\\ ", " ") for _, word in names.titles]
    if config.dora.exclude_authors:
        told["dora"]["exclude_authors"] = _authors(facts, config, names)
    if config.people:
        told["people"] = {
            names.person(person): [_handle(one, names) for one in several] for person, several in config.people.items()
        }
    # They are pseudonyms already, and of one name wherever they stand.
    told["privacy"] = {"people": "none" if config.privacy.people == "none" else "names"}
    return told


PARTS = {"applications", "projects", "teams", "new", "done", "cancelled", "ignored"}


def _part(rule: dict[str, Any], names: Pseudonyms) -> str:
    """The folder that stands for an application's paths; `rule` has its new names already."""
    return f"part_{names.id_of('part')(rule['name'])}/**"


def _handle(told: str, names: Pseudonyms) -> str:
    source, _, handle = told.partition(":")
    return f"{source}:{names.person(handle)}"


def _authors(facts: Facts, config: Config, names: Pseudonyms) -> list[str]:
    """The authors that the patterns of the configuration mean, by name."""
    everybody = People.of(facts, config.people).pseudonyms
    patterns = [one.casefold() for one in config.dora.exclude_authors]
    found = [one for one in everybody if any(fnmatchcase(one.casefold(), pattern) for pattern in patterns)]
    return sorted(names.person(one).replace("[", "[[]") for one in found)


def _placed(config: Config, names: Pseudonyms) -> Any:
    """For the paths of a commit of a repository that has rules: a path in the folder of each application that they are of."""
    rules: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for rule in config.applications:
        pattern = re.compile("|".join(pattern_of(path) for path in rule.paths))
        folder = _part({"name": names.kept(rule.name)}, names).removesuffix("**")
        rules.setdefault(rule.repository, []).append((pattern, folder))

    def placed(repository: str, paths: str) -> str | None:
        if repository not in rules:
            return None
        every = [path.replace("%3B", ";") for path in paths.split(";")]
        found = [f"{folder}file" for pattern, folder in rules[repository] if any(pattern.fullmatch(path) for path in every)]
        return ";".join(dict.fromkeys(found)) or "elsewhere/file"

    return placed


def settings(config: Config) -> str:
    """A configuration as TOML: what a disguised store needs to tell the same numbers."""
    told = config.model_dump(mode="json", exclude={"sources", "folder", "path"}, exclude_defaults=True)
    head = "# What tells the same numbers of these facts as of the store that they were exported from.\n"
    return head + "".join(_toml(told, ""))


def _toml(table: dict[str, Any], at: str) -> list[str]:
    plain = {name: value for name, value in table.items() if not _is_table(value)}
    lines = [f"{_quoted(name)} = {_value(value)}\n" for name, value in plain.items() if value is not None]
    for name, value in table.items():
        place = f"{at}.{_quoted(name)}" if at else _quoted(name)
        if isinstance(value, dict):
            lines += [f"\n[{place}]\n", *_toml(value, place)]
        elif _is_table(value):
            for one in value:
                lines += [f"\n[[{place}]]\n", *_toml(one, place)]
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _value(text)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        signs = {"\\": "\\\\", '"': '\\"'}
        escaped = "".join(signs.get(sign, sign if sign.isprintable() else f"\\U{ord(sign):08x}") for sign in value)
        return f'"{escaped}"'
    return str(value)
