"""A thousand harvests killed at random points: how many stores then differ from that of a harvest that nobody disturbed.

VSM_KILLS sets another number of kills.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
from company import Company  # the tests' peers are no package
from github_schemas import graphql_schema

KILLS = int(os.environ.get("VSM_KILLS", "1000"))


def figures() -> list[dict[str, Any]]:
    """One figure: differing stores among those that were filled by harvests killed again and again. None may differ."""
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder), graphql_schema())
        try:
            whole, asked = company.undisturbed()
            stores = differing = 0
            while company.killed < KILLS:
                stores += 1
                facts, _ = company.disturbed(f"killed-{stores}", asked)
                differing += facts != whole
                for path in Path(folder).glob(f"killed-{stores}*.db*"):
                    path.unlink()
        finally:
            company.close()
    name = f"stores that differ after {company.killed:,} kills, of {stores:,}"
    return [{"name": name, "value": differing, "peer": stores, "ratio": differing / stores, "limit": 0}]
