"""Who appears in the demo: three people here, and customers with long, short and foreign names."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.hashers import make_password

from helpdesk.accounts.models import Role, Team, User
from helpdesk.customers import identity
from helpdesk.customers.models import Customer, FieldDefinition
from helpdesk.customers.profile import CompanyFacts, Profile
from helpdesk.customers.setup import TICKET_TYPES

PASSWORD = "paper and ink"  # noqa: S105  printed at the start; the demo is for loopback
STAFF = [
    ("Ana Kowalczyk", "ana@nordwind.example", Role.AGENT, ["Support"]),
    ("Omar Haddad", "omar@nordwind.example", Role.ADMIN, ["Support", "Billing"]),
    ("Mia Sandoval", "mia@nordwind.example", Role.MANAGER, ["Billing"]),
]


@dataclass
class Somebody:
    key: str
    name: str
    email: str
    zone: str
    language: str = "en"
    company: str = ""
    stage: str = "active"
    facts: dict[str, Any] = field(default_factory=dict)
    contract: dict[str, Any] = field(default_factory=dict)  # of their company


CUSTOMERS = [
    Somebody(
        "ben",
        "Ben Carter",
        "ben@carter.example",
        "Europe/London",
        company="Carter & Daughters Bakery",
        facts={"plan": "Team", "seats": 4, "card_expires": "2027-03-31"},
    ),
    Somebody(
        "anneliese",
        "Dr. Anneliese Hohenlohe-Schillingsfürst",
        "a.hohenlohe@hohenlohe-partner.example",
        "Europe/Berlin",
        "de",
        "Rechtsanwaltskanzlei Hohenlohe-Schillingsfürst & Partner mbB",
        "renewal",
        {"plan": "Kanzlei", "seats": 25, "card_expires": "2026-12-07"},
        {"contract": "Gold", "renews": "2027-01-15"},
    ),
    Somebody("cleo", "Cleo Marchetti", "cleo@marchetti.example", "Europe/Rome", facts={"plan": "Solo", "seats": 1}),
    Somebody(
        "wehr",
        "Freiwillige Feuerwehr Garmisch",
        "kasse@feuerwehr-garmisch.example",
        "Europe/Berlin",
        "de",
        "Freiwillige Feuerwehr Garmisch",
        facts={"plan": "Verein", "seats": 6},
    ),
    Somebody(
        "olu",
        "Oluwaseun Adébáyọ̀-Williams",
        "olu@adebayo-williams.example",
        "Africa/Lagos",
        company="Adébáyọ̀-Williams Shipping",
        facts={"plan": "Team", "seats": 12},
    ),
    Somebody(
        "minh",
        "Nguyễn Thị Minh Khai",
        "minhkhai@nguyen-tea.example",
        "Asia/Ho_Chi_Minh",
        company="Nguyễn Tea",
        facts={"plan": "Team", "seats": 4},
    ),
    Somebody(
        "stadt",
        "Stadtwerke Königsbrück-Laußnitz",
        "einkauf@stadtwerke-kl.example",
        "Europe/Berlin",
        "de",
        "Stadtwerke Königsbrück-Laußnitz",
        facts={"plan": "Enterprise", "seats": 80},
        contract={"contract": "Gold", "renews": "2027-06-30"},
    ),
    Somebody(
        "maria",
        "María-José Etxeberria Goikoetxea",
        "mj@etxeberria.example",
        "Europe/Madrid",
        company="Etxeberria e Hijas",
        facts={"plan": "Team", "seats": 9},
    ),
    Somebody("asa", "Åsa Lindqvist", "asa@lindqvist.example", "Europe/Stockholm", facts={"plan": "Solo", "seats": 1}),
    Somebody("kenji", "佐藤 健司", "kenji@sato.example", "Asia/Tokyo", stage="trial", facts={"plan": "Trial", "seats": 3}),
    Somebody(
        "tomasz", "Tomasz Różycki", "tomasz@rozycki.example", "Europe/Warsaw", stage="trial", facts={"plan": "Trial", "seats": 2}
    ),
    Somebody(
        "priya",
        "Priya Raman",
        "priya@raman-textiles.example",
        "Asia/Kolkata",
        company="Raman Textiles",
        facts={"plan": "Team", "seats": 15},
    ),
]


def staff() -> dict[str, User]:
    """The three people here, by first name in lower case."""
    found, hashed = {}, make_password(PASSWORD)
    for name, email, role, teams in STAFF:
        user = User.objects.create(email=email, password=hashed, name=name, role=role)
        user.teams.set([Team.objects.get_or_create(slug=team.lower(), defaults={"name": team})[0] for team in teams])
        found[name.split()[0].lower()] = user
    return found


def customers() -> dict[str, Customer]:
    """The customers by key, with the custom fields that their facts need."""
    choices = sorted({each.facts["plan"] for each in CUSTOMERS if "plan" in each.facts})
    FieldDefinition.objects.bulk_create(
        [
            FieldDefinition(subject="customer", key="plan", label="Plan", type="choice", choices=choices),
            FieldDefinition(subject="customer", key="seats", label="Seats", type="number"),
            FieldDefinition(subject="customer", key="card_expires", label="Card expires", type="date"),
            FieldDefinition(subject="company", key="contract", label="Contract", type="choice", choices=["Gold", "Standard"]),
            FieldDefinition(subject="company", key="renews", label="Renews", type="date"),
            FieldDefinition(subject="ticket", key="type", label="Type", type="choice", choices=TICKET_TYPES),
            FieldDefinition(subject="ticket", key="invoice", label="Invoice number", type="text", hint="It begins with NW-."),
            FieldDefinition(
                subject="ticket", key="device", label="Device", type="choice", choices=["Phone", "Tablet", "Computer"]
            ),
            FieldDefinition(
                subject="ticket",
                key="affected",
                label="What is affected",
                type="multi",
                choices=["Export", "Invoices", "Reports", "Sign-in"],
            ),
            FieldDefinition(subject="ticket", key="since", label="Since when", type="date"),
            FieldDefinition(subject="ticket", key="data_lost", label="Data is lost", type="boolean"),
            FieldDefinition(subject="ticket", key="expert", label="Expert", type="lookup", target="user"),
        ]
    )
    return {
        each.key: identity.upsert(
            Profile(
                each.name,
                each.language,
                each.zone,
                each.stage,
                CompanyFacts(each.company, zone=each.zone, attributes=each.contract) if each.company else None,
                each.facts,
            ),
            external_id=f"cus_{each.key}",
            emails=[each.email],
            actor="demo",
        ).customer
        for each in CUSTOMERS
    }
