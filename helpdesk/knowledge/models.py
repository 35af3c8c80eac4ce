"""What contacts are about, and the texts we answer with."""

import re
from collections import defaultdict
from typing import Any

from django.db import models, transaction
from django.db.models import Count, Q
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from helpdesk.accounts.models import ArchivableQuerySet, User, audit
from helpdesk.lib.dates import now

PATH = " › "  # between the names of a topic's path
SIGNS = re.compile(r"[*_`#>]+")


def _paths(parents: dict[int, int | None]) -> dict[int, tuple[int, ...]]:
    """The way down to each, whatever the shape of the data: a circle, however it came about, ends."""
    found: dict[int, tuple[int, ...]] = {}
    for pk in parents:
        path, above = [pk], parents[pk]
        while above in parents and above not in path:
            path.append(above)
            above = parents[above]
        found[pk] = tuple(reversed(path))
    return found


class Tied(Exception):
    """Its place in the tree forbids it; the message says what to do."""


class TopicQuerySet(ArchivableQuerySet["Topic"]):
    def tree(self) -> list["Topic"]:
        """These in one query, each below its parent, if that is among them, with its ``depth`` and its living ``texts``."""
        children: dict[int | None, list[Topic]] = defaultdict(list)
        rows = list(self.annotate(texts=Count("answers", filter=Q(answers__archived_at=None))).order_by("name", "pk"))
        there = {topic.pk for topic in rows}
        for topic in rows:
            children[topic.parent_id if topic.parent_id in there else None].append(topic)
        found: list[Topic] = []

        def descend(parent: int | None, depth: int) -> None:
            for topic in children.pop(parent, []):
                topic.depth = depth
                found.append(topic)
                descend(topic.pk, depth + 1)

        descend(None, 0)
        return found

    def paths(self) -> dict[int, tuple[int, ...]]:
        """The ids from the top down to each topic, itself the last; one query, whatever the shape of the data."""
        return _paths(dict(self.values_list("pk", "parent")))

    def by_path(self) -> list[tuple[int, str]]:
        """Each of these with the names on the way to it, in that order: "Billing › Cards". Two queries."""
        rows = list(Topic.objects.values_list("pk", "name", "parent"))
        names, wanted = {pk: name for pk, name, _parent in rows}, set(self.values_list("pk", flat=True))
        paths = _paths({pk: parent for pk, _name, parent in rows})
        ways = [(pk, [names[each] for each in path]) for pk, path in paths.items() if pk in wanted]
        return [(pk, PATH.join(way)) for pk, way in sorted(ways, key=lambda each: (each[1], each[0]))]


class Topic(models.Model):
    """What a contact is about; a tree. Public topics are offered on the web form."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    is_public = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)
    archived_at = models.DateTimeField(null=True)  # nobody can choose it any more; what has it keeps it

    objects = TopicQuerySet.as_manager()
    depth = 0  # set by `tree`

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def with_descendants(self) -> set[int]:
        """Ids of this topic and all below it, whatever the shape of the data; one query."""
        children: dict[int | None, list[int]] = defaultdict(list)
        for pk, parent in Topic.objects.values_list("pk", "parent"):
            children[parent].append(pk)
        found, ahead = set(), [self.pk]
        while ahead:
            pk = ahead.pop()
            if pk not in found:
                found.add(pk)
                ahead += children[pk]
        return found

    @transaction.atomic
    def archive(self, *, by: User) -> bool:
        """Out of every list to choose from, and back by `restore`; a second time changes nothing. Raises `Tied`."""
        if self.children.filter(archived_at=None).exists():
            raise Tied(_("Other topics lie below “%s”. Move or archive those first.") % self)
        if not Topic.objects.living().filter(pk=self.pk).update(archived_at=now()):
            return False
        audit("topic.archived", actor=by.ref, subject=self.ref, before={"name": self.name})
        return True

    @transaction.atomic
    def restore(self, *, by: User) -> bool:
        """Raises `Tied`."""
        if self.parent and self.parent.archived_at:
            raise Tied(_("It lies below “%s”, which is archived. Bring that back first, or move this one.") % self.parent)
        if not Topic.objects.archived().filter(pk=self.pk).update(archived_at=None):
            return False
        audit("topic.restored", actor=by.ref, subject=self.ref, after={"name": self.name})
        return True

    @property
    def ref(self) -> str:
        return f"topic:{self.pk}"


class AnswerQuerySet(ArchivableQuerySet["Answer"]):
    def saying(self, text: str) -> "AnswerQuerySet":
        """Those with these words in title or body."""
        return self.filter(Q(title__icontains=text) | Q(body__icontains=text))


class Answer(models.Model):
    """A text agents insert into replies; one per question and language."""

    title = models.CharField(max_length=160)
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.SET_NULL, related_name="answers")
    language = models.CharField(max_length=10, blank=True)
    body = models.TextField(help_text="Markdown")
    updated_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    updated_at = models.DateTimeField(default=now)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = AnswerQuerySet.as_manager()

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title

    @property
    def ref(self) -> str:
        return f"answer:{self.pk}"

    @property
    def excerpt(self) -> str:
        """The first words for a list, without Markdown's signs."""
        return Truncator(" ".join(SIGNS.sub("", self.body[:400]).split())).chars(90)

    def facts(self) -> dict[str, Any]:
        """For the audit log."""
        return {"title": self.title, "topic": self.topic_id, "language": self.language, "body": self.body}

    @transaction.atomic
    def archive(self, *, by: User) -> bool:
        """Out of the composer, and back by `restore`; a second time changes nothing."""
        if not Answer.objects.living().filter(pk=self.pk).update(archived_at=now()):
            return False
        audit("answer.archived", actor=by.ref, subject=self.ref, before={"title": self.title})
        return True

    @transaction.atomic
    def restore(self, *, by: User) -> bool:
        if not Answer.objects.archived().filter(pk=self.pk).update(archived_at=None):
            return False
        audit("answer.restored", actor=by.ref, subject=self.ref, after={"title": self.title})
        return True
