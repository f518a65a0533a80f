"""The fictional organisation: who works where, on what, and through which stages the work goes.

Nobody here exists. Quillfeather sells walking gear; all its addresses are in reserved domains.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import date, timedelta

from clock import CHANGE, START

OWNER = "quillfeather"
BOT = "upkeep[bot]"
BOT_EMAIL = "upkeep@bots.invalid"


@dataclass(frozen=True)
class Person:
    """Somebody with three handles: one for git, one for the forge, one for the tracker."""

    name: str
    team: str

    @property
    def email(self) -> str:
        return f"{self.name.lower().replace(' ', '.')}@example.org"

    @property
    def login(self) -> str:
        first, last = self.name.lower().split(" ")
        return f"{last[:5]}-{first[0]}{len(self.name)}"

    @property
    def account(self) -> str:
        return "acc-" + hashlib.sha256(self.name.encode()).hexdigest()[:6]


@dataclass(frozen=True)
class Shift:
    """A person at a stage from one day to another; the second day is no longer theirs."""

    person: Person
    since: date = START
    until: date = date(9999, 1, 1)


@dataclass(frozen=True)
class Stage:
    """A step of the work: the two statuses of the board, who does it, and how long it takes in working hours."""

    name: str
    waiting: str
    active: str | None = None
    rota: tuple[Shift, ...] = ()
    hours: float = 0.0
    spread: float = 0.8  # coefficient of variation of the hours
    again: float = 0.5  # how much of the hours a returned ticket takes
    sends_back: float = 0.0  # the share of first visits that go back to the developers
    wip_limit: int | None = None
    team: str | None = None

    def people(self, day: date) -> int:
        """How many work here on this day."""
        return sum(shift.since <= day < shift.until for shift in self.rota)


@dataclass(frozen=True)
class Application:
    """What is deployed, from one repository, by one team."""

    name: str
    team: str
    squash: bool = False  # merges leave one commit on main; the branch's own commits are gone
    pushes: bool = False  # some commits go straight to main
    states_commits: bool = False  # the deployment tool says which commits were in a deployment

    @property
    def repository(self) -> str:
        return f"{OWNER}/{self.name}"


@dataclass(frozen=True)
class Stream:
    """A value stream: a project of the tracker with its board, and the applications it delivers."""

    name: str
    project: str
    applications: tuple[Application, ...]
    share: tuple[float, ...]  # of the tickets, per application
    new: str
    done: str
    cancelled: str
    stages: tuple[Stage, ...]  # refine, develop, review, test, release, whatever their names
    per_week: tuple[tuple[date, float], ...]  # tickets committed to in a week, from a day on
    product: Person
    train: bool = False  # production only by the release train

    def rate(self, day: date) -> float:
        """Tickets committed to in a week, as of this day."""
        return [rate for since, rate in self.per_week if since <= day][-1]

    @property
    def develop(self) -> Stage:
        return self.stages[1]

    @property
    def review(self) -> Stage:
        return self.stages[2]

    @property
    def test(self) -> Stage:
        return self.stages[3]

    @property
    def release(self) -> Stage:
        return self.stages[4]


def _people(team: str, *names: str) -> tuple[Person, ...]:
    return tuple(Person(name, team) for name in names)


PRODUCT = _people("Product", "Orla Winterfeld", "Tomas Belgrano", "Ishani Verhoef", "Lucan Oyelowe")
BASKET = _people("Basket", "Mirel Castano", "Joanna Pflug", "Desmond Arkwell", "Yuki Sandoval", "Henrik Maluf", "Saskia Onwudiwe")
PAYMENTS = _people("Payments", "Petra Okonjo", "Silvan Drexel", "Amara Lindqvist", "Ravi Tannenberg", "Noor Halvorsen")
QUALITY = _people("Quality", "Beate Moravec", "Callum Ferreira")
IDENTITY = _people("Identity", "Greta Solbakken", "Emeka Rosswald", "Ilse Navarrete", "Dario Quist")
INSIGHTS = _people("Insights", "Sunniva Kaplan", "Matteo Brandvold", "Farah Eisler")
OPERATIONS = _people("Operations", "Wendel Achterberg", "Lioba Stamatis")
EVERYONE = (*PRODUCT, *BASKET, *PAYMENTS, *QUALITY, *IDENTITY, *INSIGHTS, *OPERATIONS)


def _always(*people: Person) -> tuple[Shift, ...]:
    return tuple(Shift(person) for person in people)


TRAINS = tuple(date(2025, 11, 26) + timedelta(days=14 * n) for n in range(26))  # alternate Wednesdays

CHECKOUT = Stream(
    name="checkout",
    project="PAY",
    applications=(Application("shop", "Basket"), Application("payments", "Payments", squash=True)),
    share=(0.56, 0.44),
    new="Backlog",
    done="Done",
    cancelled="Won't do",
    per_week=((START, 8.6), (date(2026, 10, 12), 10.2)),  # the season begins in October
    product=PRODUCT[0],
    stages=(
        Stage("Refine", "Selected", "In refinement", _always(*PRODUCT[:2]), 3.2, 0.8, team="Product"),
        Stage("Develop", "Ready for development", "In development", _always(*BASKET[1:], *PAYMENTS[1:]),
              24.0, 0.9, again=0.35, wip_limit=10),
        # In May a tester moved from QA to Review: the constraint moved the other way.
        Stage("Review", "Ready for review", "In review",
              (*_always(BASKET[0], PAYMENTS[0]), Shift(QUALITY[1], since=CHANGE)),
              7.9, 0.65, again=0.55, sends_back=0.15, wip_limit=6),
        Stage("QA", "Ready for QA", "In QA", (*_always(QUALITY[0]), Shift(QUALITY[1], until=CHANGE)),
              4.3, 0.6, again=0.7, sends_back=0.11, wip_limit=6, team="Quality"),
        Stage("Release", "Ready for release"),
    ),
)  # fmt: skip

PLATFORM = Stream(
    name="platform",
    project="PLT",
    applications=(
        Application("accounts", "Identity", states_commits=True),
        Application("insights", "Insights", pushes=True),
    ),
    share=(0.55, 0.45),
    new="Icebox",
    done="Released",
    cancelled="Dropped",
    per_week=((START, 6.3), (CHANGE, 7.0)),
    product=PRODUCT[2],
    train=True,
    stages=(
        Stage("Analyse", "Ready for analysis", "Analysing", _always(*PRODUCT[2:]), 3.4, 0.8, team="Product"),
        # In May two developers joined, and one of the two who accepted left.
        Stage("Build", "Ready to build", "Building",
              (*_always(IDENTITY[1], IDENTITY[2], INSIGHTS[1]),
               Shift(IDENTITY[3], since=CHANGE), Shift(INSIGHTS[2], since=CHANGE)),
              18.0, 0.75, again=0.35, wip_limit=8),
        Stage("Check", "Ready for check", "Checking", _always(IDENTITY[0], INSIGHTS[0]),
              3.0, 0.8, again=0.6, sends_back=0.10, wip_limit=5),
        Stage("Accept", "Ready for acceptance", "Accepting",
              (*_always(OPERATIONS[0]), Shift(OPERATIONS[1], until=CHANGE)),
              5.35, 0.6, again=0.6, sends_back=0.08, wip_limit=4, team="Operations"),
        Stage("Release train", "Waiting for train"),
    ),
)  # fmt: skip

STREAMS = (CHECKOUT, PLATFORM)

# How often main goes to production, by application: from which day, on which weekdays (0 is Monday).
RHYTHM: dict[str, tuple[tuple[date, tuple[int, ...]], ...]] = {
    "shop": (
        (START, (1, 3)),
        (date(2026, 2, 2), (0, 2, 4)),
        (date(2026, 5, 4), (0, 1, 2, 3)),
        (date(2026, 8, 3), (0, 1, 2, 3, 4)),
    ),
    "payments": (
        (START, (2,)),
        (date(2026, 2, 2), (1, 3)),
        (date(2026, 6, 1), (0, 2, 3)),
        (date(2026, 9, 7), (0, 1, 2, 3)),
    ),
}
SLOT = {"shop": (10, 40), "payments": (11, 20), "accounts": (13, 30), "insights": (14, 10)}


@dataclass(frozen=True)
class Parking:
    """A ticket left lying in a queue: the first ordinary one to come there from a day on, and for how long."""

    stream: str
    stage: str
    since: date
    weeks: int | None  # None: it still lies there at the end


PARKING = (
    Parking("checkout", "Develop", date(2026, 1, 12), 9),
    Parking("checkout", "QA", date(2026, 2, 9), 11),
    Parking("checkout", "Refine", date(2026, 7, 6), 12),
    Parking("checkout", "Review", date(2026, 6, 22), None),
    Parking("checkout", "Develop", date(2026, 8, 3), None),
    Parking("platform", "Check", date(2026, 3, 2), 10),
    Parking("platform", "Analyse", date(2026, 6, 1), None),
    Parking("platform", "Build", date(2026, 7, 13), 12),
)


@dataclass(frozen=True)
class Words:
    """What tickets of an application are about."""

    things: tuple[str, ...]
    places: tuple[str, ...]
    folder: tuple[str, ...] = field(default=())


WORDS = {
    "shop": Words(
        ("voucher codes", "basket total", "delivery date", "size guide", "wish list", "stock level", "product photos",
         "gift wrapping", "free-shipping hint", "return label", "guest checkout", "search filters"),
        ("the basket", "the product page", "the order summary", "the mobile view", "the confirmation mail",
         "the account page", "the checkout"),
        ("basket", "catalogue", "checkout", "search"),
    ),
    "payments": Words(
        ("card payments", "refunds", "instalments", "invoice payments", "currency rounding", "payment retries",
         "fraud checks", "receipts", "stored cards", "bank transfers", "settlement file", "chargebacks"),
        ("the payment form", "the refund screen", "the nightly settlement", "the provider callback",
         "the finance export", "the order service"),
        ("cards", "refunds", "ledger", "providers"),
    ),
    "accounts": Words(
        ("sign-in", "password reset", "two-factor codes", "session expiry", "address book", "consent settings",
         "account deletion", "role changes", "audit log", "profile photo"),
        ("the sign-in page", "the account service", "the support console", "the partner interface", "the mobile app"),
        ("login", "profile", "roles", "audit"),
    ),
    "insights": Words(
        ("sales report", "returns dashboard", "stock forecast", "customer segments", "campaign figures",
         "daily import", "search statistics", "price history", "data retention", "supplier scorecard"),
        ("the data mart", "the weekly mail", "the buyers' dashboard", "the nightly load", "the finance view"),
        ("loads", "marts", "reports", "quality"),
    ),
}  # fmt: skip

TITLES = {
    "Feature": ("Show {thing} in {place}", "Let customers change {thing} in {place}", "Add {thing} to {place}",
                "Offer {thing} from {place}", "Explain {thing} in {place}", "Remember {thing} across {place}"),
    "Defect": ("{Thing} missing in {place}", "{Thing} shown twice in {place}", "Wrong {thing} in {place}",
               "Error with {thing} in {place} after a time-out", "{Thing} cut off in {place}"),
    "Debt": ("Split {thing} out of {place}", "Replace the old code for {thing}", "Cover {thing} in {place} with tests",
             "Remove unused {thing} from {place}"),
    "Risk": ("Limit access to {thing}", "Keep {thing} out of the logs of {place}", "Encrypt {thing} at rest",
             "Rehearse the loss of {place}"),
}  # fmt: skip
