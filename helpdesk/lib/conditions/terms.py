"""Words to be found in texts that PostgreSQL has indexed: each must begin one of a text's words; "words in quotes" stand so.

The database alone knows what a word of a text is, so both halves of the meaning ask it: a field's `q` takes the words and
gives a Q, its `value` takes the object and gives a function that asks the same of it.
"""

import re
from datetime import datetime
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from helpdesk.lib.conditions.ops import Op, Wrong, text

MAX_WORDS = 16
_TERM = re.compile(r'"[^"]*"?|[^\s"]+')
_LITERAL = re.compile(r"[\"'\\()\x00-\x20]+")  # what has a meaning in a tsquery, even between quotes, or in the search box
_LETTER = re.compile(r"[^\W_]")


def terms(words: str) -> list[str]:
    """The terms of a text, in lower case: single words, and phrases of words between quotes."""
    found: list[str] = []
    for term in _TERM.findall(words.lower()):
        inner = _LITERAL.sub(" ", term).split()
        if term[0] == '"' or ":" in term:  # a colon would name a field
            inner = [f'"{" ".join(inner)}"']
        found += [each if each[0] == '"' else each.lstrip("-") for each in inner if _LETTER.search(each)]
    return list(dict.fromkeys(found))


def query(words: str) -> SearchQuery:
    """What `terms` of a text ask of a tsvector of the configuration "simple"."""
    asked = ["'" + term.strip('"') + "'" if term[0] == '"' else f"'{term}':*" for term in terms(words)]
    return SearchQuery(" & ".join(asked), config="simple", search_type="raw")


def _words(raw: Any, field: Any, strict: bool) -> str:
    found = terms(text(raw, field, strict))
    if not found:
        raise Wrong(_now("Enter a word."))
    if sum(len(term.split()) for term in found) > MAX_WORDS:
        raise Wrong(_now("Use at most %d words.") % MAX_WORDS)
    return " ".join(found)


def _sql(field: Any, value: str, now: datetime) -> Any:
    return field.q(value)


def _holds(ask: Any, wanted: str, now: datetime) -> bool:
    return bool(ask(wanted))


_same: dict[str, Any] = {"takes": "one", "read": _words, "sql": _sql, "holds": _holds}
WORDS = [
    Op("has_words", _("has the words"), _("%(field)s has the words %(value)s"), **_same),
    Op("has_no_words", _("does not have the words"), _("%(field)s does not have the words %(value)s"), **_same, negated=True),
]
