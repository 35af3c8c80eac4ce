"""The types a field can have, each with its operators in the order an editor offers them."""

from django.utils.translation import gettext_lazy as _

from helpdesk.lib.conditions.changes import CHANGES
from helpdesk.lib.conditions.ops import Op
from helpdesk.lib.conditions.scalars import BOOLEAN, CHOICE, NUMBER, TEXT
from helpdesk.lib.conditions.sets import TAGS
from helpdesk.lib.conditions.terms import WORDS
from helpdesk.lib.conditions.times import DATE

# Operators that count other rows; conditions.grammar and conditions.tree know what they hold.
_RELATION = [
    Op("has", _("has"), _("has at least one %(rows)s"), "count"),
    Op("has_not", _("does not have"), _("has no %(rows)s"), "count", negated=True),
]
_EVENTS = [
    Op("did", _("did"), _("did %(rows)s"), "count"),
    Op("did_not", _("did not do"), _("did not do %(rows)s"), "count", negated=True),
]

TYPES: dict[str, dict[str, Op]] = {
    name: {op.code: op for op in [*ops, *CHANGES.get(name, ())]}
    for name, ops in {
        "text": TEXT,
        "number": NUMBER,
        "boolean": BOOLEAN,
        "date": DATE,
        "choice": CHOICE,
        "tags": TAGS,
        "words": WORDS,
        "relation": _RELATION,
        "events": _EVENTS,
    }.items()
}
LINKED = frozenset({"relation", "events"})
