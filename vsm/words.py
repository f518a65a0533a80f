"""How durations and shares are written, wherever words are made of them: one way, so that no number is seen in two spellings."""

NONE = "–"


def duration(hours: float | None) -> str:
    """Hours as a person says them: 12 min, 5.2 h, 3.4 d; a dash where there is none.

    >>> duration(0.2), duration(5.2), duration(81.6), duration(25_344), duration(None)
    ('12 min', '5.2 h', '3.4 d', '1,056.0 d', '–')
    """
    if hours is None:
        return NONE
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.1f} d"


def share(value: float | None) -> str:
    """A fraction as a percentage; a dash where there is none.

    >>> share(0.891), share(1.0), share(None)
    ('89.1 %', '100.0 %', '–')
    """
    return NONE if value is None else f"{value * 100:.1f} %"
