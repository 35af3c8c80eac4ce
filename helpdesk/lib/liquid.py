"""The language of messages and answers: a small, strict part of Liquid in which nothing can be reached, called or made endless.

Values are JSON: a path looks up keys of dictionaries, never attributes. Filters and tags are allow-lists. There are no
variables to assign, so nothing can grow; loops walk lists only, 500 rounds in all nested ones; output has a limit.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TextIO
from urllib.parse import quote, urlsplit

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format, localize, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from liquid import Environment, RenderContext, Undefined
from liquid.ast import Node
from liquid.builtin.content import Literal as LiteralText
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.primitive import Literal, RangeLiteral
from liquid.builtin.filters.misc import default
from liquid.builtin.filters.string import capitalize, downcase, strip, truncate, truncatewords, upcase
from liquid.builtin.illegal import Illegal
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.case_tag import CaseTag
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.if_tag import IfTag
from liquid.builtin.tags.unless_tag import UnlessTag
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.stringify import to_liquid_string

MAX_SOURCE = 20_000  # characters
UNREAD = re.compile(r"\{%-?\s*(raw|endraw|comment|doc)\b")  # the lexer knows these without a tag
LINKS = {"http", "https", "mailto", "tel"}


class BadTemplate(ValueError):
    """A text that cannot be a message, and why, for the one who writes it; permanent."""


class MissingValue(Exception):
    """At the send a value was missing, or no text: the message is skipped. Permanent for this message."""


class BrokenText(MissingValue):
    """The text itself failed, not a value: a limit of the language was reached. It would fail for others too."""


class Absent(Undefined):
    """A value that is not known: false in a condition, an empty list in a loop, and no text."""

    __slots__ = ()

    def __str__(self) -> str:
        raise MissingValue(str(self.hint or self.name).removesuffix(" is undefined"))


class TextNode(OutputNode):
    """Writes texts, numbers, yes and no; a whole list or object is a mistake, not a text."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        if value is None or isinstance(value, dict | list | range):
            raise MissingValue(str(self.expression))
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = localize(value)
        return buffer.write(to_liquid_string(value, context.autoescape))


class TextOutput(Output):
    node_class = TextNode


