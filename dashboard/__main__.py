"""The server's process: Streamlit's own command, with the listener that we want. `vsm dashboard` starts it."""

import os
from pathlib import Path

from streamlit.web.cli import main

from dashboard import listening
from vsm.config import load

if __name__ == "__main__":
    told = os.environ.get("VSM_CONFIG")
    listening.settle(load(Path(told) if told else None).server.proxies)
    main(prog_name="streamlit")
