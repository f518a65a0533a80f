"""Random boards: tickets that skip stages, go back, begin again, are dropped or still open, some moves on one day.

A board is a plain dict, ticket -> [[status, seconds since the epoch, who], …], so that it goes as JSON
to programs in other environments. One seed is one board, on every Python.
"""

import random

STAGES = ("Dev", "Review", "Test")
COLUMNS = ("Backlog", *STAGES, "Done")
DROPPED = "Dropped"
PEOPLE = ("ann", "bea", "cho", "dan", "eve")
SEEDS = (11, 12, 13, 14, 15, 16)
EPOCH = 1_767_225_600  # 1 January 2026, UTC
HOUR, DAY = 3600, 86400

Board = dict[str, list[list[object]]]

# The log of which jirametrics', jira-agile-metrics' and pm4py's answers were published together.
KNOWN: dict[str, str] = {
    "A-1": "Backlog 01 00, Dev 02 09, Review 04 09, Test 07 09, Done 08 09",
    "A-2": "Backlog 01 00, Dev 01 12, Review 03 12, Dev 05 12, Review 06 12, Test 09 12, Done 11 12",
    "A-3": "Backlog 01 00, Dev 03 00, Test 04 00, Dev 05 00, Test 06 00, Done 07 00",
    "A-4": "Backlog 01 00, Dev 09 08, Review 11 08",
}


# Several moves at one instant: back and on again, there and back, done at once, three stages at once, reopened at once.
INSTANTS: dict[str, str] = {
    "B-1": "Backlog 01 00, Dev 02 00, Backlog 06 00, Dev 06 00, Review 06 00, Done 07 00",
    "B-2": "Backlog 01 00, Dev 06 00, Backlog 06 00",
    "B-3": "Dev 02 00, Done 02 00",
    "B-4": "Backlog 02 00, Dev 03 00, Review 03 00, Test 03 00, Done 05 00",
    "B-5": "Dev 02 00, Done 03 00, Dev 03 00, Done 03 00",
}


def known() -> Board:
    """The known log: a straight item, one sent back by review, one that skips review and is sent back by test, an open one."""
    return _read(KNOWN)


def instants() -> Board:
    """Tickets that move several times at one instant."""
    return _read(INSTANTS)


def _read(stories: dict[str, str]) -> Board:
    """`Dev 02 09`: a status, and the day and hour of January 2026 when it came."""
    return {
        key: [
            [status, EPOCH + (int(day) - 1) * DAY + int(hour) * HOUR, PEOPLE[place % 3]]
            for place, (status, day, hour) in enumerate(word.split() for word in words.split(", "))
        ]
        for key, words in stories.items()
    }


def board(seed: int, tickets: int = 60) -> Board:
    """A random board."""
    dice = random.Random(seed)
    return {f"A-{number}": _ticket(dice, EPOCH + int(dice.random() * 120 * DAY)) for number in range(tickets)}


def _ticket(dice: random.Random, at: int) -> list[list[object]]:
    place = 0 if dice.random() < 0.9 else 1
    story: list[list[object]] = [[COLUMNS[place], at, _who(dice)]]
    for _ in range(int(dice.random() * 12)):
        at += int(dice.random() * (4 * HOUR if dice.random() < 0.4 else 6 * DAY)) + 1
        dropped = story[-1][0] == DROPPED
        place, status = _next(dice, place, dropped)
        story.append([status, at, _who(dice)])
        if place == len(COLUMNS) - 1 and dice.random() < 0.7:
            break
    return story


def _next(dice: random.Random, place: int, dropped: bool) -> tuple[int, str]:
    """Mostly one on; sometimes two, sometimes back as far as the backlog, seldom dropped."""
    luck = dice.random()
    if luck < 0.04 and not dropped:
        return place, DROPPED
    if luck < 0.2 or place == len(COLUMNS) - 1:
        place = int(dice.random() * max(place, 1))
    elif luck < 0.32:
        place += 2
    else:
        place += 1
    place = min(place, len(COLUMNS) - 1)
    return place, COLUMNS[place]


def _who(dice: random.Random) -> str:
    return PEOPLE[int(dice.random() * len(PEOPLE))]


def events(board: Board) -> list[list[object]]:
    """Every status of a board as an event: case, activity, at, who."""
    return [[key, *entry] for key, story in board.items() for entry in story]


def entries(board: Board) -> list[list[object]]:
    """The events that are left of a board where only stages count: entering one, and a done that lasted; the rest is no event."""
    found = []
    for key, story in board.items():
        own: list[list[object]] = []
        for place, (status, at, who) in enumerate(story):
            again = place > 0 and story[place - 1][0] == status
            if (status in STAGES and not again) or (status == "Done" and place == len(story) - 1):
                own.append([key, status, at, who])
        found += own
    return found
