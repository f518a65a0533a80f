"""Charts: a frame in, an Altair chart out. None of them computes a number that someone may quote, or knows of Streamlit.

A chart encodes roles (`dashboard.theme.ROLES`), never colours: the page's theme and the export's say which colours those
are. Times come as naive local ones, durations as hours; the columns that a chart does not draw stay behind. An empty
frame gives None: the page says why there is nothing.
"""
