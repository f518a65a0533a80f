"""A pack as a ZIP: the page, each picture as SVG and PNG, every table as CSV, definitions and a manifest with checksums."""

import hashlib
import json
from collections.abc import Iterator, Mapping

from dashboard import tables
from dashboard.export.content import Pack
from dashboard.export.page import html
from dashboard.export.zipped import zipped


def archive(pack: Pack, version: str, data_version: str) -> bytes:
    """The archive. `version`: the program's; `data_version`: the store's, so that a reader knows which data it was."""
    files = dict(_files(pack))
    return zipped({**files, "manifest.json": manifest(pack, files, version, data_version)})


def _files(pack: Pack) -> Iterator[tuple[str, bytes]]:
    yield "index.html", html(pack)
    yield "definitions.json", _json([_defined(one) for one in pack.numbers] + [_drawn(one) for one in pack.pictures])
    for picture in pack.pictures:
        name = tables.file_name(picture.name)
        yield f"charts/{name}.svg", picture.svg.encode()
        yield f"charts/{name}.png", picture.png()
        yield f"charts/{name}.csv", tables.csv(picture.rows)
    for number, rows in pack.rows.items():
        yield f"rows/{number}.csv", tables.csv(rows)
    yield "notes.csv", tables.csv(pack.notes)


def _defined(one: object) -> dict[str, str]:
    return {key: getattr(one, key) for key in ("name", "label", "value", "beside", "before", "verdict", "definition", "rule")}


def _drawn(one: object) -> dict[str, str]:
    return {key: getattr(one, key) for key in ("name", "title", "finding", "definition")}


def manifest(pack: Pack, files: Mapping[str, bytes], version: str, data_version: str) -> bytes:
    """What is in the archive: filters, versions, and each file's size and SHA-256."""
    return _json(
        {
            "title": pack.title,
            "program": f"value-stream-dashboard {version}",
            "data_version": data_version,
            "filters": dict(pack.about),
            "files": [
                {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in files.items()
            ],
        }
    )


def _json(told: object) -> bytes:
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()
