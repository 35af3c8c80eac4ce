"""What the guards need to know about a batch of messages, each fact fetched in one query for all of them."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from helpdesk.customers import consent, segments
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.models import Event
from helpdesk.lib import dates
from helpdesk.lib.rows import array, by_id
from helpdesk.mail.models import GONE, Class, Outgoing, State
from outreach.models import Campaign, Version

RESERVED = (State.QUEUED, State.CLAIMED, State.RETRY_WAIT)  # a place under the cap is theirs already
COUNTED = (Class.TRANSACTIONAL, Class.INCIDENT, Class.LIFECYCLE, Class.PROMOTIONAL)  # replies are not ours to count

OPENS = ("ticket.opened", "ticket.reopened")
ENDS = ("ticket.solved", "ticket.closed")

SENT = """
    SELECT id, customer_id, state, sent_at FROM mail_outgoing
    WHERE customer_id = ANY(%s::bigint[]) AND klass = ANY(%s::text[])
      AND (state = ANY(%s::text[]) AND sent_at > %s OR state = ANY(%s::text[]))
"""


def in_words(moment: datetime, zone: ZoneInfo) -> str:
    """A moment on the customer's own clock: "Tue 3 November, 08:00"."""
    return date_format(dates.local(moment, zone), pgettext("a day and time in words", "D j F, H:i"))


@dataclass
class Facts:
    rows: list[Outgoing]
    at: datetime
    taken: dict[int, list[datetime]] = field(default_factory=lambda: defaultdict(list))  # by rows of this very batch

    @cached_property
    def versions(self) -> dict[int, Version]:
        return Version.objects.kept(row.version_id for row in self.rows)

    @cached_property
    def campaigns(self) -> dict[int, Campaign]:
        return by_id(Campaign, [version.campaign_id for version in self.versions.values()])

    @cached_property
    def allowed(self) -> set[tuple[int, int]]:
        pairs = {(r.customer_id, r.subscription_id) for r in self.rows if r.customer_id and r.subscription_id}
        return consent.allowed(pairs, self.at)

    @cached_property
    def suppressed(self) -> set[str]:
        return consent.suppressed({row.to for row in self.rows if row.to})

    @cached_property
    def sent(self) -> dict[int, list[tuple[int, datetime, bool]]]:
        """By customer: (id, when, only reserved) of all that was sent in the longest window, and of what is about to be."""
        days = max((version.cap_days for version in self.versions.values() if version.cap), default=0)
        customers = {row.customer_id for row in self.rows if row.customer_id}
        since = self.at - timedelta(days=days)
        found: dict[int, list[tuple[int, datetime, bool]]] = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(SENT, [array(customers), array(COUNTED), array(GONE), since, array(RESERVED)])
            for pk, customer, state, sent_at in cursor.fetchall():
                reserved = state in RESERVED
                found[customer].append((pk, self.at if reserved or sent_at is None else sent_at, reserved))
        return found

    @cached_property
    def held(self) -> dict[str, set[int]]:
        """By condition: the customers who match it now, each distinct condition one query."""
        customers: dict[str, set[int]] = defaultdict(set)
        for row in self.rows:
            if row.customer_id and (key := self.conditions.get(row.version_id)):
                customers[key].add(row.customer_id)
        return {key: segments.among(json.loads(key), ids, self.at) for key, ids in customers.items()}

    @cached_property
    def conditions(self) -> dict[int | None, str]:
        """By version: what its campaign's customers must not match; the same words of two campaigns are one question."""
        campaigns = {pk: self.campaigns.get(version.campaign_id) for pk, version in self.versions.items()}
        return {pk: json.dumps(each.holds, sort_keys=True) for pk, each in campaigns.items() if each and each.holds}

    def version(self, row: Outgoing) -> Version | None:
        return self.versions.get(row.version_id or 0)

    def campaign(self, row: Outgoing) -> Campaign | None:
        version = self.version(row)
        return self.campaigns.get(version.campaign_id) if version else None

    def is_suppressed(self, row: Outgoing) -> bool:
        try:
            return canonical(row.to) in self.suppressed
        except BadAddress:
            return False

    def zone(self, row: Outgoing) -> ZoneInfo:
        """Customer, company, workspace."""
        customer = row.customer
        company = customer.company if customer else None
        return dates.zone(customer.zone if customer else "", company.zone if company else "", settings.TIME_ZONE)

    def holding(self, row: Outgoing) -> set[int]:
        return self.held.get(self.conditions.get(row.version_id, ""), set())

    @cached_property
    def open_numbers(self) -> dict[int, set[int]]:
        """By held customer: the numbers of their open tickets, as the timeline tells it; outreach knows no tickets."""
        events = Event.objects.filter(customer__in=set().union(*self.held.values()), kind__in=(*OPENS, *ENDS))
        found: dict[int, set[int]] = defaultdict(set)
        for customer, kind, payload in events.order_by("occurred_at", "id").values_list("customer_id", "kind", "payload"):
            if isinstance(number := payload.get("number"), int):
                (found[customer].add if kind in OPENS else found[customer].discard)(number)
        return found

    def holding_words(self, row: Outgoing) -> str:
        numbers = self.open_numbers.get(row.customer_id or 0, set())
        if len(numbers) == 1:
            return _("Held until ticket #%d is solved") % next(iter(numbers))
        return _("Held until their open tickets are solved")

    def room(self, row: Outgoing, cap: int, days: int) -> datetime | None:
        """None when one more message fits; else when it will.

        A message that is only planned also counts those reserved before it. One at the stamp has its place, and only
        counts what left: nothing is taken back. Locked customers make this exact between two workers.
        """
        at_stamp = row.state in RESERVED
        since = self.at - timedelta(days=days)
        times = [
            when
            for pk, when, reserved in self.sent.get(row.customer_id or 0, [])
            if pk != row.pk and when > since and not (reserved and at_stamp)
        ]
        times = sorted(times + self.taken[row.customer_id or 0])
        return times[-cap] + timedelta(days=days) if len(times) >= cap else None

    def reserve(self, row: Outgoing) -> None:
        if row.klass in COUNTED and row.customer_id:
            self.taken[row.customer_id].append(self.at)


def gather(rows: list[Outgoing], at: datetime) -> Facts:
    """The facts are fetched when the first guard asks for them."""
    return Facts(rows, at)
