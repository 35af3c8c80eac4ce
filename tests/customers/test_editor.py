"""The editor of conditions loses nothing: a tree comes back as it was shown, whatever is nested in it, by a plain form alone."""

import json
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpdesk.customers.conditions_form import ConditionsForm
from helpdesk.customers.models import Address
from helpdesk.lib import conditions
from helpdesk.lib.conditions.grammar import MAX_DEPTH

pytestmark = pytest.mark.django_db
text = st.text("abc ,.;äß\"'<>%to12\\&", min_size=1, max_size=12).filter(lambda words: words.strip())
spans = st.builds(lambda unit, count: {unit: count}, st.sampled_from(["minutes", "hours", "days", "weeks"]), st.integers(1, 900))
moments = st.dates(date(1950, 1, 1), date(2100, 1, 1)).map(date.isoformat) | st.sampled_from(
    ["2026-11-23T10:00:00Z", "2026-11-23T10:00:30Z", "2026-11-23T10:00:30.000001Z", "2026-10-25T01:30:00Z"]
)


REACHES = [*Address.Reachability.values[:2], "gone"]  # as the boxes stand


def leaf(field: str, op: str, *value: Any, **more: Any) -> dict[str, Any]:
    return {"field": field, "op": op, **({"value": value[0]} if value else {}), **more}


numbers = st.integers(-5, 99) | st.integers(-5000, 99000).map(lambda n: n / 1000)
OPEN = leaf("open", "is", True)
LEAVES = st.one_of(
    st.builds(lambda op, value: leaf("name", op, value), st.sampled_from(["is", "contains", "starts_with"]), text),
    st.builds(lambda values: leaf("stage", "any_of", values), st.lists(text, min_size=1, max_size=3)),
    st.builds(lambda op: leaf("email", op), st.sampled_from(["is_set", "is_not_set"])),
    st.builds(lambda values: leaf("reachability", "none_of", values),
              st.sets(st.sampled_from(REACHES), min_size=1).map(lambda some: sorted(some, key=REACHES.index))),
    st.builds(lambda value: leaf("bucket", "between", value),
              st.lists(numbers, min_size=2, max_size=2).map(sorted)),
    st.builds(lambda op, span: leaf("created", op, span), st.sampled_from(["within_last", "older_than", "later_than"]), spans),
    st.builds(lambda op, at: leaf("created", op, at), st.sampled_from(["before", "after"]), moments),
    st.builds(lambda op, n: leaf("ticket", op, at_least=n), st.sampled_from(["has", "has_not"]), st.integers(1, 9)),
    st.builds(lambda n, span: leaf("event", "did", "order_shipped", at_least=n, within=span), st.integers(1, 9), spans),
    st.builds(lambda op, where: leaf("ticket", op, where=where), st.sampled_from(["has", "has_not"]), st.one_of(
        st.just(OPEN), st.just({"not": OPEN}),
        st.builds(lambda name: {"any": [OPEN, {"not": {"all": [OPEN, leaf("subject", "contains", name)]}}]}, text))),
)  # fmt: skip


def depth(tree: Any) -> int:
    """How many conditions stand within each other, as the grammar counts them."""
    if isinstance(tree, list):
        return max(map(depth, tree), default=0)
    return 1 + max((depth(tree[word]) for word in ("all", "any", "not", "where") if word in tree), default=0)


TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda word, parts: {word: parts}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
).filter(lambda tree: depth(tree) <= MAX_DEPTH)


class Browser(HTMLParser):
    """What a browser without script would send of a page: successful inputs by name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent = QueryDict(mutable=True)
        self.select, self.first, self.chosen, self.area = "", None, None, ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        told = dict(attrs)
        if tag == "input" and (told.get("type") != "checkbox" or "checked" in told):
            self.sent.appendlist(told["name"], told.get("value", ""))
        elif tag == "select":
            self.select, self.first, self.chosen = told["name"], None, None
        elif tag == "option" and self.select:
            self.first = told["value"] if self.first is None else self.first
            self.chosen = told["value"] if "selected" in told else self.chosen
        elif tag == "textarea":
            self.area = told["name"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.sent.appendlist(self.select, self.first if self.chosen is None else self.chosen)
            self.select = ""

    def handle_data(self, data: str) -> None:
        if self.area:
            self.sent[self.area] = data
            self.area = ""


def shown(form: ConditionsForm) -> str:
    return render_to_string("conditions/_editor.html", {"conditions": form})


def plain(tree: Any) -> Any:
    """The one form that groups and lines have of a tree: `not` stands before an `any`."""
    if "field" in tree:
        return {**tree, **({"where": group(tree["where"])} if "where" in tree else {})}
    if "not" in tree:
        inner = tree["not"]
        return {"not": {"any": [plain(part) for part in inner.get("any", [inner])]}}
    ((word, parts),) = tree.items()
    return {word: [plain(part) for part in parts]}


def group(tree: Any) -> Any:
    return plain(tree) if "field" not in tree else {"all": [plain(tree)]}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(TREES)
def test_no_tree_changes_by_being_shown_and_sent_back(tree: Any):
    stored = conditions.clean(tree, "customer") if "gone" not in str(tree) else tree
    form = ConditionsForm(stored=stored)
    back = ConditionsForm(Browser(shown(form)).sent, stored={})
    if form.source is not None:
        assert back.draft.parts == [] and back.source == form.source
        return
    assert back.is_valid() is ("gone" not in str(tree)), back.errors
    assert back.draft.to_json() == form.draft.to_json()
    if back.tree is not None:
        assert back.tree == group(stored)


def test_what_cannot_be_read_any_more_stays_json_whole():
    for stored in ({"field": "gone_since", "op": "is", "value": 1}, {"all": [{"field": "name", "op": "gone", "value": "x"}]}):
        form = ConditionsForm(stored=stored)
        assert json.loads(form.source or "") == stored and form.draft.parts == [] and form.fault


def test_a_comma_inside_a_value_is_no_two_values():
    stored = {"all": [leaf("stage", "any_of", ["a, b", "c"])]}
    back = ConditionsForm(Browser(shown(ConditionsForm(stored=stored))).sent, stored={})
    assert back.is_valid() and back.tree == stored
