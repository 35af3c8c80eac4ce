"""The rows of the editor lose nothing: what they can show comes back the same, what they cannot stays JSON."""

import json
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpdesk.customers import rows
from helpdesk.lib import conditions

pytestmark = pytest.mark.django_db
text = st.text("abc ,.;äß\"'<>%to12", min_size=1, max_size=12).filter(lambda words: words.strip())
LEAVES = st.one_of(
    st.builds(
        lambda op, value: {"field": "name", "op": op, "value": value}, st.sampled_from(["is", "contains", "starts_with"]), text
    ),
    st.builds(lambda values: {"field": "stage", "op": "any_of", "value": values}, st.lists(text, min_size=1, max_size=3)),
    st.builds(lambda op: {"field": "email", "op": op}, st.sampled_from(["is_set", "is_not_set"])),
    st.builds(
        lambda value: {"field": "bucket", "op": "between", "value": value},
        st.lists(st.integers(-5, 99) | st.integers(-5000, 99000).map(lambda n: n / 1000), min_size=2, max_size=2).map(sorted),
    ),
    st.builds(lambda days: {"field": "created", "op": "within_last", "value": {"days": days}}, st.integers(1, 900)),
    st.builds(
        lambda day: {"field": "created", "op": "before", "value": day.isoformat()}, st.dates(date(1950, 1, 1), date(2100, 1, 1))
    ),
    st.builds(lambda op, n: {"field": "ticket", "op": op, "at_least": n}, st.sampled_from(["has", "has_not"]), st.integers(1, 9)),
    st.builds(
        lambda n, h: {"field": "event", "op": "did", "value": "order_shipped", "at_least": n, "within": {"hours": h}},
        st.integers(1, 9),
        st.integers(1, 99),
    ),
    st.just({"field": "ticket", "op": "has", "where": {"field": "open", "op": "is", "value": True}}),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda word, parts: {word: parts}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=6,
)


def as_posted(shown):
    """What a browser would send back of what the editor shows."""
    data = {"join": shown.join, "c-total": str(len(shown.rows))}
    for n, row in enumerate(shown.rows):
        data |= {
            f"c{n}-field": row.field,
            f"c{n}-op": row.op,
            f"c{n}-value": row.value,
            f"c{n}-count": row.count,
            f"c{n}-within": row.within,
        }
    return data


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
)
@given(TREES)
def test_no_tree_changes_by_being_shown_and_saved(tree):
    stored = conditions.clean(tree, "customer")
    shown = rows.shown(stored)
    if shown.source is not None:
        assert conditions.clean(json.loads(shown.source), "customer") == stored
        return
    back = rows.tree(*rows.posted(as_posted(shown)))
    flat = stored if "field" not in stored else {"all": [stored]}
    assert back == flat


def test_simple_trees_are_rows_and_deep_ones_are_not():
    assert rows.shown({}).rows == [] and rows.shown({"all": []}).source is None
    two = {"any": [{"field": "name", "op": "is", "value": "Ben"}, {"field": "email", "op": "is_set"}]}
    assert len(rows.shown(two).rows) == 2
    assert rows.shown({"not": {"field": "name", "op": "is", "value": "Ben"}}).source
    assert rows.shown({"field": "ticket", "op": "has", "where": {"field": "open", "op": "is", "value": True}}).source
    assert rows.shown({"field": "gone_since", "op": "is", "value": 1}).source


def test_a_comma_inside_a_value_is_no_two_values():
    assert rows.shown({"all": [{"field": "stage", "op": "any_of", "value": ["a, b"]}]}).source
