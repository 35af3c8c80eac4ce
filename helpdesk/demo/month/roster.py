"""Who is here and able, by the scheme alone: shifts laid out for the month, days off, and what people say of themselves."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta

from helpdesk.demo.month.scheme import ZONE, Hours, Person, Scheme, above
from helpdesk.lib import worktime
from helpdesk.lib.dates import at_local

AHEAD = timedelta(days=200)  # promises made in the month are counted beyond it


def laid_out(hours: Hours, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The working spans between two instants, from the day before the first."""
    week = [[(first, last) for first, last in day] for day in hours.week]
    days = {day: [(first, last) for first, last in hours.on(day)] for day in (*hours.holidays, *hours.short)}
    spans = []
    for span in worktime.Calendar(ZONE, week, days).spans(begin - timedelta(days=1)):
        if span[0] >= end:
            break
        spans.append(span)
    return spans


class Roster:
    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self.people = {person.pk: person for person in scheme.people}
        self.spans = {each.name: laid_out(each, scheme.begin, scheme.end + AHEAD) for each in scheme.hours.values()}
        self._begins = {name: [begin for begin, _end in spans] for name, spans in self.spans.items()}
        self.away: set[int] = set()
        self.out = {
            person.pk: [
                (at_local(first, time(), ZONE), at_local(last + timedelta(days=1), time(), ZONE))
                for first, last in person.absences
            ]
            for person in scheme.people
        }
        self._needs: dict[tuple[str, tuple[str, ...], str], frozenset[str]] = {}

    def hours_of(self, person: Person) -> list[str]:
        return [person.hours] if person.hours else [self.scheme.teams[team].hours for team in person.teams]

    def is_open(self, hours: str, at: datetime) -> bool:
        place = bisect_right(self._begins[hours], at) - 1
        return place >= 0 and at < self.spans[hours][place][1]

    def is_here(self, pk: int, at: datetime) -> bool:
        if pk in self.away or any(begin <= at < end for begin, end in self.out[pk]):
            return False
        return any(self.is_open(hours, at) for hours in self.hours_of(self.people[pk]))

    def minutes(self) -> float:
        """How long all of them work in the month, days off left out."""
        found = 0.0
        for person in self.people.values():
            mine = {span for hours in self.hours_of(person) for span in self.spans[hours]}
            for begin, end in mine:
                if self.scheme.begin <= begin < self.scheme.end and not any(a <= begin < b for a, b in self.out[person.pk]):
                    found += min((end - begin).total_seconds(), 8 * 3600) / 60
        return found

    def turns(self) -> Iterator[datetime]:
        """Every moment at which somebody may come or go by the calendar."""
        names = {hours for person in self.people.values() for hours in self.hours_of(person)}
        edges = {at for name in names for span in self.spans[name] for at in span}
        edges |= {at for out in self.out.values() for span in out for at in span}
        return (at for at in sorted(edges) if self.scheme.begin < at < self.scheme.end)

    def needs(self, language: str, tags: Iterable[str], topic: str) -> frozenset[str]:
        """The skills that a ticket asks for."""
        key = (language, tuple(tags), topic)
        if key not in self._needs:
            self._needs[key] = frozenset(
                skill.name
                for skill in self.scheme.skills.values()
                if language.split("-")[0] in skill.languages
                or set(skill.tags) & set(key[1])
                or set(skill.topics) & set(above(topic))
            )
        return self._needs[key]
