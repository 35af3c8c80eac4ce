"""The queue of a team: what waits for somebody with room, in its order, and what each ticket needs of them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection
from django.db.models import F

from helpdesk.lib.rows import array
from tickets.hands import Hand
from tickets.models.saved import URGENCY

# A skill that is named with a topic counts for the topics below it, too.
COVERED = """
    WITH RECURSIVE covered(skill, topic) AS (
        SELECT id, unnest(topics) FROM accounts_skill
        UNION
        SELECT covered.skill, below.id FROM covered JOIN knowledge_topic below ON below.parent_id = covered.topic
    )
"""
NEEDS = """
    LATERAL (
        SELECT coalesce(array_agg(skill.id ORDER BY skill.id), '{}') AS skills FROM accounts_skill skill
        WHERE ticket.language = ANY (skill.languages) OR split_part(ticket.language, '-', 1) = ANY (skill.languages)
           OR ticket.tags && skill.tags
           OR skill.id IN (SELECT covered.skill FROM covered WHERE covered.topic = ticket.topic_id)
    ) AS need
"""
ORDER = """
    CASE WHEN ticket.priority = 'urgent' THEN 0 WHEN ticket.priority = 'high' THEN 1
         WHEN ticket.priority = 'normal' THEN 2 ELSE 3 END, ticket.due_at, ticket.waiting_since,
    ticket.id
"""
# the same for querysets; the index is ticket_queue
IN_ORDER = (URGENCY, F("due_at").asc(nulls_last=True), F("waiting_since").asc(nulls_last=True), F("id"))
# For each team as many as it has room for, and only what somebody who has room is able to do: a ticket that waits for a rare
# skill holds up nobody behind it.
FITTING = f"""
    {COVERED}, free AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS f(team bigint, skills bigint[])),
    room AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS r(team, most))
    SELECT fitting.id, fitting.team_id, fitting.skills FROM room CROSS JOIN LATERAL (
        SELECT ticket.id, ticket.team_id, need.skills FROM tickets_ticket ticket CROSS JOIN {NEEDS}
        WHERE ticket.team_id = room.team AND ticket.status IN ('new', 'open') AND ticket.assignee_id IS NULL
          AND ticket.id <> ALL (%s::bigint[])
          AND EXISTS (SELECT FROM free WHERE free.team = room.team AND free.skills @> need.skills)
        ORDER BY {ORDER} LIMIT room.most
    ) AS fitting
"""  # noqa: S608 - our own words
OF_TICKETS = f"""
    {COVERED} SELECT ticket.id, need.skills FROM tickets_ticket ticket CROSS JOIN {NEEDS} WHERE ticket.id = ANY (%s::bigint[])
"""  # noqa: S608


@dataclass(frozen=True)
class Fitting:
    ticket: int
    team: int
    needs: frozenset[int]


def fitting(hands: Iterable[Hand], most: Mapping[int, int], later: Iterable[int] = ()) -> list[Fitting]:
    """What these people could take, team by team in the order of its queue, at most so many of each team; none of ``later``."""
    free = {(hand.team, hand.person.skills) for hand in hands if hand.room}
    sets = json.dumps([{"team": team, "skills": sorted(skills)} for team, skills in free])
    with connection.cursor() as cursor:
        cursor.execute(FITTING, [sets, array(most), array(most.values()), array(later)])
        return [Fitting(pk, team, frozenset(skills)) for pk, team, skills in cursor.fetchall()]


def needs_of(tickets: Iterable[int]) -> dict[int, frozenset[int]]:
    """The skills that each of these tickets needs."""
    with connection.cursor() as cursor:
        cursor.execute(OF_TICKETS, [array(tickets)])
        return {pk: frozenset(skills) for pk, skills in cursor.fetchall()}
