"""What a rule does, each thing by the verb that people use: how it is said, and how it is done."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _later

from helpdesk.accounts.models import Team, User
from helpdesk.accounts.notifications import notify
from helpdesk.customers import definitions, timeline
from helpdesk.customers.models import FieldDefinition
from helpdesk.knowledge.models import Answer, Topic
from helpdesk.lib import languages
from helpdesk.lib.liquid import BadTemplate, MissingValue, check
from helpdesk.lib.text import one_line
from helpdesk.mail import webhooks
from helpdesk.mail.models import Webhook
from tickets import answers, changes, escalation, replies
from tickets.access import who_may_read
from tickets.models import EscalationPath, Priority, RuleMeeting, RuleVersion, Status, Ticket, TicketClosed
from tickets.models.terms import clean_tags

Play: Any = apps.get_model(settings.PLAYS)  # what a rule may start for a customer; tickets knows no more of it
NOBODY = "nobody"
MOST_NOTE = 1000  # characters
NOTE_ROOTS = ("customer", "company", "ticket", "workspace")  # what a note knows; no person writes it
STATUSES = Status.choices[1:6]  # what a rule may set: not new, which nobody sets, and not spam, which a person says


class Trouble(ValueError):
    """A rule wanted something that cannot be had; it stands, in words, beside what the rule did."""


@dataclass(frozen=True)
class Actor:
    """A rule that acts: events say which one, and after how many others, so that it never meets its own change."""

    version: RuleVersion
    meeting: RuleMeeting

    @property
    def ref(self) -> str:
        return f"rule:{self.version.rule_id}"

    @property
    def name(self) -> str:
        return _("Rule “%s”") % self.version.name

    @property
    def origin(self) -> dict[str, Any]:
        return {"rule": self.version.rule_id, "depth": self.meeting.depth + 1, "by": self.name}


Do = Callable[[Ticket, Any, Actor], None]


@dataclass(frozen=True)
class Action:
    """`say` gives it as words of a sentence, `do` does it or raises Trouble. `model`: what its value is the id of."""

    label: str | Promise
    say: Callable[[Any], str]
    do: Do
    model: Any = None


_known: ContextVar[dict[Any, dict[int, str]] | None] = ContextVar("known", default=None)


@contextmanager
def naming() -> Iterator[None]:
    """What actions name is looked up once inside, however many of them are said."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def _names(model: Any, pks: Iterable[Any]) -> list[str]:
    known, wanted = _known.get(), [pk for pk in pks if isinstance(pk, int)]
    if known is None:
        found = {each.pk: _shown(each) for each in model.objects.filter(pk__in=wanted)}
    elif model not in known:
        found = known[model] = {each.pk: _shown(each) for each in model.objects.all()}
    else:
        found = known[model]
    return [found[pk] for pk in wanted if pk in found]


def _shown(each: Any) -> str:
    return str(each) if getattr(each, "is_enabled", True) else _("%s, switched off") % each


def _named(model: Any, pk: Any) -> str:
    found = _names(model, [pk])
    return f"“{found[0]}”" if found else _("what is gone")


IN_USE: dict[Any, dict[str, Any]] = {
    User: {"is_active": True},
    Topic: {"archived_at": None},
    Team: {"archived_at": None},
    Answer: {"archived_at": None},
    EscalationPath: {"is_enabled": True},
}


def _get(model: Any, pk: Any) -> Any:
    found = model.objects.filter(pk=pk, **IN_USE.get(model, {})).first()
    if found is None:
        raise Trouble(_("What it names is gone."))
    return found


def _set(field: str, model: Any = None) -> Do:
    def do(ticket: Ticket, value: Any, by: Actor) -> None:
        if model and value != NOBODY:
            value = _get(model, value)
        changes.change(ticket, {field: None if value == NOBODY else value}, by=by)

    return do


def _tags(value: Any) -> str:
    return ", ".join(clean_tags(value))


def _add_tags(ticket: Ticket, value: Any, by: Actor) -> None:
    ticket.tag([*ticket.tags, *value], by=by)


def _remove_tags(ticket: Ticket, value: Any, by: Actor) -> None:
    ticket.tag(sorted(set(ticket.tags) - set(clean_tags(value))), by=by)


def _describe(ticket: Ticket, value: Any, by: Actor) -> None:
    if wrong := definitions.misfits(FieldDefinition.Subject.TICKET, value, strict=True):
        raise Trouble(" ".join(wrong.values()))
    changes.change(ticket, {"attributes": value}, by=by)


def _say_describe(value: Any) -> str:
    known = definitions.everything(FieldDefinition.Subject.TICKET)
    told = []
    for key, one in value.items():
        field = known[key].label if key in known else key
        words = definitions.words(known[key], one) if key in known else one
        told.append(_("empty %s") % field if one is None else _("set %(field)s to %(value)s") % {"field": field, "value": words})
    return ", ".join(told)


def _escalate(ticket: Ticket, value: Any, by: Actor) -> None:
    path = _get(EscalationPath, value["path"])
    try:
        escalation.escalate(ticket, path, value["reason"], by=by)
    except escalation.NoStep as error:
        raise Trouble(str(error)) from error


def check_note(text: str) -> None:
    """Raises BadTemplate for a note that is too long, or names what no note knows."""
    if len(text) > MOST_NOTE:
        raise BadTemplate(_("A note has at most %d characters.") % MOST_NOTE)
    check(text, NOTE_ROOTS)


def _note(ticket: Ticket, value: Any, by: Actor) -> None:
    once = f"rule:{by.meeting.pk}:{by.version.rule_id}:note"
    replies.note(ticket, answers.worded(value, ticket), by=by, once=once, by_itself=True)


