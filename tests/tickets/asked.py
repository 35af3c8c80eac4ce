"""Random conditions about tickets: every field and operator that an editor offers, with values that it takes."""

from typing import Any

from hypothesis import strategies as st

from helpdesk.lib import conditions
from tests.lib.things import groups

words = st.text("abAB éß%_\\'.,:;@#*=<>+-()\"12", min_size=1, max_size=8).filter(lambda text: any(c.isalnum() for c in text))
said = st.sampled_from(
    ["refund", "ref", "late parcel", "Straße", "REFUND", "x", "ben@", "12", "vip", "OR", "is:open", "-no", "a, b"]
)
texts = st.one_of(said, words)
lengths = st.builds(lambda unit, n: {unit: n}, st.sampled_from(["minutes", "hours", "days", "weeks"]), st.integers(1, 60))
days = st.sampled_from(["2026-11-22", "2026-11-23", "2020-02-29"])
moments = st.one_of(days, st.sampled_from(["2026-11-23T11:00:00Z", "2026-11-23T12:00:00.5Z", "2019-03-31T01:30:00Z"]))


def leaves(subject: str = "ticket", **offered: bool) -> st.SearchStrategy[Any]:
    found = []
    for field in conditions.fields(subject, **offered):
        one: Any = st.sampled_from([value for value, _label in field.choices]) if field.choices else None
        if one is None:
            one = {"number": st.integers(-3, 12) | st.sampled_from([0.5, 1e14]), "boolean": st.booleans()}.get(field.type, texts)
        if field.type == "choice" and not field.choices:
            continue  # nobody there to choose
        values = {
            "one": one, "many": st.lists(one, min_size=1, max_size=3, unique=True), "duration": lengths, "date": moments,
            "day": days, "pair": st.lists(st.integers(-3, 12), min_size=2, max_size=2).map(sorted), "none": st.none(),
        }  # fmt: skip
        found += [
            st.builds(lambda name, code, value: {"field": name, "op": code, **({} if value is None else {"value": value})},
                      st.just(field.name), st.just(op.code), values[op.takes])
            for op in field.ops if op.takes != "count"
        ]  # fmt: skip
    return st.one_of(found)


def trees(**offered: bool) -> st.SearchStrategy[Any]:
    """With conditions on other rows: the messages of the ticket."""
    other = st.fixed_dictionaries(
        {"field": st.just("message"), "op": st.sampled_from(["has", "has_not"]), "at_least": st.integers(1, 3)},
        optional={"where": groups(leaves("message"), 2)},
    )
    asked = leaves(**offered)
    return groups(st.one_of(asked, asked, asked, other), 5)
