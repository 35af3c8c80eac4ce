"""Row 18: a message of a campaign names one recipient, in its envelope and in its bytes, and no other."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from helpdesk.customers.models import Address, Customer
from helpdesk.customers.timeline import Fact, record_all
from helpdesk.lib.dates import now
from tests.conftest import Sink

pytestmark = pytest.mark.django_db
ADDRESS = re.compile(r"[a-z0-9]+@customer\d+\.example")


@pytest.mark.parametrize("number", [60, pytest.param(1000, marks=pytest.mark.long)])
def test_each_is_alone(campaign: Callable[..., Any], drain: Callable[[], None], sink: Sink, number: int) -> None:
    campaign(wait=0, klass="transactional")
    people = Customer.objects.bulk_create([Customer(name=f"Person {n}") for n in range(number)])
    names = [f"p{person.pk}@customer{person.pk}.example" for person in people]
    Address.objects.bulk_create(
        [Address(customer=person, canonical=name, shown=name) for person, name in zip(people, names, strict=True)]
    )
    record_all(
        Fact("order_shipped", person.pk, now(), "", {"order_id": "A"}, source="shop", external_id=f"e{person.pk}")
        for person in people
    )
    drain()
    assert Counter(each.recipients[0] for each in sink) == Counter(names)
    for each in sink:
        (recipient,) = each.recipients
        everything = each.raw.decode() + each.text + each.html
        assert set(ADDRESS.findall(everything)) == {recipient} and len(each.message["To"].addresses) == 1
        assert not {"cc", "bcc"} & {name.lower() for name in each.message}
