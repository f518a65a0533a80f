"""Archives whose bytes depend on nothing but what is in them."""

import io
import zipfile
from collections.abc import Mapping

THEN = (1980, 1, 1, 0, 0, 0)  # the earliest time that the format knows


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files as a ZIP archive, in the order given, without the time of writing."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            told = zipfile.ZipInfo(name, THEN)
            told.compress_type, told.external_attr, told.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(told, content)
    return out.getvalue()


def repacked(archive: bytes) -> bytes:
    """An archive of another's making with its times taken out."""
    with zipfile.ZipFile(io.BytesIO(archive)) as held:
        return zipped({name: held.read(name) for name in held.namelist()})
