"""A campaign as a manager would write it, and events as a shop would send them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from helpdesk.accounts.models import User
from helpdesk.customers.models import Customer, FieldDefinition, Subscription
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from helpdesk.mail.models import Mailbox
from outreach import campaigns
from outreach.models import Campaign, Version

DAY = 24 * 3600


@pytest.fixture
def campaign(mia: User, tips: Subscription, support: Mailbox) -> Callable[..., Version]:
    """``campaign(…)``: a launched campaign on ``order_shipped``: a day's wait, one message; fields override the version's."""

    def make(name: str = "Parcel tips", launch: bool = True, klass: str = "lifecycle", wait: int = DAY, **fields: Any) -> Version:
        made = Campaign.objects.create(name=name, klass=klass, subscription=tips, mailbox=support, created_by=mia)
        version = campaigns.draft_of(made, by=mia)
        send = {
            "do": "send",
            "subject": "Your parcel {{ event.order_id }}",
            "too_late": None,
            "fallbacks": {},
            "body": 'Hello {{ customer.first_name | default: "there" }},\n\nit is **on its way**.',
        }
        values = {
            "trigger_kind": "order_shipped",
            "entry_key": "order_id",
            "exit_kind": "order_cancelled",
            "steps": [{"do": "wait", "seconds": wait}, send],
            **fields,
        }
        for field, value in values.items():
            setattr(version, field, value)
        version.save()
        if launch:
            campaigns.launch(version, by=mia)
            version.refresh_from_db()
        return version

    return make


@pytest.fixture
def happens() -> Callable[..., None]:
    """``happens("order_shipped", ben, order_id="A-1")``: an event from outside, as the API records it."""

    def record(kind: str, customer: Customer, ago: timedelta = timedelta(), id: str | None = None, **payload: Any) -> None:
        record_all([Fact(kind, customer.pk, now() - ago, "", payload, source="shop", external_id=id)])

    return record


@pytest.fixture
def plan(db: None) -> FieldDefinition:
    """What a customer pays for, as a custom field that conditions know."""
    return FieldDefinition.objects.create(subject="customer", key="plan", label="Plan", type="text")
