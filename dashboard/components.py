"""What Streamlit asks of a component's key."""

import re


def component_key(key: str) -> str:
    """A key without two underscores in a row, which Streamlit keeps for itself; different keys stay different.

    >>> component_key("map_checkout"), component_key("map_my__team")
    ('map_checkout', 'map_my_·_team')
    """
    return re.sub("_(?=_)", "_·", key)
