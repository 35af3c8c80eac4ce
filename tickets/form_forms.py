"""A web form as managers write it: its name and address, which topics, and its questions in their order."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from helpdesk.accounts.models import Team
from helpdesk.accounts.setup import SetupForm
from helpdesk.customers import definitions, inputs
from helpdesk.customers.models import FieldDefinition
from helpdesk.knowledge.models import Topic
from helpdesk.lib.conditions import either
from helpdesk.lib.forms import choice
from tickets.models import Question, TicketForm
from tickets.models.forms import TOPIC

SPARE = 3  # empty lines to add more
MOST = 60
TAKEN = {"thanks"}  # addresses below /write/ that are ours
Type = FieldDefinition.Type


class QuestionForm(forms.Form):
    """One line: the field, whether it is required, and after which answer it appears."""

    key = forms.ChoiceField(label=gettext_lazy("Field"), required=False)
    required = forms.BooleanField(label=gettext_lazy("Must be answered"), required=False)
    when = forms.ChoiceField(label=gettext_lazy("Only after an answer to"), required=False)
    values = forms.CharField(
        label=gettext_lazy("Which is one of"), required=False, max_length=2000
    )  # fmt: skip
    place = forms.IntegerField(label=gettext_lazy("Place"), required=False, min_value=1, max_value=MOST)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = definitions.of(FieldDefinition.Subject.TICKET).values()
        offered = [(each.key, each.label) for each in known if each.type != Type.LOOKUP]
        choice(self, "key").choices = [("", _("nothing")), *offered]
        choice(self, "when").choices = [("", _("always")), (TOPIC, _("Topic")), *offered]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        pieces = [each.strip() for each in str(said.get("values", "")).split(",") if each.strip()]
        said["values"], when = [], said.get("when")
        if not said.get("key") and "key" not in self.errors and (when or pieces):
            self.add_error("key", _("Choose which field is asked."))
        if when and when == said.get("key"):
            self.add_error("when", _("A question cannot wait for its own answer."))
        elif pieces and not when and "when" not in self.errors:
            self.add_error("when", _("Choose to which question these are answers."))
        elif pieces and when:
            try:
                said["values"] = list(dict.fromkeys(self.answers(when, pieces)))
            except forms.ValidationError as error:
                self.add_error("values", error)
        return said

    @classmethod
    def answers(cls, when: str, pieces: list[str]) -> list[str]:
        """What stood between the commas, as the answers are kept; a choice may hold commas itself. Raises ValidationError."""
        if (allowed := cls.allowed(when)) is None:
            field = definitions.of(FieldDefinition.Subject.TICKET)[when]
            return [_typed(field, each) for each in pieces]
        by_word = {_folded(word): value for value, word in allowed}
        found: list[str] = []
        while pieces:
            ends = (n for n in range(len(pieces), 0, -1) if _folded(", ".join(pieces[:n])) in by_word)
            if not (end := next(ends, 0)):
                told = {"wrong": pieces[0], "all": ", ".join(word for _value, word in allowed)}
                raise forms.ValidationError(_("“%(wrong)s” is none of its answers: %(all)s") % told)
            found.append(by_word[_folded(", ".join(pieces[:end]))])
            pieces = pieces[end:]
        return found

    @staticmethod
    def allowed(when: str) -> list[tuple[str, str]] | None:
        """The answers there are, (as kept, in words); None where anything may be answered."""
        if when == TOPIC:
            return [(topic.slug, topic.name) for topic in Topic.objects.living().filter(is_public=True)]
        field = definitions.of(FieldDefinition.Subject.TICKET)[when]
        if field.type == Type.BOOLEAN:
            return [("true", _("Yes")), ("false", _("No"))]
        return [(each, each) for each in field.choices] if field.choices else None


def _folded(word: str) -> str:
    return ", ".join(" ".join(piece.split()) for piece in word.casefold().split(","))


def _typed(field: FieldDefinition, text: str) -> str:
    """An answer that nobody chooses from a list, as its input sends it. Raises ValidationError."""
    try:
        if field.type == Type.NUMBER:
            return str(inputs.kept(inputs.field(field).clean(text)))
        if field.type == Type.DATE:
            return date.fromisoformat(text).isoformat()
    except (forms.ValidationError, ValueError):
        says = _("a number") if field.type == Type.NUMBER else _("a date such as 2026-11-23")
        told = {"wrong": text[:80], "field": field.label, "says": says}
        raise forms.ValidationError(_("“%(wrong)s” is no answer to “%(field)s”, which takes %(says)s.") % told) from None
    return text


def never_asked(rows: Iterable[TicketForm]) -> dict[int, list[str]]:
    """Form → what is wrong with its questions: an answer that one waits for is no choice any more."""
    known, allowed = definitions.of(FieldDefinition.Subject.TICKET), dict[str, list[tuple[str, str]] | None]()
    found: dict[int, list[str]] = {}
    for form in rows:
        for question in form.asked:
            when = question.when
            if not question.values or (when != TOPIC and when not in known):
                continue
            if when not in allowed:
                allowed[when] = QuestionForm.allowed(when)
            choices = allowed[when]
            gone = [value for value in question.values if choices is not None and value not in dict(choices)]
            if gone and question.key in known:
                told = {"asked": known[question.key].label, "gone": either([f"“{value}”" for value in gone])}
                words = _("“%(asked)s” waits for %(gone)s, which nobody can answer any more.") % told
                found.setdefault(form.pk, []).append(words)
    return found


QuestionSet = forms.formset_factory(QuestionForm, extra=SPARE, max_num=MOST, absolute_max=MOST + SPARE)


def lines(form: TicketForm) -> list[dict[str, Any]]:
    """The questions of a form as its lines show them."""
    found = []
    for place, each in enumerate(form.asked, 1):
        try:
            words = dict(QuestionForm.allowed(each.when) or ()) if each.when else {}
        except KeyError:  # a field that is gone
            words = {}
        values = ", ".join(words.get(value, value) for value in each.values)
        found.append({**each.to_json(), "values": values, "place": place})
    return found


def questions(said: QuestionSet) -> list[Question]:  # type: ignore[valid-type]
    """The lines in their order; two of one place as they stand."""
    filled = [(n, line.cleaned_data) for n, line in enumerate(said.forms, 1) if line.cleaned_data.get("key")]  # type: ignore[attr-defined]
    filled.sort(key=lambda pair: (pair[1].get("place") or MOST, pair[0]))
    return [Question(d["key"], d["required"], d["when"], d["values"]) for _n, d in filled]


def wrong_order(asked: list[Question]) -> str:
    """Why these questions cannot stand so; "" if they can."""
    seen: set[str] = {TOPIC}
    labels = {key: each.label for key, each in definitions.of(FieldDefinition.Subject.TICKET).items()}
    for each in asked:
        if each.key in seen:
            return _("“%s” is asked twice.") % labels[each.key]
        if each.when and each.when not in seen:
            return _("“%(this)s” waits for “%(that)s”, which must stand before it.") % {
                "this": labels[each.key], "that": labels.get(each.when, each.when),
            }  # fmt: skip
        seen.add(each.key)
    return ""


class FormForm(SetupForm):
    noun = "form"
    told = ("name", "slug", "intro", "team_id", "topic_id", "mailbox_id", "priority", "tags", "questions", "is_open")

    class Meta:
        model = TicketForm
        fields = ["name", "slug", "intro", "topics", "topic", "team", "mailbox", "priority", "tags", "is_open"]
        labels = {
            "name": gettext_lazy("Name"),
            "slug": gettext_lazy("Address"),
            "intro": gettext_lazy("Words above it"),
            "topics": gettext_lazy("Topics"),
            "topic": gettext_lazy("Topic if none is chosen"),
            "team": gettext_lazy("Goes to team"),
            "mailbox": gettext_lazy("Answered from"),
            "priority": gettext_lazy("Priority"),
            "tags": gettext_lazy("Tags"),
            "is_open": gettext_lazy("Open to customers"),
        }
        error_messages = {
            "name": {"unique": gettext_lazy("There is a form of this name already.")},
            "slug": {
                "unique": gettext_lazy("Another form has this address."),
                "invalid": gettext_lazy("Letters, digits, hyphens and underscores make an address."),
            },
        }
        help_texts = {
            "slug": gettext_lazy("What stands after /write/, such as returns."),
            "topics": gettext_lazy("Without any: all public ones."),
            "team": gettext_lazy("Without one: the usual mailbox's."),
            "tags": gettext_lazy("With commas between them."),
        }
        widgets = {"intro": forms.Textarea(attrs={"rows": 3}), "topics": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance
        public = [topic.pk for topic in self.initial.get("topics", ())]  # asked for already
        choice(self, "topics").queryset = Topic.objects.living(keeping=public).filter(is_public=True)
        choice(self, "topic").queryset = Topic.objects.living(keeping=[own.topic_id])
        choice(self, "team").queryset = Team.objects.living(keeping=[own.team_id])
        self.fields["slug"].required = False
        for name in ("topic", "team", "mailbox"):
            choice(self, name).empty_label = _("None")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if not said.get("slug") and "slug" not in self.errors:
            said["slug"] = slugify(said.get("name", ""))[:60]
        if said.get("slug") in TAKEN or (not said.get("slug") and "slug" not in self.errors):
            self.add_error("slug", _("Give it another address, of letters and digits."))
        return said

    def _facts(self) -> dict[str, Any]:
        topics = self.cleaned_data["topics"] if hasattr(self, "cleaned_data") else self.instance.topics.all()
        return {**super()._facts(), "topics": sorted(topic.slug for topic in topics)}

    def _write(self) -> None:
        super()._write()
        self._save_m2m()  # type: ignore[attr-defined]
