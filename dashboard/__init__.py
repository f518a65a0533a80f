"""Screens: what was measured, to look at. Imports vsm only; a page asks, a chart draws, `data` is the only door."""
