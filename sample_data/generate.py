"""Make the sample: a year of a fictional organisation, with planted truths.

    python sample_data/generate.py [FOLDER]

writes FOLDER/facts/*.csv, FOLDER/truths.json and FOLDER/TRUTHS.md (FOLDER is this folder by
default). It needs nothing but Python 3.11 or later, and the same seed gives the same bytes anywhere.

How it works: each value stream is a queueing line (line.py) on one event clock (engine.py). Tickets
wait for people and people work in office hours (clock.py); while they work, branches, commits, pull
requests, reviews and builds come about (forge.py); what is merged is deployed, and sometimes fails
(delivery.py). Nothing is drawn as a waiting time: a constraint is a stage whose people have too
little time, and its queue is what follows. Who works where is in organisation.py. What was planted
is told from the simulation's own books (truths.py), so that the product can be held against it.
"""

import json
import sys
from datetime import date
from pathlib import Path

from clock import END, local
from delivery import Delivery
from engine import Engine
from forge import Forge
from line import Line
from organisation import EVERYONE, STREAMS
from story import story
from tables import Facts
from truths import Truths, truths

# With each of the seeds 1 to 499 the planted constraints come out; this one also shows the rest well: work in
# progress over its limit now, a bad month, every kind of remedy, and longest stays that are not the constraint.
SEED = 328


def sample(seed: int = SEED) -> tuple[Facts, Truths]:
    """The facts of the year, and what was planted in them."""
    engine = Engine(local(date(2025, 11, 12), 10), local(END, 19, 20))
    facts = Facts()
    forge = Forge(engine, facts, seed)
    lines = [Line(stream, engine, facts, forge, seed) for stream in STREAMS]
    for line in lines:
        for application in line.stream.applications:
            forge.create(application)
        line.plan()
    forge.plan()
    delivery = Delivery(engine, facts, forge, lines, seed)
    delivery.plan()
    _introduce(facts)
    engine.run()
    return facts, truths(seed, facts, lines, forge, delivery)


def _introduce(facts: Facts) -> None:
    """Everybody's three handles. The bot is nobody."""
    for person in EVERYONE:
        for source, handle in (("git", person.email), ("github", person.login), ("jira", person.account)):
            facts.add("identities", source=source, handle=handle, person=person.name)


def main(folder: Path) -> None:
    """Write everything into a folder."""
    facts, planted = sample()
    facts.write(folder / "facts")
    (folder / "truths.json").write_text(json.dumps(planted, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    (folder / "TRUTHS.md").write_text(story(planted), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