class ListNode(ForNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.iterable.evaluate(context)
        if not isinstance(value, list | Absent):
            raise MissingValue(_("%s as a list") % self.expression.iterable)
        return super().render_to_output(context, buffer)


class ListFor(ForTag):
    node_class = ListNode


def date(value: object, style: object = "day") -> str:
    """A date or a moment of JSON (ISO 8601) in the reader's words and zone, which a time names; styles: day, moment, weekday."""
    if isinstance(value, Undefined):
        return str(value)
    moment = parse_datetime(str(value)) or parse_date(str(value))
    if moment is None:
        raise MissingValue(_("a date in “%s”") % str(value)[:40])
    if isinstance(moment, datetime) and moment.tzinfo:
        moment = localtime(moment)
    formats = {"day": "DATE_FORMAT", "moment": "DATETIME_FORMAT", "weekday": "l"}
    words = date_format(moment, formats.get(str(style), "DATE_FORMAT"))
    return f"{words} {moment:%Z}" if style == "moment" and isinstance(moment, datetime) and moment.tzinfo else words


def number(value: object, digits: object = 0) -> str:
    """A number with so many decimals (0 to 4), as the reader's language writes it."""
    if isinstance(value, Undefined):
        return str(value)
    try:
        return number_format(float(str(value)), max(0, min(4, int(str(digits)))), force_grouping=True)
    except ValueError:
        raise MissingValue(_("a number in “%s”") % str(value)[:40]) from None


def link(value: object) -> str:
    """The address a whole link is made of: web, mail or telephone, nothing that a browser would run."""
    address = str(value).strip()
    if urlsplit(address).scheme.lower() not in LINKS:
        raise MissingValue(_("a web address in “%s”") % address[:40])
    return address


def part(value: object) -> str:
    """A value inside an address, percent-encoded."""
    return quote(str(value), safe="")


FILTERS = {
    "default": default,
    "upcase": upcase,
    "downcase": downcase,
    "capitalize": capitalize,
    "strip": strip,
    "truncate": truncate,
    "truncatewords": truncatewords,
    "date": date,
    "number": number,
}
INTERNAL_FILTERS = {"link_address": link, "link_part": part}


class Sandbox(Environment):
    loop_iteration_limit = 500
    output_stream_limit = 200_000
    block_nesting_limit = 10
    context_depth_limit = 15

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        for tag in (LiteralText, TextOutput, Illegal, IfTag, UnlessTag, CaseTag, ListFor):
            self.add_tag(tag)
        self.filters = FILTERS | INTERNAL_FILTERS


@cache
def sandbox(*, html: bool) -> Sandbox:
    return Sandbox(undefined=Absent, autoescape=html)


def render(source: str, values: dict[str, Any]) -> str:
    """A plain text with its values. Raises MissingValue for one that is not known, and for a text that is none."""
    try:
        return str(sandbox(html=False).from_string(source).render(**without_empty(values)))
    except LiquidError as error:
        raise BrokenText(str(getattr(error, "message", error))) from error


@dataclass(frozen=True)
class Use:
    """A value that a text writes out: where it comes from, and whether the text itself says what else to write."""

    path: str
    has_default: bool


def check(source: str, roots: Collection[str], always: Collection[str] = ()) -> list[Use]:
    """The values a text writes, in order, but those that are ``always`` there; what it knows begins with one of ``roots``.

    Raises BadTemplate for anything that is not this language.
    """
    if len(source) > MAX_SOURCE:
        raise BadTemplate(_("At most %d characters.") % MAX_SOURCE)
    if unread := UNREAD.search(source):
        raise BadTemplate(_("There is no “%s” here.") % unread[1])
    try:
        template = sandbox(html=False).from_string(source)
    except LiquidError as error:
        raise BadTemplate(str(getattr(error, "message", error))) from error
    context = RenderContext(template)
    return [use for use in _uses(template.nodes, frozenset(roots), context) if use.path not in always]


def _uses(nodes: Iterable[Node], known: frozenset[str], context: RenderContext) -> Iterator[Use]:
    for node in nodes:
        for expression in node.expressions():
            _check_expression(expression, known)
            if isinstance(node, TextNode):
                yield from _use(expression, known)
        inner = known | {str(name) for name in node.block_scope()}
        yield from _uses(node.children(context), inner, context)


def _check_expression(expression: Expression, known: frozenset[str]) -> None:
    if isinstance(expression, RangeLiteral):
        raise BadTemplate(_("Ranges such as (1..5) are not possible here; loops walk through lists."))
    if isinstance(expression, Path):
        if not all(isinstance(segment, str | int) for segment in expression.path):
            raise BadTemplate(_("“%s”: a name in brackets must be plain text.") % expression)
        if str(expression.path[0]) not in known:
            raise BadTemplate(
                _("A text knows nothing called “%(name)s”; it knows %(roots)s.")
                % {"name": expression.path[0], "roots": ", ".join(sorted(known))}
            )
    if isinstance(expression, FilteredExpression):
        for item in expression.filters or []:
            if item.name not in FILTERS:
                raise BadTemplate(_("There is no filter “%s”.") % item.name)
            for argument in item.children():
                if not isinstance(argument, Literal):
                    raise BadTemplate(_("“%s”: what follows a filter must be plain text or a number.") % expression)
    for child in expression.children():
        _check_expression(child, known)


def _use(expression: Expression, known: frozenset[str]) -> Iterator[Use]:
    left = expression.left if isinstance(expression, FilteredExpression) else expression
    if not isinstance(left, Path):
        return
    path = ".".join(str(segment) for segment in left.path)
    filters = list(getattr(expression, "filters", None) or [])
    fallback = next((item for item in filters if item.name == "default"), None)
    if fallback and filters[0] is not fallback:
        raise BadTemplate(
            _("“%s”: write default as the first filter, so that the others have something to work on.") % expression
        )
    value = [argument.value for argument in fallback.children()[:1]] if fallback else []
    if str(left.path[0]) != "forloop":
        yield Use(path, bool(value and str(value[0]).strip()))


def without_empty(value: Any) -> Any:
    """JSON without what says nothing (null, empty text), so that a fallback steps in for it."""
    if isinstance(value, dict):
        return {str(key): clean for key, inner in value.items() if (clean := without_empty(inner)) is not None}
    if isinstance(value, list):
        return [clean for inner in value if (clean := without_empty(inner)) is not None]
    if isinstance(value, str):
        return value if value.strip() else None
    return value