def _notify(ticket: Ticket, value: Any, by: Actor) -> None:
    people = list(User.objects.active().filter(pk__in=value.get("people", [])))
    if value.get("team"):
        people += User.objects.active().filter(teams=value["team"])
    if value.get("assignee") and ticket.assignee:
        people.append(ticket.assignee)
    words = answers.worded(value.get("words") or by.name, ticket)
    said = f"#{ticket.number} {ticket.subject}: {words}"
    if not notify(who_may_read(ticket, people), said, reverse("ticket", args=[ticket.number]), f"ticket:{ticket.pk}"):
        raise Trouble(_("There was nobody to tell who may read this ticket."))


def _reply(ticket: Ticket, value: Any, by: Actor) -> None:
    answer = _get(Answer, value)
    try:
        text = answers.filled(answer, answers.known(ticket, by))
        replies.automatic(ticket, text, by=by, reason=by.name, once=f"rule:{by.meeting.pk}:{by.version.rule_id}")
    except MissingValue as error:
        raise Trouble(_("The answer needs what is not known: %s") % error) from error
    except (replies.NoAddress, replies.NotAnswered) as error:
        raise Trouble(str(error)) from error


def _webhook(ticket: Ticket, value: Any, by: Actor) -> None:
    webhook = _get(Webhook, value)
    if not webhook.is_enabled:
        raise Trouble(_("The webhook “%s” is switched off.") % webhook)
    data = escalation.described(ticket) | {"rule": by.version.name, "happened": by.meeting.happened}
    key = f"rule:{by.meeting.pk}:{by.version.rule_id}"
    webhooks.plan(webhook, "ticket.rule_fired", data, key=key, at=by.meeting.at)


def _start(ticket: Ticket, value: Any, by: Actor) -> None:
    play = _get(Play, value)
    if not Play.objects.startable().filter(pk=play.pk).exists():
        raise Trouble(_("“%s” does not run, or needs an event of its own.") % play)
    try:
        newest = replies.check_answered(ticket)
    except replies.NotAnswered as error:
        raise Trouble(str(error)) from error
    if newest and (newest.stranger or newest.is_doubtful):
        raise Trouble(_("Nobody knows whether the customer wrote the last message: it starts nothing."))
    told = {"campaign": play.pk, "name": str(play), "ticket": ticket.pk, "number": ticket.number, "subject": ticket.subject}
    timeline.record("play.requested", customer=ticket.requester_id, actor=by.ref, **told, by=by.name)


def _say_notify(value: Any) -> str:
    who = [*_names(User, value.get("people", [])), *_names(Team, [value.get("team")])]
    who += [_("the assignee")] if value.get("assignee") else []
    told = _("tell %s") % (get_text_list(who, _("and")) or _("nobody"))
    return f"{told}: “{words}”" if (words := value.get("words")) else told


def _label(choices: Any, value: Any) -> str:
    return str(dict(choices).get(value, value))


# In the order in which a rule does them: what it says of the ticket first, who hears of it last.
ACTIONS: dict[str, Action] = {
    "status": Action(_later("Status"), lambda v: _("set the status to %s") % _label(Status.choices, v), _set("status")),
    "priority": Action(_later("Priority"), lambda v: _("set the priority to %s") % _label(Priority.choices, v), _set("priority")),
    "language": Action(_later("Language"), lambda v: _("set the language to %s") % languages.name_of(v), _set("language")),
    "topic": Action(_later("Topic"), lambda v: _("file it under %s") % _named(Topic, v), _set("topic", Topic), Topic),
    "team": Action(_later("Team"), lambda v: _("move it to %s") % _named(Team, v), _set("team", Team), Team),
    "assignee": Action(
        _later("Assignee"),
        lambda v: _("give it back to all") if v == NOBODY else _("give it to %s") % _named(User, v),
        _set("assignee", User),
        User,
    ),
    "add_tags": Action(_later("Add tags"), lambda v: _("add the tags %s") % _tags(v), _add_tags),
    "remove_tags": Action(_later("Take tags away"), lambda v: _("take away the tags %s") % _tags(v), _remove_tags),
    "attributes": Action(_later("Fields"), _say_describe, _describe),
    "note": Action(_later("Write a note"), lambda v: _("write the note “%s”") % one_line(v, MOST_NOTE), _note),
    "escalate": Action(_later("Escalate"), lambda v: _("escalate by %s") % _named(EscalationPath, v["path"]), _escalate),
    "notify": Action(_later("Tell people here"), _say_notify, _notify),
    "webhook": Action(_later("Tell another tool"), lambda v: _("tell %s") % _named(Webhook, v), _webhook, Webhook),
    "play": Action(_later("Start a campaign"), lambda v: _("start %s for the customer") % _named(Play, v), _start, Play),
    "reply": Action(_later("Answer the customer"), lambda v: _("answer with %s") % _named(Answer, v), _reply, Answer),
}


def words(actions: dict[str, Any]) -> str:
    """What these actions do, as a sentence says it."""
    return ", ".join(each.say(actions[name]) for name, each in ACTIONS.items() if name in actions)


def perform(ticket: Ticket, actions: dict[str, Any], by: Actor) -> list[dict[str, str]]:
    """Do them all, as one change of the ticket; each tells what it did or why it could not."""
    told = []
    with ticket.one_change():
        for name, action in ACTIONS.items():
            if name not in actions:
                continue
            error = ""
            try:
                action.do(ticket, actions[name], by)
            except (Trouble, TicketClosed) as trouble:
                error = str(trouble)
            told.append({"words": action.say(actions[name]), "error": error})
    return told
