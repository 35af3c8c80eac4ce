"""What the desk is, in plain values: hours, teams, skills, people, promises. The same for the same seed and sizes."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from helpdesk.lib.dates import at_local

ZONE = ZoneInfo("Europe/Berlin")
FIRST_DAY = date(2026, 10, 19)  # a Monday; the clocks are set back on its first Sunday
Week = list[list[list[int]]]  # Monday first, minutes after midnight, as calendars keep it


def of_days(*spans: tuple[int, int], days: str) -> Week:
    """The same hours on these days, "MTWTFSS" with a dot for a day off."""
    return [[[begin * 60, end * 60] for begin, end in spans] if day != "." else [] for day in days]


@dataclass
class Hours:
    name: str
    week: Week
    holidays: dict[date, str] = field(default_factory=dict)
    short: dict[date, list[list[int]]] = field(default_factory=dict)
    pk: int = 0

    def on(self, day: date) -> list[list[int]]:
        """What is worked of a day, as it is said."""
        return [] if day in self.holidays else self.short.get(day, self.week[day.weekday()])


@dataclass
class Skill:
    name: str
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    pk: int = 0


@dataclass
class Team:
    name: str
    mode: str
    hours: str
    cap: int | None = None
    streak: int | None = None
    pk: int = 0

    @property
    def hands_out(self) -> bool:
        return self.mode != "manual"


@dataclass
class Person:
    name: str
    hours: str  # "": those of their teams
    teams: tuple[str, ...]
    skills: tuple[str, ...]
    capacity: int | None
    absences: list[tuple[date, date]] = field(default_factory=list)
    breaks: list[tuple[datetime, datetime]] = field(default_factory=list)  # they say away, and here again
    pk: int = 0
    user: Any = None

    @property
    def email(self) -> str:
        return f"{self.name.lower()}@desk.example"


@dataclass
class Promised:
    """A policy: for whom, what, and in whose hours."""

    name: str
    targets: dict[str, dict[str, Any]]  # as policies keep them
    pauses: tuple[str, ...]
    warn: int
    hours: str = ""  # "": those of the ticket's team
    topic: str = ""
    tag: str = ""
    pk: int = 0


TOPICS = {  # slug → its parent
    "billing": "",
    "invoice": "billing",
    "refund": "billing",
    "product": "",
    "sign-in": "product",
    "export": "product",
    "outage": "",
    "contract": "",
}
TEAM_OF = {"billing": "Billing", "product": "Support", "outage": "Technical", "contract": "Partners"}  # by the topic at the top
NAMES = (
    "Mia", "Ana", "Omar", "Noor", "Jonas", "Livia", "Tariq", "Edda", "Pavel", "Suna", "Hugo", "Ines", "Bela", "Cara", "Dario",
    "Ella", "Finn", "Gesa", "Ivo", "Juna", "Karl", "Lene", "Milo", "Nele", "Otto", "Pia", "Rolf", "Sina", "Tom", "Ute",
)  # fmt: skip


def above(topic: str) -> list[str]:
    """A topic and all it lies below."""
    path = []
    while topic:
        path.append(topic)
        topic = TOPICS[topic]
    return path


def hours() -> list[Hours]:
    holiday, outing = date(2026, 11, 11), date(2026, 10, 22)
    stocktaking = {date(2026, 10, 20): [[8 * 60, 12 * 60]]}
    return [
        Hours("Early", of_days((6, 14), days="MTWTF.."), {holiday: "Martinmas"}, stocktaking),
        Hours("Late", of_days((13, 21), days=".TWTFS."), {holiday: "Martinmas"}),
        Hours("Split", of_days((8, 12), (15, 19), days="MTWTF.."), {holiday: "Martinmas", outing: "Outing"}),
        Hours("Night", of_days((21, 5), days="M.WTF.S")),
        Hours("Office", of_days((8, 12), (13, 17), days="MTWTF.."), {holiday: "Martinmas"}, stocktaking),
        Hours("Weekend", of_days((9, 18), days="M..TFSS")),
        Hours("Long days", of_days((6, 22), days="MTWTFS."), {holiday: "Martinmas"}, stocktaking),
        Hours("Always", [[[0, 0]]] * 7),
    ]


def teams() -> list[Team]:
    return [
        Team("Support", "round_robin", "Long days", cap=4, streak=3),
        Team("Billing", "least_loaded", "Office", cap=3, streak=None),
        Team("Technical", "least_loaded", "Always", cap=None, streak=2),
        Team("Partners", "manual", "Office"),
    ]


def skills() -> list[Skill]:
    return [
        Skill("German", languages=("de",)),
        Skill("French", languages=("fr",)),
        Skill("Spanish", languages=("es",)),
        Skill("Money", topics=("billing",)),
        Skill("Systems", topics=("outage",), tags=("api",)),
    ]


def people(count: int, days: int, rng: random.Random) -> list[Person]:
    """The first two know everything; of the others each knows some. Somebody is away at most times."""
    shifts = ["Office", "Early", "Late", "Split", "Early", "Late", "", "Weekend", "Split", "Night", "Early", "Late"]
    pairs = [("Support", "Technical"), ("Support", "Billing"), ("Billing", "Technical")]
    every = [skill.name for skill in skills()]
    found = []
    for place in range(count):
        first = "Partners" if place % 4 == 0 else ""
        known = every if place < 2 else sorted(rng.sample(every, 2 + place % 3))
        person = Person(
            NAMES[place % len(NAMES)] + (str(place // len(NAMES) + 1) if place >= len(NAMES) else ""),
            shifts[place % len(shifts)],
            ("Support", "Billing", "Technical", "Partners") if place == 0 else (*pairs[place % 3], *([first] if first else [])),
            tuple(known),
            None if place == 5 else 4 + place % 4,
        )
        if place % 3 == 2 and days > 3:  # days out of office
            start = FIRST_DAY + timedelta(days=rng.randrange(1, max(2, days - 3)))
            person.absences.append((start, start + timedelta(days=rng.randrange(1, 6))))
        for day in range(days):
            if rng.random() < 0.25:
                begin = at_local(FIRST_DAY + timedelta(days=day), time(rng.randrange(7, 20), rng.randrange(60)), ZONE)
                person.breaks.append((begin, begin + timedelta(minutes=rng.randrange(20, 100))))
        found.append(person)
    return found


def promised() -> list[Promised]:
    def row(hours: str, first: int, following: int | None, resolution: int | None) -> dict[str, Any]:
        return {"hours": hours, "first_reply": first, "next_reply": following, "resolution": resolution}

    quick, soon = row("calendar", 45, 60, 360), row("calendar", 90, 120, 700)
    early, usual, calm = row("business", 90, 120, 480), row("business", 240, 300, 1200), row("business", 480, None, None)
    return [
        Promised("Outages", dict.fromkeys(("urgent", "high"), quick) | {"normal": soon, "low": soon}, (), 15, topic="outage"),
        Promised("Key customers", dict.fromkeys(("urgent", "high", "normal", "low"), early), ("pending",), 30, tag="key"),
        Promised(
            "Everybody",
            {"urgent": quick, "high": early, "normal": usual, "low": calm},
            ("pending", "hold"),
            20,
            hours="Long days",
        ),
    ]


@dataclass
class Scheme:
    """The whole desk, by name."""

    days: int
    hours: dict[str, Hours]
    teams: dict[str, Team]
    skills: dict[str, Skill]
    people: list[Person]
    promised: list[Promised]
    topics: dict[str, int] = field(default_factory=dict)  # slug → id

    @property
    def begin(self) -> datetime:
        return at_local(FIRST_DAY, time(), ZONE)

    @property
    def end(self) -> datetime:
        return at_local(FIRST_DAY + timedelta(days=self.days), time(), ZONE)


def scheme(agents: int, days: int, seed: int) -> Scheme:
    rng = random.Random(f"desk {seed}")
    return Scheme(
        days,
        {each.name: each for each in hours()},
        {each.name: each for each in teams()},
        {each.name: each for each in skills()},
        people(agents, days, rng),
        promised(),
    )
