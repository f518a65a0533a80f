"""Text from outside stays text: markup, Markdown, right-to-left, emoji, 500 letters and line breaks as every name there is.

The sample with each title and each name of a stage, status, team, stream, application and person made hostile.
"""

import csv
import io
import json
import re
import tomllib
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from screens import said, settle

from vsm import cli

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SAMPLE, SAMPLE_CONFIG = ROOT / "sample_data" / "facts", ROOT / "sample_data" / "vsm.toml"
TEXTS = (
    '<img src=x onerror="window.__hacked=1">',
    "<script>window.__hacked=2</script>",
    "[click](javascript:window.__hacked=3)",
    r"$\LaTeX$ **b** :material/home: :red[x] `c` # h",
    "\u202e\u05e2\u05d2\u05dc\u05d4 \u0639\u0631\u0628\u0629\u202c",
    "\U0001f469\u200d\U0001f4bb\U0001f680 e\u0301",
    "W" * 500,
    "first\nsecond\r\n- third",
    "=HYPERLINK(1)",
    '"><svg onload="window.__hacked=4">&lt;b&gt;',
)
COLUMNS = {
    "tickets": ("title", "type", "status", "team", "application"),
    "transitions": ("from_status", "to_status", "team"),
    "pull_requests": ("title",),
    "commits": ("subject",),
    "incidents": ("title", "application"),
    "deployments": ("application",),
    "repositories": ("application",),
    "identities": ("person",),
}
NAMES = ("new", "done", "cancelled", "ignored", "waiting", "active", "applications")  # in the configuration
PATHS = ("/", "/map", "/flow", "/bottlenecks", "/delivery", "/forecast", "/retro", "/data")
# What would be there if something had been read as HTML, Markdown or TeX.
TRAPS = "img[src=x], [onerror], [onload], a[href^='javascript'], .katex, main strong:text-is('b'), main script:text('__hacked')"


class Hostile:
    """Makes names hostile, each in the same way wherever it stands; the name itself stays at the end."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if name and name not in self._made:
            self._made[name] = f"{TEXTS[len(self._made) % len(TEXTS)]} {name}"
        return self._made.get(name, name)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The store, the configuration, and what makes names hostile."""
    place, made = tmp_path_factory.mktemp("hostile"), Hostile()
    config = tomllib.loads(SAMPLE_CONFIG.read_text())
    for stream in config["streams"]:
        stream["name"] = made(stream["name"])
        for part in (stream, *stream["stages"]):
            part.update({name: [made(one) for one in part[name]] for name in NAMES if name in part})
            part.update({name: made(part[name]) for name in ("name", "team") if name in part and part is not stream})
    config["privacy"]["people"] = "names"
    (file := place / "vsm.toml").write_text(toml(config))
    (folder := place / "facts").mkdir()
    for path in sorted(SAMPLE.glob("*.csv")):
        with path.open(newline="") as source:
            rows = list(csv.DictReader(source))
        for row in rows:
            row.update({name: made(row[name]) for name in COLUMNS.get(path.stem, ())})
        with (folder / path.name).open("w", newline="") as target:
            (writer := csv.DictWriter(target, list(rows[0]))).writeheader()
            writer.writerows(rows)
    url = f"sqlite:///{place / 'hostile.db'}"
    assert cli.run(["import", str(folder), "--store", url]) == 0
    return url, file, made


def toml(config: dict) -> str:
    """A configuration as TOML: what lists tables comes last."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in config.items() if not tables(value)]
    for key, value in config.items():
        for head, table in [(f"[{key}]", value)] if isinstance(value, dict) else [(f"[[{key}]]", one) for one in tables(value)]:
            inner = toml(table).replace("[[stages]]", f"[[{key}.stages]]")
            lines += [head, inner]
    return "\n".join(lines)


def tables(value: object) -> list:
    return (
        [value] if isinstance(value, dict) else [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    )


@pytest.fixture
def screen(shows, window, hostile):
    shows.show(*hostile[:2])
    return window(False)


def harmed(screen) -> list[str]:
    """What was read as more than text."""
    page = screen.page
    found = [one.evaluate("element => element.outerHTML.slice(0, 300)") for one in page.locator(TRAPS).all()]
    icons = [icon for icon in page.get_by_test_id("stIconMaterial").all_inner_texts() if icon == "home"]
    hacked = page.evaluate("() => window.__hacked")
    return [*found, *icons, *([] if hacked is None else [f"a script ran: {hacked}"]), *screen.wrong()]


def shown(text: str) -> str:
    """As a reader sees it: line breaks as blanks."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("path", PATHS)
def test_hostile_names_are_shown_as_text_and_break_no_layout(screen, hostile, path):
    page = screen.open(path)
    wrong = [*harmed(screen), *screen.violations()]
    screen.resize(390, 900)
    wrong += [f"390: {one}" for one in harmed(screen)]
    words = shown(page.locator("[data-testid=stMain]").inner_text())

    assert not wrong, said(wrong)
    if path in ("/map", "/flow", "/bottlenecks", "/data"):
        assert [name for name in ("checkout", "platform") if shown(hostile[2](name)) not in words] == []


def test_a_hostile_name_in_the_address_chooses_its_stream(screen, hostile):
    name = hostile[2]("checkout")
    page = screen.open(f"/map?stream={quote_plus(name)}")

    assert page.get_by_role("combobox", name="Value stream").input_value() == name
    assert page.get_by_role("button", name="Only this stream").count() == 0
    assert harmed(screen) == []


def test_an_address_that_names_nothing_is_ignored(screen):
    screen.open("/flow?stream=%3Cimg+src%3Dx+onerror%3D%22window.__hacked%3D9%22%3E&period=9999&team=%00&compare=maybe")

    assert harmed(screen) == []
    assert screen.page.get_by_role("combobox", name="Value stream").input_value() == "All streams"


def test_a_stage_of_hostile_name_opens_its_items_and_their_csv(screen, hostile):
    name, page = hostile[2]("QA"), screen.open(f"/map?stream={quote_plus(hostile[2]('checkout'))}")
    page.locator(".vsm-map .stage").nth(3).click()
    settle(page)

    headings = [shown(one) for one in page.get_by_role("heading", level=3).all_inner_texts()]
    assert [one for one in headings if re.fullmatch(rf"{re.escape(shown(name))}: \d+ items in it now, its limit is 6 items", one)]
    page.get_by_role("button", name="Where these numbers come from").click()
    page.get_by_role("dialog").wait_for(timeout=30_000)
    settle(page)
    assert harmed(screen) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="These rows as CSV").click()
    rows = read(Path(download.value.path()))

    assert re.fullmatch(r"[\w.]+", download.value.suggested_filename)
    assert len(rows) > 100
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_hostile_titles_come_along_whole_in_a_csv(screen, hostile):
    page = screen.open("/flow")
    page.get_by_role("button", name="Where this number comes from").nth(1).click()
    page.get_by_role("dialog").wait_for(timeout=30_000)
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="These rows as CSV").click()
    rows = read(Path(download.value.path()))
    with (SAMPLE / "tickets.csv").open(newline="") as file:
        titles = {row["key"]: hostile[2](row["title"]) for row in csv.DictReader(file)}

    assert harmed(screen) == []
    named = [row for row in rows if row["item"] in titles]
    assert len(named) > 100
    assert [row["item"] for row in named if unguarded(row["title"]) != titles[row["item"]]] == []


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def unguarded(cell: str) -> str:
    """A cell without the sign that keeps a spreadsheet from reading it as a formula."""
    return cell.removeprefix("'")
