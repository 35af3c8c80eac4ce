"""A suggestion as its ticket shows it."""

from typing import Any

from helpdesk.knowledge.models import Topic
from tickets.models import Suggestion, Ticket


def shown(ticket: Ticket) -> dict[str, Any] | None:
    """What is proposed while nobody has decided, or was filed by itself; or that nothing is, because it is unsure."""
    row: Suggestion | None = getattr(ticket, "suggestion", None)
    if row is None:
        return None
    if row.state == Suggestion.State.ABSTAINED:
        return None if ticket.topic_id else {"row": row}
    if row.state not in Suggestion.OPEN or row.topic is None:
        return None
    paths = Topic.objects.living().by_path()
    return {
        "row": row,
        "path": dict(paths).get(row.topic.pk, row.topic.name),
        "sure": row.level >= 99,
        "others": [(pk, path) for pk, path in paths if pk != row.topic.pk],
    }
