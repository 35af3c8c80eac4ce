"""What a tree means: rows in SQL, yes or no in Python, a sentence in words.

Negations are pushed down to the leaves, where `IS NOT TRUE` makes NULL count as "no". Above
them only AND and OR remain, so three-valued SQL and two-valued Python agree, and conditions
that are not negated stay plain comparisons that an index can serve.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import BooleanField, Count, Exists, OuterRef, Q, QuerySet, Value
from django.utils.translation import gettext as _

from helpdesk.lib.conditions.changes import before
from helpdesk.lib.conditions.grammar import ANYBODY, ConditionError, Group, Leaf, Linked, Node, Not, parse, to_json
from helpdesk.lib.conditions.ops import IsNotTrue, delta, show_duration, show_one

Old = Mapping[str, Any]  # field name -> its value before the change, as the event kept it (JSON)


def clean(data: Any, subject: str, *, change: bool = False, personal: bool = False) -> dict[str, Any]:
    """The tree in its one JSON form, safe to store; raises ConditionError(path, message).

    `change`: it will be asked with a change (`matches(..., old=...)`), so it may say "changed" and "was".
    `personal`: it will be asked for somebody (`reader=...`), so it may say "me".
    """
    return to_json(parse(data, subject, strict=True, change=change, reader=ANYBODY if personal else None))


def fault(tree: Any, subject: str, *, change: bool = False) -> str:
    """Why a stored tree could not be stored today, "" if it could: what it asks for is gone or is no choice any more."""
    try:
        clean(tree, subject, change=change)
    except ConditionError as error:
        return _("The conditions ask for what is not there: %s") % error.message
    return ""


def to_q(tree: Any, subject: str, now: datetime, *, few: bool = False, reader: Any = None) -> Q:
    """The condition as a Q for a queryset of the subject's model. Raises ConditionError.

    For filter() and an aggregate's filter=; it joins only to single rows and never doubles one.
    To negate it, negate the tree: in exclude() or ~ SQL's NOT would lose rows with missing values.
    `few` says that the queryset is narrowed to some rows (a batch of ids): what is counted is then
    counted for each of them, instead of once for everybody. It changes the speed, not the answer.
    `reader` is who asks: what "me" means.
    """
    return _q(parse(tree, subject, strict=False, reader=reader), now, few, negated=False)


def matches(tree: Any, subject: str, obj: Any, now: datetime, *, old: Old | None = None, reader: Any = None) -> bool:
    """Whether the condition holds for one object; the same answer as `to_q`. Raises ConditionError.

    `old` is the change that led to `obj`: what it changed, with the values before; a field that it does not name was
    what it is. Without it (None) a condition that asks about a change is refused; {} is a change of nothing.
    """
    return _holds(parse(tree, subject, strict=False, change=old is not None, reader=reader), obj, now, old or {})


def words(tree: Any, subject: str) -> str:
    """The condition as a sentence: "plan is pro and (country is DE or country is AT)"."""
    return _words(parse(tree, subject, strict=False, change=True, reader=ANYBODY), top=True)


def _q(node: Node, now: datetime, few: bool, negated: bool) -> Q:
    if isinstance(node, Not):
        return _q(node.part, now, few, not negated)
    if isinstance(node, Group):
        if not node.parts:
            return Q(Value(not negated, BooleanField()))
        all_of = (node.word == "all") != negated
        found = Q()
        for part in node.parts:
            found = found & _q(part, now, few, negated) if all_of else found | _q(part, now, few, negated)
        return found
    negated ^= node.op.negated
    if isinstance(node, Leaf):
        condition = node.op.sql(node.field, node.value, now)
        return Q(IsNotTrue(condition)) if negated else Q(condition)
    condition = _linked_q(node, now, few)
    return ~condition if negated else condition


def _linked_q(node: Linked, now: datetime, few: bool) -> Q:
    field = node.field
    rows: QuerySet[Any] = field.q().order_by()
    if node.kind:
        rows = rows.filter(**{field.kind: node.kind, f"{field.at}__lte": now})
        if node.within:
            rows = rows.filter(**{f"{field.at}__gte": now - delta(node.within)})
    if node.where:
        rows = rows.filter(_q(node.where, now, few, negated=False))
    if node.at_least == 1 or few:
        theirs = rows.filter(**{field.link: OuterRef("pk")})
        return Q(Exists(theirs[node.at_least - 1 : node.at_least] if node.at_least > 1 else theirs))
    # Counted in one pass over the other rows; a counting subquery would run once for each of ours.
    # No NULL may be among the answers, or NOT IN would be true of nobody.
    counted = rows.filter(**{f"{field.link}__isnull": False}).values(field.link).annotate(counted=Count("*"))
    return Q(pk__in=counted.filter(counted__gte=node.at_least).values(field.link))


def _holds(node: Node, obj: Any, now: datetime, old: Old) -> bool:
    if isinstance(node, Not):
        return not _holds(node.part, obj, now, old)
    if isinstance(node, Group):
        return (all if node.word == "all" else any)(_holds(part, obj, now, old) for part in node.parts)
    if isinstance(node, Leaf):
        value = node.field.read(obj)
        if node.op.change:
            name = node.field.name
            value = (before(old[name], node.field.type) if name in old else value, value)
        return node.op.holds(value, node.value, now) != node.op.negated
    where = node.where
    fitting = (row for row in _linked_rows(node, obj, now) if where is None or _holds(where, row, now, {}))
    return (sum(1 for _row in islice(fitting, node.at_least)) == node.at_least) != node.op.negated


def _linked_rows(node: Linked, obj: Any, now: datetime) -> Iterable[Any]:
    read: Any = node.field.value  # Field refuses to be made without it
    if node.field.type == "relation":
        return read(obj)
    return read(obj, node.kind, now - delta(node.within) if node.within else None, now)


def _words(node: Node, top: bool = False) -> str:
    if isinstance(node, Not):
        return _("not (%s)") % _words(node.part, top=True)
    if isinstance(node, Group):
        if not node.parts:
            return _("always")
        joined = (_(" and ") if node.word == "all" else _(" or ")).join(
            _words(part, top=len(node.parts) == 1 and top) for part in node.parts
        )
        return joined if top or len(node.parts) == 1 else f"({joined})"
    if isinstance(node, Leaf):
        return str(node.op.sentence) % {"field": node.field.label, "value": node.op.show(node.value, node.field)}
    said = _relation_words(node) if node.field.type == "relation" else _event_words(node)
    return _("%(this)s where %(where)s") % {"this": said, "where": _words(node.where)} if node.where else said


def _relation_words(node: Linked) -> str:
    if node.at_least == 1:
        return str(node.op.sentence) % {"rows": node.field.label}
    several = {"count": node.at_least, "rows": node.field.plural or node.field.label}
    return (_("has fewer than %(count)d %(rows)s") if node.op.negated else _("has at least %(count)d %(rows)s")) % several


def _event_words(node: Linked) -> str:
    rows = show_one(node.kind, node.field)
    if node.at_least == 1:
        said = str(node.op.sentence) % {"rows": rows}
    elif node.op.negated:
        said = _("did %(rows)s fewer than %(count)d times") % {"rows": rows, "count": node.at_least}
    else:
        said = _("did %(rows)s at least %(count)d times") % {"rows": rows, "count": node.at_least}
    return _("%(this)s in the last %(time)s") % {"this": said, "time": show_duration(node.within)} if node.within else said
