"""One conversation: whose turn it is, whose work it is, and what changes it."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.models import Mode, Team, User
from helpdesk.customers import definitions
from helpdesk.customers.models import FieldDefinition
from helpdesk.customers.profile import merged
from helpdesk.customers.timeline import record
from helpdesk.knowledge.models import Topic
from helpdesk.lib import languages
from helpdesk.lib.dates import now
from helpdesk.lib.text import one_line
from helpdesk.live.streams import announce
from tickets.models.change import verb
from tickets.models.row import TicketRow
from tickets.models.terms import OURS, Priority, Status, TicketClosed, clean_tags

# the events after which it may stand otherwise
MOVES = {
    f"ticket.{verb}"
    for verb in (
        "opened", "message_received", "replied", "status_changed", "reopened", "solved", "closed", "updated", "unsent",
        "marked_spam", "cleared_of_spam",
    )
}  # fmt: skip
DECIDED = ("topic", "team", "priority")
OWN = "machine:"  # refs of what decides by reckoning
UNDONE = ("status", "waiting_since", "first_replied_at", "solved_at", "last_message_id", "last_message_at")

if TYPE_CHECKING:
    from tickets.models.clocks import Clock
    from tickets.models.escalation import Escalation
    from tickets.models.message import Draft, Message


class TicketQuerySet(models.QuerySet["Ticket"]):
    def solved(self) -> "TicketQuerySet":
        return self.filter(status=Status.SOLVED)

    def without_spam(self) -> "TicketQuerySet":
        return self.exclude(status=Status.SPAM)

    def queued(self) -> "TicketQuerySet":
        """Our turn and nobody's work, in a team whose tickets the desk hands out."""
        return self.filter(status__in=OURS, assignee=None, team__in=Team.objects.living().exclude(mode=Mode.MANUAL))


