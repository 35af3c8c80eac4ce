"""A small world of its own for the condition language: things in boxes, with parts, of every type of field."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from hypothesis import strategies as st

from helpdesk.lib.conditions import Dynamic, Field, attribute, register

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Box(models.Model):
    name = models.TextField(null=True)
    attributes = models.JSONField(default=dict)

    class Meta:
        app_label = "things"


class Thing(models.Model):
    box = models.ForeignKey(Box, null=True, on_delete=models.CASCADE)
    name = models.TextField(null=True)
    count = models.BigIntegerField(null=True)
    price = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    ratio = models.FloatField(null=True)
    live = models.BooleanField(null=True)
    at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    stage = models.TextField(null=True)
    level = models.IntegerField(null=True)
    tags = ArrayField(models.TextField(), null=True)
    attributes = models.JSONField(default=dict)

    class Meta:
        app_label = "things"


class Part(models.Model):
    thing = models.ForeignKey(Thing, null=True, on_delete=models.CASCADE, related_name="parts")
    kind = models.TextField()
    occurred_at = models.DateTimeField()
    size = models.IntegerField(null=True)

    class Meta:
        app_label = "things"
        ordering = ["-size"]  # an ordering that would spoil a careless GROUP BY


MODELS = (Box, Thing, Part)
STAGES = [("new", "New"), ("old", "Old"), ("ß", "Sharp")]
LEVELS = [(1, "Low"), (2, "High")]
KINDS = ["opened", "closed"]
TYPES = {
    "text": "text",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "choice": "choice",
    "tags": "tags",
    "7": "text",
}


def did(thing: Thing, kind: str, since: datetime | None, until: datetime) -> list[Part]:
    return [
        part
        for part in thing.parts.all()
        if part.kind == kind and part.occurred_at <= until and (since is None or part.occurred_at >= since)
    ]


def custom(key: str) -> Field | None:
    return attribute(f"attribute.{key}", f"custom {key}", TYPES[key], key) if key in TYPES else None


register(
    "thing",
    Field("name", "name", "text", q="name", tracked=True),
    Field("box", "box", "text", q="box__name"),
    Field("count", "count", "number", q="count", tracked=True),
    Field("price", "price", "number", q="price", tracked=True),
    Field("ratio", "ratio", "number", q="ratio"),
    Field("live", "live", "boolean", q="live", tracked=True),
    Field("rated", "rated", "boolean", q=models.Q(ratio__isnull=False), value=lambda thing: thing.ratio is not None),
    Field("at", "at", "date", q="at", tracked=True),
    Field("day", "day", "date", q="day", tracked=True),
    Field("stage", "stage", "choice", q="stage", choices=STAGES, tracked=True),
    Field("level", "level", "choice", q="level", choices=lambda: LEVELS, tracked=True),
    Field("tags", "tags", "tags", q="tags", tracked=True),
    Field("part", "part", "relation", subject="part", q=Part.objects.all, link="thing", plural="parts",
          value=lambda thing: thing.parts.all()),
    Field("event", "event", "events", subject="part", q=Part.objects.all, link="thing", value=did,
          choices=[("opened", "opened it")]),
    attribute("boxed", "boxed", "text", "text", column="box__attributes"),
    Dynamic("attribute.", find=custom, all=lambda: [field for key in TYPES if (field := custom(key))]),
)  # fmt: skip
register(
    "part",
    Field("kind", "kind", "text", q="kind"),
    Field("size", "size", "number", q="size"),
    Field("occurred_at", "time", "date", q="occurred_at"),
    Field("whole", "whole", "relation", subject="thing", q=Thing.objects.all, link="parts",
          value=lambda part: [part.thing] if part.thing else []),
)  # fmt: skip


@contextmanager
def tables() -> Iterator[None]:
    """The tables of these models, for as long as the block runs."""
    with connection.schema_editor() as editor:
        for model in MODELS:
            editor.create_model(model)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            for model in reversed(MODELS):
                editor.delete_model(model)


# What SQL and Python are likely to see differently: case beyond ASCII, LIKE's own letters, blanks,
# composed and decomposed accents, text that looks like JSON.
LETTERS = (
    "aA\u00df\u1e9e\u017fsS\u0131\u0130iI\u03c3\u03c2\u03a3\u01c6\u01c5\u01c4\u00b5\u1fb3\u1fbc\u0149"
    "%_\\' \u00e9\u00c9\u0301e\u212ak\uff41\U00010428"
)
texts = st.one_of(
    st.sampled_from(["pro", "PRO", "Stra\u00dfe", "STRASSE", " pro", "pro ", "5", "true", "null", "", "%"]),
    st.text(LETTERS, max_size=3),
)
numbers = st.one_of(
    st.sampled_from([0, 1, 5, -1, 0.1, 0.3, 2.5, 1e14, 999_999_999_999_999, 123456.789012]), st.integers(-3, 3),
    st.floats(-1e6, 1e6).map(lambda number: round(number, 6)),
)  # fmt: skip
huge = st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63), 0.1 + 0.2, 1e300, 5e-324])
EDGES = [0, 1, -1, 3600, -3600, 86_400, -86_400, 30 * 86_400, -30 * 86_400, 30 * 86_400 + 1e-6, -30 * 86_400 - 1e-6]
moments = st.one_of(
    st.sampled_from([NOW + timedelta(seconds=seconds) for seconds in EDGES]),
    st.sampled_from(
        [datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]
    ),
    st.datetimes(datetime(1901, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)),
)
days = st.sampled_from([date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24), date(2024, 2, 29), date(1901, 1, 1)])
date_texts = st.one_of(
    moments.map(datetime.isoformat), moments.map(lambda at: at.isoformat().replace("+00:00", "Z")), days.map(date.isoformat),
    st.sampled_from(["2026-02-30", "2026-11-23T24:00:00Z", "2026-11-23T10:00", "2026-11-23T10:00+05:30", "0000-01-01",
                     "2026-11-23 10:00:00Z", "tomorrow", "infinity", "2026-11-23T10:00:60Z", "2026-11-23T23:30:00.5-14:00",
                     "20261123", "2026-W48-1", "2026-11-23\n", "\u0662026-11-23",
                     "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]),
)  # fmt: skip
tag_sets = st.lists(st.sampled_from(["vip", "VIP", "late", "new", "old"]), max_size=3)
json_values = st.one_of(
    texts, numbers, huge, st.booleans(), st.none(), date_texts, tag_sets,
    st.lists(st.one_of(st.integers(0, 9), st.just("vip"), st.none()), max_size=2), st.just({"vip": 1}), st.just([]),
)  # fmt: skip
attributes = st.dictionaries(st.sampled_from(list(TYPES)), json_values, max_size=6)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


things = st.fixed_dictionaries({
    "name": optional(texts), "count": optional(st.one_of(st.integers(-5, 5), st.sampled_from([2**63 - 1, 10**15 - 1]))),
    "price": optional(st.decimals(-1000, 1000, places=6)), "live": optional(st.booleans()), "at": optional(moments),
    "ratio": optional(st.one_of(numbers.map(float), st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.1 + 0.2]))),
    "day": optional(days), "stage": optional(st.sampled_from(["new", "NEW", "old", "\u00df", "", "gone"])),
    "level": optional(st.integers(0, 3)), "tags": optional(tag_sets), "attributes": attributes,
})  # fmt: skip
boxes = st.fixed_dictionaries({"name": optional(texts), "attributes": attributes})
parts = st.fixed_dictionaries({"kind": st.sampled_from(KINDS), "occurred_at": moments, "size": optional(st.integers(-2, 2))})
world = st.lists(st.tuples(things, optional(boxes), st.lists(parts, max_size=4)), min_size=1, max_size=6)


def fill(rows: list[Any]) -> list[Thing]:
    """Put a world into the tables and read it back as PostgreSQL keeps it."""
    for thing_fields, box_fields, part_fields in rows:
        box = Box.objects.create(**box_fields) if box_fields else None
        thing = Thing.objects.create(**thing_fields, box=box)
        Part.objects.bulk_create([Part(thing=thing, **fields) for fields in part_fields])
    # Of nobody, and often enough to be counted: the NULL that NOT IN trips over.
    Part.objects.bulk_create([Part(kind="opened", occurred_at=NOW) for _ in range(3)])
    return list(Thing.objects.select_related("box").prefetch_related("parts"))


def values(takes: str, name: str) -> st.SearchStrategy[Any]:
    kind = "number" if name in ("count", "price", "ratio", "size", "attribute.number") else name
    one: st.SearchStrategy[Any] = texts.filter(lambda text: text.strip() != "")
    if kind == "number":
        one = numbers
    elif name in ("stage", "level"):
        one = st.sampled_from([value for value, _label in (STAGES if name == "stage" else LEVELS)])
    elif name in ("live", "rated", "attribute.boolean"):
        one = st.booleans()
    elif name in ("tags", "attribute.tags"):
        one = st.sampled_from(["vip", "VIP", "late", "5"])
    return {
        "one": one,
        "many": st.lists(one, min_size=1, max_size=3),
        "pair": st.tuples(one, one).map(lambda two: sorted(two)) if kind == "number" else st.nothing(),
        "duration": st.sampled_from([{"days": 30}, {"hours": 1}, {"minutes": 1}, {"weeks": 52}, {"days": 36_525}]),
        "date": st.one_of(days.map(date.isoformat), moments.map(datetime.isoformat), st.just("2026-11-23T10:00")),
        "day": days.map(date.isoformat),
    }[takes]


def leaves(subject: str) -> st.SearchStrategy[Any]:
    """Every operator of every field of `subject`, except those that lead to other rows."""
    from helpdesk.lib.conditions import fields

    return st.one_of([
        st.just({"field": field.name, "op": op.code}) if op.takes == "none"
        else st.builds(lambda name, code, value: {"field": name, "op": code, "value": value},
                       st.just(field.name), st.just(op.code), values(op.takes, field.name))
        for field in fields(subject) for op in field.ops if op.takes != "count"
    ])  # fmt: skip


def groups(leaf: st.SearchStrategy[Any], size: int = 5) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=size,
    )


def _linked(where: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    at_least = st.integers(1, 3)
    relation = st.fixed_dictionaries(
        {"field": st.just("part"), "op": st.sampled_from(["has", "has_not"]), "at_least": at_least}, optional={"where": where}
    )
    events = st.fixed_dictionaries(
        {
            "field": st.just("event"),
            "op": st.sampled_from(["did", "did_not"]),
            "value": st.sampled_from(KINDS),
            "at_least": at_least,
        },
        optional={"within": st.sampled_from([{"days": 30}, {"hours": 1}]), "where": where},
    )
    return st.one_of(relation, events)


_whole = st.fixed_dictionaries(
    {"field": st.just("whole"), "op": st.sampled_from(["has", "has_not"])}, optional={"where": groups(leaves("thing"), 2)}
)
_trees = groups(st.one_of(leaves("thing"), leaves("thing"), _linked(groups(st.one_of(leaves("part"), _whole), 2))))


@st.composite
def trees(draw: st.DrawFn) -> Any:
    """Any condition over things, within the depth that is allowed."""
    return draw(_trees.filter(lambda tree: depth(tree) <= 8))


def depth(tree: Any) -> int:
    if isinstance(tree, list):
        return max(map(depth, tree), default=0)
    if not isinstance(tree, dict):
        return 0
    below = [depth(tree[key]) for key in ("all", "any", "not", "where") if key in tree]
    return 1 + max(below, default=0)
