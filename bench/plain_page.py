"""A Streamlit page that shows ready-made chart specifications from a file and nothing else: what our pages are measured against.

`VSM_SPECS` names the folder; `?page=` the file in it.
"""

import json
import os
from pathlib import Path

import streamlit as st


@st.cache_resource
def specs(name: str) -> list[dict[str, object]]:
    """The specifications of a page."""
    return list(json.loads(Path(os.environ["VSM_SPECS"], f"{name}.json").read_text(encoding="utf-8")))


for number, spec in enumerate(specs(st.query_params["page"])):
    st.vega_lite_chart(spec=spec, width="stretch", key=f"chart_{number}")
