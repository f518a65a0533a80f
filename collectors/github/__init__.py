"""GitHub as a source."""
