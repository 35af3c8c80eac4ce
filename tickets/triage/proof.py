"""Where tickets may be filed without asking: where enough of what was said about a topic is known to be right."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from helpdesk.accounts.models import User, audit
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from helpdesk.lib.learning.bounds import lowest
from tickets.models import Classifier, Suggestion, TopicFigure, TopicTrust

REMEMBERED = timedelta(days=180)  # decisions of people count for so long


@dataclass(frozen=True)
class Proof:
    """Of so many answers so many were right, on tickets held back and by people's decisions."""

    right: int = 0
    of: int = 0

    @property
    def lowest(self) -> float:
        """The share that is right at least, by the lower end of Wilson's 95 % interval."""
        return lowest(self.right, self.of)

    def holds(self, least: int) -> bool:
        return self.of > 0 and self.lowest >= least / 100


class NotProven(ValueError):
    """Not right often enough, as far as anybody knows. It may be later."""


def level_of(least: int) -> int:
    """Which answers are used where so many of 100 must be right: those above the threshold for 99, or for 95."""
    return 99 if least >= 99 else 95


def proofs(level: int, topics: Iterable[int] | None = None) -> dict[int, Proof]:
    """By topic, of answers of this level: those of the version in use to tickets held back, and those that people judged.

    An automatic filing counts as right when a person has solved the ticket and left it there. Two queries.
    """
    figures = TopicFigure.objects.filter(classifier=Classifier.in_use())
    judged = Suggestion.objects.filter(
        state__in=(*Suggestion.RIGHT, Suggestion.State.CORRECTED),
        level__gte=level,
        topic__isnull=False,
        decided_at__gte=now() - REMEMBERED,
    )
    if topics is not None:
        wanted = list(topics)
        figures, judged = figures.filter(topic__in=wanted), judged.filter(topic__in=wanted)
    found: dict[int, Proof] = {}
    held = figures.values("topic").annotate(right=Sum(f"right_{level}"), of=Sum(f"answered_{level}"))
    said = judged.values("topic").annotate(right=Count("pk", filter=Q(state__in=Suggestion.RIGHT)), of=Count("pk"))
    for row in [*held, *said]:
        before = found.get(row["topic"], Proof())
        found[row["topic"]] = Proof(before.right + row["right"], before.of + row["of"])
    return found


def proof_of(topic: int, least: int) -> Proof:
    return proofs(level_of(least), [topic]).get(topic, Proof())


@transaction.atomic
def trust(topic: Topic, *, automatic: bool, least: int, by: User) -> bool:
    """File under this topic without asking, or ask again. Raises NotProven; a second time changes nothing."""
    TopicTrust.objects.get_or_create(topic=topic)
    row = TopicTrust.objects.select_for_update().get(topic=topic)
    before = {"automatic": row.automatic, "least": row.least}
    after = {"automatic": automatic, "least": least}
    if before == after:
        return False
    if automatic and not proof_of(topic.pk, least).holds(least):
        raise NotProven(_("It is not proven that %d of 100 would be right.") % least)
    row.automatic, row.least = automatic, least
    row.stopped_at, row.stopped_because = None, ""
    row.save()
    audit("topic_trust.changed", actor=by.ref, subject=topic.ref, before=before, after=after)
    return True


@transaction.atomic
def stop_unproven(topics: Iterable[int] | None = None) -> set[int]:
    """Switch off what no longer holds; returns the topics that still file by themselves, and may."""
    rows = TopicTrust.objects.select_for_update().filter(automatic=True, topic__archived_at=None).order_by("pk")
    trusts = list(rows if topics is None else rows.filter(topic__in=list(topics)))
    known = {level: proofs(level, [each.topic_id for each in trusts if level_of(each.least) == level]) for level in (95, 99)}
    hold = set()
    for each in trusts:
        found = known[level_of(each.least)].get(each.topic_id, Proof())
        if found.holds(each.least):
            hold.add(each.topic_id)
            continue
        each.automatic, each.stopped_at = False, now()
        each.stopped_because = _("%(right)d of %(of)d were right: that proves %(lowest).1f %%, and not %(least)d %%") % {
            "right": found.right,
            "of": found.of,
            "lowest": 100 * found.lowest,
            "least": each.least,
        }
        each.save()
        before, after = {"automatic": True, "least": each.least}, {"automatic": False, "because": each.stopped_because}
        audit("topic_trust.stopped", actor="machine:triage", subject=f"topic:{each.topic_id}", before=before, after=after)
    return hold
