"""What a ticket is learned by and judged by: its subject, and the first words of the customer."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection

from helpdesk.lib.dates import now
from helpdesk.lib.rows import array

SUBJECT, LENGTH = 100, 400  # characters: what it is about stands at its beginning, and memory is what they cost
MOST = 10_000  # tickets, and so many of one topic at most; learning from as many took 0.8 GB and under two minutes
MOST_OF_ONE = 600
FEWEST = 25  # tickets on a topic; from fewer, nothing is learned about it
LOOK_BACK = timedelta(days=730)
HELD_BACK = 5  # every fifth ticket is never learned from, in any version

# The label is what a person of ours decided, of tickets that were solved, newest first; the customer's own words alone.
LABELLED = """
    WITH labelled AS (
        SELECT ticket.id, ticket.subject, topic.id AS topic, ticket.team_id AS team,
               row_number() OVER (PARTITION BY topic.id ORDER BY ticket.id DESC) AS place,
               count(*) OVER (PARTITION BY topic.id) AS alike
        FROM tickets_ticket ticket JOIN knowledge_topic topic ON topic.id = ticket.topic_id AND topic.archived_at IS NULL
        WHERE ticket.status IN ('solved', 'closed') AND ticket.solved_at >= %s AND ticket.decided->>'topic' LIKE 'user:%%'
    )
    SELECT labelled.id, labelled.subject, message.text, labelled.topic, labelled.team
    FROM labelled CROSS JOIN LATERAL (
        SELECT left(text, %s) AS text FROM tickets_message
        WHERE ticket_id = labelled.id AND kind = 'customer' ORDER BY id LIMIT 1
    ) message
    WHERE place <= %s AND alike >= %s
    ORDER BY labelled.place, labelled.id LIMIT %s
"""
FIRST_WORDS = """
    SELECT ticket.id, ticket.subject, message.text
    FROM tickets_ticket ticket CROSS JOIN LATERAL (
        SELECT left(text, %s) AS text FROM tickets_message
        WHERE ticket_id = ticket.id AND kind = 'customer' ORDER BY id LIMIT 1
    ) message
    WHERE ticket.id = ANY (%s::bigint[])
"""


@dataclass(frozen=True)
class Lesson:
    ticket: int
    text: str
    topic: int
    team: int | None

    @property
    def is_held_back(self) -> bool:
        return self.ticket % HELD_BACK == 0


def lessons() -> list[Lesson]:
    """Solved tickets with the topic a person gave them; of a frequent topic the newest."""
    with connection.cursor() as cursor:
        cursor.execute(LABELLED, [now() - LOOK_BACK, LENGTH, MOST_OF_ONE, FEWEST, MOST])
        return [Lesson(pk, _text(subject, text), topic, team) for pk, subject, text, topic, team in cursor.fetchall()]


def of_tickets(tickets: Collection[int]) -> dict[int, str]:
    """The text of each of these that a customer began."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_WORDS, [LENGTH, array(tickets)])
        return {pk: _text(subject, text) for pk, subject, text in cursor.fetchall()}


def _text(subject: str, text: str) -> str:
    """Without the subject where that only repeats how the text begins."""
    subject, text = subject[:SUBJECT], text[:LENGTH]
    return text if text.startswith(subject) else f"{subject}\n{text}"[:LENGTH]


def usual_team(teams: Iterable[int | None], share: float) -> int | None:
    """The team that has at least this share of them, if there is one."""
    known = list(teams)
    for team in set(known) - {None}:
        if known.count(team) >= share * len(known):
            return team
    return None
