"""Exports: what leaves the dashboard as a file. Nothing here knows of Streamlit; what is heavy is imported when it is needed."""
