"""The values of the search box, type by type: `<3d`, `open,new`, `=exactly`, and back from a leaf to such a text."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext as _

from helpdesk.lib.conditions.fields import Field
from helpdesk.lib.conditions.grammar import ConditionError
from helpdesk.lib.conditions.ops import either

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LETTERS = {unit: letter for letter, unit in _UNITS.items()}
_ITEM = re.compile(r'("[^"]*"?|[^,+"]+)([,+]?)')
_SPAN = re.compile(r"([<>]|last-|next-)(\d{1,9})([mhdw])(-ago|-ahead)?")
_BARE = re.compile(r"[\w@./#][\w@./#-]*")
_NEGATED = {"is": "is_not", "any_of": "none_of", "contains": "not_contains", "is_set": "is_not_set"}
_PLAIN = {negated: plain for plain, negated in _NEGATED.items()}
KEY = re.compile(r"[^\W\d_][\w.-]*")


class Inexpressible(ValueError):
    """A condition that no line of text says."""


def asked(found: Field, value: str, negated: bool, key: str) -> dict[str, Any]:
    """The leaf that `key:value` says; whether its value holds water is for `clean`. Raises ConditionError."""
    read = _READ.get(found.type)
    if read is None:
        raise ConditionError("", _("“%s” is asked in the editor of conditions alone.") % found.label)
    op, said = read(found, value)
    leaf = {"field": found.name, "op": op, **({} if op == "is_set" else {"value": said})}
    if not negated:
        return leaf
    return leaf | {"op": _NEGATED[op]} if op in _NEGATED and _NEGATED[op] in found.ops else {"not": leaf}


def told(found: Field, op: str, value: Any, key: str) -> str:
    """The text for a leaf. Raises Inexpressible."""
    tell = _TELL.get(found.type)
    if tell is None or found.ops[op].change or not KEY.fullmatch(key):
        raise Inexpressible(found.name)
    minus = "-" if op in _PLAIN and (op != "is_not_set" or found.type == "boolean") else ""
    plain = _PLAIN.get(op, op)
    if plain == "is_set" and found.type != "boolean":
        return f"{'has' if op == 'is_set' else 'no'}:{key}"
    if found.type == "boolean" and plain == "is" and value is True:
        return f"{minus}is:{found.name}"
    return f"{minus}{key}:{tell(found, plain, value)}"


def _items(value: str) -> tuple[list[tuple[str, bool]], str]:
    """The values between commas or plus signs, each with whether it stood in quotes, and the sign; "" for a single one."""
    items, signs = [], set()
    for item, sign in _ITEM.findall(value):
        quoted = item[0] == '"'
        word = item.strip('"').strip() if quoted else item.strip()
        if word:
            items.append((word, quoted))
        signs |= {sign} - {""}
    if len(signs) > 1:
        raise ConditionError("", _("Use either commas or plus signs between the values."))
    return items, "".join(signs)


def _quoted(text: Any) -> str:
    if not isinstance(text, str) or '"' in text or "\0" in text or text != text.strip():
        raise Inexpressible(repr(text))
    return text if _BARE.fullmatch(text) else f'"{text}"'


def _text(found: Field, value: str) -> tuple[str, Any]:
    if value[0] == "=":
        items, sign = _items(value[1:])
        if sign == "+":
            items, sign = [(value[1:].replace('"', ""), False)], ""
        words = [word for word, _q in items]
        return ("any_of", words) if sign else ("is", words[0] if words else "")
    ends, starts = value[0] == "*" and len(value) > 1, value[-1] == "*" and len(value) > 1
    inner = value.removeprefix("*" if ends else "").removesuffix("*" if starts else "").replace('"', "")
    return ("contains" if ends == starts else "ends_with" if ends else "starts_with"), inner


def _text_told(found: Field, op: str, value: Any) -> str:
    if op == "any_of":
        return "=" + _several(value, ",")
    form = {"is": "={}", "contains": "{}", "starts_with": "{}*", "ends_with": "*{}"}.get(op)
    if form is None:
        raise Inexpressible(op)
    return form.format(_quoted(value))


def _several(values: list[Any], sign: str) -> str:
    return sign.join(map(_quoted, values)) + (sign if len(values) == 1 else "")


def _resolved(found: Field, word: str, quoted: bool) -> Any:
    """A choice by its value, its label, or the beginning of one word of its label. Raises ConditionError."""
    options = [(value, str(label)) for value, label in found.options()]
    if not quoted and word.lower() in (found.personal or {}):
        return word.lower()
    if not quoted and word[0] == "#" and word[1:].isdecimal():
        return int(word[1:])
    if not options:
        return word
    low = word.casefold()
    for same in (
        lambda value, label: isinstance(value, str) and value.casefold() == low,
        lambda value, label: label.casefold() == low,
        lambda value, label: any(each.startswith(low) for each in label.casefold().split()),
    ):
        fitting = [option for option in options if same(*option)]
        if len(fitting) == 1:
            return fitting[0][0]
        if len(fitting) > 1:
            some = either([label for _value, label in fitting[:5]])
            raise ConditionError("", _("“%(word)s” may be %(some)s.") % {"word": word[:80], "some": some})
    names = [str(value) if isinstance(value, str) else label for value, label in options] + list(found.personal or {})
    near = get_close_matches(low, [name.casefold() for name in names], 1, 0.6)
    said = _("There is no “%s” to choose.") % word[:80]
    if near:
        said += " " + _("Did you mean “%s”?") % next(name for name in names if name.casefold() == near[0])
    elif len(names) <= 8:
        said += " " + _("There is %s.") % either(names)
    raise ConditionError("", said)


def _choice(found: Field, value: str) -> tuple[str, Any]:
    items, sign = _items(value)
    if sign == "+":
        raise ConditionError("", _("It is one value at a time; put commas between alternatives."))
    chosen = [_resolved(found, *item) for item in items]
    return ("any_of", chosen) if sign else ("is", chosen[0] if chosen else "")


def _choice_one(found: Field, value: Any) -> str:
    """The shortest text that is read as this value again."""
    if isinstance(value, str) and value in (found.personal or {}):
        return value
    texts = [value] if isinstance(value, str) else [str(label) for known, label in found.options() if known == value]
    for text in texts:
        said = _quoted(text)
        try:
            if _resolved(found, text, quoted=said[0] == '"') == value:
                return said
            if said[0] != '"' and _resolved(found, text, quoted=True) == value:
                return f'"{said}"'
        except ConditionError:
            pass
    if isinstance(value, int):
        return f"#{value}"
    raise Inexpressible(repr(value))


def _choice_told(found: Field, op: str, value: Any) -> str:
    if op == "any_of":
        return ",".join(_choice_one(found, each) for each in value) + ("," if len(value) == 1 else "")
    return _choice_one(found, value)


def _tags(found: Field, value: str) -> tuple[str, Any]:
    items, sign = _items(value)
    return ("all_of" if sign == "+" else "any_of"), [_resolved(found, *item) if found.choices else item[0] for item in items]


def _tags_told(found: Field, op: str, value: Any) -> str:
    said = [_choice_one(found, each) if found.choices else _quoted(each) for each in value]
    if op == "all_of":
        return "+".join(said) + ("+" if len(said) == 1 else "")
    return ",".join(said)


_ORDER = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}


def _number(found: Field, value: str) -> tuple[str, Any]:
    for sign, op in _ORDER.items():
        if value.startswith(sign):
            return op, value.removeprefix(sign)
    low, dots, high = value.partition("..")
    return ("between", [low, high]) if dots else ("is", value)


def _number_told(found: Field, op: str, value: Any) -> str:
    if op == "between":
        return f"{value[0]}..{value[1]}"
    return next((sign for sign, code in _ORDER.items() if code == op), "") + str(value)


_YES = dict.fromkeys(("yes", "true"), True) | dict.fromkeys(("no", "false"), False)


def _boolean(found: Field, value: str) -> tuple[str, Any]:
    if value.lower() == "any":
        return "is_set", None
    if value.lower() not in _YES:
        raise ConditionError("", _("Write yes or no."))
    return "is", _YES[value.lower()]


def _boolean_told(found: Field, op: str, value: Any) -> str:
    return "any" if op == "is_set" else "yes" if value else "no"


# (sign, whether it looks ahead) → operator
_TIMES = {
    (">", False): "older_than", ("<", False): "within_last", (">", True): "later_than", ("<", True): "sooner_than",
    ("last-", False): "within_last", ("next-", True): "within_next",
}  # fmt: skip


def _date(found: Field, value: str) -> tuple[str, Any]:
    value = value.replace('"', "")
    if span := _SPAN.fullmatch(value.lower()):
        sign, count, unit, way = span.groups()
        fixed = {"last-": False, "next-": True}.get(sign)
        if fixed is None:
            fixed = way == "-ahead" if way else found.ahead
        elif way:
            raise ConditionError("", _("Write a time such as <3d, or a date such as 2026-11-23."))
        return _TIMES[sign, fixed], {_UNITS[unit]: int(count)}
    if re.match(r"[<>]?\d{4}-", value):
        return {"<": "before", ">": "after"}.get(value[0], "on"), value.lstrip("<>")
    raise ConditionError("", _("Write a time such as <3d, or a date such as 2026-11-23."))


def _date_told(found: Field, op: str, value: Any) -> str:
    if op in ("before", "after", "on"):
        return {"before": "<", "after": ">", "on": ""}[op] + value
    if op == "within_next" or (op == "within_last" and found.ahead):
        sign, way = ("next-" if op == "within_next" else "last-"), ""
    else:
        sign, ahead = next(pair for pair, code in _TIMES.items() if code == op)
        way = "" if ahead == found.ahead else "-ahead" if ahead else "-ago"
    ((unit, count),) = value.items()
    return f"{sign}{count}{_LETTERS[unit]}{way}"


_READ: dict[str, Callable[[Field, str], tuple[str, Any]]] = {
    "text": _text, "choice": _choice, "tags": _tags, "number": _number, "boolean": _boolean, "date": _date,
}  # fmt: skip
_TELL: dict[str, Callable[[Field, str, Any], str]] = {
    "text": _text_told, "choice": _choice_told, "tags": _tags_told, "number": _number_told, "boolean": _boolean_told,
    "date": _date_told,
}  # fmt: skip
