"""Who is meant by a condition: how many, ten of them, which of a batch, and why somebody is in or not."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from helpdesk.accounts.models import User, audit
from helpdesk.customers import access
from helpdesk.customers.models import Address, Customer, Segment
from helpdesk.lib import conditions
from helpdesk.lib.dates import now
from helpdesk.lib.rows import array, at_most

PATIENCE = 1500  # milliseconds for an exact count; beyond it the planner's estimate is good enough
FACES = 10
ASKED = 5  # people who are looked at when somebody asks why


@dataclass(frozen=True)
class Size:
    number: int
    exact: bool


def members(tree: Any) -> QuerySet[Customer]:
    """The customers for whom it holds now, as one statement with bound parameters. Raises ConditionError."""
    return Customer.objects.filter(conditions.to_q(tree, "customer", now()))


def among(tree: Any, customers: Iterable[int], at: datetime | None = None) -> set[int]:
    """Those of a batch of customers for whom it holds, now or at a moment, in one query. Raises ConditionError."""
    condition = conditions.to_q(tree, "customer", at or now(), few=True)
    # One parameter, whatever the size of the batch: the ORM would resolve each id by itself.
    batch = Customer.objects.extra(where=["customers_customer.id = ANY(%s::bigint[])"], params=[array(set(customers))])
    return set(batch.filter(condition).values_list("pk", flat=True))


def size(tree: Any, *, patience: int = PATIENCE) -> Size:
    """How many: counted, or after ``patience`` milliseconds estimated. Raises ConditionError."""
    rows = members(tree).order_by()
    try:
        with at_most(patience):
            number = rows.count()
    except OperationalError:
        return Size(int(json.loads(rows.explain(format="json"))[0]["Plan"]["Plan Rows"]), exact=False)
    return Size(number, exact=True)


def faces(tree: Any, *, patience: int = PATIENCE) -> list[Customer]:
    """Ten of them, the newest; those we can write to first, for a message is read as one of them. Raises ConditionError.

    Nobody, where finding them takes longer than ``patience`` milliseconds a statement.
    """
    written = Exists(Address.objects.filter(customer=OuterRef("pk"), channel="email"))
    people = members(tree).select_related("company").prefetch_related("addresses").order_by("-pk")
    try:
        with at_most(patience):
            found = list(people.filter(written)[:FACES])
            return found if len(found) == FACES else found + list(people.exclude(written)[: FACES - len(found)])
    except OperationalError:
        return []


def why(tree: Any, customer: Customer) -> conditions.Reason:
    """Each condition answered for one customer, the whole one first. Raises ConditionError."""
    at, each = now(), conditions.Asked(tree, "customer")
    return each.reason(conditions.facts([each], customer, at), at, {})


def asked(tree: Any, text: str) -> dict[str, Any]:
    """What customers/_why.html shows: the people who fit the text, by name, address or id, each with the reasons."""
    people = Customer.objects.filter(pk__in=access.found(text)[:ASKED] if text.strip() else [])
    try:
        found = [
            (person, why(tree, person))
            for person in people.select_related("company").prefetch_related("addresses").order_by("-pk")
        ]
        return {"asked": text, "found": found}
    except conditions.ConditionError as error:
        return {"asked": text, "fault": str(error)}


@transaction.atomic
def save(segment: Segment, name: str, tree: Any, *, by: User) -> Segment:
    """A new or changed segment, with a line in the audit log if anything changed. Raises ConditionError."""
    new = segment.pk is None
    before = None if new else {"name": segment.name, "conditions": segment.conditions}
    segment.name, segment.conditions = name, conditions.clean(tree, "customer")
    after = {"name": segment.name, "conditions": segment.conditions}
    if after == before:
        return segment
    segment.updated_at = now()
    if new:
        segment.created_by = by
    segment.save()
    action = "segment.added" if new else "segment.changed"
    audit(action, actor=by.ref, subject=f"segment:{segment.pk}", before=before, after=after)
    return segment
