"""A form with questions of its own: the public form and, in their order, custom fields that appear when they should.

A question that should appear and was not on the page that was sent is asked in a second step, and nothing typed is lost; with
script (static/js/questions.js) it shows at once. What is answered but should not appear is not kept.
"""

import json
from typing import Any

from django import forms
from django.core import signing
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from helpdesk.customers import definitions, inputs
from helpdesk.customers.models import FieldDefinition
from helpdesk.files.models import Attachment
from helpdesk.knowledge.models import Topic
from helpdesk.lib.forms import choice
from tickets import attachments
from tickets.forms import SubmitForm
from tickets.models import Question, TicketForm
from tickets.models.forms import TOPIC

KEPT_SALT = "tickets.kept"
KEPT_FOR = 24 * 3600  # seconds; as long as the page itself


class AskingForm(SubmitForm):
    """`shown` names the questions that were on the page; `kept` the files that an earlier step took."""

    shown = forms.CharField(widget=forms.HiddenInput, required=False, max_length=20_000)
    kept = forms.CharField(widget=forms.HiddenInput, required=False, max_length=4_000)

    def __init__(self, *args: Any, form: TicketForm, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.form = form
        topics = form.topics.living().filter(is_public=True)
        if topics:
            choice(self, "topic").queryset = topics
        known = definitions.of(FieldDefinition.Subject.TICKET)
        self.asked = [each for each in form.asked if each.key in known and known[each.key].type != FieldDefinition.Type.LOOKUP]
        self.definitions = {each.key: known[each.key] for each in self.asked}
        for each in self.asked:  # required is asked in clean(), of those that appear
            self.fields[inputs.PREFIX + each.key] = inputs.field(self.definitions[each.key])
        self.later: list[str] = []  # the questions of the second step
        self.files_kept: list[Attachment] = []

    @property
    def answers(self) -> dict[str, list[str]]:
        """What the inputs hold, by question; the topic by its short name."""
        if not self.is_bound:
            return {}
        data: Any = self.data
        read = data.getlist if hasattr(data, "getlist") else lambda name: _listed(data.get(name))
        found = {each.key: [str(value) for value in read(inputs.PREFIX + each.key)] for each in self.asked}
        return {**found, TOPIC: [self.slugs.get(str(data.get("topic")), "")]}

    @cached_property
    def slugs(self) -> dict[str, str]:
        """The public topics, as their input holds them, with their short names."""
        return {str(pk): slug for pk, slug in Topic.objects.filter(is_public=True).values_list("pk", "slug")}

    @property
    def appearing(self) -> list[Question]:
        """The questions that should be there now: one behind another appears only if that one does."""
        answers, there = self.answers, []
        for each in self.asked:
            if each.appears(answers):
                there.append(each)
            else:
                answers[each.key] = []
        return there

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        there = self.appearing
        shown = set(str(data.get("shown", "")).split())
        for each in there:
            name = inputs.PREFIX + each.key
            if name in self.errors or inputs.kept(data.get(name)) is not None:
                continue
            if each.key not in shown:
                self.later.append(each.key)
            elif each.required:
                self.add_error(name, _("Please answer this."))
        hidden = [inputs.PREFIX + each.key for each in self.asked if each not in there]
        for name in hidden:  # nobody is asked to mend what they do not see
            self.errors.pop(name, None)
        attributes = inputs.said([self.definitions[each.key] for each in there], data)
        data["attributes"] = {key: value for key, value in attributes.items() if value is not None}
        return data

    def full_clean(self) -> None:
        """Files need not be chosen again: they stay here until the form is whole, and count together."""
        forms.Form.full_clean(self)
        if self.is_bound:
            self.files_kept = _kept(str(self.cleaned_data.get("kept", "")), self.once)
            sizes = [each.blob.size for each in self.files_kept] + [file.size for file in self.cleaned_data.get("files") or ()]
            if fault := attachments.too_much(sizes):
                self.add_error("files", fault)

    def keep_files(self) -> None:
        """Of a step that is followed by another: its files stay with us, under a name that only this page can give back."""
        if not self.once or self.is_machine:
            if (self.files or self.cleaned_data.get("kept")) and "files" not in self.errors:
                self.add_error("files", _("Please choose your files again."))
            return
        self.files_kept += attachments.keep_uploads(self.cleaned_data.get("files") or [])
        name = signing.dumps([self.once, [each.pk for each in self.files_kept]], salt=KEPT_SALT)
        data: Any = self.data
        self.data = data.copy()
        self.data["kept"] = name  # type: ignore[index]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The questions as the page shows them: the field, whether it appears now, and when it does."""
        there = {each.key for each in self.appearing}
        return [
            {
                "bound": self[inputs.PREFIX + each.key],
                "key": each.key,
                "appears": each.key in there,
                "required": each.required,
                "when": json.dumps({"of": self.input_of(each.when), "values": self.values_of(each)}) if each.when else "",
            }
            for each in self.asked
        ]

    def input_of(self, when: str) -> str:
        return TOPIC if when == TOPIC else inputs.PREFIX + when

    def values_of(self, question: Question) -> list[str]:
        """The answers as their inputs hold them: of topics the ids."""
        if question.when != TOPIC:
            return question.values
        return [pk for pk, slug in self.slugs.items() if slug in question.values]

    @property
    def on_page(self) -> str:
        """What `shown` says of the page that is about to be sent."""
        return " ".join(each.key for each in self.appearing)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _kept(text: str, once: str) -> list[Attachment]:
    """The files of an earlier step of this same page; of any other, none."""
    try:
        named, found = signing.loads(text, salt=KEPT_SALT, max_age=KEPT_FOR)
    except (signing.BadSignature, ValueError, TypeError):
        return []
    return list(Attachment.objects.filter(pk__in=found, messages=None).select_related("blob")) if once and named == once else []
