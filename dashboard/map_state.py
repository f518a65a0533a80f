"""What is opened and chosen on the maps of a page, kept in the URL, so that a link shows the same."""

from collections.abc import Iterable

import streamlit as st

OPEN, STAGE = "open", "stage"


def opened(stream: str, names: Iterable[str]) -> tuple[str, ...]:
    """The groups of a stream's map that are opened, of those that there are."""
    told = st.query_params.get_all(OPEN)
    return tuple(name for name in names if _written(stream, name) in told)


def toggle(stream: str, group: str | None) -> None:
    """Open a group of a stream's map, or put it together again."""
    if group:
        told, name = st.query_params.get_all(OPEN), _written(stream, group)
        _write(OPEN, [one for one in told if one != name] if name in told else [*told, name])


def chosen(stream: str, names: Iterable[str]) -> str | None:
    """The stage of a stream's map that the URL names, if there is such a stage."""
    told = st.query_params.get_all(STAGE)
    return next((name for name in names if _written(stream, name) in told), None)


def choose(stream: str, stage: str | None) -> None:
    """Write the chosen stage of a stream's map into the URL."""
    told = st.query_params.get_all(STAGE)
    others = [one for one in told if not one.startswith(_written(stream, ""))]
    wanted = others if stage is None else [*others, _written(stream, stage)]
    if wanted != told:
        _write(STAGE, wanted)


def _written(stream: str, name: str) -> str:
    return f"{stream}: {name}"


def _write(parameter: str, values: list[str]) -> None:
    if values:
        st.query_params[parameter] = values
    else:
        st.query_params.pop(parameter, None)