class Ticket(TicketRow):
    objects = TicketQuerySet.as_manager()

    # what pages bring along with it: access.ticket_for, clocks.reading.bring, views.desk.list_context
    begun: "Draft | None" = None
    shown_clocks: "list[Clock]"
    pressing: "Clock | None"

    # --- what people do: each idempotent, in one transaction with its event ------------------------------------------

    @transaction.atomic
    @verb
    def assign(self, to: User | None, *, by: Any) -> bool:
        """Make it somebody's work, or nobody's. False when that is so already."""
        self._open_to_change()
        was = self.assignee_id
        if was == (to.pk if to else None):
            return False
        self._set(assignee=to)
        if to:
            self.assignments.create(user=to, team_id=self.team_id, urgent=self.priority == Priority.URGENT)
        self.record("ticket.assigned", by, to=to.pk if to else None, name=str(to or ""), was=was)
        if to and self.status == Status.NEW:  # new is what nobody has taken
            self.set_status(Status.OPEN, by=by)
        return True

    def move_to(self, team: Team | None, *, by: Any) -> bool:
        return self._change("team", team, by)

    def prioritise(self, priority: str, *, by: Any, reasons: Iterable[dict[str, Any]] = ()) -> bool:
        """``reasons`` are those of tickets.priority; whoever else sets it takes them away."""
        return self._change("priority", Priority(priority), by, priority_reasons=list(reasons))

    def file_under(self, topic: Topic | None, *, by: Any) -> bool:
        return self._change("topic", topic, by)

    def speak(self, language: str, *, by: Any) -> bool:
        return self._change("language", languages.coded(language), by)

    def tag(self, tags: Iterable[str], *, by: Any) -> bool:
        """Give it exactly these tags."""
        return self._change("tags", clean_tags(tags), by)

    @transaction.atomic
    @verb
    def describe(self, attributes: dict[str, Any], *, by: Any) -> bool:
        """Set these custom fields; None takes one away. Each that changes is a fact, with its old and new value in words.

        Raises BadPayload when the whole is more than is kept. Whether values fit is asked before (definitions.misfits).
        """
        self._open_to_change()
        before = self.attributes
        after = merged(before, attributes)
        changed = [key for key in attributes if before.get(key) != after.get(key)]
        if not changed:
            return False
        self._set(attributes=after)
        known = definitions.everything(FieldDefinition.Subject.TICKET)
        for key in changed:
            field, was, now_ = known.get(key), before.get(key), after.get(key)
            self._changed(f"attribute.{key}", was, now_)
            self.record(
                "ticket.updated",
                by,
                field=field.label if field else key,
                was=definitions.words(field, was) if field else str(was or ""),
                now=definitions.words(field, now_) if field else str(now_ or ""),
            )
        return True

    @transaction.atomic
    @verb
    def set_status(self, status: str, *, by: Any, at: datetime | None = None) -> bool:
        """Any status a person may choose; solving and opening again are facts of their own."""
        wanted = Status(status)
        self._open_to_change()
        if wanted == Status.SOLVED:
            return self.solve(by=by, at=at)
        if wanted == Status.CLOSED:
            return self.close(by=by, at=at)
        if self.status == Status.SOLVED:
            return self.reopen(by=by, at=at, status=wanted)
        was = self.status
        if was == wanted:
            return False
        self._set(status=wanted)
        self.record("ticket.status_changed", by, at=at, was=was, status=wanted.value)
        return True

    @transaction.atomic
    @verb
    def solve(self, *, by: Any, at: datetime | None = None) -> bool:
        """Mark the conversation solved; a second call, also a concurrent one, changes nothing."""
        self._open_to_change()
        was, waiting = self.status, self.waiting_since
        if was == Status.SOLVED:
            return False
        at = at or now()
        self._set(status=Status.SOLVED, solved_at=at, waiting_since=None)
        self.record(
            "ticket.solved",
            by,
            at=at,
            was=was,
            waiting_since=waiting and waiting.isoformat(),
            campaign=self.campaign_id,
            seconds=int((at - self.opened_at).total_seconds()),
        )
        return True

    @transaction.atomic
    @verb
    def reopen(self, *, by: Any, at: datetime | None = None, status: str = Status.OPEN, since: datetime | None = None) -> bool:
        """A solved ticket becomes work again; if the work is ours, it waits on us from now on, or ``since`` then."""
        self._open_to_change()
        if self.status != Status.SOLVED:
            return False
        at = at or now()
        self._set(status=Status(status), solved_at=None, waiting_since=(since or at) if status in OURS else None)
        self.record("ticket.reopened", by, at=at, status=str(status))
        return True

    @transaction.atomic
    @verb
    def close(self, *, by: Any, at: datetime | None = None) -> bool:
        """For good: whoever writes after this starts a follow-up."""
        self.lock()
        if self.status == Status.CLOSED:
            return False
        at = at or now()
        self._set(status=Status.CLOSED, closed_at=at, solved_at=self.solved_at or at, waiting_since=None)
        self.record("ticket.closed", by, at=at)
        return True

    # --- what is said on it: call these under lock(), in the transaction that writes the message ----------------------

    def lock(self) -> None:
        """Read the row again under its lock, so that two who change it at once do so one after the other."""
        self.refresh_from_db(from_queryset=Ticket.objects.select_for_update())

    @verb
    def opened(self, message: "Message", *, by: Any) -> None:
        """The first message is there; the clock was started at its words, unless it is automatic. Spam is told to nobody."""
        self.last_message_id = message.pk
        if self.status == Status.SPAM:
            self.record("ticket.marked_spam", "", at=message.at, was="", reason=message.reason)
        else:
            self.told(message, by=by)

    @verb
    def told(self, message: "Message", *, by: Any) -> None:
        """Say that a conversation began with this message."""
        self.record(
            "ticket.opened",
            by,
            at=message.at,
            message=message.pk,
            channel=str(self.channel),
            automatic=message.kind != message.Kind.CUSTOMER,
            outgoing=self.outgoing_id,
            campaign=self.campaign_id,
            follow_up_of=self.follow_up_of_id,
        )

    @verb
    def heard(self, message: "Message", *, by: Any, wakes: bool, aside: bool = False) -> None:
        """They wrote. Unless it is automatic or a mere thank-you, it is our turn, and what was solved is work again.

        ``aside``: somebody else did, whom we had asked; the customer's clock is not theirs, and only what was on hold goes on.
        """
        was, at = self.status, message.at
        # a stranger's words stand in the list under the requester's name, so they begin with whose they are
        outsider = message.stranger or message.is_doubtful
        words = f"{message.address or message.author}: {message.text}" if outsider else message.text
        values: dict[str, Any] = {"last_message_id": message.pk, "last_message_at": at, "said": one_line(words, 200)}
        if wakes:
            values |= {"waiting_since": self.waiting_since or at, "solved_at": None}
            values["status"] = self.status if self.status in OURS else Status.OPEN
        elif aside and was == Status.HOLD:
            values["status"] = Status.OPEN
        if message.kind == message.Kind.CUSTOMER and not aside:
            values["last_customer_message_at"] = at
        self._set(**values)
        if message.kind == message.Kind.CUSTOMER and self.status != Status.SPAM:
            self.record("ticket.message_received", by, at=at, message=message.pk, channel=self.channel, stranger=outsider)
        if was != self.status:
            kind = "ticket.reopened" if was == Status.SOLVED else "ticket.status_changed"
            self.record(kind, by, at=at, was=was, status=str(self.status))
        announce(f"ticket:{self.pk}", "inbox")

    @verb
    def replied(self, message: "Message", *, by: Any, status: str = "") -> dict[str, Any]:
        """We wrote: nobody waits for us any more; without a status it is their turn, and what is solved stays so.

        Returns what it was before, so that the reply can be taken back.
        """
        before = {name: getattr(self, name) for name in UNDONE}
        at = message.at
        waited = (at - self.waiting_since).total_seconds() if self.waiting_since else None
        first = self.first_replied_at or at
        self._set(last_message_id=message.pk, last_message_at=at, waiting_since=None, first_replied_at=first)
        self.record(
            "ticket.replied",
            by,
            at=at,
            message=message.pk,
            first=before["first_replied_at"] is None,
            waited=None if waited is None else int(waited),
            seconds=int((at - self.opened_at).total_seconds()),
        )
        self.set_status(status or (self.status if self.status == Status.SOLVED else Status.PENDING), by=by, at=at)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in before.items()}

    @verb
    def came_back(self, words: str, *, at: datetime) -> bool:
        """Our answer did not arrive, so it is our turn again, and the list says why. A closed ticket stays closed."""
        self.lock()
        if self.status == Status.CLOSED:
            return False
        was = self.status
        status = was if was in OURS else Status.OPEN
        self._set(said=one_line(words, 200), status=status, waiting_since=self.waiting_since or at, solved_at=None)
        if was != status:
            kind = "ticket.reopened" if was == Status.SOLVED else "ticket.status_changed"
            self.record(kind, "", at=at, was=was, status=str(status))
        else:
            self.stands("mail.returned", at)
        announce(f"ticket:{self.pk}", "inbox")
        return True

    @verb
    def say(self, words: str) -> None:
        """Something that the list tells beside the ticket; nothing else changes."""
        self.lock()
        self._set(said=one_line(words, 200))
        announce(f"ticket:{self.pk}", "inbox")

    @verb
    def noted(self, message: "Message", *, by: Any, by_itself: bool = False) -> None:
        """A note for the team: it moves no clock and no status, and a rule's no time that counts from the last message."""
        moment = {} if by_itself else {"last_message_at": message.at}
        self._set(last_message_id=message.pk, **moment)
        self.record("ticket.noted", by, at=message.at, message=message.pk)

    @verb
    def forwarded(self, message: "Message", *, by: Any) -> dict[str, Any]:
        """It was passed on to somebody outside: whoever waits goes on waiting. Returns what it was before."""
        before = {"last_message_id": self.last_message_id, "last_message_at": self.last_message_at.isoformat()}
        self._set(last_message_id=message.pk, last_message_at=message.at)
        self.record("ticket.forwarded", by, at=message.at, message=message.pk)
        return before

    @verb
    def escalated(self, to: "Escalation", *, by: Any) -> None:
        """It went to the next step of a path; the list says so, and why. Call it under lock()."""
        self._set(escalated_at=to.at, escalated_to=to.to, escalation_reason=to.reason, escalations=to.number)
        self.record("ticket.escalated", by, at=to.at, to=to.to, reason=to.reason, path=to.path_id, step=to.step)

    @verb
    def answered_by_itself(self, message: "Message", *, by: Any) -> None:
        """A rule wrote to the customer: nobody here has answered, so whoever waits goes on waiting.

        Nor is it the last message that rules count a time from: a reminder after three days would bring the next.
        """
        self._set(last_message_id=message.pk)
        self.record("ticket.auto_replied", by, at=message.at, message=message.pk)

    @verb
    def unsent(self, message: "Message", *, by: Any) -> None:
        """It was taken back before it left: the ticket is what it was, unless somebody wrote meanwhile."""
        before = {
            name: parse_datetime(value) if name.endswith(("_at", "_since")) and value else value
            for name, value in (message.before or {}).items()
        }
        if message.kind == message.Kind.FORWARD:
            if self.last_message_id == message.pk:
                self._set(**before)
            self.record("ticket.unsent", by, message=message.pk, forward=True)
            return
        heard = self.messages.filter(pk__gt=message.pk, kind__in=(message.Kind.CUSTOMER, message.Kind.REPLY)).exists()
        if self.last_message_id == message.pk:
            self.status_changes.filter(at__gte=message.at).delete()  # as if it had never been
        elif not heard:  # a note, or an answer of a rule: it stays the last, and what else was changed since stays too
            before = {name: value for name, value in before.items() if not name.startswith("last_message")}
            self.status_changes.filter(at=message.at).delete()
            stood = {name: before[name] for name in ("status", "waiting_since")}
            self.status_changes.filter(at__gt=message.at).update(**stood)
        else:
            waits = [at for at in (before.get("waiting_since"), self.waiting_since) if at]
            before = {"waiting_since": min(waits, default=None)}
            if self.first_replied_at == message.at:
                before["first_replied_at"] = None
        was = self.status
        self._set(**before)
        self.record("ticket.unsent", by, message=message.pk)
        if was != self.status:
            kind = "ticket.reopened" if was == Status.SOLVED else "ticket.status_changed"
            self.record(kind, by, was=was, status=str(self.status))

    def record(self, kind: str, by: Any, *, at: datetime | None = None, **payload: Any) -> None:
        """A fact about this ticket, with the change it belongs to and what that changed so far, and word to whoever looks.

        Who is no person says with ``origin`` what began it.
        """
        told = self.told_of_change() | getattr(by, "origin", {})
        record(kind, customer=self.requester_id, actor=by, at=at, **self.facts(), **told, **payload)
        if kind in MOVES:
            self.stands(kind, at)
        announce(f"ticket:{self.pk}", "inbox")

    def stands(self, cause: str, at: datetime | None) -> None:
        """Note how it stands from now on: what its clocks are counted from."""
        how = {"status": self.status, "priority": self.priority, "waiting_since": self.waiting_since}
        self.status_changes.create(at=at or now(), cause=cause, **how)

    # --- how they do it ----------------------------------------------------------------------------------------------

    def _open_to_change(self) -> None:
        self.lock()
        if self.status == Status.CLOSED:
            raise TicketClosed(_("Ticket #%s is closed. A new message starts a follow-up.") % self.number)

    @transaction.atomic
    @verb
    def _change(self, field: str, value: Any, by: Any, **beside: Any) -> bool:
        """Set a plain property; its old and new value in words go into the event, with what is kept beside it."""
        self._open_to_change()
        was = getattr(self, field)
        if was == value:
            return False
        self._set(**{field: value}, **self._decision(field, by), **beside)
        told = {name: kept for name, kept in beside.items() if kept}
        self.record("ticket.updated", by, field=field, was=self._in_words(field, was), now=self._in_words(field, value), **told)
        return True

    def _decision(self, field: str, by: Any) -> dict[str, Any]:
        """Whose word it is; what learned or reckoned it never goes against the word of a person, a rule or a tool."""
        if field not in DECIDED:
            return {}
        return {"decided": self.decided | {field: by if isinstance(by, str) else getattr(by, "ref", "")}}

    def decided_by_others(self, field: str) -> bool:
        """Whether somebody said what this is to be, none of our own reckoning."""
        return not self.decided.get(field, OWN).startswith(OWN)
