"""Who writes when, about what: working days and their busy hours, quiet nights, and now and then an outage."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from helpdesk.customers import identity
from helpdesk.customers.models import Address, Customer
from helpdesk.demo.month.scheme import FIRST_DAY, TEAM_OF, ZONE, above
from helpdesk.lib.dates import at_local

OF_HOUR = [1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 19, 14, 15, 18, 17, 14, 11, 8, 6, 5, 4, 3, 2]
OF_DAY = [13, 12, 11, 11, 10, 4, 3]
LANGUAGES = {"en": 58, "de": 25, "fr": 9, "es": 5, "de-AT": 3}
ABOUT = {"invoice": 16, "refund": 12, "billing": 6, "sign-in": 24, "export": 14, "product": 16, "outage": 4, "contract": 8}
PRIORITIES = {"low": 14, "normal": 68, "high": 14, "urgent": 4}
SUBJECTS = {
    "sign-in": ("I am locked out since this morning", "The code never arrives", "Signing in fails on my phone"),
    "outage": ("Nothing loads", "The whole page is down"),
    "contract": ("A clause of our contract", "New conditions for partners"),
}
OTHERWISE = ("A question about it", "It does not do what it says", "How do I change this?", "Please look at this")
OUTAGE = timedelta(minutes=40)


@dataclass(frozen=True)
class Arrival:
    at: datetime
    customer: int  # its place in the list of customers
    subject: str
    topic: str
    team: str
    priority: str
    tags: tuple[str, ...]
    channel: str


def arrivals(count: int, customers: int, days: int, rng: random.Random) -> list[Arrival]:
    """So many, in order; three in a hundred come in the first minutes of an outage."""
    struck = count * 3 // 100 if days > 1 else 0
    calls = list(_of_outages(struck, days, rng)) + list(_of_days(count - struck, days, rng))
    return sorted((_arrival(at, topic, customers, rng) for at, topic in calls), key=lambda each: each.at)


def _of_days(count: int, days: int, rng: random.Random) -> Iterator[tuple[datetime, str]]:
    slots = [(day, hour) for day in range(days) for hour in range(24)]
    weights = [OF_DAY[day % 7] * OF_HOUR[hour] for day, hour in slots]
    for day, hour in rng.choices(slots, weights, k=count):
        begin = at_local(FIRST_DAY + timedelta(days=day), time(hour), ZONE)
        yield begin + timedelta(microseconds=rng.randrange(3_600_000_000)), _one_of(ABOUT, rng)


def _one_of(weights: dict[str, int], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _of_outages(count: int, days: int, rng: random.Random) -> Iterator[tuple[datetime, str]]:
    moments = [
        at_local(_workday(rng.randrange(days)), time(rng.randrange(9, 20), rng.randrange(60)), ZONE)
        for _ in range(max(1, days // 8))
    ]
    for _ in range(count):
        yield rng.choice(moments) + OUTAGE * rng.betavariate(1, 3), "outage"


def _workday(place: int) -> date:
    day = FIRST_DAY + timedelta(days=place)
    return day - timedelta(days=max(0, day.weekday() - 4))


def _arrival(at: datetime, topic: str, customers: int, rng: random.Random) -> Arrival:
    urgent = topic == "outage" and rng.random() < 0.8
    tags = [tag for tag, share in (("key", 0.08), ("api", 0.05)) if rng.random() < share]
    return Arrival(
        at,
        rng.randrange(customers),
        rng.choice(SUBJECTS.get(topic, OTHERWISE)),
        topic,
        TEAM_OF[above(topic)[-1]],
        "urgent" if urgent else _one_of(PRIORITIES, rng),
        tuple(sorted(tags)),
        rng.choice(("form", "mail", "mail", "api")),
    )


def customers(count: int, rng: random.Random) -> list[tuple[Customer, Address]]:
    """Made in sets, each with a language."""
    shown = {f"customer{n}@people.example": f"customer{n}@people.example" for n in range(count)}
    found = identity.by_address(shown, {key: key.split("@")[0].capitalize() for key in shown}, actor="simulation")
    made = [found[key] for key in shown]
    for each in made:
        each.language = _one_of(LANGUAGES, rng)
    Customer.objects.bulk_update(made, ["language"], batch_size=2000)
    addresses = {address.customer_id: address for address in Address.objects.filter(customer__in=made)}
    return [(each, addresses[each.pk]) for each in made]
