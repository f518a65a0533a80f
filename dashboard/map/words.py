"""The map in words: what the drawing says, for who hears it or points at it."""

from dashboard import theme
from dashboard.map.model import Group, MapModel, Stage

SAID = 120  # characters of a name in a sentence: who hears a longer one has forgotten how the sentence began


def sentence(stage: Stage, told: MapModel) -> str:
    """All that the drawing says of one stage, for who hears it or points at it."""
    if stage.members:
        return _of_group(stage, told)
    said = [stage.name + (f", done by {stage.team}" if stage.team else "") + "."]
    if stage.name == told.constraint:
        said.append("This is the constraint.")
    if stage.estimate:
        said.append(f"An estimate, no system records this step: {stage.estimate}.")
    if not told.planned and not stage.estimate:
        said.append(
            f"{theme.many(stage.waiting_now, 'item')} waiting now." if stage.waiting_now is not None else "What waits is not known."
        )
    measured = not (told.planned or stage.estimate)
    said.append(_length("Waits", stage.wait, stage.wait_n, measured))
    said.append("It only holds work." if stage.holds else _length("Work takes", stage.work, stage.work_n, measured))
    if stage.accurate is not None:
        said.append(f"{theme.rate(stage.accurate)} of what it hands on is complete and accurate.")
    said += [_in_progress(stage)] if stage.wip_now is not None else []
    said += _changes(stage, "as it is now") if told.planned else _changes(stage)
    said += [
        f"{move.to_new.capitalize()} on {theme.rate(move.handoff)} of moves from {move.origin}."
        for move in told.onward
        if move.to == stage.name and move.handoff is not None
    ]
    said += [f"Sent back to {move.to} {theme.many(move.n, 'time')}." for move in told.loops if move.origin == stage.name]
    said += _beside(stage, told)
    return " ".join(said)


def opened(group: Group) -> str:
    """What the button says that closes a group."""
    return f"{group.name}, {theme.many(len(group.members), 'stage')}, opened. Choose it to put them together again."


def summary(told: MapModel) -> str:
    """The whole drawing in a sentence."""
    if not told.stages:
        return "Value-stream map without any stage."
    names = ", ".join(shortened(stage.name) for stage in told.stages)
    limit = f" The constraint is {shortened(told.constraint)}." if told.constraint else ""
    return f"Value-stream map of {theme.many(len(told.stages), 'stage')}: {names}.{limit}"


def shortened(name: str, most: int = SAID) -> str:
    """A name that fits into a sentence."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def _of_group(stage: Stage, told: MapModel) -> str:
    said = [f"{stage.name}: {theme.many(len(stage.members), 'stage')} put together: {', '.join(map(shortened, stage.members))}."]
    if stage.name == told.constraint:
        said.append("The constraint is among them.")
    least = "At least " if stage.partly else ""
    for verb, hours, n in (("wait", stage.wait, stage.wait_n), ("work", stage.work, stage.work_n)):
        said.append(f"{least}{theme.duration(hours)} of {verb}, the sum of their medians, of {n:,} visits or more each.")
    if stage.wip_now is not None:
        said.append(_in_progress(stage))
    return " ".join([*said, *_changes(stage), "Choose it to open it."])


def _length(verb: str, hours: float | None, n: int, measured: bool) -> str:
    if hours is None:
        return f"{verb}: not known."
    return f"{verb} {theme.duration(hours)}, the median of {n:,}." if measured else f"{verb} {theme.duration(hours)}."


def _in_progress(stage: Stage) -> str:
    limit = "" if stage.wip_limit is None else f", {'over its' if stage.over_limit else 'with a'} limit of {stage.wip_limit}"
    return f"{stage.wip_now:,} in progress{limit}."


CALLED = {"wait": "Wait", "work": "Work", "accurate": "Complete and accurate", "wip": "In progress"}
WRITTEN = {"wait": theme.duration, "work": theme.duration, "accurate": theme.rate, "wip": theme.number}


def _changes(stage: Stage, when: str = "in the period before") -> list[str]:
    """What was before, in words."""
    said = []
    for name, change in stage.changes.items():
        verdict = f" ({change.said})" if change.said else ""
        said.append(f"{CALLED[name]} {when}: {WRITTEN[name](change.before)}{verdict}.")
    return said


def _beside(stage: Stage, told: MapModel) -> list[str]:
    """Which stages stand beside it."""
    at = told.places
    names = [other.name for other in told.stages if other != stage and at[other.name].column == at[stage.name].column]
    return [f"Beside {' and '.join(map(shortened, names))}: work takes either."] if names else []
