"""The facts of one customer: what may be said about a person, cleaned, merged and compared."""

from dataclasses import dataclass, field
from typing import Any

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.customers.models import Company, Customer
from helpdesk.customers.payloads import check_attributes
from helpdesk.lib import dates
from helpdesk.lib.dates import now
from helpdesk.lib.text import one_line

MAX_NAME = 200


@dataclass
class CompanyFacts:
    """A company by the id another system gives it, else by its name."""

    name: str = ""
    external_id: str | None = None
    zone: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Profile:
    """New facts. None leaves what is known; an attribute that is None goes; ``company=""`` takes the company away."""

    name: str | None = None
    language: str | None = None
    zone: str | None = None
    stage: str | None = None
    company: CompanyFacts | str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


def known_zone(name: str) -> bool:
    """Whether this is a time zone of the IANA database, or empty: "as the company, else the workspace"."""
    return name == "" or dates.zone(name).key == name


def apply(customer: Customer, facts: Profile) -> tuple[dict[str, list[Any]], list[str]]:
    """Merge facts into a locked customer and save it; returns {name: [before, after]} and warnings. Raises BadPayload."""
    warnings: list[str] = []
    new: dict[str, Any] = {}
    for name, limit in (("name", MAX_NAME), ("language", 10), ("stage", 40)):
        if (value := getattr(facts, name)) is not None:
            new[name] = one_line(value, limit)
    if (zone := _zone(facts.zone, warnings)) is not None:
        new["zone"] = zone
    if facts.attributes:
        new["attributes"] = merged(customer.attributes, facts.attributes)
    if facts.company is not None:
        company = _company(facts.company, warnings)
        new["company_id"] = company.pk if company else None
    changed = {name: [getattr(customer, name), value] for name, value in new.items() if getattr(customer, name) != value}
    if changed:
        for name in changed:
            setattr(customer, name, new[name])
        customer.updated_at = now()
        customer.save(update_fields=[*changed, "updated_at"])
    if "attributes" in changed:
        changed["attributes"] = _difference(*changed["attributes"])
    return changed, warnings


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Attributes with the new over the old; None removes one. Raises BadPayload when the whole is too much."""
    check_attributes(new)
    return check_attributes({key: value for key, value in (old | new).items() if value is not None})


def _difference(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Only the attributes that changed, so that a timeline stays readable."""
    keys = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    return [{key: before.get(key) for key in keys}, {key: after.get(key) for key in keys}]


def _zone(name: str | None, warnings: list[str]) -> str | None:
    """An unknown zone costs a warning, never the row: what was known before stays."""
    if name is None or known_zone(name):
        return name
    warnings.append(f"Unknown time zone {one_line(name, 60)!r}: it was left out.")
    return None


def _company(facts: CompanyFacts | str, warnings: list[str]) -> Company | None:
    if isinstance(facts, str):
        facts = CompanyFacts(name=facts)
    name = one_line(facts.name)
    if facts.external_id:
        company, _ = Company.objects.get_or_create(external_id=facts.external_id, defaults={"name": name or facts.external_id})
    elif name:
        one_at_a_time(f"company:{name}")  # names are not unique
        company = Company.objects.filter(name=name).order_by("pk").first() or Company.objects.create(name=name)
    else:
        return None
    zone = _zone(facts.zone, warnings)

    def differing(kept: Company) -> dict[str, Any]:
        new = {
            "name": name or kept.name,
            "zone": kept.zone if zone is None else zone,
            "attributes": merged(kept.attributes, facts.attributes),
        }
        return {key: value for key, value in new.items() if getattr(kept, key) != value}

    if differing(company):  # asked again behind the lock: what somebody else says of it meanwhile stays
        company = Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        Company.objects.filter(pk=company.pk).update(**differing(company))
    return company
