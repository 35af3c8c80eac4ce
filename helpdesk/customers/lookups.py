"""What a custom field may point to in this room (settings.LOOKUPS): customers, companies, people who work here."""

from collections.abc import Iterable

from helpdesk.accounts.models import User
from helpdesk.customers import access
from helpdesk.customers.models import Company, Customer
from helpdesk.lib.ids import row_id

FEW = 5


def customers(numbers: Iterable[int]) -> dict[int, str]:
    return {each.pk: str(each) for each in Customer.objects.filter(pk__in=numbers).prefetch_related("addresses")}


def find_customers(text: str) -> dict[int, str]:
    """By id, name, address or the id that another system gives; the newest few."""
    number = row_id(text.removeprefix("customer:"))
    return customers([number] if number is not None else access.found(text)[:FEW])


def companies(numbers: Iterable[int]) -> dict[int, str]:
    return dict(Company.objects.filter(pk__in=numbers).values_list("pk", "name"))


def find_companies(text: str) -> dict[int, str]:
    if (number := row_id(text.removeprefix("company:"))) is not None:
        return companies([number])
    exact = dict(Company.objects.filter(name__iexact=text).values_list("pk", "name")[:FEW])
    return exact or dict(Company.objects.filter(name__icontains=text).order_by("-pk").values_list("pk", "name")[:FEW])


def people(numbers: Iterable[int]) -> dict[int, str]:
    return dict(User.objects.filter(pk__in=numbers).values_list("pk", "name"))


def find_people(text: str) -> dict[int, str]:
    if (number := row_id(text.removeprefix("user:"))) is not None:
        return people([number])
    active = User.objects.active()
    exact = dict(active.filter(email__iexact=text).values_list("pk", "name")[:FEW])
    return exact or dict(active.filter(name__icontains=text).values_list("pk", "name")[:FEW])
