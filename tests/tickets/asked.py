"""Random conditions about tickets: every field and operator that an editor offers, with values that it takes; and tickets."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from helpdesk.lib import conditions
from tests.lib.things import depth, groups
from tickets.models.clocks import NO_HOURS, Hours, Kind

signs = st.text("abAB éß%_\\'.,:;@#*=<>+-()\"12", max_size=4)
words = st.builds("{}{}{}".format, signs, st.sampled_from("aBéß12"), signs)  # each with a letter or digit
said = st.sampled_from(
    ["refund", "ref", "late parcel", "Straße", "REFUND", "x", "ben@", "12", "vip", "OR", "is:open", "-no", "a, b"]
)
texts = st.one_of(said, words)
lengths = st.builds(lambda unit, n: {unit: n}, st.sampled_from(["minutes", "hours", "days", "weeks"]), st.integers(1, 60))
days = st.sampled_from(["2026-11-22", "2026-11-23", "2020-02-29"])
moments = st.one_of(days, st.sampled_from(["2026-11-23T11:00:00Z", "2026-11-23T12:00:00.5Z", "2019-03-31T01:30:00Z"]))
spans = st.integers(-90, 90 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
ago = st.one_of(st.none(), spans)
ahead = ago.map(lambda span: span and -span)
REFS = ["customer:1", "customer:2", "customer:30"]
FIELDS = {  # by key: the type, what it is made with, what it holds, and what it may hold from before it was defined
    "note": ("text", {}, said, 5), "size": ("number", {}, st.integers(-3, 12) | st.just(0.5), "5"),
    "until": ("date", {}, days, "2026-02-30"), "paid": ("boolean", {}, st.booleans(), "true"),
    "tier": ("choice", {"choices": ["gold", "tin"]}, st.sampled_from(["gold", "tin"]), "clay"),
    "parts": ("multi", {"choices": ["a", "b"]}, st.lists(st.sampled_from(["a", "b"]), min_size=1, unique=True), "a"),
    "owner": ("lookup", {"target": "customer"}, st.sampled_from(REFS), ["customer:1"]),
}  # fmt: skip
attributes = st.fixed_dictionaries(
    {},
    optional={
        key: st.one_of(holds, holds, holds, st.sampled_from([old, None])) for key, (_t, _made, holds, old) in FIELDS.items()
    },
)
# any columns, also those that tickets.clocks would not write beside each other: each state that there is, and more
clocks = st.lists(
    st.fixed_dictionaries({
        "kind": st.sampled_from(Kind.values), "started_at": spans, "policy": st.integers(0, 3),
        "target": st.just(3600), "hours": st.sampled_from(Hours.values), "due_at": st.one_of(ago, ahead), "promised_at": ago,
        "idle": st.sampled_from(["", "", "pending", "solved", NO_HOURS]), "left": st.sampled_from([None, 60]),
        "ended_at": ago, "breached_at": ago,
    }),
    max_size=4, unique_by=lambda clock: (clock["kind"], clock["started_at"]),
)  # fmt: skip
companies = st.fixed_dictionaries({"name": texts, "attributes": attributes})
customers = st.fixed_dictionaries({
    "name": texts, "stage": st.sampled_from(["", "trial", "Trial"]), "attributes": attributes, "company": st.none() | companies,
})  # fmt: skip


def by_field(subject: str = "ticket", **offered: bool) -> list[st.SearchStrategy[Any]]:
    """Of each field a condition that asks it."""
    found = []
    for field in conditions.fields(subject, **offered):
        one: Any = st.sampled_from([value for value, _label in field.choices]) if field.choices else None
        if one is None:
            one = {"number": st.integers(-3, 12) | st.sampled_from([0.5, 1e14]), "boolean": st.booleans()}.get(field.type, texts)
        if field.type == "choice" and not field.choices:
            if "." not in field.name:
                continue  # nobody there to choose
            one = st.sampled_from(REFS)  # a lookup
        values = {
            "one": one, "many": st.lists(one, min_size=1, max_size=3, unique=True), "duration": lengths, "date": moments,
            "day": days, "pair": st.lists(st.integers(-3, 12), min_size=2, max_size=2).map(sorted), "none": st.none(),
        }  # fmt: skip
        ops = [
            st.builds(lambda name, code, value: {"field": name, "op": code, **({} if value is None else {"value": value})},
                      st.just(field.name), st.just(op.code), values[op.takes])
            for op in field.ops if op.takes != "count"
        ]  # fmt: skip
        found += [st.one_of(ops)] if ops else []
    return found


def leaves(subject: str = "ticket", **offered: bool) -> st.SearchStrategy[Any]:
    """Each field as often as another, however many operators it has."""
    each = by_field(subject, **offered)
    return st.sampled_from(range(len(each))).flatmap(lambda place: each[place])


def trees(**offered: bool) -> st.SearchStrategy[Any]:
    """With conditions on other rows: the messages of the ticket."""
    other = st.fixed_dictionaries(
        {"field": st.just("message"), "op": st.sampled_from(["has", "has_not"]), "at_least": st.integers(1, 3)},
        optional={"where": groups(leaves("message"), 2)},
    )
    asked = leaves(**offered)
    return groups(st.one_of(asked, asked, asked, other), 5)


def picks(**offered: bool) -> st.SearchStrategy[list[Any]]:
    """Some fields, each asked by itself, for a tree often says the same whatever one of its parts does; and some trees."""
    each = by_field(**offered)
    some = st.lists(st.sampled_from(range(len(each))), min_size=20, max_size=20, unique=True)
    deep = trees(**offered).filter(lambda tree: depth(tree) <= 8)
    return st.builds(
        lambda alone, mixed: [*alone, *mixed],
        some.flatmap(lambda places: st.tuples(*(each[place] for place in places))),
        st.lists(deep, min_size=4, max_size=8),
    )
