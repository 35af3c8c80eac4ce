"""What contacts are about, and the texts we answer with."""

from django.db import models

from helpdesk.accounts.models import User
from helpdesk.lib.dates import now


class Topic(models.Model):
    """What a contact is about; a tree. Public topics are offered on the web form."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    is_public = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Answer(models.Model):
    """A text agents insert into replies; one per question and language."""

    title = models.CharField(max_length=160)
    topic = models.ForeignKey(Topic, null=True, blank=True, on_delete=models.SET_NULL, related_name="answers")
    language = models.CharField(max_length=10, blank=True)
    body = models.TextField(help_text="Markdown")
    updated_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    updated_at = models.DateTimeField(default=now)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title
