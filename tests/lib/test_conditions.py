"""The condition language as people meet it: what it says, what it refuses, and what missing means."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import translation

from helpdesk.lib.conditions import ConditionError, Dynamic, Field, attribute, clean, fields, matches, register, to_q, words
from helpdesk.lib.conditions.scalars import fold
from tests.lib import things
from tests.lib.things import NOW, Box, Part, Thing


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), things.tables():
        yield


def leaf(field: str, op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"field": field, "op": op, **({} if value is None else {"value": value}), **more}


def picked(tree: Any) -> list[str]:
    """The names of the things that a tree picks: in SQL, and the same in Python."""
    in_sql = sorted(Thing.objects.filter(to_q(tree, "thing", NOW)).values_list("name", flat=True))
    everything = Thing.objects.select_related("box").prefetch_related("parts")
    assert in_sql == sorted(thing.name for thing in everything if matches(tree, "thing", thing, NOW))
    return in_sql


# What it says -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"all": []}, "always"),
        (leaf("name", "is", "pro"), "name is pro"),
        (
            {"all": [leaf("name", "is", "pro"), {"any": [leaf("stage", "is", "new"), leaf("level", "is", 2)]}]},
            "name is pro and (stage is New or level is High)",
        ),
        ({"not": {"any": [leaf("live", "is", True), leaf("rated", "is", False)]}}, "not (live is yes or rated is no)"),
        (leaf("stage", "none_of", ["new", "old"]), "stage is not New or Old"),
        (leaf("tags", "all_of", ["vip", "late"]), "tags has vip and late"),
        (leaf("count", "between", [1, 2.5]), "count is between 1 and 2.5"),
        (leaf("at", "within_last", {"days": 30}), "at is in the last 30 days"),
        (leaf("at", "older_than", {"hours": 1}), "at is more than 1 hour ago"),
        (leaf("day", "before", "2026-11-23"), "day is before Nov. 23, 2026"),
        (leaf("part", "has"), "has at least one part"),
        (
            leaf("part", "has", at_least=2, where=leaf("kind", "is", "opened")),
            "has at least 2 parts where kind is opened",
        ),
        (leaf("part", "has_not", at_least=2), "has fewer than 2 parts"),
        (leaf("event", "did", "opened", at_least=3, within={"days": 7}), "did opened it at least 3 times in the last 7 days"),
        (
            leaf("event", "did_not", "closed", where={"any": [leaf("size", "gt", 1), leaf("size", "is_not_set")]}),
            "did not do closed where (size is more than 1 or size is not set)",
        ),
        (leaf("attribute.text", "contains", "x"), "custom text contains x"),
    ],
)
def test_a_condition_reads_as_a_sentence(tree: Any, sentence: str):
    assert words(tree, "thing") == sentence
    assert words(clean(tree, "thing"), "thing") == sentence


def test_a_sentence_is_in_the_readers_language():
    with translation.override("de"):
        assert words(leaf("day", "before", "2026-11-23"), "thing").endswith("23. November 2026")


# What it refuses --------------------------------------------------------------------------------------------------

NAME = leaf("name", "is", "x")


def nested(depth: int) -> Any:
    return NAME if depth == 1 else {"not": nested(depth - 1)}


@pytest.mark.parametrize(
    ("tree", "path", "told"),
    [
        ("name is pro", "", "Expected a condition"),
        ([NAME], "", "Expected a condition"),
        ({"all": NAME}, "all", "a list"),
        ({"all": [NAME], "any": [NAME]}, "", "one of"),
        ({"al": []}, "", "one of"),
        ({"all": [NAME], "x": 1}, "", "“x” does not belong"),
        ({"any": []}, "any", "at least one"),
        ({"all": [NAME, {"any": [NAME, {"not": None}]}]}, "all[1].any[1].not", "Expected a condition"),
        ({**NAME, "where": NAME}, "", "“where” does not belong"),
        (leaf("name", "is_set", "x"), "", "“value” does not belong"),
        (leaf("box__name", "is", "x"), "field", "no field “box__name”"),
        (leaf("box__attributes__secret", "is", "x"), "field", "no field"),
        (leaf("pk", "is", 1), "field", "no field"),
        (leaf("attribute.text__isnull", "is", "x"), "field", "no field"),
        (leaf("attribute.", "is", "x"), "field", "no field"),
        ({"field": ["name"], "op": "is", "value": "x"}, "field", "no field"),
        (leaf("attribute.\x00", "is", "x"), "field", "no field"),
        (leaf("attribute.\ud800", "is", "x"), "field", "no field"),
        (leaf("name", "iregex", "x"), "op", "“iregex” cannot be asked of “name”"),
        (leaf("name", "gt", 1), "op", "cannot be asked"),
        ({"field": "name", "op": {}, "value": "x"}, "op", "cannot be asked"),
        ({"field": "name", "op": "is"}, "value", "Enter a text"),
        (leaf("name", "is", "  "), "value", "is not set"),
        (leaf("name", "is", 5), "value", "Enter a text"),
        (leaf("name", "is", "a\x00b"), "value", "cannot be stored"),
        (leaf("name", "is", "\ud800"), "value", "cannot be stored"),
        (leaf("name", "is", "x" * 501), "value", "500"),
        (leaf("name", "any_of", []), "value", "at least one"),
        (leaf("name", "any_of", "x"), "value", "at least one"),
        (leaf("name", "any_of", ["x"] * 101), "value", "100"),
        (leaf("count", "is", "many"), "value", "Enter a number"),
        (leaf("count", "is", True), "value", "Enter a number"),
        (leaf("count", "is", "NaN"), "value", "Enter a number"),
        (leaf("count", "is", float("inf")), "value", "Enter a number"),
        (leaf("count", "is", 10**15), "value", "15 digits"),
        (leaf("count", "is", 0.1 + 0.2), "value", "15 digits"),
        (leaf("count", "is", "1e-300"), "value", "15 digits"),
        (leaf("count", "is", "9" * 5000), "value", "Enter a number"),
        (leaf("count", "between", [2, 1]), "value", "smaller number first"),
        (leaf("count", "between", [1]), "value", "two numbers"),
        (leaf("live", "is", "maybe"), "value", "yes or no"),
        (leaf("live", "is", 1), "value", "yes or no"),
        (leaf("stage", "is", "gone"), "value", "“gone” is not one of the choices"),
        (leaf("level", "any_of", [1, 9]), "value", "“9” is not one"),
        (leaf("tags", "any_of", [None]), "value", "Choose one"),
        (leaf("at", "before", "soon"), "value", "such as 2026-11-23"),
        (leaf("at", "before", "2026-02-30"), "value", "such as 2026-11-23"),
        (leaf("at", "before", "0001-01-01"), "value", "1900"),
        (leaf("at", "on", "2026-11-23T10:00"), "value", "without a time"),
        (leaf("at", "within_last", 30), "value", "Enter a number of"),
        (leaf("at", "within_last", {"years": 1}), "value", "Enter a number of"),
        (leaf("at", "within_last", {"days": 1, "hours": 1}), "value", "Enter a number of"),
        (leaf("at", "within_last", {"days": 0}), "value", "at least 1"),
        (leaf("at", "within_last", {"days": 10**9}), "value", "hundred years"),
        (leaf("at", "within_last", {"days": 1.5}), "value", "whole number"),
        (leaf("part", "has", at_least=0), "at_least", "whole number"),
        (leaf("part", "has", at_least=10**9), "at_least", "whole number"),
        (leaf("part", "has", within={"days": 1}), "", "“within” does not belong"),
        (leaf("part", "has", where=leaf("name", "is", "x")), "where.field", "no field “name”"),
        ({"all": [NAME, leaf("part", "has", where={"all": [leaf("size", "is", "x")]})]}, "all[1].where.all[0].value", "a number"),
        (leaf("event", "did"), "value", "Enter a text"),
        (leaf("event", "did", "opened", within={"days": "x"}), "within", "whole number"),
        (nested(9), "not.not.not.not.not.not.not.not", "8 deep"),
        ({"all": [{"all": [NAME] * 100}, {"all": [NAME] * 101}]}, "all[1].all[100]", "200 conditions"),
        ({"all": [NAME] * 201}, "all", "200 conditions"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tree: Any, path: str, told: str):
    with pytest.raises(ConditionError) as refused:
        clean(tree, "thing")
    assert refused.value.path == path
    assert told in refused.value.message
    refused.value.message.encode()  # it goes onto a page


def test_depth_does_not_exhaust_the_stack():
    tree: Any = NAME
    for _ in range(100_000):
        tree = {"all": [tree]}
    for door in (clean, words, lambda tree, subject: to_q(tree, subject, NOW)):
        with pytest.raises(ConditionError):
            door(tree, "thing")


def test_the_limits_themselves_are_allowed():
    clean(nested(8), "thing")
    clean({"all": [NAME] * 200}, "thing")


def test_no_door_lets_an_unknown_name_through():
    for door in (lambda t: to_q(t, "thing", NOW), lambda t: matches(t, "thing", Thing(), NOW), lambda t: words(t, "thing")):
        with pytest.raises(ConditionError):
            door(leaf("box__name", "is", "x"))
        with pytest.raises(ConditionError):
            door(leaf("name", "icontains", "x"))


def test_a_choice_that_is_gone_is_refused_when_saved_and_harmless_when_stored(db: None, world: None):
    Thing.objects.create(name="a", stage="gone")
    stored = leaf("stage", "is", "gone")
    with pytest.raises(ConditionError):
        clean(stored, "thing")
    assert picked(stored) == ["a"]
    assert words(stored, "thing") == "stage is gone"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({}, {"all": []}),
        (None, {"all": []}),
        (leaf("name", "is", "  pro "), leaf("name", "is", "pro")),
        (leaf("count", "is", "5.0"), leaf("count", "is", 5)),
        (leaf("count", "is", "-0"), leaf("count", "is", 0)),
        (leaf("count", "is", 2.50), leaf("count", "is", 2.5)),
        (leaf("level", "any_of", ["1", 1, "2"]), leaf("level", "any_of", [1, 2])),
        (leaf("live", "is", "True"), leaf("live", "is", True)),
        (leaf("at", "within_last", {"days": "30"}), leaf("at", "within_last", {"days": 30})),
        (leaf("at", "before", "2026-11-23T10:00+02:00"), leaf("at", "before", "2026-11-23T08:00:00Z")),
        (leaf("part", "has", at_least=1, where=None), leaf("part", "has")),
    ],
)
def test_there_is_one_stored_form(sent: Any, stored: Any):
    assert clean(sent, "thing") == stored


# What it means ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_missing_is_not_the_value_and_not_anything_else(world: None):
    Thing.objects.create(name="pro", count=5, stage="new", tags=["vip"])
    Thing.objects.create(name="none")
    Thing.objects.create(name="blank", stage="", tags=[])
    assert picked(leaf("stage", "is_not", "new")) == ["blank", "none"]
    assert picked(leaf("stage", "is_not_set")) == ["blank", "none"]
    assert picked(leaf("tags", "none_of", ["vip"])) == ["blank", "none"]
    assert picked(leaf("tags", "is_not_set")) == ["blank", "none"]
    assert picked(leaf("count", "lt", 9)) == ["pro"]
    assert picked({"not": leaf("count", "lt", 9)}) == ["blank", "none"]
    assert picked({"not": {"not": leaf("count", "lt", 9)}}) == ["pro"]
    assert picked({"not": {"all": []}}) == []


@pytest.mark.django_db
def test_somebody_without_a_company_is_not_lost_and_nobody_is_doubled(world: None):
    boxed = Thing.objects.create(name="boxed", box=Box.objects.create(name="Acme"))
    Thing.objects.create(name="alone")
    Part.objects.bulk_create([Part(thing=boxed, kind="opened", occurred_at=NOW, size=size) for size in (1, 2, 3)])
    assert picked(leaf("box", "is_not", "acme")) == ["alone"]
    assert picked({"any": [leaf("box", "is", "ACME"), leaf("name", "is", "alone")]}) == ["alone", "boxed"]
    assert picked(leaf("part", "has", where=leaf("size", "gte", 2))) == ["boxed"]
    assert picked(leaf("part", "has", where=leaf("size", "gte", 2), at_least=3)) == []
    assert picked(leaf("part", "has_not", at_least=4)) == ["alone", "boxed"]


@pytest.mark.django_db
def test_did_it_so_often_in_so_many_days(world: None):
    for name, days in (("often", [1, 5, 30]), ("long ago", [1, 5, 31]), ("tomorrow", [1, 5, -1])):
        thing = Thing.objects.create(name=name)
        Part.objects.bulk_create([Part(thing=thing, kind="opened", occurred_at=NOW - timedelta(days=day)) for day in days])
    Part.objects.bulk_create([Part(kind="opened", occurred_at=NOW) for _ in range(3)])
    thrice = {"at_least": 3, "within": {"days": 30}}
    assert picked(leaf("event", "did", "opened", **thrice)) == ["often"]
    assert picked(leaf("event", "did_not", "opened", **thrice)) == ["long ago", "tomorrow"]
    assert picked(leaf("event", "did_not", "closed")) == ["long ago", "often", "tomorrow"]
    assert picked(leaf("event", "did", "OPENED")) == []  # kinds are names, not words


@pytest.mark.django_db
@override_settings(TIME_ZONE="America/New_York")
def test_a_day_is_the_workspaces_day(world: None):
    for hour in (4, 5, 28, 29):
        Thing.objects.create(name=f"{hour:02}", at=datetime(2026, 11, 23, tzinfo=UTC) + timedelta(hours=hour))
    assert picked(leaf("at", "on", "2026-11-23")) == ["05", "28"]
    assert picked(leaf("at", "before", "2026-11-23")) == ["04"]
    assert picked(leaf("at", "after", "2026-11-23")) == ["29"]
    assert clean(leaf("at", "before", "2026-11-23T10:00"), "thing")["value"] == "2026-11-23T15:00:00Z"


@pytest.mark.django_db
def test_an_attribute_counts_only_as_what_it_was_declared(world: None):
    for name, value in (("five", 5), ("text", "5"), ("yes", True), ("list", [5]), ("null", None)):
        Thing.objects.create(name=name, attributes={"number": value, "text": value, "boolean": value, "7": value})
    Thing.objects.create(name="none")
    assert picked(leaf("attribute.number", "is", 5)) == ["five"]
    assert picked(leaf("attribute.text", "is", "5")) == ["text"]
    assert picked(leaf("attribute.boolean", "is", True)) == ["yes"]
    assert picked(leaf("attribute.number", "is_not_set")) == ["list", "none", "null", "text", "yes"]
    assert picked(leaf("attribute.7", "is_set")) == ["text"]  # a name that looks like a place in a list


@pytest.mark.django_db
def test_values_and_keys_are_bound_parameters(world: None):
    Thing.objects.create(name="x' OR '1'='1")
    Thing.objects.create(name="100%")
    evil = "x' OR '1'='1"
    assert picked(leaf("name", "is", evil)) == [evil]
    assert picked(leaf("name", "contains", "%")) == ["100%"]
    assert picked(leaf("name", "contains", "_")) == []
    assert picked(leaf("name", "contains", "\\")) == []
    register("keyed", Dynamic("attribute.", lambda key: attribute(f"attribute.{key}", key, "text", key), list))
    with CaptureQueriesContext(connection) as queries:
        assert not Thing.objects.filter(to_q(leaf(f"attribute.{evil}", "is", "y"), "keyed", NOW)).exists()
    assert "x'' OR ''1''=''1" in queries[0]["sql"]


@pytest.mark.django_db
def test_all_counts_in_one_pass(world: None):
    box = Box.objects.create(name="Acme")
    thing = Thing.objects.create(name="a", box=box, count=1)
    Thing.objects.create(name="b", count=2)
    Part.objects.create(thing=thing, kind="opened", occurred_at=NOW)
    views = {
        "acme": leaf("box", "is", "acme"),
        "others": leaf("box", "is_not", "acme"),
        "opened": leaf("part", "has"),
        "twice": leaf("part", "has_not", at_least=2),
        "all": {"all": []},
        "none": {"not": {"all": []}},
    }
    with CaptureQueriesContext(connection) as queries:
        counts = Thing.objects.aggregate(**{name: Count("pk", filter=to_q(tree, "thing", NOW)) for name, tree in views.items()})
    assert len(queries) == 1
    assert counts == {"acme": 1, "others": 1, "opened": 1, "twice": 2, "all": 2, "none": 0}


@pytest.mark.django_db
def test_plain_conditions_stay_such_that_an_index_serves_them(world: None):
    tree = {"all": [leaf("stage", "is", "new"), leaf("level", "any_of", [1, 2]), leaf("at", "before", "2026-11-23"),
                    leaf("count", "gte", 5)]}  # fmt: skip
    sql = str(Thing.objects.filter(to_q(tree, "thing", NOW)).query).partition(" WHERE ")[2]
    for plain in ('"stage" = new', '"level" IN (1, 2)', '"at" < 2026-11-23', '"count" >= 5'):
        assert plain in sql
    assert not {"CASE", "COALESCE", "IS NOT TRUE", "UPPER"} & set(sql.replace("(", " ").split())


@pytest.mark.django_db
def test_an_attribute_that_is_a_value_is_asked_for_as_an_index_of_values_finds_it(world: None):
    Thing.objects.create(name="a", attributes={"choice": "5", "number": 5, "boolean": True})
    Thing.objects.create(name="b", attributes={"choice": 5, "number": "5", "boolean": "true"})
    for kind, value in (("choice", "5"), ("number", 5.0), ("boolean", True)):
        tree = leaf(f"attribute.{kind}", "is", value)
        sql = str(Thing.objects.filter(to_q(tree, "thing", NOW)).query)
        assert " @> " in sql and "CASE" not in sql
        assert picked(tree) == ["a"]
        assert picked({"not": tree}) == ["b"]
    assert picked(leaf("attribute.choice", "any_of", ["x", "5"])) == ["a"]
    assert picked(leaf("attribute.choice", "is", 5)) == []  # a choice is a text: the number 5 is none


@pytest.mark.django_db
def test_letters_fold_as_postgresql_folds_them():
    """Every letter that Python's Unicode knows. PostgreSQL may be newer: letters unknown to either are left out."""
    import unicodedata

    letters = [
        chr(code) for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF and unicodedata.category(chr(code)) != "Cn"
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(upper(letter) ORDER BY at) FROM unnest(%s::text[]) WITH ORDINALITY AS t(letter, at)", [letters]
        )
        (theirs,) = cursor.fetchone()
    differ = [letter for letter, upper in zip(letters, theirs, strict=True) if fold(letter) != upper]
    newer = [letter for letter in differ if fold(letter) == letter]  # a partner that only PostgreSQL knows
    assert [hex(ord(letter)) for letter in differ if letter not in newer] == []
    assert len(newer) < 20


