"""One condition language for views, rules, policies, segments, guards, goals and audiences.

A condition is a JSON tree over fields that each app registers for a subject ("customer",
"ticket"); the same tree selects rows in SQL, judges one object in Python, and reads as a
sentence. A property test holds the three to one meaning on real PostgreSQL.

    {"all": [{"field": "plan", "op": "is", "value": "pro"},
             {"any": [...]}, {"not": {...}},
             {"field": "ticket", "op": "has", "at_least": 2, "where": {a tree over "ticket"}},
             {"field": "event", "op": "did", "value": "trial_ended", "at_least": 3, "within": {"days": 30}}]}

`{"all": []}` (also `{}`) is everybody. Nothing from outside reaches the ORM as a path: names are
looked up in the registry, values are bound parameters.

Registering, in the module that settings.CONDITION_FIELDS names:

    conditions.register(
        "customer",
        Field("name", _("name"), "text", q="name"),
        Field("company", _("company"), "text", q="company__name"),
        Field("ticket", _("ticket"), "relation", subject="ticket", q=Ticket.objects.all, link="customer",
              value=lambda customer: customer.tickets.all(), plural=_("tickets")),
        Field("event", _("event"), "events", subject="event", q=Event.objects.all, link="customer",
              value=lambda customer, kind, since, until: Event.objects.filter(...)),
        Dynamic("attribute.", find=lambda key: attribute("attribute." + key, label, "number", key), all=...),
    )
"""

from helpdesk.lib.conditions.attributes import attribute
from helpdesk.lib.conditions.fields import Dynamic, EditorField, EditorOp, Field, fields, register
from helpdesk.lib.conditions.grammar import ConditionError
from helpdesk.lib.conditions.tree import clean, matches, to_q, words

__all__ = [
    "ConditionError",
    "Dynamic",
    "EditorField",
    "EditorOp",
    "Field",
    "attribute",
    "clean",
    "fields",
    "matches",
    "register",
    "to_q",
    "words",
]
