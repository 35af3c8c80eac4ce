"""What is filled in about topics and answers."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import User, audit
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib.dates import now
from helpdesk.lib.liquid import BadTemplate, check

A_CLICK = timedelta(minutes=1)
ROOTS = ("customer", "company", "ticket", "agent", "workspace")  # what an answer knows; see tickets/answers


def offer_topics(field: Any, none: Any, kept: int | None, without: Iterable[int] = ()) -> None:
    """The living ones and the one that is kept, as one list of the tree; deeper topics are set in."""
    field.queryset = Topic.objects.living(keeping=[kept])
    tree = field.queryset.tree()
    field.choices = [("", none), *((each.pk, "\u2003" * each.depth + each.name) for each in tree if each.pk not in without)]


class AnswerForm(forms.ModelForm):
    language = forms.ChoiceField(label=_("Language"), required=False, choices=[("", _("Any")), *settings.SPOKEN_LANGUAGES])

    class Meta:
        model = Answer
        fields = ["title", "topic", "language", "body"]
        labels = {"title": _("Title"), "topic": _("Topic"), "body": _("Text")}
        help_texts = {
            "title": _("How you would look for it: “Card declined, what now”"),
            "body": _(
                "Markdown. It is inserted into a reply, where it can still be changed. {{ customer.first_name }}, "
                "{{ ticket.number }}, {{ company.name }} and {{ agent.name }} are filled in."
            ),
        }
        widgets = {"body": forms.Textarea(attrs={"rows": 10})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = self.instance.facts() if self.instance.pk else None
        offer_topics(self.fields["topic"], _("None"), self.instance.topic_id)

    def clean_body(self) -> str:
        body = str(self.cleaned_data["body"])
        try:
            check(body, ROOTS)
        except BadTemplate as error:
            raise forms.ValidationError(str(error)) from error
        return body

    def cleaned_facts(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("title", "topic", "language", "body")}

    @transaction.atomic
    def keep(self, *, by: User) -> Answer:
        """Save, with a line in the audit log if anything changed. The same text twice within a minute is one click."""
        answer = self.instance
        if self.before == answer.facts():
            return answer
        if self.before is None:
            one_at_a_time(f"answer:{by.pk}:{answer.title}")
            same = Answer.objects.filter(**self.cleaned_facts(), updated_by=by, updated_at__gt=now() - A_CLICK).first()
            if same:
                return same
        answer.updated_by, answer.updated_at = by, now()
        answer.save()
        audit(
            "answer.changed" if self.before else "answer.added",
            actor=by.ref,
            subject=answer.ref,
            before=self.before,
            after=answer.facts(),
        )
        return answer


class TopicForm(forms.ModelForm):
    class Meta:
        model = Topic
        fields = ["name", "parent", "is_public"]
        labels = {"name": _("Name"), "parent": _("Below"), "is_public": _("Customers can choose it on the form")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = self._facts() if self.instance.pk else None
        self.below = self.instance.with_descendants() if self.instance.pk else set()
        offer_topics(self.fields["parent"], _("At the top"), self.instance.parent_id, self.below)

    def clean_parent(self) -> Topic | None:
        parent = self.cleaned_data["parent"]
        if parent and parent.pk in self.below:
            raise forms.ValidationError(_("A topic cannot lie below itself."))
        return parent

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        same = Topic.objects.filter(name=said.get("name"), parent=said.get("parent")).exclude(pk=self.instance.pk)
        if "parent" in said and same.exists():
            self.add_error("name", _("There is a topic of this name here already."))
        return said

    def _facts(self) -> dict[str, Any]:
        return {"name": self.instance.name, "parent": self.instance.parent_id, "is_public": self.instance.is_public}

    @transaction.atomic
    def keep(self, *, by: User) -> Topic:
        """Save, with a line in the audit log if anything changed."""
        topic = self.instance
        if self.before == self._facts():
            return topic
        if not topic.slug:
            base = slugify(topic.name)[:70] or "topic"
            one_at_a_time(f"topic:{topic.name}")
            if same := Topic.objects.filter(name=topic.name, parent=topic.parent).first():
                return same
            taken = set(Topic.objects.filter(slug__startswith=base).values_list("slug", flat=True))
            topic.slug = next(slug for n in range(1, len(taken) + 2) if (slug := base if n == 1 else f"{base}-{n}") not in taken)
        topic.save()
        audit(
            "topic.changed" if self.before else "topic.added",
            actor=by.ref,
            subject=topic.ref,
            before=self.before,
            after=self._facts(),
        )
        return topic
