"""A pack as one HTML page: no script, no request, everything in it; opens from a disk and prints."""

import base64
from functools import cache
from pathlib import Path

import jinja2
import pandas as pd

from dashboard import tables
from dashboard.export.content import Pack, Picture
from dashboard.export.drawing import apart

SHOWN = 200  # rows of a table on the page; all of them are in its CSV


def html(pack: Pack) -> bytes:
    """The page. Text from outside is escaped by the template; pictures are drawings of our own."""
    told: str = _template().render(pack=pack, drawn=drawn, csv=as_link, table=table, shown=SHOWN, file_name=tables.file_name)
    return told.encode()


@cache
def _template() -> jinja2.Template:
    """The template, with every value escaped unless it is said to be safe."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


def drawn(picture: Picture) -> str:
    """A picture's drawing, its ids its own: those of several drawings would meet on one page."""
    return apart(picture.svg, picture.name)


def as_link(rows: pd.DataFrame) -> str:
    """Rows as an address that holds them."""
    return "data:text/csv;base64," + base64.b64encode(tables.csv(rows)).decode("ascii")


def table(rows: pd.DataFrame, zone: str) -> list[list[str]]:
    """The head and the first rows as text."""
    ready = tables.ready(rows.head(SHOWN), zone)
    for name in ready.columns:
        if ready[name].dtype.kind == "M":
            ready[name] = ready[name].dt.strftime("%Y-%m-%d %H:%M")
        elif ready[name].dtype.kind == "f":
            ready[name] = [f"{value:.1f}" if pd.notna(value) else None for value in ready[name]]
    words = ready.astype("object").where(ready.notna(), "–")
    return [
        [tables.LABELS.get(name, str(name).replace("_", " ")) for name in ready.columns],
        *words.astype("str").to_numpy().tolist(),
    ]