# Registering ------------------------------------------------------------------------------------------------------


def test_an_editor_gets_fields_operators_and_choices():
    offered = {field.name: field for field in fields("thing")}
    assert list(offered)[:3] == ["name", "box", "count"]
    assert [op.code for op in offered["stage"].ops] == ["is", "is_not", "any_of", "none_of", "is_set", "is_not_set"]
    assert [(op.label, op.takes) for op in offered["at"].ops][3] == ("is in the last", "duration")
    assert offered["level"].choices == ((1, "Low"), (2, "High"))
    assert offered["part"].subject == "part"
    assert offered["attribute.number"].type == "number"
    assert all(str(op.label) for field in offered.values() for op in field.ops)


@pytest.mark.parametrize("name", ["box__name", "Name", "", "a-b", "_a", "a_"])
def test_a_field_cannot_be_called_like_a_path(name: str):
    with pytest.raises(ValueError):
        register("refused", Field(name, "x", "text", q="name"))


def test_a_wrong_registration_fails_at_once():
    register("once", Field("name", "name", "text", q="name"))
    with pytest.raises(ValueError):
        register("once", Field("name", "name", "text", q="name"))
    with pytest.raises(ValueError):
        Field("name", "name", "sound", q="name")
    with pytest.raises(ValueError):
        Field("rows", "rows", "relation", q=Thing.objects.all)
    with pytest.raises(ValueError):
        Field("name", "name", "text", q=object())
    with pytest.raises(ValueError):
        attribute("a", "a", "relation", "a")
