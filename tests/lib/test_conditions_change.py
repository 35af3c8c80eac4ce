"""What a change did: `changed`, `was` and their like, in Python, and refused where there is no change."""

import json
from typing import Any

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.lib.conditions import ConditionError, attribute, clean, fields, matches, to_q, words
from tests.lib import things
from tests.lib.things import NOW, Box, Thing

TRACKED = ("name", "count", "price", "live", "at", "day", "stage", "level", "tags")


def leaf(field: str, op: str, *value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, **({"value": value[0]} if value else {})}


def holds(tree: Any, thing: Thing, **old: Any) -> bool:
    """Asked with the old values as an event keeps them."""
    kept = json.loads(json.dumps(old, cls=DjangoJSONEncoder))
    stored = clean(tree, "thing", change=True)
    assert words(stored, "thing")
    assert clean(stored, "thing", change=True) == stored
    found = matches(stored, "thing", thing, NOW, old=kept)
    assert matches({"not": stored}, "thing", thing, NOW, old=kept) is not found
    return found


NEW = Thing(name="Pro", stage="old", level=2, count=5, live=True, at=NOW, tags=["vip", "late"])


@pytest.mark.parametrize(
    ("tree", "old", "answer"),
    [
        (leaf("stage", "changed"), {"stage": "new"}, True),
        (leaf("stage", "changed"), {"level": 1}, False),
        (leaf("stage", "not_changed"), {"level": 1}, True),
        (leaf("stage", "changed"), {"stage": None}, True),
        (leaf("stage", "changed_to", "old"), {"stage": "new"}, True),
        (leaf("stage", "changed_to", "old"), {}, False),
        (leaf("stage", "changed_to", "new"), {"stage": "ß"}, False),
        (leaf("stage", "changed_from", "new"), {"stage": "new"}, True),
        (leaf("stage", "changed_from", "old"), {"stage": "old"}, False),
        (leaf("stage", "was", "new"), {"stage": "new"}, True),
        (leaf("stage", "was", "old"), {"level": 1}, True),
        (leaf("stage", "was_not", "new"), {"stage": None}, True),
        (leaf("stage", "was_set"), {"stage": ""}, False),
        (leaf("stage", "was_not_set"), {"stage": None}, True),
        (leaf("level", "was", 1), {"level": 1}, True),
        (leaf("name", "was", "BASIC"), {"name": "basic"}, True),
        (leaf("name", "changed"), {"name": "pro"}, True),
        (leaf("count", "was", 3), {"count": 3.0}, True),
        (leaf("count", "changed"), {"count": 5.0}, False),
        (leaf("live", "changed_to", True), {"live": False}, True),
        (leaf("at", "changed"), {"at": NOW}, False),
        (leaf("at", "changed"), {"at": None}, True),
        (leaf("at", "was_set"), {"at": "2026-11-01T00:00:00Z"}, True),
        (leaf("tags", "changed"), {"tags": ["late", "vip"]}, False),
        (leaf("tags", "added", ["vip"]), {"tags": ["late"]}, True),
        (leaf("tags", "added", ["late"]), {"tags": ["late"]}, False),
        (leaf("tags", "removed", ["new", "old"]), {"tags": ["old"]}, True),
        (leaf("tags", "had", ["old"]), {"tags": ["old"]}, True),
        (leaf("tags", "had_not", ["vip"]), {"tags": None}, True),
        ({"all": [leaf("stage", "changed_to", "old"), {"any": [leaf("level", "was", 1), leaf("live", "is", False)]}]},
         {"stage": "new", "level": 1}, True),
    ],
)  # fmt: skip
def test_a_rule_asks_what_a_change_did(tree: Any, old: dict[str, Any], answer: bool):
    assert holds(tree, NEW, **old) is answer


def test_a_change_is_said_in_words():
    tree = {"all": [leaf("stage", "changed_to", "old"), leaf("level", "was", 1), leaf("tags", "added", ["vip"])]}
    assert words(tree, "thing") == "stage changed to Old and level was Low before and tags got vip"


@pytest.mark.parametrize("ask", [
    lambda tree: clean(tree, "thing"),
    lambda tree: to_q(tree, "thing", NOW),
    lambda tree: matches(tree, "thing", NEW, NOW),
])  # fmt: skip
def test_where_there_is_no_change_none_is_asked_for(ask: Any):
    with pytest.raises(ConditionError) as refused:
        ask({"all": [leaf("stage", "is", "new"), leaf("stage", "changed_to", "old")]})
    assert refused.value.path == "all[1].op"
    assert (
        refused.value.message
        == "“stage … changed to” asks about a change, and there is none here: only rules for what changes meet one."
    )


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (leaf("box", "changed"), "op"),  # nobody says what it was
        ({"field": "part", "op": "has", "where": {"field": "whole", "op": "has", "where": leaf("stage", "changed")}},
         "where.where.op"),  # the change is of this thing, not of that
        (leaf("stage", "changed", "old"), ""),
        (leaf("stage", "was", "gone"), "value"),
        (leaf("at", "was", NOW.isoformat()), "op"),
    ],
)  # fmt: skip
def test_a_change_is_asked_only_of_what_follows_it(tree: Any, path: str):
    with pytest.raises(ConditionError) as refused:
        clean(tree, "thing", change=True)
    assert refused.value.path == path


def test_an_editor_of_rules_offers_what_others_do_not():
    def ops(**more: bool) -> dict[str, set[str]]:
        return {field.name: {op.code for op in field.ops} for field in fields("thing", **more)}

    assert "changed_to" not in ops()["stage"]
    assert {"changed", "changed_to", "changed_from", "was", "was_not"} <= ops(change=True)["stage"]
    assert "changed" not in ops(change=True)["box"]
    assert attribute("x", "x", "text", "x", tracked=True).ops["changed_to"].takes == "one"


@settings(max_examples=150, deadline=None)
@given(things.things, things.things, st.sets(st.sampled_from(TRACKED)), st.data())
def test_was_is_what_is_would_have_said(then: Any, since: Any, changed: set[str], data: st.DataObject):
    """Each operator about a change, against the same question asked of the object before it."""
    new = Thing(**since, box=Box())
    before = Thing(**{**since, **{name: then[name] for name in changed}}, box=Box())
    old = {name: then[name] for name in changed}
    for name, same, was, to, gone in (*((name, "is", "was", "changed_to", "changed_from") for name in
                                        ("name", "count", "live", "stage", "level")),
                                      ("tags", "any_of", "had", "", "")):  # fmt: skip
        value = data.draw(things.values("many" if same == "any_of" else "one", name))
        told, tells = (matches(leaf(name, same, value), "thing", thing, NOW) for thing in (before, new))
        assert holds(leaf(name, was, value), new, **old) is told
        if to:
            assert holds(leaf(name, to, value), new, **old) is (tells and not told)
            assert holds(leaf(name, gone, value), new, **old) is (told and not tells)
            assert told == tells or holds(leaf(name, "changed"), new, **old)
    for name in TRACKED:
        if getattr(before, name) == getattr(new, name):
            assert holds(leaf(name, "not_changed"), new, **old)
        was_set = matches(leaf(name, "is_set"), "thing", before, NOW)
        if name != "tags":
            assert holds(leaf(name, "was_set"), new, **old) is was_set
            assert was_set == matches(leaf(name, "is_set"), "thing", new, NOW) or holds(leaf(name, "changed"), new, **old)
