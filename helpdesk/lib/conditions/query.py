"""The search box: from a line of text to the same tree, and back where a line can say it.

    status:open,new assignee:me -tag:spam opened:<3d (priority:urgent OR tag:vip) "late parcel" refund

Terms side by side must all hold, with or without AND; OR stands between alternatives and binds closer, as in web searches;
`-` before a term or a group in parentheses says not. `key:value` asks a registered field:

    text      subject:refund (contains)   subject:=refund (is)   subject:refund* (starts)   subject:*refund (ends)
    choice    status:open   status:open,new   team:"Second level"   assignee:me   assignee:#5 (by id)
    tags      tag:vip   tag:vip,late (any)   tag:vip+late (all)
    number    number:5   number:>5   number:<=5   number:1..5
    yes/no    is:open   open:no
    date      opened:2026-11-01 (on)   opened:<2026-11-01   opened:>3d (more than 3 days ago)   opened:<3d (in the last 3 days)
              of dates that lie ahead   due:<2h (past, or in the next 2 hours)   due:>2h; m, h, d, w are the units
              either way                f:last-3d   f:next-3d   f:>3d-ago   f:>3d-ahead   f:<3d-ahead
    any       has:assignee (is set)   no:assignee (is not set)

Everything else is words, asked of the subject's field of words. A key that is not registered is an error with the nearest
one that is, never words and never a path: it gets no further than the registry.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from helpdesk.lib.conditions.dialect import Inexpressible, asked, told
from helpdesk.lib.conditions.fields import Field, custom, find, known_names, once, own_names
from helpdesk.lib.conditions.grammar import MAX_DEPTH, ConditionError
from helpdesk.lib.conditions.terms import terms
from helpdesk.lib.conditions.tree import clean

__all__ = ["Inexpressible", "QueryError", "Search", "search", "taken", "to_query", "to_tree"]

MAX_LENGTH = 500
_TOKEN = re.compile(
    r"""\s*(?:(?P<open>-?\()|(?P<close>\))|(?P<or>OR(?=[\s()]|$))|(?P<and>AND(?=[\s()]|$))|(?P<no>NOT(?=[\s()]|$))
    |(?P<minus>-?)(?P<key>[^\W\d_][\w.-]*):(?P<value>(?:"[^"]*"?|[^\s()"])*)
    |(?P<not>-(?=["\w#]))?(?P<word>"[^"]*"?|[^\s()"]+))""",
    re.VERBOSE,
)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # what PostgreSQL holds in no text


class QueryError(ValueError):
    """A text that cannot be searched for; the message is for the person who typed it."""


@dataclass(frozen=True)
class Search:
    """How a subject is searched: the field of its words, other names for its keys, and what `is:` can say beside yes/no.

    `flags`: word → a leaf, as `is:unassigned` → {"field": "assignee", "op": "is_not_set"}. `starts`: key → (field, operator
    in front of the value): `before:2026-10-01` is `opened:<2026-10-01`.
    """

    words: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    flags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_searches: dict[str, Search] = {}


def search(subject: str, how: Search) -> None:
    """Register how a subject is searched."""
    _searches[subject] = how


def to_tree(text: str, subject: str, *, personal: bool = True) -> dict[str, Any]:
    """The condition that a line of text says, cleaned. Raises QueryError."""
    if len(text) > MAX_LENGTH:
        raise QueryError(_("Search with at most %d characters.") % MAX_LENGTH)
    with once():
        reader = _Reader(_UNSTORABLE.sub(" ", text), subject, personal)
        tree = reader.group(0)
        try:
            return clean(tree, subject, personal=personal)
        except ConditionError as error:
            raise QueryError(error.message) from error


class _Reader:
    """One pass over the text; every term is checked where it stands, so that a mistake names its key."""

    def __init__(self, text: str, subject: str, personal: bool) -> None:
        self.tokens = [found for found in _TOKEN.finditer(text) if found[0].strip()]
        self.at, self.subject, self.personal = 0, subject, personal
        self.how = _searches.get(subject, Search())

    def group(self, depth: int) -> dict[str, Any]:
        """Terms up to the end, or to the parenthesis that closes the group."""
        if depth > MAX_DEPTH:
            raise QueryError(_("Groups may be nested at most %d deep.") % MAX_DEPTH)
        parts: list[list[Any]] = []  # each a list of alternatives
        joining = False
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            if token["close"]:
                if not depth:
                    raise QueryError(_("There is a “)” without its “(”."))
                break
            if token["no"]:
                raise QueryError(
                    _("Put a minus before what shall not be, as in -tag:spam. To search for the word, write it small.")
                )
            if token["and"]:
                if joining or not parts:
                    raise QueryError(_("AND stands between two terms. To search for the word, write it small or in quotes."))
                continue  # terms side by side must all hold anyway
            if token["or"]:
                if joining or not parts:
                    raise QueryError(_("OR stands between two terms. To search for the word, write it small or in quotes."))
                joining = True
                continue
            term = self.term(token, depth)
            if joining:
                parts[-1].append(term)
            else:
                parts.append([term])
            joining = False
        else:
            if depth:
                raise QueryError(_("There is a “(” without its “)”."))
        if joining:
            raise QueryError(_("OR stands between two terms. To search for the word, write it small or in quotes."))
        return self.joined(parts, depth)

    def joined(self, parts: list[list[Any]], depth: int) -> dict[str, Any]:
        if len(parts) == 1 and len(parts[0]) > 1:
            return {"any": parts[0]}
        every = [alternatives[0] if len(alternatives) == 1 else {"any": alternatives} for alternatives in self.merged(parts)]
        if depth and not every:
            raise QueryError(_("There is nothing between “(” and “)”."))
        return every[0] if depth and len(every) == 1 else {"all": every}

    def merged(self, parts: list[list[Any]]) -> list[list[Any]]:
        """Words side by side are one question: all of them in the same place."""
        merged: list[list[Any]] = []
        for part in parts:
            before = merged[-1] if merged else []
            if all(len(each) == 1 and each[0].get("op") == "has_words" for each in (before, part)):
                merged[-1] = [{**before[0], "value": f"{before[0]['value']} {part[0]['value']}"}]
            else:
                merged.append(part)
        return merged

    def term(self, token: re.Match[str], depth: int) -> dict[str, Any]:
        if token["open"]:
            inner = self.group(depth + 1)
            return {"not": inner} if token["open"][0] == "-" else inner
        try:
            if token["key"]:
                leaf = self.keyed(token["key"], token["value"], bool(token["minus"]))
            else:
                leaf = self.words(token["word"], bool(token["not"]))
            clean(leaf, self.subject, personal=self.personal)
        except ConditionError as error:
            raise QueryError(f"{token['key']}: {error.message}" if token["key"] else error.message) from error
        return leaf

    def words(self, word: str, negated: bool) -> dict[str, Any]:
        if not self.how.words:
            raise QueryError(_("Write a field and its value, such as name:value."))
        if word.startswith('"') and word.count('"') == 1:
            word += '"'
        if not terms(word):
            raise QueryError(_("“%s” holds no word to search for.") % word)
        return {"field": self.how.words, "op": "has_no_words" if negated else "has_words", "value": word}

    def keyed(self, key: str, value: str, negated: bool) -> dict[str, Any]:
        name = key.lower()
        if not value:
            raise QueryError(_("Write what “%s:” should be right behind the colon.") % key)
        if name in ("is", "has", "no"):
            return self.flag(name, value, negated)
        if name in self.how.starts:
            name, sign = self.how.starts[name]
            value = sign + value
        found = self.field(name) or self.field(key)
        if found is None:
            raise QueryError(self.unknown(key, self.keys(), _("There is no “%s:” to search by.")))
        return asked(found, value, negated, key)

    def field(self, name: str) -> Field | None:
        name = self.how.aliases.get(name, name)
        found = find(self.subject, name) or custom(self.subject, name)
        return found if found and found.type != "words" and not found.retired else None

    def flag(self, key: str, value: str, negated: bool) -> dict[str, Any]:
        said = value.strip('"')
        name = said.lower().replace(" ", "_")
        if key == "is" and name in self.how.flags:
            leaf = dict(self.how.flags[name])
            return {"not": leaf} if negated else leaf
        found = self.field(name) or self.field(said)
        if found is None or (key == "is" and found.type != "boolean") or found.type in ("relation", "events"):
            names = [*self.how.flags, *known_names(self.subject, "boolean")] if key == "is" else self.keys()
            raise QueryError(self.unknown(said, names, _("“%s” cannot be asked with “is:”, “has:” or “no:”.")))
        if key == "is" or found.type == "boolean":
            return {"field": found.name, "op": "is_not" if negated else "is", "value": key != "no"}
        return {"field": found.name, "op": "is_set" if (key == "has") != negated else "is_not_set"}

    def keys(self) -> list[str]:
        return ["is", "has", "no", *self.how.aliases, *self.how.starts, *known_names(self.subject)]

    def unknown(self, word: str, known: Iterable[str], message: str) -> str:
        said = message % word[:80]
        near = get_close_matches(word.lower(), list(known), 1, 0.6)
        if near:
            return said + " " + _("Did you mean “%s”?") % near[0]
        return said + " " + _("To search for the words themselves, put them in quotes.")


def taken(subject: str) -> set[str]:
    """The words that mean something of our own before a colon or after `is:`; a custom field called so could mean another."""
    how = _searches.get(subject, Search())
    return {"is", "has", "no", *how.aliases, *how.starts, *how.flags, *own_names(subject)}


def to_query(tree: Any, subject: str) -> str:
    """The text that says this tree; Inexpressible where only the editor can (other rows, changes, empty groups)."""
    with once():
        how = _searches.get(subject, Search())
        if not tree or tree == {"all": []}:
            return ""
        if "all" in tree:
            return " ".join(_part(part, subject, how, top="field" in part) for part in _apart(tree["all"], how))
        return _part(tree, subject, how, top=True)


def _apart(parts: list[Any], how: Search) -> list[Any]:
    """Two questions for words side by side would be read as one."""
    for one, other in pairwise(parts):
        if one.get("op") == other.get("op") == "has_words" and one.get("field") == other.get("field") == how.words:
            raise Inexpressible("words beside words")
    return parts


def _part(node: Any, subject: str, how: Search, top: bool = False) -> str:
    if "not" in node:
        inner = _part(node["not"], subject, how)
        return f"-{inner}" if inner.startswith("(") else f"-({inner})"
    if "field" in node:
        if node["field"] == how.words and node["op"] in ("has_words", "has_no_words"):
            return _words(node, top)
        found = find(subject, node["field"])
        if found is None:
            raise Inexpressible(node["field"])
        shorter = next((alias for alias, name in how.aliases.items() if name == found.name), found.name)
        return told(found, node["op"], node.get("value"), shorter)
    ((word, nodes),) = node.items()
    if not nodes:
        raise Inexpressible("nothing")
    if len(nodes) == 1:
        return _part(nodes[0], subject, how, top)
    nodes = _apart(nodes, how) if word == "all" else nodes
    inner = (" OR " if word == "any" else " ").join(_part(each, subject, how) for each in nodes)
    return inner if top else f"({inner})"


def _words(node: Any, bare: bool) -> str:
    found = terms(node["value"])
    if node["op"] == "has_words":
        return " ".join(found) if bare or len(found) == 1 else f"({' '.join(found)})"
    read = _TOKEN.match(f"-{found[0]}") if len(found) == 1 else None
    return f"-{found[0]}" if read and read["not"] else f"-({' '.join(found)})"
