"""Whether a message may go: asked when it is due and again in the stamp, always answered with a reason in words.

``GUARDS`` is the table of who asks what of which class, and /outreach/guards/ shows it. The kernel asks
before: the kill switches, and whether it is too late; and after: the backstops of automatic mail.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from helpdesk.customers.models import Address
from helpdesk.mail.models import Class, Outgoing
from helpdesk.mail.verdicts import GO, Go, Hold, Never, Verdict
from outreach import quiet
from outreach.facts import Facts, gather, in_words
from outreach.models import Campaign

OURS = (Class.TRANSACTIONAL, Class.LIFECYCLE, Class.PROMOTIONAL)
UNASKED = (Class.LIFECYCLE, Class.PROMOTIONAL)  # what nobody asked for, and so what must ask first
Check = Callable[[Outgoing, Facts], Verdict | None]


@dataclass(frozen=True)
class Guard:
    """One question. ``soft``: a person who releases the message overrules it."""

    name: str
    title: str | Promise
    answer: str | Promise
    classes: tuple[str, ...]
    check: Check | None  # None: the kernel asks it
    soft: bool = False


def stopped(row: Outgoing, facts: Facts) -> Verdict | None:
    campaign = facts.campaign(row)
    if campaign is None or campaign.status == Campaign.Status.CANCELLED:
        return Never(_("The campaign was cancelled"))
    if campaign.status == Campaign.Status.PAUSED:
        return Hold(_("Held until the campaign goes on"), event=campaign.subject)
    return None


def paused(names: set[str]) -> set[str]:
    """Those of these holds whose campaign still stands (settings.HOLDS)."""
    ids = [int(name.partition(":")[2]) for name in names]
    return {campaign.subject for campaign in Campaign.objects.filter(pk__in=ids, status=Campaign.Status.PAUSED).only("pk")}


def nobody(row: Outgoing, facts: Facts) -> Verdict | None:
    if row.customer_id is None:
        return Never(_("The customer is no longer here"))
    return None if row.to else Never(_("We have no e-mail address of theirs"))


def unreachable(row: Outgoing, facts: Facts) -> Verdict | None:
    if row.address is None or row.address.reachability != Address.Reachability.UNREACHABLE:
        return None
    return Never(_("%s does not work") % row.to)


def suppressed(row: Outgoing, facts: Facts) -> Verdict | None:
    return Never(_("%s gets no more mail from us") % row.to) if facts.is_suppressed(row) else None


def unwanted(row: Outgoing, facts: Facts) -> Verdict | None:
    if row.subscription_id is None or (row.customer_id, row.subscription_id) in facts.allowed:
        return None
    return Never(_("They have not said yes to “%s”") % row.subscription)


def open_ticket(row: Outgoing, facts: Facts) -> Verdict | None:
    if row.customer_id not in facts.holding(row):
        return None
    return Hold(facts.holding_words(row), event=f"customer:{row.customer_id}:tickets")


def too_many(row: Outgoing, facts: Facts) -> Verdict | None:
    version = facts.version(row)
    if version is None or not version.cap:
        return None
    free_at = facts.room(row, version.cap, version.cap_days)
    if free_at is None:
        return None
    had = ngettext("they had a message from us", "they had %(n)d messages from us", version.cap) % {"n": version.cap}
    within = ngettext("within a day", "within %(d)d days", version.cap_days) % {"d": version.cap_days}
    return Hold(
        _("Held until %(when)s their time: %(had)s %(within)s")
        % {"when": in_words(free_at, facts.zone(row)), "had": had, "within": within},
        until=free_at,
    )


def asleep(row: Outgoing, facts: Facts) -> Verdict | None:
    version = facts.version(row)
    if version is None:
        return None
    zone = facts.zone(row)
    opens = quiet.opening(facts.at, zone, version.quiet_from, version.quiet_until)
    if opens is None:
        return None
    until = quiet.spread(opens, row.key, zone, version.quiet_from, version.quiet_until)
    return Hold(_("Held until %s their time: it is night there") % in_words(opens, zone), until=until)


# The order is the order of asking. What never goes is said before what only waits; the longest wait comes first.
GUARDS = (
    Guard("switch", gettext_lazy("Sending is switched off"), gettext_lazy("Waits until it is switched on"), OURS, None),
    Guard("late", gettext_lazy("It is too late to be of use"), gettext_lazy("Never"), OURS, None),
    Guard("nobody", gettext_lazy("We have no address"), gettext_lazy("Never"), OURS, nobody),
    Guard(
        "suppressed", gettext_lazy("The address asked for no more mail, or complained"), gettext_lazy("Never"), OURS, suppressed
    ),
    Guard("unwanted", gettext_lazy("Has not said yes to this subscription"), gettext_lazy("Never"), UNASKED, unwanted),
    Guard("unreachable", gettext_lazy("The address does not work"), gettext_lazy("Never"), OURS, unreachable),
    Guard(
        "stopped",
        gettext_lazy("The campaign is paused or cancelled"),
        gettext_lazy("Waits until it goes on; never once cancelled"),
        OURS,
        stopped,
    ),
    Guard(
        "ticket",
        gettext_lazy("A ticket of theirs is open"),
        gettext_lazy("Waits until it is solved, 14 days at most"),
        UNASKED,
        open_ticket,
        soft=True,
    ),
    Guard(
        "cap",
        gettext_lazy("Too many messages from us lately"),
        gettext_lazy("Waits until the oldest is long enough ago"),
        UNASKED,
        too_many,
        soft=True,
    ),
    Guard(
        "night", gettext_lazy("It is night where they are"), gettext_lazy("Waits for their morning"), UNASKED, asleep, soft=True
    ),
    Guard(
        "backstop",
        gettext_lazy("A machine or nobody reads there, or we wrote by ourselves too often within ten minutes"),
        gettext_lazy("Never"),
        OURS,
        None,
    ),
)
REHEARSED = tuple(guard for guard in GUARDS if guard.check and guard.name != "stopped")


def ask(rows: list[Outgoing], at: datetime) -> dict[int, Verdict]:
    """What each message may do. One query a fact, whatever the number of rows; the caller holds the customers' locks.

    Rows are judged in the order given, and each that goes counts against its customer's cap for those after it.
    """
    return {row.pk: verdict for row, (_guard, verdict) in zip(rows, judged(rows, at), strict=True)}


def judged(rows: list[Outgoing], at: datetime, asked: tuple[Guard, ...] = GUARDS) -> list[tuple[Guard | None, Verdict]]:
    """Each message's verdict, and the guard that gave it."""
    facts = gather(rows, at)
    answers = []
    for row in rows:
        guard, verdict = (None, GO) if row.arm == "test" else _judge(row, facts, asked)
        if isinstance(verdict, Go):
            facts.reserve(row)
        answers.append((guard, verdict))
    return answers


def _judge(row: Outgoing, facts: Facts, asked: tuple[Guard, ...]) -> tuple[Guard | None, Verdict]:
    for guard in asked:
        if guard.check is None or row.klass not in guard.classes or (guard.soft and row.released_by):
            continue
        verdict = guard.check(row, facts)
        if verdict is not None:
            return guard, verdict
    return None, GO


def tally(rows: list[Outgoing], at: datetime) -> Counter[str]:
    """How many of these each guard would stop now, by its name: the same questions, asked before anything is planned.

    As if it ran: a pause would answer before all that comes after it, for everybody.
    """
    return Counter(guard.name for guard, _verdict in judged(rows, at, REHEARSED) if guard)


def table() -> list[dict[str, Any]]:
    """Guard by class, for the page that shows it."""
    return [{"guard": guard, "applies": [(klass, klass in guard.classes) for klass in OURS]} for guard in GUARDS]
