"""The backstops of automatic mail. Machines do not always say that they are machines, so what we write by ourselves to one
address is limited whoever is behind it, and stops when it is answered like clockwork.

The planner asks, when a message is due and again in the stamp, about everything that no person wrote.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count
from django.utils.translation import gettext as _

from helpdesk.customers.models import Event
from helpdesk.lib.rows import array
from helpdesk.mail import addresses
from helpdesk.mail.models import GONE, Class, Outgoing
from helpdesk.mail.verdicts import Never

WINDOW = timedelta(minutes=10)
PER_TICKET = 10  # automatic messages to one address in the window, about one ticket
OVER_ALL = 30
# The third automatic message is not sent to whom wrote as often meanwhile: two machines stop within three messages each.
SENT_TO_A_MACHINE = 2
HEARD_FROM_A_MACHINE = 3
HEARD = ("ticket.opened", "ticket.message_received")

# By the index of an address's messages.
SENT = """
    SELECT address_id, coalesce(ticket_id, 0), count(*) FROM mail_outgoing
    WHERE address_id = ANY(%s::bigint[]) AND klass <> %s AND state = ANY(%s::text[]) AND sent_at > %s
    GROUP BY 1, 2
"""


def is_automatic(row: Outgoing) -> bool:
    """Nobody pressed Send for it. Sign-in mail names no customer's address and has a limit of its own (``backend``)."""
    return row.klass != Class.REPLY and row.address_id is not None


def stopped(rows: list[Outgoing], at: datetime) -> dict[int, Never]:
    """Which of these must not go, and why. Three queries at most, whatever the number of rows.

    The caller holds the customers' locks, so two who send to one address at once count each other; and each message that
    goes counts for those after it.
    """
    asked = [row for row in rows if is_automatic(row)]
    if not asked:
        return {}
    since = at - WINDOW
    sent, by_ticket = _sent({row.address_id for row in asked}, since)
    writers = {row.customer_id for row in asked if sent[row.address_id] >= SENT_TO_A_MACHINE}
    heard, ours = _heard(writers, since) if writers else Counter(), addresses.ours()
    found: dict[int, Never] = {}
    for row in asked:
        name, place = (row.address.canonical if row.address else ""), (row.address_id, row.ticket_id or 0)
        if addresses.is_machine(name) or addresses.plain(name) in ours:
            found[row.pk] = Never(_("Nobody reads behind this address, or it is our own: no automatic mail goes there"))
        elif sent[row.address_id] >= OVER_ALL or (row.ticket_id and by_ticket[place] >= PER_TICKET):
            found[row.pk] = Never(_("Too much automatic mail to this address"))
        elif sent[row.address_id] >= SENT_TO_A_MACHINE and heard[row.customer_id] >= HEARD_FROM_A_MACHINE:
            found[row.pk] = Never(_("Too much automatic mail to this address: each message was answered within minutes"))
        else:
            sent[row.address_id] += 1
            by_ticket[place] += 1
    return found


def _sent(wanted: Iterable[int | None], since: datetime) -> tuple[Counter[int | None], Counter[tuple[int | None, int]]]:
    """How many automatic messages each address had since then, over all and by ticket."""
    by_ticket: Counter[tuple[int | None, int]] = Counter()
    over_all: Counter[int | None] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(SENT, [array(wanted), Class.REPLY.value, array(GONE), since])
        for address, ticket, count in cursor.fetchall():
            by_ticket[address, ticket] += count
            over_all[address] += count
    return over_all, by_ticket


def _heard(customers: Iterable[int | None], since: datetime) -> Counter[int | None]:
    """How often each of these wrote to us since then, as the timeline tells it: the kernel knows no tickets."""
    told = Event.objects.filter(customer__in=customers, kind__in=HEARD, occurred_at__gt=since)
    return Counter(dict(told.order_by().values_list("customer").annotate(count=Count("pk"))))
