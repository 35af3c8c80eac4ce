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

A rule also meets a change: what the fields were before it. It asks `changed`, `not_changed`, `changed_to`, `changed_from`,
`was`, `was_not`, `was_set`, `was_not_set` (of tags: `added`, `removed`, `had`, `had_not`) of fields that say `tracked=True`:

    clean(tree, "ticket", change=True)                # on the way in; without `change` such a tree is a ConditionError
    fields("ticket", change=True)                     # for an editor that offers these operators too
    matches(tree, "ticket", ticket, now, old={"status": "open", "tags": ["vip"], "assignee": None})

`old` holds the raw values before the change by the names of the fields, as JSON keeps them (a choice's value, a list of
tags, a date in ISO 8601); of an event's `changes: {field: [old, new]}` it is `{field: pair[0] for field, pair in
changes.items()}`. `ticket` is how it stands after the change. What `old` does not name has not changed. Where there is no
change (views, segments, `to_q`) these operators raise ConditionError; `words` can always say them.

Registering, in the module that settings.CONDITION_FIELDS names:

    conditions.register(
        "customer",
        Field("name", _("name"), "text", q="name", tracked=True),
        Field("company", _("company"), "text", q="company__name"),
        Field("ticket", _("ticket"), "relation", subject="ticket", q=Ticket.objects.all, link="customer",
              value=lambda customer: customer.tickets.all(), plural=_("tickets")),
        Field("event", _("event"), "events", subject="event", q=Event.objects.all, link="customer",
              value=lambda customer, kind, since, until: Event.objects.filter(...)),
        Dynamic("attribute.", find=lambda key: attribute("attribute." + key, label, "number", key), all=...),
    )
"""

from helpdesk.lib.conditions.attributes import attribute
from helpdesk.lib.conditions.fields import Dynamic, EditorField, EditorOp, Field, fields, find, once, register
from helpdesk.lib.conditions.grammar import ConditionError
from helpdesk.lib.conditions.naming import may_name, names
from helpdesk.lib.conditions.ops import either
from helpdesk.lib.conditions.ops import show_duration as duration_words
from helpdesk.lib.conditions.reasons import Asked, Facts, Reason, facts, frozen, linked, shown, thawed
from helpdesk.lib.conditions.tree import clean, fault, matches, to_q, words

__all__ = [
    "Asked",
    "ConditionError",
    "Dynamic",
    "EditorField",
    "EditorOp",
    "Facts",
    "Field",
    "Reason",
    "attribute",
    "clean",
    "duration_words",
    "either",
    "facts",
    "fault",
    "fields",
    "find",
    "frozen",
    "linked",
    "matches",
    "may_name",
    "names",
    "once",
    "register",
    "shown",
    "thawed",
    "to_q",
    "words",
]
