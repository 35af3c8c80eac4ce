"""Web forms: what each asks beside name, address and words, and which question appears only after a certain answer."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from helpdesk.accounts.models import Team
from helpdesk.knowledge.models import Topic
from helpdesk.lib.dates import now
from helpdesk.mail.models import Mailbox
from tickets.models.terms import Priority

TOPIC = "topic"  # a question may also appear for some topics


@dataclass
class Question:
    """A custom field as a form asks it. ``when`` is the key of another question, or "topic"; ``values``: any of these answers."""

    key: str
    required: bool = False
    when: str = ""
    values: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "required": self.required, "when": self.when, "values": self.values}

    def appears(self, answers: dict[str, list[str]]) -> bool:
        """Whether it is asked, after these answers, as their inputs hold them; without values any answer will do."""
        if not self.when:
            return True
        given = [each for each in answers.get(self.when, []) if each]
        return bool(given) if not self.values else any(each in self.values for each in given)


class TicketForm(models.Model):
    """A form at an address of its own, /write/<slug>/. Without topics it offers all public ones."""

    name = models.CharField(max_length=120, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    intro = models.TextField(max_length=2000, blank=True)
    topics = models.ManyToManyField(Topic, blank=True, related_name="+")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")  # where none is chosen
    mailbox = models.ForeignKey(Mailbox, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    priority = models.CharField(max_length=10, choices=Priority, default=Priority.NORMAL)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    questions = models.JSONField(default=list, blank=True)  # of Question, in their order
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def asked(self) -> list[Question]:
        return [Question(**each) for each in self.questions]
