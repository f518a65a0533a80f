"""The server's process: Streamlit's own command, with the listener that we want. `vsm dashboard` starts it."""

from streamlit.web.cli import main

from dashboard import listening

if __name__ == "__main__":
    listening.settle(())
    main(prog_name="streamlit")
